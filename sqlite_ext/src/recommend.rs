//! Recommendations: the rows they are computed from are read in one snapshot, which a statement that stays open holds.

mod quality;
mod refresh;
mod table;

pub use refresh::refresh;

use crate::failure::{Failure, Result};
use crate::kept::Kept;
use crate::neighbours::{self, LogTastes};
use crate::statement::Statement;
use cotaste_core::recommend::{evaluate, Ask, Event, Gather, Quality, Recommendation, Recommender, Settings};
use cotaste_core::Error;
use rusqlite::ffi::sqlite3;
use rusqlite::types::ValueRef;
use rusqlite::Connection;
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

/// The table functions.
pub fn register(db: &Connection, kept: &Arc<Kept>) -> rusqlite::Result<()> {
    table::register(db, kept)?;
    quality::register(db, kept)
}

/// One row of an answer.
pub struct Row {
    pub user: Option<Box<str>>,
    pub rank: i64,
    pub of: Recommendation,
}

/// An answer in its order.
#[derive(Default)]
pub struct Rows {
    pub rows: Vec<Row>,
    pub computed_at: String,
}

impl Rows {
    fn add(&mut self, user: Option<&str>, rows: Vec<Recommendation>) -> cotaste_core::Result<()> {
        self.rows.try_reserve(rows.len())?;
        self.rows.extend((1..).zip(rows).map(|(rank, of)| Row { user: user.map(Into::into), rank, of }));
        Ok(())
    }
}

/// Who asks.
pub enum Asker<'a> {
    /// One user, or nobody known.
    One(Option<&'a str>),
    Several(&'a [String]),
    Everybody,
}

/// The recommendations asked for.
///
/// # Safety
/// `db` is an open connection, used by this thread.
pub unsafe fn answer(db: *mut sqlite3, kept: &Kept, asker: &Asker<'_>, ask: &Ask) -> Result<Rows> {
    let source = Source { db, kept };
    source.with("recommend settings", |held| {
        held.step()?;
        let mut settings = settings(held)?;
        settings.of_nearest = integer(held, 2)? != 0;
        let nearest = integer(held, 3)?;
        let mut answer = Rows { computed_at: text(held, 1)?.unwrap_or_default().to_owned(), ..Rows::default() };
        if settings.of_nearest {
            let users = match asker {
                Asker::One(user) => {
                    let rows = source.of_nearest(*user, nearest, settings, ask)?;
                    return answer.add(*user, rows).map(|()| answer).map_err(Into::into);
                }
                Asker::Several(users) => users.to_vec(),
                Asker::Everybody => source.users("recommend users")?,
            };
            for user in users {
                let rows = source.of_nearest(Some(&user), nearest, settings, ask)?;
                answer.add(Some(&user), rows)?;
            }
            return Ok(answer);
        }
        let mut gather = Gather::default();
        source.taste(&mut gather, "recommend tastes", None)?;
        source.changes(&mut gather, |_| true)?;
        source.catalogue(&mut gather)?;
        source.embeddings(&mut gather)?;
        match asker {
            Asker::One(user) => source.history(&mut gather, *user)?,
            Asker::Several(users) => users.iter().try_for_each(|user| source.history(&mut gather, Some(user)))?,
            Asker::Everybody => source.histories(&mut gather, "recommend histories")?,
        }
        if !gather.knows_all() {
            source.trends(&mut gather)?;
        }
        source.interruptible(|interrupt| {
            let recommender = Recommender::new(&gather, settings)?;
            match asker {
                Asker::One(user) => answer.add(*user, recommender.one(*user, ask, interrupt)?),
                _ => recommender.all(ask, interrupt, |user, rows| answer.add(Some(user), rows)),
            }
        })?;
        Ok(answer)
    })
}

/// How good recommendations are by a protocol.
///
/// # Safety
/// `db` is an open connection, used by this thread.
unsafe fn quality_of(db: *mut sqlite3, kept: &Kept, protocol: &str, ask: &Ask) -> Result<Vec<Quality>> {
    let source = Source { db, kept };
    source.with("recommend settings", |held| {
        held.step()?;
        let settings = settings(held)?;
        let mut gather = Gather::default();
        source.histories(&mut gather, "recommend first histories")?;
        source.catalogue(&mut gather)?;
        source.embeddings(&mut gather)?;
        source.interruptible(|interrupt| evaluate(&mut gather, protocol, settings, ask, interrupt))
    })
}

fn settings(held: &Statement) -> Result<Settings> {
    Ok(Settings::read(held.column(0)?.as_str().unwrap_or("{}"))?)
}

struct Source<'a> {
    db: *mut sqlite3,
    kept: &'a Kept,
}

