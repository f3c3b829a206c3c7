//! Random histories of a small space, each from a seed: after every step the answers are those of a naive model that
//! knows only the rows of the log. A history that fails is cut down to the steps it needs and printed as SQL.
//!
//! `COTASTE_HISTORIES` says how many (60, as far as 20 seconds allow), `COTASTE_HISTORY` asks for one seed alone.

mod compare;
mod experiments;
mod measures;
mod model;
mod recommend;
mod steps;

use crate::compare::Answers;
use crate::engine::{Engine, Host, Kind};
use crate::report::Report;
use anyhow::{bail, ensure, Context, Result};
use compare::NOBODY;
use model::Model;
use std::time::{Duration, Instant};
use steps::{Act, Step, Steps, USERS};

const HISTORIES: u64 = 60;
const STEPS: usize = 25;
/// How long the histories of one engine may take unless their number is asked for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a failing history is cut down.
const CUTTING: Duration = Duration::from_secs(60);

pub fn run(host: &mut dyn Host, report: &mut Report, _: &Answers) -> Result<()> {
    let asked: Option<u64> = number("COTASTE_HISTORIES")?;
    let seeds = match number("COTASTE_HISTORY")? {
        Some(seed) => seed..seed + 1,
        None => 1..1 + asked.unwrap_or(HISTORIES),
    };
    let mut spaces = Spaces::new(host)?;
    let (start, mut done) = (Instant::now(), 0);
    report.case("at every step of a random history the answers are those of a naive model", || {
        for seed in seeds {
            if asked.is_none() && start.elapsed() > PATIENCE {
                break;
            }
            history(&mut spaces, seed)?;
            done += 1;
        }
        Ok(())
    });
    report.note(&format!("{done} histories of {STEPS} steps in {:.1} s", start.elapsed().as_secs_f64()));
    Ok(())
}

fn number(variable: &str) -> Result<Option<u64>> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty());
    text.map(|text| text.parse().with_context(|| format!("{variable}={text}"))).transpose()
}

/// One history; its failure tells the seed and the steps that are enough to see it.
fn history(spaces: &mut Spaces<'_>, seed: u64) -> Result<()> {
    let mut done = Vec::new();
    let Err(error) = spaces.with(|engine| grow(engine, seed, &mut done)) else { return Ok(()) };
    let (steps, error) = cut(spaces, done, error)?;
    let acts: Vec<String> = steps.iter().flatten().map(Act::to_string).collect();
    bail!("seed {seed}: {error:#}\n{}", acts.join("\n"))
}

fn grow(engine: &mut dyn Engine, seed: u64, done: &mut Vec<Step>) -> Result<()> {
    let mut steps = Steps::new(seed, engine.kind());
    done.push(steps.first());
    let mut model = perform(engine, &done[0], 0)?;
    for turn in 1..=STEPS {
        done.push(steps.next(&model));
        model = perform(engine, &done[turn], turn)?;
    }
    finish(engine)
}

/// Repeats the history without one step after the other, and leaves out every step that the failure does not need.
fn cut(spaces: &mut Spaces<'_>, mut steps: Vec<Step>, mut error: anyhow::Error) -> Result<(Vec<Step>, anyhow::Error)> {
    let start = Instant::now();
    let mut place = steps.len();
    while place > 0 && start.elapsed() < CUTTING {
        place -= 1;
        let mut fewer = steps.clone();
        fewer.remove(place);
        if let Err(still) = spaces.with(|engine| repeat(engine, &fewer)) {
            (steps, error) = (fewer, still);
        }
    }
    Ok((steps, error))
}

fn repeat(engine: &mut dyn Engine, steps: &[Step]) -> Result<()> {
    for (turn, step) in steps.iter().enumerate() {
        perform(engine, step, turn)?;
    }
    finish(engine)
}

/// Does one step and compares. In a transaction a refused statement ends it.
fn perform(engine: &mut dyn Engine, step: &Step, turn: usize) -> Result<Model> {
    for act in step {
        if matches!(act, Act::Compare) {
            compare::compare(engine, &USERS, turn)?;
        } else if !act.perform(engine)? && step[0].begins() {
            engine.exec("rollback")?;
            break;
        }
    }
    compare::compare(engine, &USERS, turn)
}

