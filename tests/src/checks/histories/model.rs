//! What similarity should be, computed from the rows of the log and nothing else: no state and no function of cotaste.

use super::experiments::labels;
use crate::engine::{Engine, Kind, NULL};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A sum whose terms cancel to less than this part of the vector it belongs to says nothing about a cosine.
const DOUBTFUL: f64 = 1e-10;

/// The log as of the database's clock, with what was purged of it.
pub struct Model {
    /// Microseconds since 1970.
    pub now: i64,
    /// When the events happened, those in the future included.
    pub times: Vec<i64>,
    /// The ids of the log's rows.
    pub ids: Vec<i64>,
    /// All events, those in the future included.
    pub log: Vec<Event>,
    pub settings: HashMap<String, String>,
    /// What each user did with each content.
    pub histories: BTreeMap<String, BTreeMap<i64, Pair>>,
    /// The genres of each content of the catalogue, as they are compared.
    pub catalogue: BTreeMap<i64, Vec<String>>,
    users: BTreeMap<String, Taste>,
    jaccard_weight: f64,
    cosine_weight: f64,
}

/// One row of the log.
pub struct Event {
    pub id: i64,
    pub user: String,
    pub content: i64,
    pub action: String,
    pub rating: Option<f64>,
    pub weight: f64,
    pub at: i64,
    pub experiment: Option<String>,
    pub variant: Option<String>,
    /// It is in the log no more: what reads single events does not know it.
    pub is_purged: bool,
}

/// A user's events with one content.
#[derive(Default)]
pub struct Pair {
    /// The last one that is not a skip.
    pub touched: Option<i64>,
    /// The last one of all was of an action that weighs less than 0.
    pub disliked: bool,
    last: (i64, i64),
}

#[derive(Default)]
struct Taste {
    items: BTreeSet<i64>,
    genres: BTreeMap<String, Sum>,
    /// Rounding decides whether this user's weights are above 0.
    doubtful: bool,
}

#[derive(Default, Clone, Copy)]
struct Sum {
    value: f64,
    /// How much of it may be rounding.
    error: f64,
}

/// How alike two users are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Likeness {
    pub shared: usize,
    pub jaccard: f64,
    /// The lowest and the highest cosine; they differ only where rounding decides.
    pub cosine: (f64, f64),
    pub similarity: (f64, f64),
}

