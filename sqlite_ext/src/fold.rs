//! The fold: takes keys off the queue and brings the state up to the log. In SQLite the writer is alone, so it runs in the
//! transaction of whoever calls it.

mod events;
mod rows;

use crate::failure::Result;
use crate::install;
use crate::pair::{self, grow, Event, Pair, Scale};
use cotaste_core::facts::{self, Facts};
use cotaste_core::genre_order::{self, GenreOrder};
use cotaste_core::measures::{Changes, Measures};
use cotaste_core::taste::ledger::{self, changes, weight};
use cotaste_core::{fold, taste};
use events::Told;
use rows::{Level1, Names, Rows};
use rusqlite::{Connection, OptionalExtension};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many keys are folded at once when nothing is said: what they collect stays in memory.
const BATCH: i64 = 1_000_000;
/// From so many pending keys on, it may be quicker to make the state anew.
const MANY: i64 = 50_000;

/// `cotaste_refresh([limit])`: folds what is pending, or so many keys of it; how many they were.
pub fn refresh(db: &Connection, limit: Option<i64>, now_us: i64) -> Result<i64> {
    let pending = pending(db, now_us, i64::MAX)?;
    let Parameters { is_stale, .. } = Parameters::read(db)?;
    let most = pending >= MANY && limit.is_none() && {
        let pairs: i64 = db.query_row(Names::get("pairs")?, [], |row| row.get(0))?;
        pending > pairs / 2
    };
    if is_stale || most {
        rebuild(db, now_us)?;
        return Ok(pending);
    }
    let mut folded = 0;
    loop {
        let most = limit.map_or(BATCH, |limit| limit.saturating_sub(folded).clamp(0, BATCH));
        let more = some(db, most, now_us)?;
        folded += more;
        if more == 0 {
            return Ok(folded);
        }
    }
}

/// What `record_behavior` does now and then: folds when so much is pending that reads would feel it.
pub fn when_due(db: &Connection, now_us: i64) -> Result<()> {
    let Parameters { is_stale, fold_at, .. } = Parameters::read(db)?;
    if fold_at > 0 && !is_stale && pending(db, now_us, fold_at)? >= fold_at {
        some(db, BATCH, now_us)?;
    }
    Ok(())
}

fn pending(db: &Connection, now_us: i64, most: i64) -> Result<i64> {
    Ok(db.query_row(Names::get("pending")?, [now_us, most], |row| row.get(0))?)
}

/// The settings a fold needs.
struct Parameters {
    half_life_hours: f64,
    is_stale: bool,
    fold_at: i64,
    trending_half_life_hours: f64,
    user_cap: i64,
}

impl Parameters {
    fn read(db: &Connection) -> Result<Self> {
        Ok(db.query_row(Names::get("parameters")?, [], |row| {
            Ok(Self {
                half_life_hours: row.get(0)?,
                is_stale: row.get(1)?,
                fold_at: row.get(2)?,
                trending_half_life_hours: row.get(3)?,
                user_cap: row.get(4)?,
            })
        })?)
    }
}

/// The keys of one user.
#[derive(Default)]
struct Keys {
    /// All of the user's contents: the genres of one have changed.
    whole: bool,
    contents: BTreeSet<i64>,
}

/// Folds at most so many keys.
fn some(db: &Connection, most: i64, now_us: i64) -> Result<i64> {
    let mut rows = Rows::prepare(db)?;
    let (taken, last, users) = take(&mut rows, most, now_us)?;
    if taken == 0 {
        return Ok(0);
    }
    rows.taken.execute([now_us, last])?;
    let mut folding = Folding::new(db, rows, now_us)?;
    for (user, mut keys) in users {
        // Also when that key is still to be taken: what a content's genres were is not known any more.
        keys.whole = keys.whole || folding.rows.is_whole.query_row([&user], |row| row.get(0))?;
        folding.user(&user, keys)?;
    }
    folding.finish()?;
    Ok(taken)
}

