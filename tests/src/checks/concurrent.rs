//! Writers, a folder and a reader at the same time, in Postgres: what the reader sees in one snapshot is what the log
//! of that snapshot says, and nobody waits for each other in a circle.

use crate::engine::{quote, Engine, SqlError};
use crate::postgres::{Postgres, PostgresHost};
use crate::random::Random;
use crate::report::Report;
use anyhow::{bail, ensure, Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WRITERS: usize = 8;
const LASTS: Duration = Duration::from_secs(5);
const USERS: usize = 12;
const CONTENTS: usize = 30;
/// The users whose answers are compared.
const ASKED: [&str; 3] = ["user-0", "user-5", "user-11"];

/// What one thread did.
#[derive(Default)]
struct Tally {
    done: usize,
    deadlocks: usize,
    /// Of the serializable writer, which may be told to try again.
    tried_again: usize,
}

pub fn run(host: &mut PostgresHost, report: &mut Report) -> Result<()> {
    let mut engine = host.database("space")?;
    let database = engine.value("select current_database()::text")?;
    let cluster = host.cluster();
    within(&|| Postgres::connect(cluster, "postgres", &database), &mut engine, report)
}

/// In an empty space, through connections made by `connect`.
pub fn within(
    connect: &(dyn Fn() -> Result<Postgres> + Sync),
    engine: &mut Postgres,
    report: &mut Report,
) -> Result<()> {
    engine.exec(include_str!("../../cases/concurrent.sql"))?;
    let over = AtomicBool::new(false);
    let start = Instant::now();
    let (written, folded, compared) = std::thread::scope(|scope| {
        let over = &over;
        let going = move || start.elapsed() < LASTS && !over.load(Ordering::Relaxed);
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| scope.spawn(move || stopping(over, write(connect()?, writer, going)))).collect();
        let folder = scope.spawn(move || stopping(over, fold(connect()?, going)));
        let compared = stopping(over, connect().and_then(|engine| compare(engine, going)));
        let written: Vec<Result<Tally>> = writers.into_iter().map(joined).collect();
        (written, joined(folder), compared)
    });
    let written: Result<Vec<Tally>> = written.into_iter().collect();
    if let (Ok(written), Ok(folded), Ok(compared)) = (&written, &folded, &compared) {
        let (done, again) = written.iter().fold((0, 0), |(d, a), tally| (d + tally.done, a + tally.tried_again));
        report.note(&format!(
            "{done} transactions of {WRITERS} writers ({again} told to try again), {} folds, {compared} snapshots",
            folded.done
        ));
    }
    report.case("writers in any order never deadlock, with the fold or with each other", || {
        let (written, folded) = (written?, folded?);
        let deadlocks = written.iter().chain([&folded]).map(|tally| tally.deadlocks).sum::<usize>();
        ensure!(deadlocks == 0, "{deadlocks} deadlocks");
        ensure!(folded.done > 0 && written.iter().all(|tally| tally.done > 0), "somebody did nothing");
        Ok(())
    });
    report.case("in every snapshot the answers are those of the log", || compared.map(|_| ()));
    report.case("after the writers the state equals the log", || {
        engine.query("select cotaste_refresh()")?;
        let problems = engine.query("select * from cotaste_verify()")?;
        ensure!(problems.is_empty(), "{problems:?}");
        ensure!(engine.value("select count(*) from cotaste_queue where due_us <= to_epoch_us(now())")? == "0");
        snapshot(engine)
    });
    Ok(())
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| bail!("a thread panicked"))
}

/// The first failure ends the run.
fn stopping<T>(over: &AtomicBool, result: Result<T>) -> Result<T> {
    if result.is_err() {
        over.store(true, Ordering::Relaxed);
    }
    result
}

fn fold(mut engine: Postgres, going: impl Fn() -> bool) -> Result<Tally> {
    let mut tally = Tally::default();
    while going() {
        match engine.query("select cotaste_refresh()") {
            Ok(_) => tally.done += 1,
            Err(error) if deadlock(&error) => tally.deadlocks += 1,
            Err(error) => return Err(error).context("cotaste_refresh()"),
        }
    }
    Ok(tally)
}

fn deadlock(error: &SqlError) -> bool {
    error.sqlstate.as_deref() == Some("40P01")
}

