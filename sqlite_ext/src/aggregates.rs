//! The aggregates, registered through rusqlite. Their states are bytes or a sum of `cotaste_core`; this file only feeds
//! them rows. They are also window functions, as every aggregate is in Postgres, over frames that only grow.

use crate::convert::exact_integer;
use crate::failure::{Failure, Result};
use crate::guard;
use crate::pair::grow;
use cotaste_core::base::Base;
use cotaste_core::sum::ReproducibleSum;
use cotaste_core::taste::ledger::{changes, weight};
use cotaste_core::{fold, latest, list, taste, Error};
use rusqlite::functions::{Aggregate, Context, FunctionFlags, WindowAggregate};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::Connection;
use std::panic::{RefUnwindSafe, UnwindSafe};

pub fn register(db: &Connection) -> rusqlite::Result<()> {
    define::<TasteAgg>(db, "taste_agg", 3)?;
    define::<TasteAgg>(db, "taste_agg", 4)?;
    define::<TasteRollup>(db, "taste_rollup", 1)?;
    define::<Sum>(db, "reproducible_sum", 1)?;
    define::<Latest>(db, "latest_value", 3)?;
    define::<List>(db, "ordered_json_array", 2)?;
    define::<DecayedWeight>(db, "decayed_weight", 2)?;
    define::<DecayedWeight>(db, "decayed_weight", 4)?;
    define::<TasteChanges>(db, "taste_changes", 6)?;
    define::<PostingChanges>(db, "posting_changes", 2)?;
    define::<BlockChanges>(db, "block_changes", 2)
}

/// A group's state: rows in, one value out. No row at all is `Default`.
pub trait Group: Default + UnwindSafe + RefUnwindSafe {
    fn push(&mut self, row: &Context<'_>) -> Result<()>;
    fn finish(&self) -> Result<Value>;
}

pub fn define<G: Group + 'static>(db: &Connection, name: &str, arguments: i32) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    db.create_window_function(name, arguments, flags, Guarded::<G>(std::marker::PhantomData))
}

struct Guarded<G>(std::marker::PhantomData<fn() -> G>);

impl<G: Group> Aggregate<Option<G>, ToSqlOutput<'static>> for Guarded<G> {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<G>> {
        Ok(Some(G::default()))
    }

    /// After an error the state is dropped: SQLite still finishes the group, and that must not cost anything.
    fn step(&self, row: &mut Context<'_>, state: &mut Option<G>) -> rusqlite::Result<()> {
        let result = guard::catch(|| state.as_mut().map_or(Ok(()), |group| group.push(row)));
        if result.is_err() {
            let failed = state.take();
            guard::catch_or((), || drop(failed));
        }
        Ok(result?)
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Option<G>>) -> rusqlite::Result<ToSqlOutput<'static>> {
        let value = guard::catch(|| {
            let state = state.unwrap_or_else(|| Some(G::default()));
            state.as_ref().map_or(Ok(Value::Null), G::finish)
        })?;
        Ok(ToSqlOutput::Owned(value))
    }
}

impl<G: Group> WindowAggregate<Option<G>, ToSqlOutput<'static>> for Guarded<G> {
    fn value(&self, state: Option<&mut Option<G>>) -> rusqlite::Result<ToSqlOutput<'static>> {
        let value = guard::catch(|| match state {
            Some(state) => state.as_ref().map_or(Ok(Value::Null), G::finish),
            None => G::default().finish(),
        })?;
        Ok(ToSqlOutput::Owned(value))
    }

    /// A row cannot be taken out of a state again.
    fn inverse(&self, _: &mut Context<'_>, _: &mut Option<G>) -> rusqlite::Result<()> {
        Err(Failure::from(Error::invalid("frame", "does not begin at unbounded preceding")).into())
    }
}

/// `taste_agg(content, genres, weight [, half_lives])`
#[derive(Default)]
struct TasteAgg {
    state: Vec<u8>,
    compacted: usize,
}