fn take(rows: &mut Rows<'_>, most: i64, now_us: i64) -> Result<(i64, i64, BTreeMap<String, Keys>)> {
    let mut users: BTreeMap<String, Keys> = BTreeMap::new();
    let (mut taken, mut last) = (0, 0);
    let mut keys = rows.take.query([now_us, most])?;
    while let Some(key) = keys.next()? {
        (taken, last) = (taken + 1, key.get(0)?);
        let user = users.entry(key.get(1)?).or_default();
        match key.get(2)? {
            Some(content) => drop(user.contents.insert(content)),
            None => user.whole = true,
        }
    }
    Ok((taken, last, users))
}

/// `forget_user(user_id)`: erases every trace of a user; how many events they were.
pub fn forget(db: &Connection, user: &str, now_us: i64) -> Result<i64> {
    let forgotten = db.execute(Names::get("forget")?, [user])?;
    for name in [
        "forget base",
        "forget runs",
        "forget neighbours",
        "forget recommendations",
        "forget recommendation runs",
        "forget keys",
        "queue user",
    ] {
        db.execute(Names::get(name)?, [user])?;
    }
    refresh(db, None, now_us)?;
    Ok(i64::try_from(forgotten).unwrap_or(i64::MAX))
}

/// Makes the state anew from the log; the number of users.
pub fn rebuild(db: &Connection, now_us: i64) -> Result<i64> {
    db.execute_batch(Names::get("clear")?)?;
    let mut folding = Folding::new(db, Rows::prepare(db)?, now_us)?;
    let mut events = db.prepare(Names::get("all events")?)?;
    let mut events = events.query([])?;
    let mut user = String::new();
    let mut pairs: Vec<(i64, Pair)> = Vec::new();
    while let Some(event) = events.next()? {
        let of = event.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        if of != user {
            folding.new_user(&user, &mut pairs)?;
            of.clone_into(&mut user);
        }
        let content = event.get(1)?;
        if pairs.last().is_none_or(|(last, _)| *last != content) {
            pairs.push((content, Pair::default()));
        }
        let Some((_, pair)) = pairs.last_mut() else { continue };
        if let Ok(base) = event.get_ref(10)?.as_blob() {
            pair.add_base(base, &folding.scale)?;
            continue;
        }
        add(pair, event, 2, &folding.weights, &folding.scale)?;
        folding.told.event(content, event, 2)?;
    }
    folding.new_user(&user, &mut pairs)?;
    let users = folding.next_ord;
    folding.finish()?;
    install::make_log_indexes(db)?;
    Ok(users)
}

/// One fold on its way: what is collected for posting lists and blocks is written at its end.
struct Folding<'a> {
    rows: Rows<'a>,
    scale: Scale,
    trend: facts::Scale,
    weights: HashMap<String, f64>,
    genres: HashMap<i64, Option<String>>,
    next_ord: i64,
    genre_order: String,
    /// The same, read.
    known_order: GenreOrder,
    postings: BTreeMap<(i64, i64), Vec<u8>>,
    blocks: BTreeMap<i64, Vec<u8>>,
    contents: BTreeMap<i64, Changes>,
    ratings: Changes,
    /// The events read of the user at hand.
    told: Told,
}

impl<'a> Folding<'a> {
    fn new(db: &'a Connection, mut rows: Rows<'a>, now_us: i64) -> Result<Self> {
        let parameters = Parameters::read(db)?;
        let trend = facts::Scale::new(parameters.trending_half_life_hours, parameters.user_cap)?;
        let scale = Scale { half_life_hours: parameters.half_life_hours, now_us, trend: Some(trend) };
        let (next_ord, genre_order) = rows.fold_state()?;
        let weights = rows.action_weights.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let weights = weights.collect::<rusqlite::Result<_>>()?;
        let (genres, postings, blocks, contents, ratings) = Default::default();
        let known_order = GenreOrder::read(&genre_order)?;
        let told = Told::new(&mut rows)?;
        Ok(Self {
            rows,
            scale,
            trend,
            weights,
            genres,
            next_ord,
            genre_order,
            known_order,
            postings,
            blocks,
            contents,
            ratings,
            told,
        })
    }