/// At the end: the state is that of the log, a rebuild makes the same bytes, and so do the cached neighbours.
fn finish(engine: &mut dyn Engine) -> Result<()> {
    let folded = tastes(engine)?;
    let problems = engine.query("select * from cotaste_verify()")?;
    ensure!(problems.is_empty(), "cotaste_verify: {problems:?}");
    engine.query("select cotaste_rebuild()")?;
    let rebuilt = tastes(engine)?;
    // What became due in between is in the second alone.
    let clock = model::clock(engine)?;
    let model = compare::compare(engine, &USERS, 0)?;
    if !model.times.iter().any(|at| (clock - 2_000_000..=clock).contains(at)) {
        ensure!(folded == rebuilt, "the bytes of the tastes changed by a rebuild: {folded:?} became {rebuilt:?}");
    }
    let problems = engine.query("select * from cotaste_verify()")?;
    ensure!(problems.is_empty(), "cotaste_verify after a rebuild: {problems:?}");
    // The cache may be older than what others do, so nothing may become due between filling it and looking.
    let soon = model::clock(engine)? - 2_000_000..=model::clock(engine)? + 4_000_000;
    if !model.times.iter().any(|at| soon.contains(at)) {
        engine.query("select cotaste_refresh_neighbours()")?;
        compare::compare(engine, &USERS, 1).context("after cotaste_refresh_neighbours()")?;
    }
    Ok(())
}

fn tastes(engine: &mut dyn Engine) -> Result<Vec<Vec<String>>> {
    engine.query("select cotaste_refresh()")?;
    Ok(engine.query(
        "select user_id, taste from cotaste_users
         where user_id in (select user_id from user_behaviors union select user_id from purged) order by user_id",
    )?)
}

/// Fresh spaces: a file each in SQLite, a schema each in one database of Postgres.
struct Spaces<'a> {
    host: &'a mut dyn Host,
    database: Option<Box<dyn Engine>>,
    made: u32,
}

impl<'a> Spaces<'a> {
    fn new(host: &'a mut dyn Host) -> Result<Self> {
        let database = (host.kind() == Kind::Postgres).then(|| host.uninitialised()).transpose()?;
        Ok(Spaces { host, database, made: 0 })
    }

    fn with<T>(&mut self, work: impl FnOnce(&mut dyn Engine) -> Result<T>) -> Result<T> {
        self.made += 1;
        let space = format!("history_{}", self.made);
        let Some(database) = &mut self.database else {
            let mut file = self.host.space()?;
            file.exec("pragma synchronous = off")?;
            probe(file.as_mut())?;
            return work(file.as_mut());
        };
        database.exec(&format!("create schema {space}; set search_path = {space}, public; select cotaste_init()"))?;
        probe(database.as_mut())?;
        let result = work(database.as_mut());
        if result.is_err() {
            let _ = database.exec("rollback");
        }
        database.exec(&format!("set client_min_messages = warning; drop schema {space} cascade"))?;
        result
    }
}

fn probe(engine: &mut dyn Engine) -> Result<()> {
    let collation = if engine.kind() == Kind::Postgres { " collate \"C\"" } else { "" };
    let time = if engine.kind() == Kind::Postgres { "timestamptz" } else { "text" };
    let users: Vec<String> =
        USERS.iter().chain([&NOBODY]).map(|user| format!("({})", crate::engine::quote(user))).collect();
    engine.exec(&format!(
        "create table probe (user_id text{collation} primary key); insert into probe values {}",
        users.join(", ")
    ))?;
    // What was purged, with the weights the events had then: the model knows all events ever.
    for table in ["purged", "before_purge"] {
        engine.exec(&format!(
            "create table {table} (user_id text{collation}, content_id bigint, action text, rating double precision,
               occurred_at {time}, id bigint, weight double precision)"
        ))?;
    }
    Ok(())
}
