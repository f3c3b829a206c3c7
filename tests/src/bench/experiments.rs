//! `make bench-experiments`: one experiment of the synthetic set (`COTASTE_BENCH_USERS`, `COTASTE_BENCH_ITEMS`: 100000 and
//! 20000) over 90 and over 14 days, beside counting its events in plain SQL, the same counts of users in plain SQL, and
//! DuckDB in memory. SQLite's labels are in their columns, as `record_behavior` writes them.

use super::data::{load_events_with_labels, python_in, Data};
use super::figures::{Contender, Figures, Sample, Subject};
use super::helper::{told, Helper};
use super::{runs, setting, Spaces};
use crate::engine::{Engine, Kind};
use crate::Options;
use anyhow::{ensure, Result};
use std::cell::RefCell;
use std::process::Command;
use std::time::Instant;

const EXPERIMENT: &str = "rec_algo";
/// What is asked, its beginning and its end.
const RANGES: [(&str, &str, &str); 2] =
    [("one experiment, 90 days", "2026-07-01", "2026-09-29"), ("one experiment, 14 days", "2026-08-10", "2026-08-24")];
const EVENTS: &str = include_str!("../../bench/experiments/events.sql");
const USERS: &str = include_str!("../../bench/experiments/users.sql");

pub fn run(space: Spaces<'_>, name: &str, options: &Options, figures: &mut Figures) -> Result<()> {
    let (users, items) = (setting("COTASTE_BENCH_USERS", 100_000)?, setting("COTASTE_BENCH_ITEMS", 20_000)?);
    let Some(data) = Data::synthetic(&options.target, users, items)? else { return Ok(()) };
    let subject = |work, unit| Subject { work, engine: name, data: &data.name, unit };
    let mut engine = space()?;
    let start = Instant::now();
    data.load_contents(engine.as_mut())?;
    load_events_with_labels(engine.as_mut(), data.events()?)?;
    figures.once(subject("load", "s"), "bulk load of the log", start.elapsed().as_secs_f64())?;
    let start = Instant::now();
    engine.query("select cotaste_rebuild()")?;
    figures.once(subject("load", "s"), "cotaste_rebuild()", start.elapsed().as_secs_f64())?;
    engine.exec(if engine.kind() == Kind::Postgres { "vacuum analyze" } else { "analyze" })?;
    let engine = RefCell::new(engine);
    let duckdb = duckdb(options, &data).map(RefCell::new);
    for (work, from, to) in RANGES {
        let (events, users) = (plain(&engine, EVENTS, from, to), plain(&engine, USERS, from, to));
        check(&engine, &users, from, to)?;
        let mut contenders = vec![
            asked(&engine, "its events counted in plain SQL", events),
            asked(&engine, "the same counts in plain SQL", users),
            asked(&engine, "experiment_results, all columns", results("*", from, to)),
        ];
        if let Some(duckdb) = &duckdb {
            let question = format!("{EXPERIMENT} {from} {to}");
            contenders.push(Contender::measured("the same counts in DuckDB, in RAM", move || {
                Ok(Sample::Latencies(duckdb.borrow_mut().ask(&question)?))
            }));
        }
        figures.compare(subject(work, "ms"), runs()?, &mut contenders)?;
    }
    let mut contenders = vec![
        asked(&engine, "experiment_summary of one", format!("select * from experiment_summary('{EXPERIMENT}')")),
        asked(&engine, "experiment_summary of all five", "select * from experiment_summary".into()),
        asked(&engine, "experiment_timeline of one", format!("select * from experiment_timeline('{EXPERIMENT}')")),
    ];
    figures.compare(subject("summary and timeline", "ms"), 3, &mut contenders)
}

/// A statement as a client sends it: parsed, planned, run and read.
fn asked<'a>(engine: &'a RefCell<Box<dyn Engine>>, name: &str, sql: String) -> Contender<'a> {
    Contender::measured(name, move || {
        let start = Instant::now();
        engine.borrow_mut().query(&sql)?;
        Ok(Sample::Latencies(vec![start.elapsed().as_secs_f64() * 1e3]))
    })
}

fn results(columns: &str, from: &str, to: &str) -> String {
    format!("select {columns} from experiment_results('{EXPERIMENT}', '{from} 00:00:00Z', '{to} 00:00:00Z') order by variant")
}

fn plain(engine: &RefCell<Box<dyn Engine>>, sql: &str, from: &str, to: &str) -> String {
    // What cotaste writes has one width in SQLite, where times are texts.
    let time = |day: &str| match engine.borrow().kind() {
        Kind::Postgres => format!("timestamptz '{day} 00:00:00Z'"),
        Kind::Sqlite => format!("'{day}T00:00:00.000000Z'"),
    };
    sql.replace(":experiment", &format!("'{EXPERIMENT}'")).replace(":from", &time(from)).replace(":to", &time(to))
}

/// What is compared counts the same.
fn check(engine: &RefCell<Box<dyn Engine>>, users: &str, from: &str, to: &str) -> Result<()> {
    let ours = results("variant, users, views, conversions, conversion_events", from, to);
    let ours = engine.borrow_mut().query(&ours)?;
    let plain = engine.borrow_mut().query(users)?;
    ensure!(ours == plain && !ours.is_empty(), "experiment_results counts {ours:?}, plain SQL {plain:?}");
    Ok(())
}

/// DuckDB with the events and their labels as columns; none when it cannot be had.
fn duckdb(options: &Options, data: &Data) -> Option<Helper> {
    let start = || {
        let python = python_in(&options.target.join("venv-duckdb"), &["duckdb"])?;
        let script = crate::repository().join("tests/bench/experiments/duckdb_counts.py");
        Helper::start(Command::new(python).arg(script).arg(data.file()))
    };
    told("DuckDB", start())
}
