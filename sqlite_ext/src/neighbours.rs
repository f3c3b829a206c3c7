//! Similar users. Clean users are ranked by bounds over posting lists and blocks, and the few that can be among the best
//! are scored from their tastes. Users with something pending are left out there; whoever of them can be among the best
//! by what the queue says is scored from the log. One statement stays open all the while, so that all see one snapshot.

mod log;
mod refresh;
mod table;

pub use log::LogTastes;
pub use refresh::refresh;
pub use table::register;

use crate::failure::Result;
use crate::kept::Kept;
use crate::statement::Statement;
use cotaste_core::genre_order::GenreOrder;
use cotaste_core::neighbours::{similarity_at_most, Changed, Probe, Ranking};
use cotaste_core::{posting, similarity, taste, Error};
use rusqlite::ffi::sqlite3;
use rusqlite::types::ValueRef;
use std::cmp::Ordering;

/// More than rounding can move a bound.
const MARGIN: f64 = 1e-9;

/// One similar user.
pub struct Neighbour {
    pub user_id: String,
    pub similarity: f64,
    pub jaccard: f64,
    pub genre_cosine: f64,
    pub shared_items: i64,
}

impl Neighbour {
    /// By similarity, the most similar first, ties by the bytes of the id.
    fn order(&self, other: &Self) -> Ordering {
        other.similarity.total_cmp(&self.similarity).then_with(|| self.user_id.cmp(&other.user_id))
    }
}

/// The most similar users of one, in their order.
#[derive(Default)]
pub struct Neighbours {
    pub rows: Vec<Neighbour>,
    pub computed_at: String,
    pub cached: bool,
}

/// `similarity(a, b)`: 0 when one is unknown.
///
/// # Safety
/// `db` is an open connection, used by this thread.
pub unsafe fn similarity(db: *mut sqlite3, kept: &Kept, a: &str, b: &str) -> Result<f64> {
    let scored = |a: &[u8], b: &[u8], weights: (f64, f64)| -> Result<f64> {
        let parts = taste::similarity(a, b)?;
        Ok(similarity::weighted(parts.jaccard, parts.genre_cosine, weights.0, weights.1)?)
    };
    // SAFETY: the caller's promise, here and below.
    unsafe {
        kept.with(db, "pair", |pair| {
            pair.bind_at(1, ValueRef::from(a))?;
            pair.bind_at(2, ValueRef::from(b))?;
            if !pair.step()? {
                return Ok(0.0);
            }
            let weights = (real(pair, 2)?, real(pair, 3)?);
            if let (ValueRef::Blob(a), ValueRef::Blob(b)) = (pair.column(0)?, pair.column(1)?) {
                return scored(a, b, weights);
            }
            // One of them has events that are not folded yet, or none at all.
            let (a, b) = (current(db, kept, a)?, current(db, kept, b)?);
            a.zip(b).map_or(Ok(0.0), |(a, b)| scored(&a, &b, weights))
        })
    }
}

/// A user's taste as of now: from the state where it is up to date, else from the log.
///
/// # Safety
/// `db` is an open connection, used by this thread.
unsafe fn current(db: *mut sqlite3, kept: &Kept, user: &str) -> Result<Option<Vec<u8>>> {
    // SAFETY: the caller's promise.
    unsafe {
        let clean = kept.with(db, "clean", |clean| {
            clean.bind_at(1, ValueRef::from(user))?;
            Ok(if clean.step()? { clean.column(2)?.as_blob().ok().map(<[u8]>::to_vec) } else { None })
        })?;
        clean.map_or_else(|| log::taste(db, kept, user), |taste| Ok(Some(taste)))
    }
}

/// A user's taste from the log, with the connection held to one snapshot by the caller's statement.
///
/// # Safety
/// `db` is an open connection, used by this thread.
pub unsafe fn log_taste(db: *mut sqlite3, kept: &Kept, user: &str) -> Result<Option<Vec<u8>>> {
    // SAFETY: the caller's promise.
    unsafe { log::taste(db, kept, user) }
}