    /// Brings one user up to the log.
    fn user(&mut self, user: &str, mut keys: Keys) -> Result<()> {
        if keys.whole {
            keys.contents.extend(self.rows.contents_of(user)?);
        }
        let known = self.rows.user(user)?;
        let mut pairs = Vec::new();
        let mut changes = Vec::new();
        for content in keys.contents {
            let was = self.rows.level_1(user, content)?;
            let is = self.pair(user, content)?;
            self.write_pair(user, content, was.as_ref(), &is)?;
            pairs.push((content, was.as_ref().is_some_and(|was| was.touches > 0), is.touches > 0));
            let before = was.as_ref().filter(|_| !keys.whole).map(|was| (was.touches > 0, &was.weight[..]));
            self.change(&mut changes, content, before, &is)?;
        }
        self.told.write(user, keys.whole, &mut self.rows)?;
        let base = known.as_ref().filter(|_| !keys.whole);
        let followed = ledger::apply(base.map(|k| &k.taste[..]), base.map(|k| &k.sums[..]), &changes)?;
        let ord = known.as_ref().map(|known| known.ord);
        self.write_user(user, ord, followed.as_ref(), &pairs)
    }

    /// Writes a user the state does not have, from all pairs.
    fn new_user(&mut self, user: &str, pairs: &mut Vec<(i64, Pair)>) -> Result<()> {
        let mut touched = Vec::new();
        let mut changes = Vec::new();
        for (content, pair) in pairs.drain(..) {
            self.write_pair(user, content, None, &pair)?;
            touched.push((content, false, pair.touches > 0));
            self.change(&mut changes, content, None, &pair)?;
        }
        self.told.write(user, true, &mut self.rows)?;
        let followed = ledger::apply(None, None, &changes)?;
        self.write_user(user, None, followed.as_ref(), &touched)
    }

    fn pair(&mut self, user: &str, content: i64) -> Result<Pair> {
        let mut pair = Pair::default();
        self.told.content(content)?;
        let mut events = self.rows.events.query((user, content))?;
        while let Some(event) = events.next()? {
            self.told.event(content, event, 0)?;
            add(&mut pair, event, 0, &self.weights, &self.scale)?;
        }
        drop(events);
        let base: Option<Vec<u8>> = self.rows.base.query_row((user, content), |row| row.get(0)).optional()?;
        base.map_or(Ok(()), |base| pair.add_base(&base, &self.scale))?;
        Ok(pair)
    }

    fn write_pair(&mut self, user: &str, content: i64, was: Option<&Level1>, pair: &Pair) -> Result<()> {
        if let Some(next_us) = pair.next_us {
            self.rows.later.execute((user, content, next_us))?;
        }
        let facts = pair.facts.clone().finish(&self.trend)?;
        let bytes = facts.map(|facts| facts.to_bytes()).transpose()?;
        if bytes.as_deref() != was.map(|was| &was.facts[..]) {
            let was = was.map(|was| Facts::read(&was.facts)).transpose()?;
            self.contents.entry(content).or_default().add(was.as_ref(), facts.as_ref())?;
            self.ratings.add(was.as_ref(), facts.as_ref())?;
        }
        if let Some(facts) = bytes {
            let weight = weight::of(&pair.weight);
            self.rows.set_level_1.execute((user, content, pair.events, pair.touches, weight, facts))?;
        } else if was.is_some() {
            self.rows.drop_level_1.execute((user, content))?;
        }
        Ok(())
    }

    fn change(&mut self, out: &mut Vec<u8>, content: i64, was: changes::Side<'_>, pair: &Pair) -> Result<()> {
        if !self.genres.contains_key(&content) {
            let genres = self.rows.genres(content)?;
            self.genres.insert(content, genres);
        }
        let genres = self.genres.get(&content).and_then(Option::as_deref);
        pair::change(out, content, genres, was, pair)
    }

