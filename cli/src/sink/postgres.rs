//! Events into Postgres by COPY. A load is split by user between connections: two events with one id are of one user, so
//! the parts never wait for each other.

use super::{by_user, known, write_or_reject, Binary, Mode, Sealing, Sink, Written, TABLES};
use crate::database::postgres::{Pooled, Postgres};
use crate::event::Event;
use crate::failure::{Failure, Result};
use crate::sql;
use postgres::Client;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;

const SQL: &str = include_str!("../../sql/postgres.sql");
/// Connections that load at once.
const PARTS: usize = 2;

pub struct PostgresSink {
    connections: Vec<Pooled>,
    mode: Mode,
    /// Whether a COPY into the log itself met an event that was there already: then it is tried no more.
    staged: bool,
}

type Rows<'a> = Vec<(usize, &'a Event)>;

impl PostgresSink {
    pub fn new(postgres: Postgres, mode: Mode) -> Result<Self> {
        let parts = if mode == Mode::Load { PARTS } else { 1 };
        let mut connections = (0..parts).map(|_| postgres.client()).collect::<Result<Vec<_>>>()?;
        for connection in &mut connections {
            connection.batch_execute(TABLES)?;
        }
        Ok(PostgresSink { connections, mode, staged: mode == Mode::Follow })
    }

    fn first(&mut self) -> Result<&mut Pooled> {
        self.connections.first_mut().ok_or_else(|| Failure::connection("there is no connection", "Report it."))
    }

    /// Begins a transaction on every connection. Those of a load hold the mark "the state is out of date", so that nobody
    /// makes it anew before they end.
    fn begin(&mut self) -> Result<()> {
        loop {
            if self.mode == Mode::Load {
                self.first()?.batch_execute(sql::named(SQL, "stale"))?;
            }
            let mut held = true;
            for connection in &mut self.connections {
                connection.batch_execute("begin")?;
                if self.mode == Mode::Load {
                    connection.batch_execute(sql::named(SQL, "load"))?;
                    held &= connection.query(sql::named(SQL, "hold stale"), &[])?.len() == 1;
                }
            }
            if held {
                return Ok(());
            }
            self.roll_back();
        }
    }

    /// A connection that does not answer any more is dropped with the command.
    fn roll_back(&mut self) {
        for connection in &mut self.connections {
            let _ = connection.batch_execute("rollback");
        }
    }
}

impl Sink for PostgresSink {
    fn write(&mut self, events: &[Event], sealing: &mut Sealing<'_>) -> Result<Written> {
        let mut unknown = Written::default();
        let actions = self.first()?.query(sql::named(SQL, "actions"), &[])?;
        let actions: HashSet<String> =
            actions.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>()?;
        let mut rows = known(events, &actions, &mut unknown);
        if self.mode == Mode::Load {
            by_user(&mut rows);
        }
        match self.attempt(&rows, &unknown, sealing) {
            Err(failure) if failure.of_rows && !self.staged => {
                self.staged = true;
                self.attempt(&rows, &unknown, sealing)
            }
            other => other,
        }
    }

    fn checkpoint(&mut self, task: &str) -> Result<Option<String>> {
        let row = self.first()?.query_opt(sql::named(SQL, "checkpoint of"), &[&task])?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    fn refresh(&mut self) -> Result<i64> {
        Ok(self.first()?.query_one("select cotaste_refresh()", &[])?.try_get(0)?)
    }
}

impl PostgresSink {
    /// One try at a batch: wholly or not at all, but for what a load's other parts have committed (see `parts`).
    fn attempt(&mut self, rows: &Rows<'_>, known: &Written, sealing: &mut Sealing<'_>) -> Result<Written> {
        let written = self.begin().and_then(|()| self.parts(rows, known, sealing));
        if written.is_err() {
            self.roll_back();
        }
        written
    }

    /// Writes the rows in as many parts as there are connections. The first commits last, with the seal: when the program
    /// ends in between, the rows of the others are found again by their event ids.
    fn parts(&mut self, rows: &Rows<'_>, known: &Written, sealing: &mut Sealing<'_>) -> Result<Written> {
        let mut parts: Vec<Rows<'_>> = self.connections.iter().map(|_| Vec::new()).collect();
        let count = parts.len().max(1) as u64;
        for (place, event) in rows {
            let mut hasher = DefaultHasher::new();
            event.user_id.hash(&mut hasher);
            if let Some(part) = parts.get_mut((hasher.finish() % count) as usize) {
                part.push((*place, *event));
            }
        }
        let staged = self.staged;
        let done = std::thread::scope(|scope| {
            let write = |(connection, rows): (&'_ mut Pooled, Rows<'_>)| write_part(connection, &rows, staged);
            let threads: Vec<_> =
                self.connections.iter_mut().zip(parts).map(|part| scope.spawn(move || write(part))).collect();
            let joined = threads.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|_| Err(Failure::connection("a thread of the load ended", "Report it.")))
            });
            joined.collect::<Result<Vec<_>>>()
        })?;
        let mut written = Written { rejected: known.rejected.clone(), ..Written::default() };
        for part in done {
            written.inserted += part.inserted;
            written.duplicates += part.duplicates;
            written.rejected.extend(part.rejected);
        }
        written.rejected.sort();
        for connection in self.connections.iter_mut().skip(1) {
            connection.batch_execute("commit")?;
        }
        let seal = sealing(&written)?;
        let first = self.first()?;
        if let Some((task, state)) = &seal.checkpoint {
            first.execute(sql::named(SQL, "checkpoint"), &[task, state])?;
        }
        for dead in &seal.dead {
            let values: [&(dyn postgres::types::ToSql + Sync); 4] =
                [&dead.source, &dead.position, &dead.reason, &dead.payload];
            first.execute(sql::named(SQL, "dead letter"), &values)?;
        }
        first.batch_execute("commit")?;
        Ok(written)
    }
}

fn write_part(client: &mut Client, rows: &Rows<'_>, staged: bool) -> Result<Written> {
    let mut written = Written::default();
    if !staged {
        written.inserted = copy(client, sql::named(SQL, "copy"), rows)?;
        return Ok(written);
    }
    client.batch_execute(sql::named(SQL, "stage"))?;
    write_or_reject(rows, &mut written, &mut |rows| {
        client.batch_execute("savepoint part")?;
        let inserted = copy(client, sql::named(SQL, "copy staged"), rows)
            .and_then(|_| Ok(client.execute(sql::named(SQL, "insert staged"), &[])?));
        match &inserted {
            Ok(_) => client.batch_execute("truncate cotaste_staged; release part")?,
            Err(_) => client.batch_execute("rollback to part; release part")?,
        }
        inserted
    })?;
    Ok(written)
}

fn copy(client: &mut Client, statement: &str, rows: &[(usize, &Event)]) -> Result<u64> {
    let mut copy = client.copy_in(statement)?;
    let mut binary = Binary::new();
    let broken = |error: std::io::Error| match error.downcast::<postgres::Error>() {
        Ok(error) => Failure::from(error),
        Err(error) => Failure::connection(error.to_string(), "The server went away. Run the command again to go on."),
    };
    for (_, event) in rows {
        binary.event(event);
        if let Some(bytes) = binary.full() {
            copy.write_all(&bytes).map_err(broken)?;
        }
    }
    copy.write_all(&binary.end()).map_err(broken)?;
    Ok(copy.finish()?)
}
