//! Tastes computed from the log: of one user, or of everybody in one pass; and a memory of them for one statement of the
//! host. Within it the log is one state, unless the statement writes, which the connection's count of changes tells. A
//! list of everybody's neighbours needs each pending user's taste once a user.

use super::{integer, real, text_of, text_of_any};
use crate::failure::Result;
use crate::kept::Kept;
use crate::pair::{self, Event, Pair, Scale};
use crate::statement::Statement;
use cotaste_core::taste::ledger;
use cotaste_core::Error;
use rusqlite::ffi::{self, sqlite3};
use rusqlite::types::ValueRef;
use std::collections::{BTreeSet, HashMap};
use std::ffi::c_int;

/// When it is, how fast events fade, and whether the whole state is out of date.
#[derive(Clone, Copy)]
pub struct Now {
    pub us: i64,
    pub half_life_hours: f64,
    pub stale: bool,
}

impl Now {
    /// As of the statement that is run.
    ///
    /// # Safety
    /// `db` is an open connection, used by this thread.
    pub unsafe fn read(db: *mut sqlite3, kept: &Kept) -> Result<Self> {
        // SAFETY: the caller's promise.
        unsafe {
            kept.with(db, "now", |now| {
                if !now.step()? {
                    return Err(Error::Internal.into());
                }
                Ok(Self { us: integer(now, 0)?, half_life_hours: real(now, 1)?, stale: integer(now, 2)? != 0 })
            })
        }
    }
}

/// One user's taste as of now: the folded one with the pending pairs, or from the whole log of the user where there is
/// none or a key stands for all pairs.
///
/// # Safety
/// `db` is an open connection, used by this thread.
pub unsafe fn taste(db: *mut sqlite3, kept: &Kept, user: &str, now: Now) -> Result<Option<Vec<u8>>> {
    // SAFETY: the caller's promise, here and below.
    let folded = unsafe {
        kept.with(db, "folded taste", |folded| {
            folded.bind_at(1, ValueRef::from(user))?;
            if now.stale || !folded.step()? {
                return Ok(None);
            }
            let Some(changes) = changes_of(db, kept, user, now)? else { return Ok(None) };
            let (taste, sums) = (folded.column(0)?.as_blob().ok(), folded.column(1)?.as_blob().ok());
            ledger::apply(taste, sums, &changes).map_err(Into::into).map(Some)
        })?
    };
    if let Some(followed) = folded {
        return Ok(followed.map(|followed| followed.taste));
    }
    let mut found = None;
    unsafe {
        kept.with(db, "events of a user", |events| {
            events.bind_at(1, ValueRef::from(user))?;
            tastes(events, |_, taste| {
                found = Some(taste);
                Ok(())
            })
        })?;
    }
    Ok(found)
}

/// What a user's pending pairs were when they were folded, and what they are now; none when a key stands for all pairs.
unsafe fn changes_of(db: *mut sqlite3, kept: &Kept, user: &str, now: Now) -> Result<Option<Vec<u8>>> {
    let (mut changes, mut seen) = (Vec::new(), BTreeSet::new());
    // SAFETY: the caller's promise.
    unsafe {
        kept.with(db, "pending pairs", |pairs| {
            pairs.bind_at(1, ValueRef::from(user))?;
            pairs.bind_at(2, ValueRef::Integer(now.us))?;
            while pairs.step()? {
                let Ok(content) = pairs.column(0)?.as_i64() else { return Ok(None) };
                if !seen.insert(content) {
                    continue;
                }
                let pair = pair_of(db, kept, user, content, now)?;
                let touched = integer(pairs, 1)? > 0;
                let was = pairs.column(2)?.as_blob().ok().map(|weight| (touched, weight));
                pair::change(&mut changes, content, text_of_any(pairs.column(3)?), was, &pair)?;
            }
            Ok(Some(changes))
        })
    }
}

unsafe fn pair_of(db: *mut sqlite3, kept: &Kept, user: &str, content: i64, now: Now) -> Result<Pair> {
    let scale = Scale { half_life_hours: now.half_life_hours, now_us: now.us, trend: None };
    // SAFETY: the caller's promise.
    unsafe {
        kept.with(db, "events of a pair", |events| {
            events.bind_at(1, ValueRef::from(user))?;
            events.bind_at(2, ValueRef::Integer(content))?;
            let mut pair = Pair::default();
            while events.step()? {
                if let Ok(base) = events.column(4)?.as_blob() {
                    pair.add_base(base, &scale)?;
                    continue;
                }
                let (rating, weight) = (events.column(1)?.as_f64().ok(), events.column(3)?.as_f64().ok());
                let (action, occurred_at) = (text_of(events.column(0)?), text_of(events.column(2)?));
                pair.add(&Event { action, rating, occurred_at, id: 0 }, |_| weight, &scale)?;
            }
            Ok(pair)
        })
    }
}

/// The tastes of events that come by user and content.
fn tastes(events: &mut Statement, mut f: impl FnMut(&str, Vec<u8>) -> Result<()>) -> Result<()> {
    let mut user = String::new();
    let mut content = None;
    let (mut pair, mut genres, mut changes) = (Pair::default(), None, Vec::new());
    loop {
        let more = events.step()?;
        let of = if more { text_of(events.column(0)?) } else { "" };
        let on = if more { Some(integer(events, 1)?) } else { None };
        let same_user = more && of == user;
        if !(same_user && on == content) {
            if let Some(content) = content {
                pair::change(&mut changes, content, genres.as_deref(), None, &pair)?;
            }
            (pair, content) = (Pair::default(), on);
            if more {
                genres = text_of_any(events.column(5)?).map(str::to_owned);
            }
        }
        if !same_user && !user.is_empty() {
            if let Some(followed) = ledger::apply(None, None, &changes)? {
                f(&user, followed.taste)?;
            }
            changes.clear();
        }
        if !more {
            return Ok(());
        }
        if !same_user {
            of.clone_into(&mut user);
        }
        let scale = Scale { half_life_hours: real(events, 7)?, now_us: integer(events, 8)?, trend: None };
        if let Ok(base) = events.column(9)?.as_blob() {
            pair.add_base(base, &scale)?;
            continue;
        }
        let weight = events.column(6)?.as_f64().ok();
        let rating = events.column(3)?.as_f64().ok();
        let (action, occurred_at) = (text_of(events.column(2)?), text_of(events.column(4)?));
        pair.add(&Event { action, rating, occurred_at, id: 0 }, |_| weight, &scale)?;
    }
}

/// What is remembered at most, in bytes of tastes.
const ROOM: usize = 64 << 20;

/// A user and the taste.
type Known = (Box<str>, Box<[u8]>);

/// What is remembered.
#[derive(Default)]
pub struct LogTastes {
    changes: c_int,
    size: usize,
    of: HashMap<Box<str>, Option<Box<[u8]>>>,
    /// Everybody's, in the order of the ids.
    all: Option<Vec<Known>>,
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
        now: Now,
        f: impl FnOnce(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if !self.of.contains_key(user) {
            // SAFETY: the caller's promise.
            let taste = unsafe { taste(db, kept, user, now)? }.map(Vec::into_boxed_slice);
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
            kept.with(db, "all events", |events| {
                tastes(events, |user, taste| {
                    f(user, &taste)?;
                    self.size += user.len() + taste.len();
                    if self.size <= ROOM {
                        all.push((user.into(), taste.into_boxed_slice()));
                    }
                    Ok(())
                })
            })?;
        }
        if self.size <= ROOM {
            self.all = Some(all);
        }
        Ok(())
    }
}