impl Model {
    pub fn read(engine: &mut dyn Engine) -> Result<Self> {
        let now = clock(engine)?;
        let settings: HashMap<String, String> =
            engine.query("select key, value from cotaste_settings")?.into_iter().map(pair).collect();
        let number = |key: &str| -> Result<f64> {
            settings.get(key).with_context(|| key.to_string())?.parse().with_context(|| key.to_string())
        };
        let genres: BTreeMap<i64, Vec<String>> = engine
            .query("select content_id, genres from contents")?
            .into_iter()
            .map(|row| Ok((row[0].parse()?, usable_genres(&row[1]))))
            .collect::<Result<_>>()?;
        let half_life = number("taste_half_life_hours")? * 3600e6;
        let mut model = Model {
            now,
            times: Vec::new(),
            ids: Vec::new(),
            log: Vec::new(),
            settings: settings.clone(),
            histories: BTreeMap::new(),
            catalogue: genres.clone(),
            users: BTreeMap::new(),
            jaccard_weight: number("jaccard_weight")?,
            cosine_weight: number("cosine_weight")?,
        };
        let mut dated: BTreeMap<String, Dated> = BTreeMap::new();
        let columns =
            "user_id, content_id, action, rating, occurred_at, id, experiment, variant, context_status, context";
        let purged = "user_id, content_id, action, rating, occurred_at, id, null, null, null, null, weight";
        for row in engine.query(&format!(
            "select {columns}, cast(null as double precision) as weight from user_behaviors
             union all select {purged} from purged"
        ))? {
            let (content, at): (i64, i64) = (row[1].parse()?, read_timestamp(&row[4])?);
            let is_purged = row[10] != NULL;
            model.times.push(at);
            if !is_purged {
                model.ids.push(row[5].parse()?);
            }
            let rating =
                Some(&row[3]).filter(|rating| *rating != NULL).map(|rating| rating.parse::<f64>()).transpose()?;
            let times = if row[2] == "rate" { rating.map_or(0.0, |rating| (rating - 5.0) / 2.5) } else { 1.0 };
            let weight =
                if is_purged { row[10].parse()? } else { number(&format!("action_weight.{}", row[2]))? * times };
            let (id, user, action) = (row[5].parse()?, row[0].clone(), row[2].clone());
            let [experiment, variant] = labels(&row[6..10]);
            model.log.push(Event { id, user, content, action, rating, weight, at, experiment, variant, is_purged });
            if at > now {
                continue;
            }
            let taste = model.users.entry(row[0].clone()).or_default();
            if row[2] != "skip" {
                taste.items.insert(content);
            }
            let pair = model.histories.entry(row[0].clone()).or_default().entry(content).or_default();
            if row[2] != "skip" {
                pair.touched = pair.touched.max(Some(at));
            }
            let last = (at, row[5].parse()?);
            if pair.last <= last {
                (pair.last, pair.disliked) = (last, number(&format!("action_weight.{}", row[2]))? < 0.0);
            }
            let names = genres.get(&content).map_or(&[][..], Vec::as_slice);
            dated.entry(row[0].clone()).or_default().add(at, weight, names);
        }
        model.ids.sort_unstable();
        for (user, dated) in dated {
            if let Some(taste) = model.users.get_mut(&user) {
                taste.genres = dated.sums(half_life);
                taste.decide();
            }
        }
        Ok(model)
    }

    /// An event became due between two times of the clock, so that what was read in between may or may not count it.
    pub fn crossed(&self, until: i64) -> bool {
        self.times.iter().any(|at| *at > self.now && *at <= until + 1000)
    }

    /// The users of whom something is known now.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.users.keys().map(String::as_str)
    }

    /// What somebody touched, ascending.
    pub fn contents(&self) -> BTreeSet<i64> {
        self.users.values().flat_map(|taste| taste.items.iter().copied()).collect()
    }

    /// For each content that shares a user with one: the users of both, its users, the users of the one, all users who
    /// touched something; by the first, then by id.
    pub fn watched_with(&self, content: i64) -> Vec<(i64, [usize; 4])> {
        let count = |f: &dyn Fn(&BTreeSet<i64>) -> bool| self.users.values().filter(|taste| f(&taste.items)).count();
        let (of, all) = (count(&|items| items.contains(&content)), count(&|items| !items.is_empty()));
        let others = self.contents().into_iter().filter(|other| *other != content);
        let mut found: Vec<(i64, [usize; 4])> = others
            .map(|other| {
                let both = count(&|items| items.contains(&content) && items.contains(&other));
                (other, [both, count(&|items| items.contains(&other)), of, all])
            })
            .filter(|(_, counts)| counts[0] > 0)
            .collect();
        found.sort_by_key(|(other, counts)| (std::cmp::Reverse(counts[0]), *other));
        found
    }

    pub fn compare(&self, a: &str, b: &str) -> Likeness {
        let (Some(a), Some(b)) = (self.users.get(a), self.users.get(b)) else { return Likeness::default() };
        let shared = a.items.intersection(&b.items).count();
        let union = a.items.union(&b.items).count();
        let jaccard = if union == 0 { 0.0 } else { shared as f64 / union as f64 };
        let cosine = if a.doubtful || b.doubtful { (0.0, 1.0) } else { twice(a.cosine(b)) };
        let weighted = |cosine: f64| (self.jaccard_weight * jaccard + self.cosine_weight * cosine).clamp(0.0, 1.0);
        Likeness { shared, jaccard, cosine, similarity: (weighted(cosine.0), weighted(cosine.1)) }
    }
}

