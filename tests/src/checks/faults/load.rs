//! Sixty-four clients in one space: of ten transactions six write several events in random order of their keys, three
//! read and one folds. Nobody gets an error, nobody waits in a circle, nothing is lost, and the state is that of the log.
//! The same beside a plain table with the same indexes says what that costs.

use super::Fault;
use crate::bench::plain;
use crate::engine::{Engine, Value};
use crate::postgres::Postgres;
use crate::random::Random;
use crate::report::Report;
use crate::scale;
use anyhow::{bail, ensure, Context, Result};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const CLIENTS: usize = 64;
const USERS: usize = 2_000;
const CONTENTS: usize = 1_000;
/// Events that are there before.
fn before() -> usize {
    scale::of(20_000, 200_000)
}

/// What one client did.
#[derive(Default)]
struct Tally {
    /// Ids of the events acknowledged.
    events: BTreeSet<String>,
    reads: Vec<Duration>,
    folds: usize,
}

/// Where the clients write. What they read and fold is our state in both cases.
#[derive(Clone, Copy, PartialEq)]
enum Table {
    Ours,
    Plain,
}

pub fn run(fault: &mut Fault, report: &mut Report) -> Result<()> {
    let (database, mut engine) = fault.space()?;
    fill(&mut engine)?;
    let lasts = Duration::from_secs(scale::of(30, 600) as u64);
    let mut done = None;
    report.case("64 clients that write, read and fold: no error, no deadlock, nothing lost", || {
        let tallies = all_at_once(fault, &database, Table::Ours, lasts)?;
        let logged: BTreeSet<String> = engine
            .query("select event_id from user_behaviors where event_id is not null")?
            .into_iter()
            .map(|mut row| row.remove(0))
            .collect();
        let acknowledged: BTreeSet<String> = tallies.iter().flat_map(|tally| tally.events.iter().cloned()).collect();
        let (lost, unknown) = (acknowledged.difference(&logged).count(), logged.difference(&acknowledged).count());
        ensure!(lost == 0 && unknown == 0, "{lost} events lost, {unknown} never acknowledged");
        ensure!(tallies.iter().all(|tally| !tally.events.is_empty()), "somebody wrote nothing");
        done = Some(tallies);
        Ok(())
    });
    let Some(tallies) = done else { return Ok(()) };
    report.case("after them the state is that of the log", || {
        engine.query("select cotaste_refresh()")?;
        let problems = engine.query("select * from cotaste_verify()")?;
        ensure!(problems.is_empty(), "{problems:?}");
        Ok(())
    });
    let ours = tell(report, "64 clients", &tallies, lasts);
    if scale::soaking().is_some() {
        // The plain table starts as ours did.
        let (database, mut engine) = fault.space()?;
        fill(&mut engine)?;
        let plain = all_at_once(fault, &database, Table::Plain, lasts)?;
        let plain = tell(report, "64 clients, a plain table", &plain, lasts);
        report.figure("64 clients: write rate beside the plain table", &format!("{:.2} x", ours / plain));
    }
    Ok(())
}

/// Events written a second.
fn tell(report: &Report, what: &str, tallies: &[Tally], lasts: Duration) -> f64 {
    let events: usize = tallies.iter().map(|tally| tally.events.len()).sum();
    let folds: usize = tallies.iter().map(|tally| tally.folds).sum();
    let mut reads: Vec<Duration> = tallies.iter().flat_map(|tally| tally.reads.iter().copied()).collect();
    reads.sort();
    let quantile =
        |q: f64| reads.get((reads.len() as f64 * q) as usize).copied().unwrap_or_default().as_secs_f64() * 1e3;
    let rate = events as f64 / lasts.as_secs_f64();
    report.figure(
        what,
        &format!(
            "0 errors, 0 deadlocks; {events} events written, {rate:.0}/s; {} reads, p50 {:.1} ms, p99 {:.1} ms; {folds} folds",
            reads.len(),
            quantile(0.5),
            quantile(0.99)
        ),
    );
    rate
}

