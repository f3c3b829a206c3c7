//! Events into SQLite. What the triggers of the log do is done here for a batch at once: checking the values, which
//! `Event::read` has done, and queueing keys. When the log has a trigger this program does not know, they all run.

use super::{by_user, known, write_or_reject, Mode, Sealing, Sink, Written, TABLES};
use crate::database::sqlite::Sqlite;
use crate::event::Event;
use crate::failure::Result;
use crate::sql;
use cotaste_core::{context, time};
use rusqlite::config::DbConfig;
use rusqlite::{params, Connection, OptionalExtension, TransactionBehavior};
use std::collections::HashSet;

const SQL: &str = include_str!("../../sql/sqlite.sql");

/// A load touches every page of the log's indexes again and again: up to 1 GiB of them stays in memory, and they go from
/// the WAL to the file every 400 MB.
const LOAD: &str = "pragma cache_size = -1048576; pragma wal_autocheckpoint = 100000;";

/// The triggers of inserts whose work is done here.
const KNOWN_TRIGGERS: [&str; 3] =
    ["user_behaviors_check_insert", "cotaste_queue_insert", "cotaste_queue_replaced_by_insert"];

pub struct SqliteSink {
    sqlite: Sqlite,
    mode: Mode,
    /// Whether the log's own triggers run.
    triggers: bool,
}

impl SqliteSink {
    pub fn new(sqlite: Sqlite, mode: Mode) -> Result<Self> {
        sqlite.connection.execute_batch(TABLES)?;
        if mode == Mode::Load {
            sqlite.connection.execute_batch(LOAD)?;
        }
        let mut sink = SqliteSink { sqlite, mode, triggers: true };
        sink.triggers = sink.has_other_triggers()?;
        if !sink.triggers {
            sink.sqlite.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        }
        Ok(sink)
    }

    fn has_other_triggers(&self) -> Result<bool> {
        let mut statement = self.sqlite.connection.prepare(sql::named(SQL, "triggers"))?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(names.iter().any(|name| !KNOWN_TRIGGERS.contains(&name.as_str())))
    }
}

impl Sink for SqliteSink {
    fn write(&mut self, events: &[Event], sealing: &mut Sealing<'_>) -> Result<Written> {
        let (mode, triggers) = (self.mode, self.triggers);
        let transaction = self.sqlite.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut written = Written::default();
        let is_first = mode == Mode::Load && !triggers && is_empty(&transaction)?;
        let mut rows = known(events, &actions(&transaction)?, &mut written);
        if mode == Mode::Load {
            by_user(&mut rows);
        }
        let mut keys = HashSet::new();
        if triggers {
            write_or_reject(&rows, &mut written, &mut |rows| {
                transaction.execute_batch("savepoint part")?;
                let inserted = insert(&transaction, rows, None);
                let end = if inserted.is_ok() { "release part" } else { "rollback to part; release part" };
                transaction.execute_batch(end)?;
                inserted
            })?;
            written.rejected.sort();
        } else {
            written.inserted = insert(&transaction, &rows, (mode == Mode::Follow).then_some(&mut keys))?;
            written.duplicates = rows.len() as u64 - written.inserted;
        }
        let mut queue = transaction.prepare(sql::named(SQL, "queue"))?;
        for (user, content) in keys {
            queue.execute(params![user, content])?;
        }
        drop(queue);
        if mode == Mode::Load && !triggers && written.inserted > 0 {
            transaction.execute(sql::named(SQL, "stale"), [])?;
            // A first load is quicker without the indexes that no check needs. Who makes the state anew makes them, too,
            // and until then reads walk the log.
            if is_first {
                transaction.execute_batch(sql::named(SQL, "drop indexes"))?;
            }
        }
        let seal = sealing(&written)?;
        if let Some((task, state)) = &seal.checkpoint {
            transaction.prepare(sql::named(SQL, "checkpoint"))?.execute([task, state])?;
        }
        for dead in &seal.dead {
            let mut letter = transaction.prepare(sql::named(SQL, "dead letter"))?;
            letter.execute([&dead.source, &dead.position, &dead.reason, &dead.payload])?;
        }
        transaction.commit()?;
        Ok(written)
    }

    fn checkpoint(&mut self, task: &str) -> Result<Option<String>> {
        let mut statement = self.sqlite.connection.prepare(sql::named(SQL, "checkpoint of"))?;
        Ok(statement.query_row([task], |row| row.get(0)).optional()?)
    }

    fn refresh(&mut self) -> Result<i64> {
        let connection = &self.sqlite.connection;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
        let folded = connection.query_row("select cotaste_refresh()", [], |row| row.get(0))?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, self.triggers)?;
        Ok(folded)
    }
}

fn is_empty(connection: &Connection) -> Result<bool> {
    Ok(connection.query_row(sql::named(SQL, "empty"), [], |row| row.get(0))?)
}

fn actions(connection: &Connection) -> Result<HashSet<String>> {
    let mut statement = connection.prepare(sql::named(SQL, "actions"))?;
    let actions = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(actions)
}

/// Inserts what is not there; how many that were, and the keys they touch.
fn insert<'a>(
    connection: &Connection,
    rows: &[(usize, &'a Event)],
    mut keys: Option<&mut HashSet<(&'a str, i64)>>,
) -> Result<u64> {
    let mut statement = connection.prepare(sql::named(SQL, "insert"))?;
    let mut inserted = 0;
    for (_, event) in rows {
        let parsed = event.context.as_deref().map(context::parse);
        let parsed = parsed.as_ref();
        let is_new = statement.execute(params![
            event.user_id,
            event.content_id,
            event.action,
            event.rating,
            event.progress,
            event.context,
            time::format_timestamp(event.occurred_us).unwrap_or_default(),
            event.event_id,
            parsed.and_then(|context| context.time_of_day),
            parsed.and_then(|context| context.day_of_week),
            parsed.and_then(|context| context.device.as_deref()),
            parsed.and_then(|context| context.location.as_deref()),
            parsed.and_then(|context| context.experiment.as_deref()),
            parsed.and_then(|context| context.variant.as_deref()),
            parsed.map_or("empty", |context| context.status.as_str()),
        ])?;
        if is_new == 1 {
            inserted += 1;
            if let Some(keys) = keys.as_deref_mut() {
                keys.insert((&event.user_id, event.content_id));
            }
        }
    }
    Ok(inserted)
}
