//! Where events go: batches, each in one transaction with what says how far its source has been read.

mod copy;
mod postgres;
mod sqlite;

use crate::database::Database;
use crate::event::Event;
use crate::failure::{Failure, Result};
use std::collections::HashSet;

pub use copy::Binary;
pub use postgres::PostgresSink;
pub use sqlite::SqliteSink;

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Written {
    pub inserted: u64,
    /// Events that were there already.
    pub duplicates: u64,
    /// By their place in the batch, in order.
    pub rejected: Vec<(usize, String)>,
}

/// What is committed together with a batch.
#[derive(Debug, Default)]
pub struct Seal {
    /// How far a task has come: its name and its state.
    pub checkpoint: Option<(String, String)>,
    pub dead: Vec<Dead>,
}

/// A message that is no event.
#[derive(Debug)]
pub struct Dead {
    pub source: String,
    pub position: String,
    pub reason: String,
    pub payload: String,
}

/// Says what to commit with a batch, once it is known what became of it.
pub type Sealing<'a> = dyn FnMut(&Written) -> Result<Seal> + 'a;

pub trait Sink: Send {
    /// Writes a batch and what `sealing` says in one transaction.
    fn write(&mut self, events: &[Event], sealing: &mut Sealing<'_>) -> Result<Written>;
    /// How far a task has come.
    fn checkpoint(&mut self, task: &str) -> Result<Option<String>>;
    /// Brings the state up to the log; the number of keys folded.
    fn refresh(&mut self) -> Result<i64>;
}

/// How a load is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Keys are queued and folded.
    Follow,
    /// The state is out of date as a whole until the end, when it is made anew: for a load of more than there is.
    Load,
}

pub fn open(database: Database, mode: Mode) -> Result<Box<dyn Sink>> {
    Ok(match database {
        Database::Sqlite(sqlite) => Box::new(SqliteSink::new(sqlite, mode)?),
        Database::Postgres(postgres) => Box::new(PostgresSink::new(postgres, mode)?),
    })
}

/// The tables of this program, made when they are first needed.
pub const TABLES: &str = include_str!("../../sql/tables.sql");

/// Splits off the events whose action the space does not know.
fn known<'a>(events: &'a [Event], actions: &HashSet<String>, written: &mut Written) -> Vec<(usize, &'a Event)> {
    let mut kept = Vec::with_capacity(events.len());
    for (i, event) in events.iter().enumerate() {
        match actions.contains(&event.action) {
            true => kept.push((i, event)),
            false => {
                let reason = format!(
                    "action: \"{}\" is not known; add its weight to cotaste_settings as action_weight.{0}",
                    event.action
                );
                written.rejected.push((i, reason));
            }
        }
    }
    kept
}

/// Puts a load's rows in the order of their users. The log's indexes begin with the user, and so does what the state is made from:
/// rows that come sorted touch each of their pages once a batch. A user's rows keep their order, which decides between equal times.
fn by_user(rows: &mut [(usize, &Event)]) {
    rows.sort_by(|(_, a), (_, b)| a.user_id.cmp(&b.user_id));
}

/// Writes rows, which stand beside their places in the batch, wholly or not at all; how many were new.
type WriteRows<'a, T> = dyn FnMut(&[(usize, T)]) -> Result<u64> + 'a;

/// Writes rows of which the engine refuses some: halves until those are alone, and rejects them with its reason.
fn write_or_reject<T>(rows: &[(usize, T)], written: &mut Written, write: &mut WriteRows<'_, T>) -> Result<()> {
    match (write(rows), rows) {
        (Ok(inserted), _) => {
            written.inserted += inserted;
            written.duplicates += rows.len() as u64 - inserted;
            Ok(())
        }
        (Err(Failure { of_rows: true, message, .. }), [(place, _)]) => {
            written.rejected.push((*place, message));
            Ok(())
        }
        (Err(failure), _) if failure.of_rows => {
            let (left, right) = rows.split_at(rows.len() / 2);
            write_or_reject(left, written, write)?;
            write_or_reject(right, written, write)
        }
        (Err(failure), _) => Err(failure),
    }
}