/// Transactions of several rows in random order. A writer changes only rows of its own (`progress` says whose), so
/// that row locks of the log are never the reason to wait; the keys are everybody's.
fn write(mut engine: Postgres, writer: usize, going: impl Fn() -> bool) -> Result<Tally> {
    let mut random = Random::new(writer as u64);
    let mut tally = Tally::default();
    let isolation = match writer {
        6 => "repeatable read",
        7 => "serializable",
        _ => "read committed",
    };
    while going() {
        let mut transaction = || -> Result<(), SqlError> {
            engine.exec(&format!("begin isolation level {isolation}"))?;
            for _ in 0..1 + random.below(5) {
                engine.exec(&statement(&mut random, writer))?;
            }
            engine.exec(random.pick(&["commit", "commit", "commit", "rollback"]))
        };
        match transaction() {
            Ok(()) => tally.done += 1,
            Err(error) => {
                engine.exec("rollback")?;
                match error.sqlstate.as_deref() {
                    Some("40P01") => tally.deadlocks += 1,
                    Some("40001") if isolation == "serializable" => tally.tried_again += 1,
                    _ => return Err(error).with_context(|| format!("a writer, {isolation}")),
                }
            }
        }
    }
    Ok(tally)
}

fn statement(random: &mut Random, writer: usize) -> String {
    let own = format!("progress = {writer} / 10.0::float8");
    let user = quote(&format!("user-{}", random.below(USERS)));
    let content = random.below(CONTENTS);
    let action = random.pick(&["view", "like", "skip", "complete"]);
    match random.below(10) {
        0..4 => {
            let rows: Vec<String> = random
                .sample(CONTENTS, 4)
                .iter()
                .map(|content| {
                    format!("('user-{}', {content}, '{action}', {writer} / 10.0::float8)", random.below(USERS))
                })
                .collect();
            format!("insert into user_behaviors (user_id, content_id, action, progress) values {}", rows.join(", "))
        }
        4 => format!("select record_behavior({user}, {content}, '{action}')"),
        5 => format!("update user_behaviors set content_id = {content} where {own} and id % 7 = {}", random.below(7)),
        6 => format!("update user_behaviors set user_id = {user} where {own} and id % 11 = {}", random.below(11)),
        7 => format!("update user_behaviors set action = '{action}' where {own} and user_id = {user}"),
        _ => format!("delete from user_behaviors where {own} and id % 5 = {}", random.below(5)),
    }
}

/// How many snapshots were compared.
fn compare(mut engine: Postgres, going: impl Fn() -> bool) -> Result<usize> {
    let mut compared = 0;
    while going() {
        engine.exec("begin isolation level repeatable read read only")?;
        snapshot(&mut engine)?;
        engine.exec("commit")?;
        compared += 1;
    }
    ensure!(compared > 0, "no snapshot was compared");
    Ok(compared)
}

/// The answers of a few users beside the same from `cotaste_tastes`, which reads nothing but the log.
fn snapshot(engine: &mut Postgres) -> Result<()> {
    let list = ASKED.map(quote).join(", ");
    let pairs = engine.query(&format!(
        "with t as materialized (select user_id, taste from cotaste_tastes)
         select a, b, user_similarity(a, b) as ours, coalesce(taste_similarity(x.taste, y.taste), 0) as theirs
         from unnest(array[{list}]) a cross join unnest(array[{list}]) b
         left join t x on x.user_id = a left join t y on y.user_id = b"
    ))?;
    let wrong: Vec<_> = pairs.iter().filter(|row| row[2] != row[3]).collect();
    ensure!(wrong.is_empty() && pairs.len() == ASKED.len().pow(2), "user_similarity: {wrong:?}");
    for user in ASKED.map(quote) {
        let ours = engine
            .query(&format!("select user_id, similarity, shared_items from similar_users({user}, 5) order by rank"))?;
        let theirs = engine.query(&format!(
            "with t as materialized (select user_id, taste from cotaste_tastes)
             select * from (
               select o.user_id, taste_similarity(m.taste, o.taste) as similarity, taste_shared_items(m.taste, o.taste)
               from t m join t o on o.user_id <> m.user_id where m.user_id = {user}
             ) s where similarity > 0 order by similarity desc, user_id limit 5"
        ))?;
        ensure!(ours == theirs, "similar_users({user}, 5) is {ours:?}, by the log {theirs:?}");
    }
    Ok(())
}
