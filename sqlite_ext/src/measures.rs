//! The measures of contents: aggregates over a pair's events and over pairs, and functions of their values.

use crate::aggregates::{blob, define, integer, real, text, Group};
use crate::convert::Answer::{self, Integer, Null, Real};
use crate::convert::Args;
use crate::failure::Result;
use crate::scalar::{pure, pure_of_nulls, Db};
use cotaste_core::base::Base;
use cotaste_core::facts::{Builder, Event, Facts, Scale};
use cotaste_core::measures::{self, Changes, Measures};
use cotaste_core::{trend, Error};
use rusqlite::functions::Context;
use rusqlite::types::Value;
use rusqlite::Connection;

pub fn register(db: Db) -> Result<()> {
    pure(db, "set_content_extent", 3, set_content_extent)?;
    pure(db, "content_count", 2, |a| Ok(of(a)?.count(a.text(1, "name")?)?.map_or(Null, Integer)))?;
    pure(db, "content_number", 2, |a| Ok(of(a)?.number(a.text(1, "name")?)?.map_or(Null, Real)))?;
    pure(db, "content_trend", 1, |a| Ok(Some(of(a)?.trend().to_vec()).into()))?;
    pure(db, "trend_score", 3, |a| {
        let (as_of_us, half_life_hours) = (a.integer(1, "as_of_us")?, a.real(2, "half_life_hours")?);
        Ok(Real(trend::score(a.blob(0, "trend")?, as_of_us, half_life_hours)?))
    })?;
    pure(db, "sample_sd", 3, |a| {
        Ok(trend::sample_sd(a.integer(0, "count")?, a.real(1, "sum")?, a.real(2, "sum_of_squares")?).into())
    })?;
    pure(db, "z_score", 4, |a| {
        let (sum, sum_of_squares) = (a.real(2, "sum")?, a.real(3, "sum_of_squares")?);
        Ok(trend::z_score(a.real(0, "current")?, a.integer(1, "periods")?, sum, sum_of_squares)?.into())
    })?;
    pure(db, "base_number", 2, |a| Ok(base(a)?.number(a.text(1, "name")?)?.map_or(Null, Integer)))?;
    pure(db, "base_action", 1, |a| Ok(base(a)?.last_action().to_owned().into()))?;
    pure_of_nulls(db, "follow_content", 2, |a| {
        Ok(measures::follow(a.optional_blob(0, "measures")?, a.optional_blob(1, "changes")?)?.into())
    })
}

pub fn register_aggregates(db: &Connection) -> rusqlite::Result<()> {
    define::<PairFacts>(db, "pair_facts", 8)?;
    define::<PairBase>(db, "pair_base", 9)?;
    define::<ContentChanges>(db, "content_changes", 2)?;
    define::<RatingChanges>(db, "rating_changes", 2)?;
    define::<ContentMerge>(db, "content_merge", 1)
}

fn of(a: Args<'_>) -> Result<Measures> {
    Ok(Measures::read(a.blob(0, "measures")?)?)
}

