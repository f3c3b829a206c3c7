//! The aggregates of experiments: moments of users, and p values adjusted together.

use crate::aggregates::{define, integer, real, Group};
use crate::failure::Result;
use crate::pair::grow;
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
    define::<BenjaminiHochberg>(db, "bh_adjust", 2)
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
