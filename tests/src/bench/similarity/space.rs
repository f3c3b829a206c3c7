//! A loaded space with everything the contenders need beside it.

use super::super::data::{load_events, Data};
use super::super::figures::{Contender, Figures, Sample, Subject};
use super::super::helper::Files;
use super::super::sets::Sets;
use crate::engine::{Engine, Kind, Value};
use crate::random::Random;
use crate::Options;
use anyhow::Result;
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// How many users are asked for their neighbours.
const SAMPLE: usize = 200;
/// How many random pairs there are; who is slow takes fewer.
const PAIRS: usize = 100_000;
/// How long one run of a slow contender may take.
pub const RUN: Duration = Duration::from_secs(4);

pub struct Space<'a> {
    pub engine: RefCell<Box<dyn Engine>>,
    pub kind: Kind,
    /// The engine's name in the tables.
    pub name: &'a str,
    pub data: &'a Data,
    pub options: &'a Options,
    pub sets: Sets,
    /// The names of the sampled users.
    pub sample: Vec<String>,
    pub files: Files,
}

impl<'a> Space<'a> {
    /// Loads the data in bulk, makes the state and the materialised tables, and tells how long the first two took.
    pub fn load(
        mut engine: Box<dyn Engine>,
        name: &'a str,
        data: &'a Data,
        options: &'a Options,
        figures: &mut Figures,
    ) -> Result<Self> {
        let once = |work| Subject { work, engine: name, data: &data.name, unit: "s" };
        let start = Instant::now();
        data.load_contents(engine.as_mut())?;
        load_events(engine.as_mut(), "user_behaviors", data.events()?)?;
        figures.once(once("load"), "bulk load of the log", start.elapsed().as_secs_f64())?;
        let start = Instant::now();
        engine.query("select cotaste_rebuild()")?;
        figures.once(once("load"), "cotaste_rebuild()", start.elapsed().as_secs_f64())?;
        let sets = Sets::of(data)?;
        materialise(engine.as_mut(), &sets)?;
        let places = sets.sample(SAMPLE);
        Ok(Space {
            kind: engine.kind(),
            engine: RefCell::new(engine),
            name,
            data,
            options,
            sample: places.iter().map(|place| sets.users[*place].clone()).collect(),
            files: Files::write(&sets, &places, &options.target, &format!("{name}-{}", data.name))?,
            sets,
        })
    }

    pub fn subject(&self, work: &'a str, unit: &'a str) -> Subject<'a> {
        Subject { work, engine: self.name, data: &self.data.name, unit }
    }

    /// A statement whose parameter is how many pairs it is about: as many as it does in a run, at most all of them.
    pub fn over_pairs<'s>(&'s self, name: &str, sql: &'s str) -> Result<Contender<'s>> {
        let limit = |pairs: usize| vec![vec![Value::Int(pairs as i64)]];
        let took = move |pairs| -> Result<f64> {
            let times = self.engine.borrow_mut().each(sql, &limit(pairs), RUN)?;
            Ok(times.iter().sum::<Duration>().as_secs_f64())
        };
        let pairs = fitting(took)?;
        Ok(Contender::measured(name, move || Ok(Sample::Rate { units: pairs as u64, seconds: took(pairs)? })))
    }

    /// A statement whose parameter is a sampled user: milliseconds a call, other users first in each run.
    pub fn over_users<'s>(&'s self, name: &str, sql: &'s str) -> Contender<'s> {
        let mut turns = 0;
        Contender::measured(name, move || {
            let users = self.turned(&mut turns);
            self.latencies(sql, &users)
        })
    }

    /// The sampled users, from another one on at each call.
    pub fn turned(&self, turns: &mut usize) -> Vec<Vec<Value>> {
        let mut users: Vec<Vec<Value>> = self.sample.iter().map(|user| vec![Value::Text(user.clone())]).collect();
        users.rotate_left(first(turns, self.sample.len()));
        users
    }

    pub fn latencies(&self, sql: &str, users: &[Vec<Value>]) -> Result<Sample> {
        let times = self.engine.borrow_mut().each(sql, users, RUN)?;
        Ok(Sample::Latencies(times.iter().map(|time| time.as_secs_f64() * 1e3).collect()))
    }
}