impl Source<'_> {
    fn with<T>(&self, name: &'static str, f: impl FnOnce(&mut Statement) -> Result<T>) -> Result<T> {
        // SAFETY: the promise of `answer`.
        unsafe { self.kept.with(self.db, name, f) }
    }

    /// Calls `f` with every row; `user` is bound where the statement is about one.
    fn each(&self, name: &'static str, user: Option<&str>, mut f: impl FnMut(&Statement) -> Result<()>) -> Result<()> {
        self.with(name, |statement| {
            if let Some(user) = user {
                statement.bind_at(1, ValueRef::from(user))?;
            }
            while statement.step()? {
                f(statement)?;
            }
            Ok(())
        })
    }

    fn users(&self, name: &'static str) -> Result<Vec<String>> {
        let mut users = Vec::new();
        self.each(name, None, |row| {
            users.try_reserve(1).map_err(Error::from)?;
            users.push(text(row, 0)?.unwrap_or_default().to_owned());
            Ok(())
        })?;
        Ok(users)
    }

    fn taste(&self, gather: &mut Gather, name: &'static str, user: Option<&str>) -> Result<()> {
        self.each(name, user, |row| {
            Ok(gather.taste(text(row, 0)?.unwrap_or_default(), row.column(1)?.as_blob().unwrap_or_default())?)
        })
    }

    fn changes(&self, gather: &mut Gather, wanted: impl Fn(&str) -> bool) -> Result<()> {
        self.each("recommend changes", None, |row| {
            let user = text(row, 0)?.unwrap_or_default();
            if wanted(user) {
                gather.change(user, row.column(1)?.as_i64().ok(), integer(row, 2)? != 0);
            }
            Ok(())
        })
    }

    fn catalogue(&self, gather: &mut Gather) -> Result<()> {
        self.each("recommend catalogue", None, |row| {
            Ok(gather.content(integer(row, 0)?, text(row, 1)?, text(row, 2)?)?)
        })
    }

    fn embeddings(&self, gather: &mut Gather) -> Result<()> {
        self.each("recommend embeddings", None, |row| {
            Ok(gather.embedding(integer(row, 0)?, row.column(1)?.as_blob().unwrap_or_default())?)
        })
    }

    /// What trends: for users of whom nothing is known.
    fn trends(&self, gather: &mut Gather) -> Result<()> {
        self.each("recommend trends", None, |row| {
            Ok(gather.trend(integer(row, 0)?, row.column(1)?.as_f64().unwrap_or_default())?)
        })
    }

    fn history(&self, gather: &mut Gather, user: Option<&str>) -> Result<()> {
        user.map_or(Ok(()), |user| self.each("recommend history", Some(user), |row| event(gather, row)))
    }

    fn histories(&self, gather: &mut Gather, name: &'static str) -> Result<()> {
        self.each(name, None, |row| event(gather, row))
    }

    /// The best contents for one user by the users most alike and the last active.
    fn of_nearest(
        &self,
        user: Option<&str>,
        nearest: i64,
        settings: Settings,
        ask: &Ask,
    ) -> Result<Vec<Recommendation>> {
        let mut users: HashSet<String> = self.users("recommend last active")?.into_iter().collect();
        if let Some(user) = user {
            let mut log = LogTastes::default();
            // SAFETY: the promise of `answer`.
            let alike = unsafe { neighbours::of(self.db, self.kept, &mut log, user, Some(nearest), true)? };
            users.extend(alike.rows.into_iter().map(|row| row.user_id));
            users.insert(user.to_owned());
        }
        let mut gather = Gather::default();
        users.iter().try_for_each(|user| self.taste(&mut gather, "recommend taste", Some(user)))?;
        self.changes(&mut gather, |user| users.contains(user))?;
        self.catalogue(&mut gather)?;
        self.embeddings(&mut gather)?;
        self.history(&mut gather, user)?;
        if !gather.knows_all() {
            self.trends(&mut gather)?;
        }
        self.interruptible(|interrupt| Recommender::new(&gather, settings)?.one(user, ask, interrupt))
    }

    /// Runs `f` with what asks whether the host interrupts: a statement that is stepped is told.
    fn interruptible<T>(
        &self,
        f: impl FnOnce(&dyn Fn() -> cotaste_core::Result<()>) -> cotaste_core::Result<T>,
    ) -> Result<T> {
        let interrupted: RefCell<Option<Failure>> = RefCell::new(None);
        let done = f(&|| {
            let stepped = self.with("recommend pause", |pause| pause.step().map(drop));
            stepped.map_err(|failure| {
                interrupted.replace(Some(failure));
                Error::Internal
            })
        });
        match interrupted.into_inner() {
            Some(failure) => Err(failure),
            None => Ok(done?),
        }
    }
}

fn event(gather: &mut Gather, row: &Statement) -> Result<()> {
    let touched_us = row.column(2)?.as_i64().ok();
    let event = Event { content_id: integer(row, 1)?, touched_us, disliked: integer(row, 3)? != 0 };
    Ok(gather.event(text(row, 0)?.unwrap_or_default(), event)?)
}

/// Text, or none where it is NULL or not text.
fn text(row: &Statement, i: i32) -> Result<Option<&str>> {
    Ok(row.column(i)?.as_bytes().ok().and_then(|bytes| std::str::from_utf8(bytes).ok()))
}

fn integer(row: &Statement, i: i32) -> Result<i64> {
    Ok(row.column(i)?.as_i64().unwrap_or_default())
}
