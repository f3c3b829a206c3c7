//! Random histories of a small space, each from a seed: after every step the answers are those of a naive model that
//! knows only the rows of the log. A history that fails is cut down to the steps it needs and printed as SQL.
//!
//! `COTASTE_HISTORIES` says how many of an engine, `COTASTE_HISTORY` asks for one seed alone. Each engine has seeds of its own.

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

/// On two of each: 300 together.
fn histories(kind: Kind) -> u64 {
    if kind == Kind::Sqlite {
        100
    } else {
        50
    }
}
const STEPS: usize = 25;
/// How long a failing history is cut down.
const CUTTING: Duration = Duration::from_secs(60);

pub fn run(host: &mut dyn Host, report: &mut Report, _: &Answers) -> Result<()> {
    let asked: Option<u64> = number("COTASTE_HISTORIES")?;
    let first = first(host)?;
    let seeds = match number("COTASTE_HISTORY")? {
        Some(seed) => seed..seed + 1,
        None => first..first + asked.unwrap_or(histories(host.kind())),
    };
    let mut spaces = Spaces::new(host);
    let (start, mut done, failed) = (Instant::now(), 0, report.failed);
    report.case("at every step of a random history the answers are those of a naive model", || {
        for seed in seeds {
            history(&mut spaces, seed)?;
            done += 1;
        }
        Ok(())
    });
    if report.failed == failed {
        let value =
            format!("{done} of {STEPS} steps each in {:.0} s, all answers equal", start.elapsed().as_secs_f64());
        report.figure("random histories against a naive model", &value);
    }
    Ok(())
}

/// The first seed of this version of an engine.
fn first(host: &mut dyn Host) -> Result<u64> {
    let version = match host.kind() {
        Kind::Sqlite => "select cast(replace(sqlite_version(), '.', '') as integer)",
        Kind::Postgres => "select current_setting('server_version_num')::integer / 10000",
    };
    Ok(host.uninitialised()?.value(version)?.parse::<u64>()? * 10_000 + 1)
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

/// One space that is emptied between histories, with plans that are kept, as a client that prepares keeps them; after a
/// failure, and for every tenth, a fresh one: a file in SQLite, a schema in Postgres.
struct Spaces<'a> {
    host: &'a mut dyn Host,
    space: Option<Box<dyn Engine>>,
    used: u32,
}

impl<'a> Spaces<'a> {
    fn new(host: &'a mut dyn Host) -> Self {
        Spaces { host, space: None, used: 0 }
    }

    fn with<T>(&mut self, work: impl FnOnce(&mut dyn Engine) -> Result<T>) -> Result<T> {
        self.used += 1;
        let mut space = match self.space.take().filter(|_| !self.used.is_multiple_of(10)) {
            Some(mut space) => {
                empty(space.as_mut()).context("a space for the next history")?;
                space
            }
            None => self.fresh()?,
        };
        let result = work(space.as_mut());
        if result.is_ok() {
            self.space = Some(space);
        }
        result
    }

    fn fresh(&mut self) -> Result<Box<dyn Engine>> {
        let mut space = self.host.space()?;
        // Compiling a plan takes ten times as long as it takes to run over so few rows.
        space.exec(if space.kind() == Kind::Sqlite { "pragma synchronous = off" } else { "set jit = off" })?;
        probe(space.as_mut())?;
        space.exec("create table first_settings as select key, value from cotaste_settings")?;
        space.keep_plans();
        Ok(space)
    }
}

/// Rows that are there when a space is new.
const KEPT: &str =
    "'cotaste_meta', 'cotaste_settings', 'cotaste_parameters', 'cotaste_fold_state', 'cotaste_queue', 'cotaste_rating_totals', 'probe', 'first_settings'";

/// Makes a space what it was when it was new.
fn empty(engine: &mut dyn Engine) -> Result<()> {
    let tables = engine.query(&match engine.kind() {
        Kind::Postgres => format!(
            "select relname::text from pg_class
             where relnamespace = current_schema()::regnamespace and relkind = 'r' and relname not in ({KEPT}) order by 1"
        ),
        Kind::Sqlite => format!(
            "select name from sqlite_master
             where type = 'table' and sql not like 'create virtual%' and name not like 'sqlite%' and name not in ({KEPT})"
        ),
    })?;
    let tables: Vec<&str> = tables.iter().map(|row| row[0].as_str()).collect();
    match engine.kind() {
        Kind::Postgres => engine.exec(&format!("truncate {} restart identity", tables.join(", ")))?,
        Kind::Sqlite => {
            engine.exec("pragma recursive_triggers = off")?;
            tables.iter().try_for_each(|table| engine.exec(&format!("delete from {table}")))?;
        }
    }
    engine.exec(
        "delete from cotaste_settings where key not in (select key from first_settings);
         update cotaste_settings set value = (select f.value from first_settings f where f.key = cotaste_settings.key)
         where value <> (select f.value from first_settings f where f.key = cotaste_settings.key);
         update cotaste_fold_state set next_ord = 0, genre_order = '[]';
         select cotaste_rebuild();
         delete from cotaste_queue where due_us < 9223372036854775807",
    )?;
    Ok(())
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