/// The k most similar users of `user`; k and whether the cache is used are settings and arguments.
///
/// # Safety
/// `db` is an open connection, used by this thread.
pub unsafe fn of(
    db: *mut sqlite3,
    kept: &Kept,
    log: &mut LogTastes,
    user: &str,
    k: Option<i64>,
    use_cache: bool,
) -> Result<Neighbours> {
    // SAFETY: the caller's promise.
    unsafe {
        kept.with(db, "settings", |settings| {
            if !settings.step()? {
                return Ok(Neighbours::default());
            }
            log.start(db);
            let mut search = Search {
                db,
                kept,
                log,
                user,
                weights: (real(settings, 0)?, real(settings, 1)?),
                k: k.unwrap_or(integer(settings, 2)?),
                cache_us: (real(settings, 3)? * 3.6e9) as i64,
                stale: integer(settings, 4)? != 0,
                order: GenreOrder::read(settings.column(5)?.as_str().unwrap_or("[]"))?,
                now_us: integer(settings, 6)?,
            };
            let mut found = search.run(use_cache)?;
            if !found.cached {
                settings.column(7)?.as_str().unwrap_or_default().clone_into(&mut found.computed_at);
            }
            Ok(found)
        })
    }
}

struct Search<'a> {
    db: *mut sqlite3,
    kept: &'a Kept,
    log: &'a mut LogTastes,
    user: &'a str,
    weights: (f64, f64),
    k: i64,
    cache_us: i64,
    stale: bool,
    order: GenreOrder,
    now_us: i64,
}