fn twice(value: f64) -> (f64, f64) {
    (value, value)
}

impl Taste {
    fn decide(&mut self) {
        let length = |part: fn(&Sum) -> f64| self.genres.values().map(|sum| part(sum).powi(2)).sum::<f64>().sqrt();
        let (value, error) = (length(|sum| sum.value.max(0.0)), length(|sum| sum.error));
        self.doubtful = error > DOUBTFUL * value;
    }

    fn cosine(&self, other: &Taste) -> f64 {
        let positive = |taste: &Taste, genre: &str| taste.genres.get(genre).map_or(0.0, |sum| sum.value.max(0.0));
        let squares = |taste: &Taste| taste.genres.keys().map(|genre| positive(taste, genre).powi(2)).sum::<f64>();
        let dot: f64 = self.genres.keys().map(|genre| positive(self, genre) * positive(other, genre)).sum();
        let lengths = squares(self).sqrt() * squares(other).sqrt();
        if lengths > 0.0 {
            (dot / lengths).min(1.0)
        } else {
            0.0
        }
    }
}

/// A user's weights by genre and time, before decay. In twelfths, so that one to four genres divide a weight exactly
/// and what cancels at one time cancels to 0.
#[derive(Default)]
struct Dated(BTreeMap<(String, i64), (f64, f64)>);

impl Dated {
    fn add(&mut self, at: i64, weight: f64, genres: &[String]) {
        let share = weight * 12.0 / genres.len() as f64;
        // An engine divides by the number of genres and multiplies with the decay: exact with powers of two alone.
        let power = weight.abs().log2().fract() == 0.0 && genres.len().is_power_of_two();
        let inexact = if power { 0.0 } else { share.abs() };
        for genre in genres {
            let sum = self.0.entry((genre.clone(), at)).or_default();
            sum.0 += share;
            sum.1 += inexact;
        }
    }

    /// Decayed to the last time that weighs anything; a common factor does not change a cosine.
    fn sums(&self, half_life: f64) -> BTreeMap<String, Sum> {
        let last = self.0.iter().filter(|(_, sum)| sum.0 != 0.0 || sum.1 != 0.0).map(|((_, at), _)| *at).max();
        let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
        for ((genre, at), (weight, inexact)) in &self.0 {
            let decay = ((at - last.unwrap_or(*at)) as f64 / half_life).exp2();
            // A time counted in half-lives since 1970 is rounded as well.
            let rounding = 1e-14 + 1e-15 * (*at as f64 / half_life).abs();
            let sum = sums.entry(genre.clone()).or_default();
            sum.value += weight * decay;
            sum.error += (rounding * weight.abs() + 1e-15 * inexact) * decay;
        }
        sums
    }
}

/// The texts of a JSON array, trimmed and in lower case; repeats count.
fn usable_genres(genres: &str) -> Vec<String> {
    let values: Vec<serde_json::Value> = serde_json::from_str(genres).unwrap_or_default();
    let names = values.iter().filter_map(|value| value.as_str()).map(|name| name.trim().to_lowercase());
    names.filter(|name| !name.is_empty()).collect()
}

/// The time that `now` means to the engine's next statement.
pub fn clock(engine: &mut dyn Engine) -> Result<i64> {
    let now = match engine.kind() {
        Kind::Postgres => "select statement_timestamp()",
        Kind::Sqlite => "select strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')",
    };
    read_timestamp(&engine.value(now)?)
}

fn pair(row: Vec<String>) -> (String, String) {
    (row[0].clone(), row[1].clone())
}

/// The inverse of [`crate::engine::print_timestamp`].
pub fn read_timestamp(text: &str) -> Result<i64> {
    let number = |from: usize, to: usize| -> Result<i64> {
        Ok(text.get(from..to).with_context(|| format!("a time: {text}"))?.parse()?)
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    // Howard Hinnant's days_from_civil.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Ok((days * 86_400 + seconds) * 1_000_000 + number(20, 26)?)
}