impl Group for TasteAgg {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let content = integer(row, 0, "content")?;
        let genres = stored_text(row, 1);
        let weight = real(row, 2, "weight")?;
        let half_lives = if row.len() > 3 { real(row, 3, "half_lives")?.unwrap_or(0.0) } else { 0.0 };
        let length = taste::state::row_len(genres)?;
        taste::state::write_row(grow(&mut self.state, length)?, content, genres, weight, half_lives)?;
        compact(&mut self.state, &mut self.compacted)
    }

    fn finish(&self) -> Result<Value> {
        finish_taste(&self.state)
    }
}

/// `taste_rollup(taste)`
#[derive(Default)]
struct TasteRollup {
    state: Vec<u8>,
    compacted: usize,
}

impl Group for TasteRollup {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let taste = match row.get_raw(0) {
            ValueRef::Null => return Ok(()),
            ValueRef::Blob(taste) => taste,
            _ => return Err(Error::invalid("taste", "is not a blob").into()),
        };
        let length = taste::state::taste_len(taste)?;
        taste::state::write_taste(grow(&mut self.state, length)?, taste)?;
        compact(&mut self.state, &mut self.compacted)
    }

    fn finish(&self) -> Result<Value> {
        finish_taste(&self.state)
    }
}

fn finish_taste(state: &[u8]) -> Result<Value> {
    if state.is_empty() {
        return Ok(Value::Null);
    }
    Ok(Value::Blob(taste::state::finish(state)?))
}

/// The size of a state of mostly repeated rows stays bounded by what is distinct in it.
const FIRST_COMPACTION: usize = 64 * 1024;

fn compact(state: &mut Vec<u8>, compacted: &mut usize) -> Result<()> {
    if state.len() >= FIRST_COMPACTION.max(compacted.saturating_mul(2)) {
        *state = taste::state::compact(state)?;
        *compacted = state.len();
    }
    Ok(())
}

/// `reproducible_sum(value)`
#[derive(Default)]
struct Sum(Option<ReproducibleSum>);

impl Group for Sum {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let Some(value) = real(row, 0, "value")? else { return Ok(()) };
        Ok(self.0.get_or_insert_default().add(value)?)
    }

    fn finish(&self) -> Result<Value> {
        Ok(self.0.as_ref().map(ReproducibleSum::value).transpose()?.map_or(Value::Null, Value::Real))
    }
}

/// `decayed_weight(weight, half_lives [, base, half_life_hours])`
#[derive(Default)]
struct DecayedWeight(Option<ReproducibleSum>);

impl Group for DecayedWeight {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        if let (Some(value), Some(half_lives)) = (real(row, 0, "weight")?, real(row, 1, "half_lives")?) {
            weight::add(self.0.get_or_insert_default(), value, half_lives)?;
        }
        let base = if row.len() > 2 { blob(row, 2, "base")? } else { None };
        if let Some(base) = base {
            let half_life = real(row, 3, "half_life_hours")?.ok_or(Error::invalid("half_life_hours", "is NULL"))?;
            self.0.get_or_insert_default().merge(&Base::read(base)?.weight(half_life)?)?;
        }
        Ok(())
    }

    fn finish(&self) -> Result<Value> {
        Ok(self.0.as_ref().map_or(Value::Null, |sum| Value::Blob(weight::of(sum).to_vec())))
    }
}

/// `taste_changes(content, genres, was_touched, was_weight, is_touched, is_weight)`
#[derive(Default)]
struct TasteChanges(Vec<u8>);

impl Group for TasteChanges {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let Some(content) = integer(row, 0, "content")? else { return Ok(()) };
        let genres = stored_text(row, 1);
        let side = |touched: usize, of: usize| -> Result<changes::Side<'_>> {
            let is_touched = integer(row, touched, "touched")?.is_some_and(|touched| touched != 0);
            Ok(blob(row, of, "weight")?.map(|weight| (is_touched, weight)))
        };
        let (was, is) = (side(2, 3)?, side(4, 5)?);
        let length = changes::row_len(genres)?;
        Ok(changes::write_row(grow(&mut self.0, length)?, content, genres, was, is)?)
    }

    fn finish(&self) -> Result<Value> {
        Ok(collected(&self.0))
    }
}