impl Search<'_> {
    fn with<T>(&self, name: &'static str, f: impl FnOnce(&mut Statement) -> Result<T>) -> Result<T> {
        // SAFETY: the promise of `of`.
        unsafe { self.kept.with(self.db, name, f) }
    }

    fn run(&mut self, use_cache: bool) -> Result<Neighbours> {
        if self.k <= 0 {
            return Ok(Neighbours::default());
        }
        let clean = self.with("clean", |clean| {
            clean.bind_at(1, ValueRef::from(self.user))?;
            if !clean.step()? {
                return Ok(None);
            }
            let taste = clean.column(2)?.as_blob().map(<[u8]>::to_vec).unwrap_or_default();
            Ok(Some((integer(clean, 0)?, integer(clean, 1)?, taste)))
        })?;
        if let (Some((_, changed_us, _)), true) = (&clean, use_cache) {
            if let Some(cached) = self.cached(*changed_us)? {
                return Ok(cached);
            }
        }
        let (ord, me) = match clean {
            Some((ord, _, taste)) => (Some(ord), taste),
            None => {
                // SAFETY: the promise of `of`.
                let Some(taste) = (unsafe { log::taste(self.db, self.kept, self.user)? }) else {
                    return Ok(Neighbours::default());
                };
                (self.folded(self.user, |ord, _| Ok(ord))?, taste)
            }
        };
        let rows = if self.stale { self.by_definition(&me)? } else { self.by_bounds(ord, &me)? };
        Ok(Neighbours { rows, ..Neighbours::default() })
    }

    /// What the cache holds, if it was filled after the user's last change and is young enough.
    fn cached(&self, changed_us: i64) -> Result<Option<Neighbours>> {
        let computed_us = self.with("run", |run| {
            run.bind_at(1, ValueRef::from(self.user))?;
            run.bind_at(2, ValueRef::Integer(self.k))?;
            Ok(if run.step()? { Some(integer(run, 0)?) } else { None })
        })?;
        if computed_us.is_none_or(|at| at < changed_us || at <= self.now_us.saturating_sub(self.cache_us)) {
            return Ok(None);
        }
        self.with("cached", |cached| {
            cached.bind_at(1, ValueRef::from(self.user))?;
            cached.bind_at(2, ValueRef::Integer(self.k))?;
            let mut found = Neighbours { cached: true, ..Neighbours::default() };
            while cached.step()? {
                found.rows.push(Neighbour {
                    user_id: cached.column(0)?.as_str().unwrap_or_default().to_owned(),
                    similarity: real(cached, 1)?,
                    jaccard: real(cached, 2)?,
                    genre_cosine: real(cached, 3)?,
                    shared_items: integer(cached, 4)?,
                });
                cached.column(5)?.as_str().unwrap_or_default().clone_into(&mut found.computed_at);
            }
            Ok(Some(found))
        })
    }

    /// Calls `f` with a user's number and folded taste, if there is one.
    fn folded<T>(&self, user: &str, f: impl FnOnce(i64, &[u8]) -> Result<T>) -> Result<Option<T>> {
        self.with("folded", |folded| {
            folded.bind_at(1, ValueRef::from(user))?;
            if !folded.step()? {
                return Ok(None);
            }
            f(integer(folded, 0)?, folded.column(1)?.as_blob().unwrap_or_default()).map(Some)
        })
    }

    /// Every taste from the log.
    fn by_definition(&mut self, me: &[u8]) -> Result<Vec<Neighbour>> {
        let mut best = Best::new(self.k);
        let (probe, weights) = (self.user, self.weights);
        // SAFETY: the promise of `of`.
        unsafe {
            self.log.each(self.db, self.kept, |user, taste| {
                if user != probe {
                    best.add(score(weights, me, user, taste)?);
                }
                Ok(())
            })?;
        }
        Ok(best.finish())
    }

    fn by_bounds(&mut self, ord: Option<i64>, me: &[u8]) -> Result<Vec<Neighbour>> {
        let counters = self.count(me)?;
        let pending = self.pending(me)?;
        let ords = pending.iter().filter_map(|pending| pending.ord).chain(ord);
        let mut excluded: Vec<u32> = ords.filter_map(|ord| u32::try_from(ord).ok()).collect();
        excluded.sort_unstable();
        let k = usize::try_from(self.k).unwrap_or(usize::MAX);
        let mut ranking = Ranking::new(Probe::new(me, &self.order)?, self.weights.0, self.weights.1, k)?;
        self.with("blocks", |blocks| {
            while blocks.step()? {
                let first = u32::try_from(integer(blocks, 0)?).unwrap_or(0).saturating_mul(256);
                let users = blocks.column(1)?.as_blob().unwrap_or_default();
                ranking.block(first, counters.as_flattened(), users, &excluded)?;
            }
            Ok(())
        })?;
        let mut best = Best::new(self.k);
        self.with("numbered", |numbered| {
            for ord in ranking.finish() {
                numbered.bind_at(1, ValueRef::Integer(ord.into()))?;
                if numbered.step()? {
                    let user = numbered.column(0)?.as_str().unwrap_or_default();
                    best.add(score(self.weights, me, user, numbered.column(1)?.as_blob().unwrap_or_default())?);
                }
                numbered.reset();
            }
            Ok(())
        })?;
        for pending in pending {
            if pending.bound + MARGIN < best.least() {
                break;
            }
            // SAFETY: the promise of `of`.
            unsafe {
                self.log.one(self.db, self.kept, &pending.user, |taste| {
                    best.add(score(self.weights, me, &pending.user, taste)?);
                    Ok(())
                })?;
            }
        }
        Ok(best.finish())
    }

    /// How many contents everybody shares, by number.
    fn count(&self, me: &[u8]) -> Result<Vec<[u8; 2]>> {
        let mut counters: Vec<[u8; 2]> = Vec::new();
        self.with("postings", |postings| {
            for content in taste::contents(me)? {
                postings.bind_at(1, ValueRef::Integer(content))?;
                while postings.step()? {
                    let chunk = usize::try_from(integer(postings, 0)?).unwrap_or(usize::MAX);
                    let start = chunk.saturating_mul(posting::CHUNK);
                    let end = start.saturating_add(posting::CHUNK);
                    if counters.len() < end {
                        counters.try_reserve_exact(end - counters.len()).map_err(Error::from)?;
                        counters.resize(end, [0; 2]);
                    }
                    let chunk = counters.get_mut(start..end).and_then(|chunk| chunk.try_into().ok());
                    let users = postings.column(1)?.as_blob().unwrap_or_default();
                    posting::count_bytes(users, chunk.ok_or(Error::Internal)?)?;
                }
                postings.reset();
            }
            Ok(())
        })?;
        Ok(counters)
    }

    /// Users with something pending, and the most they can be similar, the most promising first: the others then have
    /// more to reach.
    fn pending(&self, me: &[u8]) -> Result<Vec<Pending>> {
        let mut pending: Vec<Pending> = Vec::new();
        let (mut user, mut changed) = (String::new(), Changed::default());
        self.with("pending", |queue| {
            queue.bind_at(1, ValueRef::Integer(self.now_us))?;
            loop {
                let more = queue.step()?;
                let of = if more { text_of(queue.column(0)?) } else { "" };
                if (!more || of != user) && !user.is_empty() && user != self.user {
                    pending.try_reserve(1).map_err(Error::from)?;
                    pending.push(self.bounded(me, &user, &changed)?);
                }
                if !more {
                    break;
                }
                if of != user {
                    of.clone_into(&mut user);
                    changed.clear();
                }
                changed.add(queue.column(1)?.as_i64().ok(), text_of_any(queue.column(2)?));
            }
            Ok(())
        })?;
        pending.sort_by(|a, b| b.bound.total_cmp(&a.bound));
        Ok(pending)
    }

    fn bounded(&self, me: &[u8], user: &str, changed: &Changed) -> Result<Pending> {
        let at_most = |theirs: Option<&[u8]>| similarity_at_most(me, theirs, changed, self.weights);
        let known = self.folded(user, |ord, theirs| Ok((Some(ord), at_most(Some(theirs))?)))?;
        let (ord, bound) = known.map_or_else(|| at_most(None).map(|bound| (None, bound)), Ok)?;
        Ok(Pending { user: user.to_owned(), ord, bound })
    }
}

