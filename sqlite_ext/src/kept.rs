//! Statements kept between the host's statements. SQLite refuses to close a connection that has statements left, but it
//! first disconnects its virtual tables: so they belong to the tables cotaste_neighbours_of and
//! cotaste_recommended, and go with them.

use crate::failure::Result;
use crate::install;
use crate::statement::Statement;
use cotaste_core::catalogue::{CONTENT_MEASURES, MEAN_RATING};
use cotaste_core::Error;
use rusqlite::ffi::sqlite3;
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

const TEXTS: [&str; 4] = [
    include_str!("../../sql/sqlite/neighbours.sql"),
    include_str!("../../sql/sqlite/recommend.sql"),
    include_str!("../../sql/sqlite/record.sql"),
    include_str!("../../sql/sqlite/embeddings.sql"),
];

/// The kept statements of one connection. SQLite lets one thread at a time use it; the lock is there for the compiler.
#[derive(Default)]
pub struct Kept {
    idle: Mutex<HashMap<&'static str, Statement>>,
    /// How many instances of the table there are: while there is none, nobody would drop what is kept.
    tables: AtomicUsize,
}

impl Kept {
    /// A table is there.
    pub fn connected(&self) {
        self.tables.fetch_add(1, Relaxed);
    }

    /// A table is gone, and with the last one all statements.
    pub fn disconnected(&self) {
        if self.tables.fetch_sub(1, Relaxed) == 1 {
            self.idle().clear();
        }
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<&'static str, Statement>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the table exist, if it does not, so that what is kept from now on is dropped in time. A space of a newer version
    /// is refused here, once a connection.
    ///
    /// # Safety
    /// `db` is an open connection, used by this thread.
    pub unsafe fn connect(&self, db: *mut sqlite3) -> Result<()> {
        if self.tables.load(Relaxed) == 0 {
            // SAFETY: the caller's promise. The connection is borrowed: dropping it does not close it.
            install::refuse_newer(&unsafe { Connection::from_handle(db)? })?;
            // SAFETY: as above. It fails only where nothing can be kept.
            drop(unsafe { Statement::prepare(db, "select 1 from cotaste_neighbours_of") });
        }
        Ok(())
    }

    /// Runs `f` on a statement of the texts, reset before and after.
    ///
    /// # Safety
    /// `db` is an open connection, used by this thread.
    pub unsafe fn with<T>(
        &self,
        db: *mut sqlite3,
        name: &'static str,
        f: impl FnOnce(&mut Statement) -> Result<T>,
    ) -> Result<T> {
        let idle = self.idle().remove(name);
        let mut statement = match idle {
            Some(statement) => statement,
            // SAFETY: the caller's promise.
            None => unsafe { Statement::prepare(db, text(name)?)? },
        };
        let result = f(&mut statement);
        statement.reset();
        if self.tables.load(Relaxed) > 0 {
            self.idle().insert(name, statement);
        }
        result
    }
}

/// A statement of the texts by the line `-- name` above it, or one of the catalogue.
pub fn text(name: &str) -> Result<&'static str> {
    match name {
        "content measures" => return Ok(CONTENT_MEASURES),
        "mean rating" => return Ok(MEAN_RATING),
        _ => {}
    }
    let mut parts = TEXTS.iter().flat_map(|text| text.split("\n-- "));
    let text = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('\n'));
    Ok(text.ok_or(Error::Internal)?)
}
