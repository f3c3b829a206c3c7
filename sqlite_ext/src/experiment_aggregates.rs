//! The aggregates of experiments: moments of users, p values adjusted together, and what the kept events of users say.

use crate::aggregates::{blob, collected, define, integer, real, stored_text, text, Group};
use crate::failure::Result;
use crate::pair::grow;
use cotaste_core::events::changes::{self, Event};
use cotaste_core::events::{ArmCounts, Question};
use cotaste_core::stats::{self, multiple};
use cotaste_core::Error;
use rusqlite::functions::Context;
use rusqlite::types::{Value, ValueRef};
use rusqlite::Connection;

pub fn register(db: &Connection) -> rusqlite::Result<()> {
    define::<Moments>(db, "moments", 1)?;
    define::<Moments>(db, "moments", 2)?;
    define::<MomentsMerge>(db, "moments_merge", 1)?;
    define::<Holm>(db, "holm_adjust", 2)?;
    define::<BenjaminiHochberg>(db, "bh_adjust", 2)?;
    define::<EventChanges>(db, "event_changes", 6)?;
    define::<ExperimentArms>(db, "experiment_arms", 7)
}

/// `moments(y [, x])`
#[derive(Default)]
struct Moments(Option<stats::Moments>);

impl Group for Moments {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let x = if row.len() > 1 { real(row, 1, "x")? } else { Some(0.0) };
        let (Some(y), Some(x)) = (real(row, 0, "y")?, x) else { return Ok(()) };
        Ok(self.0.get_or_insert_default().add(y, x)?)
    }

    fn finish(&self) -> Result<Value> {
        finish_moments(self.0.as_ref())
    }
}

/// `moments_merge(moments)`
#[derive(Default)]
struct MomentsMerge(Option<stats::Moments>);

impl Group for MomentsMerge {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let part = match row.get_raw(0) {
            ValueRef::Null => return Ok(()),
            ValueRef::Blob(bytes) => stats::Moments::from_bytes(bytes)?,
            _ => return Err(Error::invalid("moments", "is not a blob").into()),
        };
        Ok(self.0.get_or_insert_default().merge(&part)?)
    }

    fn finish(&self) -> Result<Value> {
        finish_moments(self.0.as_ref())
    }
}

fn finish_moments(moments: Option<&stats::Moments>) -> Result<Value> {
    Ok(moments.map(stats::Moments::to_bytes).transpose()?.map_or(Value::Null, Value::Blob))
}

/// `holm_adjust(p, position)`
#[derive(Default)]
struct Holm(Vec<u8>);

impl Group for Holm {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        push_p(&mut self.0, row)
    }

    fn finish(&self) -> Result<Value> {
        Ok(Value::Text(multiple::state::finish(&self.0, stats::holm)?))
    }
}

/// `bh_adjust(p, position)`
#[derive(Default)]
struct BenjaminiHochberg(Vec<u8>);

impl Group for BenjaminiHochberg {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        push_p(&mut self.0, row)
    }

    fn finish(&self) -> Result<Value> {
        Ok(Value::Text(multiple::state::finish(&self.0, stats::benjamini_hochberg)?))
    }
}

fn push_p(state: &mut Vec<u8>, row: &Context<'_>) -> Result<()> {
    let p = real(row, 0, "p")?;
    let position = integer(row, 1, "position")?.ok_or(Error::invalid("position", "is NULL"))?;
    Ok(multiple::state::write_row(grow(state, multiple::state::ROW)?, p, position)?)
}

/// `event_changes(content, occurred_us, action, rating, experiment, variant)`
#[derive(Default)]
struct EventChanges(Vec<u8>);

impl Group for EventChanges {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let content = integer(row, 0, "content")?.ok_or(Error::invalid("content", "is NULL"))?;
        let (occurred_us, action) = (integer(row, 1, "occurred_us")?, text(row, 2, "action")?);
        let (rating, experiment) = (real(row, 3, "rating")?, stored_text(row, 4));
        let arm = experiment.zip(stored_text(row, 5));
        let event = occurred_us.zip(action).map(|(occurred_us, action)| Event { occurred_us, action, rating, arm });
        let room = grow(&mut self.0, changes::row_len(event)?)?;
        Ok(changes::write_row(room, content, event)?)
    }

    fn finish(&self) -> Result<Value> {
        Ok(collected(&self.0))
    }
}

/// `experiment_arms(events, experiment, from_us, to_us, goal, window_us, now_us)`
#[derive(Default)]
struct ExperimentArms(ArmCounts);

impl Group for ExperimentArms {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let Some(events) = blob(row, 0, "events")? else { return Ok(()) };
        let null = |name| move || Error::invalid(name, "is NULL");
        let question = Question {
            experiment: text(row, 1, "experiment")?.ok_or_else(null("experiment"))?,
            from_us: integer(row, 2, "from_us")?.ok_or_else(null("from_us"))?,
            to_us: integer(row, 3, "to_us")?.ok_or_else(null("to_us"))?,
            goal: text(row, 4, "goal")?.ok_or_else(null("goal"))?,
            window_us: integer(row, 5, "window_us")?,
            now_us: integer(row, 6, "now_us")?.ok_or_else(null("now_us"))?,
        };
        Ok(self.0.add(events, &question)?)
    }

    fn finish(&self) -> Result<Value> {
        Ok(self.0.finish()?.map_or(Value::Null, Value::Text))
    }
}