/// Where a run begins in the sample.
pub fn first(turns: &mut usize, length: usize) -> usize {
    let first = *turns * 41 % length.max(1);
    *turns += 1;
    first
}

/// So many pairs that a run takes about a second.
pub fn fitting(took: impl Fn(usize) -> Result<f64>) -> Result<usize> {
    took(200)?;
    let seconds = took(200)?;
    Ok(((200.0 / seconds.max(1e-6)) as usize).clamp(200, PAIRS))
}

/// The tables of the contenders, and random pairs of users.
fn materialise(engine: &mut dyn Engine, sets: &Sets) -> Result<()> {
    let (tables, keys) = match engine.kind() {
        Kind::Postgres => (
            include_str!("../../../bench/similarity/tables-postgres.sql"),
            include_str!("../../../bench/similarity/keys-postgres.sql"),
        ),
        Kind::Sqlite => (
            include_str!("../../../bench/similarity/tables-sqlite.sql"),
            include_str!("../../../bench/similarity/keys-sqlite.sql"),
        ),
    };
    engine.exec(tables)?;
    let users = || sets.users.iter().enumerate();
    let mut items = users().flat_map(|(place, user)| {
        sets.items[place].iter().map(|item| texts([user, &sets.contents[*item as usize].to_string()]))
    });
    engine.load("plain_items", &["user_id", "content_id"], &mut items)?;
    let mut sizes = users().map(|(place, user)| texts([user, &sets.items[place].len().to_string()]));
    engine.load("plain_sizes", &["user_id", "items"], &mut sizes)?;
    let mut genres = users().flat_map(|(place, user)| {
        let weights = sets.weights(place).iter().enumerate().filter(|(_, weight)| **weight > 0.0);
        weights.map(|(genre, weight)| texts([user, &genre.to_string(), &weight.to_string()]))
    });
    engine.load("plain_genres", &["user_id", "genre", "weight"], &mut genres)?;
    let mut random = Random::new(3);
    let mut pairs = (1..=PAIRS).map(|n| {
        let (a, b) = (random.below(sets.users.len()), random.below(sets.users.len()));
        texts([&n.to_string(), &sets.users[a], &sets.users[b]])
    });
    engine.load("pairs", &["n", "a", "b"], &mut pairs)?;
    if engine.kind() == Kind::Postgres {
        packed(engine, sets)?;
    }
    // A vacuum runs alone.
    keys.split_inclusive(';').map(str::trim).filter(|key| !key.is_empty()).try_for_each(|key| engine.exec(key))?;
    Ok(())
}

/// In Postgres also a user a row, for intarray and, where it is available, pgvector.
fn packed(engine: &mut dyn Engine, sets: &Sets) -> Result<()> {
    let vector = engine.value("select count(*) from pg_available_extensions where name = 'vector'")? == "1";
    engine.exec(match vector {
        true => include_str!("../../../bench/similarity/pgvector.sql"),
        false => include_str!("../../../bench/similarity/intarray.sql"),
    })?;
    let joined = |texts: Vec<String>| texts.join(",");
    let mut rows = sets.users.iter().enumerate().map(|(place, user)| {
        let items = joined(sets.items[place].iter().map(u32::to_string).collect());
        let genres = joined(sets.weights(place).iter().map(f32::to_string).collect());
        let genres = if vector { format!("[{genres}]") } else { format!("{{{genres}}}") };
        texts([user, &format!("{{{items}}}"), &genres])
    });
    engine.load("packed", &["user_id", "items", "genres"], &mut rows)?;
    Ok(engine.exec("alter table packed add primary key (user_id)")?)
}

fn texts<const N: usize>(cells: [&str; N]) -> Vec<Option<String>> {
    cells.map(|cell| Some(cell.to_string())).to_vec()
}