fn set_content_extent(a: Args<'_>) -> Result<Answer<'_>> {
    let known = of(a)?.with_extent(Some(a.integer(1, "first_us")?), Some(a.integer(2, "last_us")?));
    Ok(Some(known.to_bytes()?).into())
}

fn base(a: Args<'_>) -> Result<Base> {
    Ok(Base::read(a.blob(0, "base")?)?)
}

/// The event in five columns from `at` on: action, rating, weight, time, id. Without an action, a time or an id it is none.
fn event<'a>(row: &'a Context<'_>, at: usize) -> Result<Option<Event<'a>>> {
    let (action, at_us, id) = (text(row, at, "action")?, integer(row, at + 3, "at_us")?, integer(row, at + 4, "id")?);
    let (Some(action), Some(at_us), Some(id)) = (action, at_us, id) else { return Ok(None) };
    let (rating, weight) = (real(row, at + 1, "rating")?, real(row, at + 2, "weight")?.unwrap_or(0.0));
    Ok(Some(Event { action, rating, weight, at_us, id }))
}

fn half_life(row: &Context<'_>, at: usize) -> Result<f64> {
    Ok(real(row, at, "half_life_hours")?.ok_or(Error::invalid("half_life_hours", "is NULL"))?)
}

/// `pair_facts(action, rating, weight, at_us, id, half_life_hours, user_cap, base)`
#[derive(Default)]
struct PairFacts {
    events: Builder,
    scale: Option<Scale>,
}

impl Group for PairFacts {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let (event, base) = (event(row, 0)?, blob(row, 7, "base")?);
        if event.is_none() && base.is_none() {
            return Ok(());
        }
        let scale = match self.scale {
            Some(scale) => scale,
            None => *self.scale.insert(Scale::new(half_life(row, 5)?, integer(row, 6, "user_cap")?.unwrap_or(0))?),
        };
        if let Some(event) = event {
            self.events.add(&event, &scale)?;
        }
        if let Some(base) = base {
            Base::read(base)?.add_to(&mut self.events, &scale)?;
        }
        Ok(())
    }

    fn finish(&self) -> Result<Value> {
        let Some(scale) = &self.scale else { return Ok(Value::Null) };
        let facts = self.events.clone().finish(scale)?;
        Ok(facts.map(|facts| facts.to_bytes()).transpose()?.map_or(Value::Null, Value::Blob))
    }
}

/// `pair_base(base, action, rating, weight, at_us, id, taste_half_life_hours, trending_half_life_hours, user_cap)`
#[derive(Default)]
struct PairBase(Option<(Base, Scale)>);

impl Group for PairBase {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        if self.0.is_none() {
            let (taste, trend, user_cap) = (half_life(row, 6)?, half_life(row, 7)?, integer(row, 8, "user_cap")?);
            self.0 = Some((Base::new(taste, trend)?, Scale::new(trend, user_cap.unwrap_or(0))?));
        }
        let Some((base, scale)) = &mut self.0 else { return Ok(()) };
        if let Some(event) = event(row, 1)? {
            base.add(&event, scale)?;
        }
        if let Some(before) = blob(row, 0, "base")? {
            base.merge(&Base::read(before)?, scale)?;
        }
        Ok(())
    }

    fn finish(&self) -> Result<Value> {
        let bytes = self.0.clone().map(|(base, scale)| base.to_bytes(&scale)).transpose()?.flatten();
        Ok(bytes.map_or(Value::Null, Value::Blob))
    }
}

/// `content_changes(was, facts)`
#[derive(Default)]
struct ContentChanges(Option<Changes>);

impl ContentChanges {
    fn finish_as(&self, part: fn(Changes) -> Changes) -> Result<Value> {
        let changes = self.0.clone().map(|changes| part(changes).to_bytes()).transpose()?;
        Ok(changes.map_or(Value::Null, Value::Blob))
    }
}

impl Group for ContentChanges {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let read = |i, name| blob(row, i, name)?.map(|facts| Ok(Facts::read(facts)?)).transpose();
        let (was, facts): (Result<Option<Facts>>, Result<Option<Facts>>) = (read(0, "was"), read(1, "facts"));
        Ok(self.0.get_or_insert_default().add(was?.as_ref(), facts?.as_ref())?)
    }

    fn finish(&self) -> Result<Value> {
        self.finish_as(|changes| changes)
    }
}

/// `content_merge(measures)`
#[derive(Default)]
struct ContentMerge(Option<Measures>);

impl Group for ContentMerge {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let Some(measures) = blob(row, 0, "measures")?.map(Measures::read).transpose()? else { return Ok(()) };
        self.0 = Some(match self.0.take() {
            Some(state) => state.merge(&measures)?,
            None => measures,
        });
        Ok(())
    }

    fn finish(&self) -> Result<Value> {
        Ok(self.0.clone().map(Measures::to_bytes).transpose()?.map_or(Value::Null, Value::Blob))
    }
}

/// `rating_changes(was, facts)`
#[derive(Default)]
struct RatingChanges(ContentChanges);

impl Group for RatingChanges {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        self.0.push(row)
    }

    fn finish(&self) -> Result<Value> {
        self.0.finish_as(Changes::into_ratings)
    }
}