fn score(weights: (f64, f64), me: &[u8], user: &str, taste: &[u8]) -> Result<Neighbour> {
    let parts = taste::similarity(me, taste)?;
    Ok(Neighbour {
        user_id: user.to_owned(),
        similarity: similarity::weighted(parts.jaccard, parts.genre_cosine, weights.0, weights.1)?,
        jaccard: parts.jaccard,
        genre_cosine: parts.genre_cosine,
        shared_items: i64::from(parts.shared_items),
    })
}

/// A user with events that are not folded yet.
struct Pending {
    user: String,
    ord: Option<i64>,
    bound: f64,
}

/// The k best so far.
struct Best {
    k: usize,
    rows: Vec<Neighbour>,
}

impl Best {
    fn new(k: i64) -> Self {
        Self { k: usize::try_from(k).unwrap_or(usize::MAX), rows: Vec::new() }
    }

    fn add(&mut self, row: Neighbour) {
        if row.similarity > 0.0 {
            self.rows.push(row);
            if self.rows.len() >= self.k.saturating_mul(2).max(64) {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        self.rows.sort_by(Neighbour::order);
        self.rows.truncate(self.k);
    }

    /// What a user must reach to be among them; 0 while there are fewer than k.
    fn least(&mut self) -> f64 {
        self.cut();
        if self.rows.len() < self.k {
            return 0.0;
        }
        self.rows.last().map_or(0.0, |last| last.similarity)
    }

    fn finish(mut self) -> Vec<Neighbour> {
        self.cut();
        self.rows
    }
}

/// Genres that are not text are none, as the views have it.
fn text_of_any(value: ValueRef<'_>) -> Option<&str> {
    value.as_bytes().ok().and_then(|bytes| std::str::from_utf8(bytes).ok())
}

fn text_of(value: ValueRef<'_>) -> &str {
    value.as_str().unwrap_or_default()
}

fn real(statement: &Statement, i: i32) -> Result<f64> {
    Ok(statement.column(i)?.as_f64().unwrap_or_default())
}

fn integer(statement: &Statement, i: i32) -> Result<i64> {
    Ok(statement.column(i)?.as_i64().unwrap_or_default())
}