    /// Writes the user's row and notes what it means to posting lists and blocks.
    fn write_user(
        &mut self,
        user: &str,
        ord: Option<i64>,
        followed: Option<&ledger::Followed>,
        pairs: &[(i64, bool, bool)],
    ) -> Result<()> {
        let ord = match (ord, followed) {
            (None, None) => return Ok(()),
            (Some(ord), _) => ord,
            (None, Some(_)) => {
                self.next_ord += 1;
                self.next_ord - 1
            }
        };
        match followed {
            Some(ledger::Followed { taste, sums }) => {
                let items = taste::items(taste)?;
                self.rows.set_user.execute((user, ord, items, self.scale.now_us, taste, sums))?;
                if !self.known_order.covers(taste)? {
                    self.genre_order = genre_order::extend(&self.genre_order, taste)?.unwrap_or_default();
                    self.known_order = GenreOrder::read(&self.genre_order)?;
                }
            }
            None => drop(self.rows.drop_user.execute([user])?),
        }
        for &(content, was, is) in pairs {
            if was != is {
                let list = self.postings.entry((content, ord >> 16)).or_default();
                fold::postings::write_row(grow(list, fold::postings::ROW)?, ord & 0xffff, is)?;
            }
        }
        let taste = followed.map(|followed| &followed.taste[..]);
        let block = self.blocks.entry(ord >> 8).or_default();
        Ok(fold::blocks::write_row(grow(block, fold::blocks::row_len(taste)?)?, ord & 0xff, taste)?)
    }

    fn finish(mut self) -> Result<()> {
        for ((content, chunk), changes) in &self.postings {
            let users = fold::postings::apply(self.rows.posting(*content, *chunk)?.as_deref(), changes)?;
            match users {
                Some(users) => self.rows.set_posting.execute((content, chunk, users))?,
                None => self.rows.drop_posting.execute((content, chunk))?,
            };
        }
        for (block, changes) in &self.blocks {
            let users = fold::blocks::apply(self.rows.block(*block)?.as_deref(), changes, &self.genre_order)?;
            match users {
                Some(users) => self.rows.set_block.execute((block, users))?,
                None => self.rows.drop_block.execute([block])?,
            };
        }
        self.rows.set_fold_state.execute((self.next_ord, &self.genre_order))?;
        self.finish_contents()
    }

    fn finish_contents(&mut self) -> Result<()> {
        for (content, changes) in std::mem::take(&mut self.contents) {
            let before = self.rows.measures(content)?.map(|measures| Measures::read(&measures)).transpose()?;
            let Some(mut now) = Measures::follow(before, &changes)? else {
                self.rows.drop_measures.execute([content])?;
                continue;
            };
            if now.first_us.is_none() || now.last_us.is_none() {
                // The pair that had it is gone.
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
                let (first_us, last_us) = self.rows.extent.query_row([content, self.scale.now_us], read)?;
                now = now.with_extent(first_us, last_us);
            }
            self.rows.set_measures.execute((content, now.to_bytes()?))?;
        }
        let before: Option<Vec<u8>> = self.rows.rating_totals.query_row([], |row| row.get(0))?;
        let before = before.map(|measures| Measures::read(&measures)).transpose()?;
        let now = Measures::follow(before, &std::mem::take(&mut self.ratings).into_ratings())?;
        self.rows.set_rating_totals.execute([now.map(Measures::to_bytes).transpose()?])?;
        Ok(())
    }
}

/// Adds an event whose action, rating, time and id are the columns from `at` on.
fn add(
    pair: &mut Pair,
    event: &rusqlite::Row<'_>,
    at: usize,
    weights: &HashMap<String, f64>,
    scale: &Scale,
) -> Result<()> {
    let event = Event {
        action: event.get_ref(at)?.as_str().map_err(rusqlite::Error::from)?,
        rating: event.get(at + 1)?,
        occurred_at: event.get_ref(at + 2)?.as_str().map_err(rusqlite::Error::from)?,
        id: event.get(at + 3)?,
    };
    pair.add(&event, |action| weights.get(action).copied(), scale)
}
