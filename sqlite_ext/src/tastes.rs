//! The tastes one statement of the host compares, each computed once: within a statement the log is one state, unless the
//! statement writes, which the connection's count of changes tells.

use crate::failure::Result;
use crate::statement::Statement;
use cotaste_core::{similarity, taste};
use rusqlite::ffi::sqlite3;
use rusqlite::types::ValueRef;
use std::collections::HashMap;
use std::ffi::c_int;

const SQL: &str = "
select (select taste from cotaste_tastes where user_id = $1), jaccard_weight, cosine_weight
from cotaste_parameters";

/// What is remembered at most, in bytes of tastes.
const ROOM: usize = 32 << 20;

pub struct Tastes {
    statement: Statement,
    weights: (f64, f64),
    known: HashMap<Box<str>, Option<Box<[u8]>>>,
    size: usize,
    changes: c_int,
}

impl Tastes {
    pub fn prepare(db: *mut sqlite3) -> Result<Self> {
        // SAFETY: the connection of the running call; the host's statement, and with it this, ends before it does.
        let statement = unsafe { Statement::prepare(db, SQL)? };
        let weights = similarity::DEFAULT_WEIGHTS;
        Ok(Self { statement, weights, known: HashMap::new(), size: 0, changes: -1 })
    }

    /// How alike two users are; 0 when one is unknown.
    pub fn similarity(&mut self, a: &str, b: &str, changes: c_int) -> Result<f64> {
        if changes != self.changes || self.size > ROOM {
            self.known.clear();
            (self.size, self.changes) = (0, changes);
        }
        for user in [a, b] {
            if !self.known.contains_key(user) {
                let found = self.read(user);
                self.statement.reset();
                let taste = found?;
                self.size += user.len() + taste.as_ref().map_or(0, |taste| taste.len());
                self.known.insert(user.into(), taste);
            }
        }
        let (Some(Some(a)), Some(Some(b))) = (self.known.get(a), self.known.get(b)) else { return Ok(0.0) };
        let parts = taste::similarity(a, b)?;
        Ok(similarity::weighted(parts.jaccard, parts.genre_cosine, self.weights.0, self.weights.1)?)
    }

    fn read(&mut self, user: &str) -> Result<Option<Box<[u8]>>> {
        self.statement.bind(c"$1", ValueRef::from(user))?;
        if !self.statement.step()? {
            return Ok(None);
        }
        let weight = |i, default| self.statement.column(i).map(|value| value.as_f64().unwrap_or(default));
        let (jaccard, cosine) = similarity::DEFAULT_WEIGHTS;
        self.weights = (weight(1, jaccard)?, weight(2, cosine)?);
        Ok(self.statement.column(0)?.as_blob().ok().map(Box::from))
    }
}
