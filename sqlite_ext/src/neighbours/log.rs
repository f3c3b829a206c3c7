//! Tastes computed from the log, remembered for one statement of the host: within it the log is one state, unless the
//! statement writes, which the connection's count of changes tells. A list of everybody's neighbours needs each pending
//! user's taste once a user.

use super::text_of;
use crate::failure::Result;
use crate::kept::Kept;
use rusqlite::ffi::{self, sqlite3};
use rusqlite::types::ValueRef;
use std::collections::HashMap;
use std::ffi::c_int;

/// What is remembered at most, in bytes of tastes.
const ROOM: usize = 64 << 20;

type Found = Option<Box<[u8]>>;

/// What is remembered.
#[derive(Default)]
pub struct LogTastes {
    changes: c_int,
    size: usize,
    of: HashMap<Box<str>, Found>,
    /// Everybody's, in no order.
    all: Option<Vec<(Box<str>, Box<[u8]>)>>,
}

impl LogTastes {
    /// Forgets what may have changed.
    ///
    /// # Safety
    /// `db` is an open connection, used by this thread.
    pub unsafe fn start(&mut self, db: *mut sqlite3) {
        // SAFETY: the caller's promise.
        let changes = unsafe { ffi::sqlite3_total_changes(db) };
        if changes != self.changes || self.size > ROOM {
            *self = Self { changes, ..Self::default() };
        }
    }

    /// Calls `f` with one user's taste, if there is one.
    ///
    /// # Safety
    /// As for [`Self::start`].
    pub unsafe fn one(
        &mut self,
        db: *mut sqlite3,
        kept: &Kept,
        user: &str,
        f: impl FnOnce(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if !self.of.contains_key(user) {
            // SAFETY: the caller's promise.
            let taste = unsafe { super::one_blob(db, kept, "from the log", user)? }.map(Vec::into_boxed_slice);
            self.size += user.len() + taste.as_ref().map_or(0, |taste| taste.len());
            self.of.insert(user.into(), taste);
        }
        self.of.get(user).and_then(Option::as_deref).map_or(Ok(()), f)
    }

    /// Calls `f` with everybody's.
    ///
    /// # Safety
    /// As for [`Self::start`].
    pub unsafe fn each(
        &mut self,
        db: *mut sqlite3,
        kept: &Kept,
        mut f: impl FnMut(&str, &[u8]) -> Result<()>,
    ) -> Result<()> {
        if let Some(all) = &self.all {
            return all.iter().try_for_each(|(user, taste)| f(user, taste));
        }
        let mut all = Vec::new();
        // SAFETY: the caller's promise.
        unsafe {
            kept.with(db, "all from the log", |rows| {
                while rows.step()? {
                    let (user, taste) = (text_of(rows.column(0)?), rows.column(1)?);
                    let ValueRef::Blob(taste) = taste else { continue };
                    f(user, taste)?;
                    self.size += user.len() + taste.len();
                    if self.size <= ROOM {
                        all.push((user.into(), taste.into()));
                    }
                }
                Ok(())
            })?;
        }
        if self.size <= ROOM {
            self.all = Some(all);
        }
        Ok(())
    }
}
