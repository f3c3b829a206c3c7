//! Similar users. Clean users are ranked by bounds over posting lists and blocks, and the few that can be among the best
//! are scored from their tastes. Users with something pending are left out there, and bounded by numbers and then by their
//! folded tastes and the queue; whoever of them can be among the best is scored from the log. One statement stays open all
//! the while, so that all see one snapshot.

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
use cotaste_core::neighbours::{ordinals, reaching, similarity_at_most, Changed, Probe, Ranking, Waiting};
use cotaste_core::{posting, similarity, taste, Error};
use log::Now;
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
        clean.map_or_else(|| log_taste(db, kept, user), |taste| Ok(Some(taste)))
    }
}

/// A user's taste from the log, with the connection held to one snapshot by the caller's statement.
///
/// # Safety
/// `db` is an open connection, used by this thread.
pub unsafe fn log_taste(db: *mut sqlite3, kept: &Kept, user: &str) -> Result<Option<Vec<u8>>> {
    // SAFETY: the caller's promise.
    unsafe { log::taste(db, kept, user, Now::read(db, kept)?) }
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
                order: GenreOrder::read(settings.column(5)?.as_str().unwrap_or("[]"))?,
                now: Now {
                    us: integer(settings, 6)?,
                    half_life_hours: real(settings, 8)?,
                    stale: integer(settings, 4)? != 0,
                },
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
    order: GenreOrder,
    now: Now,
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
                let Some(taste) = (unsafe { log::taste(self.db, self.kept, self.user, self.now)? }) else {
                    return Ok(Neighbours::default());
                };
                (self.number()?, taste)
            }
        };
        let rows = if self.now.stale { self.by_definition(&me)? } else { self.by_bounds(ord, &me)? };
        Ok(Neighbours { rows, ..Neighbours::default() })
    }

    /// What the cache holds, if it was filled after the user's last change and is young enough.
    fn cached(&self, changed_us: i64) -> Result<Option<Neighbours>> {
        let computed_us = self.with("run", |run| {
            run.bind_at(1, ValueRef::from(self.user))?;
            run.bind_at(2, ValueRef::Integer(self.k))?;
            Ok(if run.step()? { Some(integer(run, 0)?) } else { None })
        })?;
        if computed_us.is_none_or(|at| at < changed_us || at <= self.now.us.saturating_sub(self.cache_us)) {
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

    /// The user's number, if a taste was folded.
    fn number(&self) -> Result<Option<i64>> {
        self.with("number", |number| {
            number.bind_at(1, ValueRef::from(self.user))?;
            Ok(if number.step()? { Some(integer(number, 0)?) } else { None })
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
        let (waiting, mut keys) = self.waiting(me)?;
        let waiting = waiting.bounds(counters.as_flattened(), self.weights)?;
        let mut excluded = ordinals(&waiting)?;
        excluded.extend(ord.and_then(|ord| u32::try_from(ord).ok()));
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
        for pending in self.pending(me, &reaching(&waiting, best.least())?, &mut keys)? {
            if pending.bound + MARGIN < best.least() {
                break;
            }
            // SAFETY: the promise of `of`.
            unsafe {
                self.log.one(self.db, self.kept, &pending.user, self.now, |taste| {
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

    /// What is pending of others: the users the state knows, and the keys of all.
    fn waiting(&self, me: &[u8]) -> Result<(Waiting, Vec<Key>)> {
        let (mut waiting, mut keys) = (Waiting::new(me)?, Vec::new());
        self.with("waiting", |queue| {
            queue.bind_at(1, ValueRef::Integer(self.now.us))?;
            while queue.step()? {
                let user = text_of(queue.column(0)?);
                if user == self.user {
                    continue;
                }
                let content = queue.column(3)?.as_i64().ok();
                let of = match queue.column(1)?.as_i64() {
                    Ok(ord) => {
                        let corrupt = Error::corrupt("cotaste_users.ord", "is out of range");
                        let ord = u32::try_from(ord).map_err(|_| corrupt)?;
                        waiting.add(ord, u32::try_from(integer(queue, 2)?).unwrap_or(u32::MAX), content);
                        Of::Known(ord)
                    }
                    Err(_) => Of::Stranger(user.into()),
                };
                let genres = text_of_any(queue.column(4)?).map(Box::from);
                keys.try_reserve(1).map_err(Error::from)?;
                keys.push(Key { of, content, genres });
            }
            Ok(())
        })?;
        Ok((waiting, keys))
    }

    /// The most the known users and all strangers can be similar, the most promising first: the others then have more to
    /// reach.
    fn pending(&self, me: &[u8], known: &[u32], keys: &mut [Key]) -> Result<Vec<Pending>> {
        keys.sort_unstable_by(|a, b| a.of.cmp(&b.of));
        let mut pending: Vec<Pending> = Vec::new();
        pending.try_reserve(known.len()).map_err(Error::from)?;
        self.with("numbered", |numbered| {
            for ord in known {
                numbered.bind_at(1, ValueRef::Integer((*ord).into()))?;
                if numbered.step()? {
                    let (of, start) = (Of::Known(*ord), keys.partition_point(|key| key.of < Of::Known(*ord)));
                    let own = keys.get(start..).unwrap_or_default().iter().take_while(|key| key.of == of);
                    let theirs = numbered.column(1)?.as_blob().unwrap_or_default();
                    let user = text_of(numbered.column(0)?).into();
                    pending.push(Pending { user, bound: self.at_most(me, Some(theirs), own)? });
                }
                numbered.reset();
            }
            Ok(())
        })?;
        for own in keys.chunk_by(|a, b| a.of == b.of) {
            if let Some(Key { of: Of::Stranger(user), .. }) = own.first() {
                pending.try_reserve(1).map_err(Error::from)?;
                pending.push(Pending { user: user.clone(), bound: self.at_most(me, None, own.iter())? });
            }
        }
        pending.sort_by(|a, b| b.bound.total_cmp(&a.bound));
        Ok(pending)
    }

    fn at_most<'a>(&self, me: &[u8], theirs: Option<&[u8]>, keys: impl Iterator<Item = &'a Key>) -> Result<f64> {
        let mut changed = Changed::default();
        keys.for_each(|key| changed.add(key.content, key.genres.as_deref()));
        Ok(similarity_at_most(me, theirs, &changed, self.weights)?)
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

/// Whose a key is: of somebody the state knows by number, or of somebody else.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Known(u32),
    Stranger(Box<str>),
}

/// A pair that is not folded yet, with the genres of its content.
struct Key {
    of: Of,
    content: Option<i64>,
    genres: Option<Box<str>>,
}

/// A user with such pairs, and the most similar they can be.
struct Pending {
    user: Box<str>,
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