/// The catalogue, and as many events in both tables.
fn fill(engine: &mut Postgres) -> Result<()> {
    plain(engine)?;
    engine.exec(&format!(
        "insert into contents (content_id, genres)
         select g, (array['[\"drama\"]', '[\"war\",\"drama\"]', '[\"comedy\"]', '[\"noir\"]'])[1 + g % 4]
         from generate_series(0, {CONTENTS} - 1) g;
         insert into user_behaviors (user_id, content_id, action, occurred_at)
         select 'user ' || g * 7919 % {USERS}, g * 31 % {CONTENTS}, 'view', now() - g * interval '1 minute'
         from generate_series(1, {}) g;
         insert into plain (user_id, content_id, action, occurred_at)
         select user_id, content_id, action, occurred_at from user_behaviors;
         select cotaste_refresh()",
        before()
    ))?;
    engine.exec("vacuum analyze")?;
    Ok(())
}

fn all_at_once(fault: &Fault, database: &str, table: Table, lasts: Duration) -> Result<Vec<Tally>> {
    let engines: Vec<Postgres> = (0..CLIENTS).map(|_| fault.connect(database)).collect::<Result<_>>()?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let clients: Vec<_> = engines
            .into_iter()
            .enumerate()
            .map(|(number, engine)| scope.spawn(move || client(engine, number, table, start, lasts)))
            .collect();
        clients.into_iter().map(|c| c.join().unwrap_or_else(|_| bail!("a thread panicked"))).collect()
    })
}

fn client(mut engine: Postgres, number: usize, table: Table, start: Instant, lasts: Duration) -> Result<Tally> {
    let mut random = Random::new(number as u64);
    let mut tally = Tally::default();
    let mut events = 0;
    while start.elapsed() < lasts {
        match random.below(10) {
            0..6 => {
                let mut ids = Vec::new();
                engine.exec("begin")?;
                for _ in 0..2 + random.below(4) {
                    let sql = write(&mut random, table, || {
                        events += 1;
                        ids.push(format!("{number}-{events}"));
                        format!("{number}-{events}")
                    });
                    engine.exec(&sql).with_context(|| sql)?;
                }
                if random.percent(10) {
                    engine.exec("rollback")?;
                } else {
                    engine.exec("commit")?;
                    tally.events.extend(ids);
                }
            }
            6..9 => {
                let (sql, parameters) = read(&mut random);
                tally.reads.extend(engine.each(sql, &[parameters], Duration::MAX).context(sql)?);
            }
            _ => {
                engine.query("select cotaste_refresh()").context("cotaste_refresh()")?;
                tally.folds += 1;
            }
        }
    }
    Ok(tally)
}

/// One statement of one to four events, popular contents more often.
fn write(random: &mut Random, table: Table, mut id: impl FnMut() -> String) -> String {
    let rows: Vec<String> = (0..[1, 1, 1, 4][random.below(4)])
        .map(|_| {
            let content = random.below(CONTENTS).min(random.below(CONTENTS)).min(random.below(CONTENTS));
            let action = random.pick(&["view", "view", "like", "skip", "complete"]);
            format!("('user {}', {content}, '{action}', '{}')", random.below(USERS), id())
        })
        .collect();
    let table = if table == Table::Ours { "user_behaviors" } else { "plain" };
    format!("insert into {table} (user_id, content_id, action, event_id) values {}", rows.join(", "))
}

/// What an application asks all the time.
fn read(random: &mut Random) -> (&'static str, Vec<Value>) {
    let (user, other) = (Value::Text(format!("user {}", random.below(USERS))), format!("user {}", random.below(USERS)));
    match random.below(3) {
        0 => ("select * from similar_users($1, 10)", vec![user]),
        1 => ("select user_similarity($1, $2)", vec![user, Value::Text(other)]),
        _ => ("select * from user_analytics where user_id = $1", vec![user]),
    }
}