/// `posting_changes(place, added)`
#[derive(Default)]
struct PostingChanges(Vec<u8>);

impl Group for PostingChanges {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let (Some(place), Some(added)) = (integer(row, 0, "place")?, integer(row, 1, "added")?) else { return Ok(()) };
        let room = grow(&mut self.0, fold::postings::ROW)?;
        Ok(fold::postings::write_row(room, place, added != 0)?)
    }

    fn finish(&self) -> Result<Value> {
        Ok(collected(&self.0))
    }
}

/// `block_changes(slot, taste)`
#[derive(Default)]
struct BlockChanges(Vec<u8>);

impl Group for BlockChanges {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let Some(slot) = integer(row, 0, "slot")? else { return Ok(()) };
        let taste = blob(row, 1, "taste")?;
        let length = fold::blocks::row_len(taste)?;
        Ok(fold::blocks::write_row(grow(&mut self.0, length)?, slot, taste)?)
    }

    fn finish(&self) -> Result<Value> {
        Ok(collected(&self.0))
    }
}

pub fn collected(changes: &[u8]) -> Value {
    if changes.is_empty() {
        return Value::Null;
    }
    Value::Blob(changes.to_vec())
}

/// `latest_value(value, at, id)`
#[derive(Default)]
struct Latest(Option<latest::Latest>);

impl Group for Latest {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let (value, at, id) = (real(row, 0, "value")?, integer(row, 1, "at")?, integer(row, 2, "id")?);
        if let (Some(value), Some(at), Some(id)) = (value, at, id) {
            let row = latest::Latest::new(value, at, id);
            self.0 = Some(self.0.map_or(row, |last| last.later(row)));
        }
        Ok(())
    }

    fn finish(&self) -> Result<Value> {
        Ok(self.0.map_or(Value::Null, |last| Value::Real(last.value())))
    }
}

/// `ordered_json_array(value, position)`
#[derive(Default)]
struct List(Vec<u8>);

impl Group for List {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let Some(value) = text(row, 0, "value")? else { return Ok(()) };
        let position = integer(row, 1, "position")?.ok_or(Error::invalid("position", "is NULL"))?;
        let length = list::state::row_len(value)?;
        Ok(list::state::write_row(grow(&mut self.0, length)?, value, position)?)
    }

    fn finish(&self) -> Result<Value> {
        Ok(Value::Text(list::state::finish(&self.0)?))
    }
}

pub fn integer(row: &Context<'_>, i: usize, name: &'static str) -> Result<Option<i64>> {
    match row.get_raw(i) {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(integer) => Ok(Some(integer)),
        ValueRef::Real(real) => match exact_integer(real) {
            Some(integer) => Ok(Some(integer)),
            None => Err(Error::invalid(name, format!("{real} is not an integer")).into()),
        },
        _ => Err(Error::invalid(name, "is not an integer").into()),
    }
}

pub fn real(row: &Context<'_>, i: usize, name: &'static str) -> Result<Option<f64>> {
    match row.get_raw(i) {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(integer) => Ok(Some(integer as f64)),
        ValueRef::Real(real) => Ok(Some(real)),
        _ => Err(Error::invalid(name, "is not a number").into()),
    }
}

/// A column read from a table: whatever is stored there, reading it does not fail.
pub fn stored_text<'a>(row: &'a Context<'_>, i: usize) -> Option<&'a str> {
    match row.get_raw(i) {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

pub fn blob<'a>(row: &'a Context<'_>, i: usize, name: &'static str) -> Result<Option<&'a [u8]>> {
    match row.get_raw(i) {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(blob) => Ok(Some(blob)),
        _ => Err(Error::invalid(name, "is not a blob").into()),
    }
}

pub fn text<'a>(row: &'a Context<'_>, i: usize, name: &'static str) -> Result<Option<&'a str>> {
    match row.get_raw(i) {
        ValueRef::Null => Ok(None),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Error::invalid(name, "is not valid UTF-8").into()),
        },
        _ => Err(Error::invalid(name, "is not text").into()),
    }
}
