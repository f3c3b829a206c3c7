//! Killed in the middle of a purge: what was purged and what was not come to the same as before, bit by bit.

use super::{workload, Fault};
use crate::engine::{Engine, Kind};
use crate::leash;
use crate::postgres::Postgres;
use crate::random::Random;
use crate::report::Report;
use crate::scale;
use crate::sqlite::{Sqlite, SqliteHost};
use anyhow::{ensure, Context, Result};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const EVENTS: usize = 3_000;
/// Events of one call of many.
const BATCH: usize = 150;

/// In each journal mode of each SQLite.
fn processes() -> usize {
    scale::of(10, 200)
}
fn backends() -> usize {
    scale::of(6, 60)
}
fn servers() -> usize {
    scale::of(2, 20)
}

/// Level 1, what follows it, and what is asked most.
const ANSWERS: [&str; 4] = [
    "select user_id, content_id, events, touches, weight, facts from cotaste_user_contents order by user_id, content_id",
    "select user_id, items, taste from cotaste_users order by user_id",
    "select content_id, measures from cotaste_contents order by content_id",
    "select content_id, total_views, average_rating, unique_users from content_metrics order by content_id",
];

type Answers = Vec<Vec<Vec<String>>>;

fn answers(engine: &mut dyn Engine) -> Result<Answers> {
    ANSWERS.iter().map(|sql| engine.query(sql).context(*sql)).collect()
}

fn fill(engine: &mut dyn Engine) -> Result<Answers> {
    engine.exec(&workload::catalogue())?;
    let mut random = Random::new(5);
    let rows: Vec<String> = (0..EVENTS)
        .map(|n| {
            let (user, content) = (random.below(60), random.below(workload::CONTENTS));
            let action = random.pick(&["view", "view", "complete", "like", "skip"]);
            let context =
                if user % 3 == 0 { "'{\"experimentName\":\"x\",\"experimentVariant\":\"a\"}'" } else { "null" };
            format!("('user {user}', {content}, '{action}', {context}, '2026-0{}-1{}T10:00:00Z')", 1 + n % 6, n % 9)
        })
        .collect();
    engine.exec(&format!(
        "insert into user_behaviors (user_id, content_id, action, context, occurred_at) values {}",
        rows.join(", ")
    ))?;
    engine.exec("select cotaste_refresh()")?;
    answers(engine)
}

fn purge(kind: Kind) -> String {
    let no = if kind == Kind::Postgres { "false" } else { "0" };
    format!("select purge_behaviors(0, {no}, {BATCH})")
}

/// Purges until nothing is left.
fn purge_all(engine: &mut dyn Engine) -> Result<()> {
    while engine.value(&purge(engine.kind()))? != "0" {}
    Ok(())
}

/// What is left comes to the same, as it stands and made anew; how many events are left.
fn check(engine: &mut dyn Engine, expected: &Answers) -> Result<usize> {
    let left = engine.value("select count(*) from user_behaviors")?.parse()?;
    for step in ["", "select cotaste_refresh()", "select cotaste_rebuild()"] {
        engine.exec(step)?;
        for (sql, (got, expected)) in ANSWERS.iter().zip(answers(engine)?.iter().zip(expected)) {
            // A rebuild numbers users anew, and says the same of each.
            let differing = got.iter().zip(expected).find(|(a, b)| a != b);
            ensure!(got == expected, "{left} events left, after {step:?} {sql}: {differing:?}");
        }
        let problems = engine.query("select * from cotaste_verify()")?;
        ensure!(problems.is_empty(), "{left} events left, after {step:?} cotaste_verify: {problems:?}");
    }
    Ok(left)
}

/// How many were killed in the middle; some must have been.
fn in_the_middle(lefts: &[usize]) -> Result<usize> {
    let middle = lefts.iter().filter(|left| (1..EVENTS).contains(*left)).count();
    ensure!(middle > 0, "none was in the middle: {lefts:?}");
    Ok(middle)
}

fn tell(report: &Report, what: &str, lefts: &[usize], middle: usize) {
    let value = format!("level 1 the same in {}, {middle} of them with a part purged", lefts.len());
    report.figure(&format!("SIGKILL of {what} that purges"), &value);
}

/// The process that purges: `PATH EXTENSION JOURNAL`.
pub fn victim(words: &[&str]) -> Result<()> {
    let [path, extension, journal] = words else { anyhow::bail!("not for people") };
    let mut file = Sqlite::new(rusqlite::Connection::open(path)?);
    file.load(Path::new(extension))?;
    file.query(&format!("pragma journal_mode = {journal}"))?;
    println!("ready");
    purge_all(&mut file)?;
    println!("done");
    Ok(())
}

pub fn sqlite(host: &mut SqliteHost, report: &mut Report) -> Result<()> {
    let path = host.fresh_path();
    let mut file = host.open(&path)?;
    file.exec("pragma synchronous = off; select cotaste_init()")?;
    let expected = fill(&mut file)?;
    drop(file);
    for journal in ["wal", "delete"] {
        let (mut lefts, mut middle, failed) = (Vec::new(), 0, report.failed);
        report.case(&format!("level 1 is the same after SIGKILL of a purge, journal mode {journal}"), || {
            let (left, whole) = one_process(host, &path, journal, None, &expected)?;
            ensure!(left == 0, "{left} events are left by a whole purge");
            let mut random = Random::new(9);
            for death in 0..processes() {
                let after = whole.mul_f64(random.below(1000) as f64 / 1000.0);
                let (left, _) = one_process(host, &path, journal, Some(after), &expected)
                    .with_context(|| format!("death {death} after {after:?}"))?;
                lefts.push(left);
            }
            middle = in_the_middle(&lefts)?;
            Ok(())
        });
        if report.failed == failed {
            tell(report, &format!("a process, journal mode {journal},"), &lefts, middle);
        }
    }
    Ok(())
}

/// Purges a copy of the file in a process that is killed, or not; how many events are left and how long it lived.
fn one_process(
    host: &mut SqliteHost,
    path: &Path,
    journal: &str,
    after: Option<Duration>,
    expected: &Answers,
) -> Result<(usize, Duration)> {
    let copy = host.fresh_path();
    std::fs::copy(path, &copy)?;
    let mut command = leash::command()?;
    command.args(["purging-victim"]).arg(&copy).arg(host.extension()).arg(journal).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut told = BufReader::new(child.stdout.take().context("no output")?);
    let mut line = String::new();
    told.read_line(&mut line)?;
    ensure!(line == "ready\n", "it did not start: {line:?}");
    let start = Instant::now();
    match after {
        Some(after) => {
            std::thread::sleep(after);
            child.kill()?;
            child.wait()?;
        }
        None => ensure!(child.wait()?.success(), "the purge failed"),
    }
    let lived = start.elapsed();
    let mut file = host.open(&copy)?;
    ensure!(file.value("pragma integrity_check")? == "ok", "the file is damaged");
    let left = check(&mut file, expected)?;
    drop(file);
    std::fs::remove_file(&copy)?;
    Ok((left, lived))
}

pub fn postgres(fault: &mut Fault, report: &mut Report) -> Result<()> {
    let (template, mut engine) = fault.space()?;
    let expected = fill(&mut engine)?;
    drop(engine);
    let mut random = Random::new(9);
    for (what, deaths, is_server) in [("a backend", backends(), false), ("the postmaster", servers(), true)] {
        let (mut lefts, mut middle, failed) = (Vec::new(), 0, report.failed);
        report.case(&format!("level 1 is the same after SIGKILL of {what} in a purge"), || {
            let (left, whole) = one_server(fault, &template, None, is_server, &expected)?;
            ensure!(left == 0, "{left} events are left by a whole purge");
            // A busy machine moves the moments: some more, until one was in the middle.
            for death in 0..4 * deaths {
                if death >= deaths && in_the_middle(&lefts).is_ok() {
                    break;
                }
                // Well inside, so that the few of the quick form meet it.
                let after = whole.mul_f64(0.1 + random.below(800) as f64 / 1000.0);
                let (left, _) = one_server(fault, &template, Some(after), is_server, &expected)
                    .with_context(|| format!("death {death} after {after:?}"))?;
                lefts.push(left);
            }
            middle = in_the_middle(&lefts)?;
            Ok(())
        });
        if report.failed == failed {
            tell(report, what, &lefts, middle);
        }
    }
    Ok(())
}

/// The same in a copy of a database, by a backend or all of the server.
fn one_server(
    fault: &mut Fault,
    template: &str,
    after: Option<Duration>,
    is_server: bool,
    expected: &Answers,
) -> Result<(usize, Duration)> {
    let copy = format!("{template}_purged");
    fault.connect_when_back("postgres")?.exec(&format!("create database {copy} template {template}"))?;
    let mut engine = fault.connect(&copy)?;
    let process: i32 = engine.value("select pg_backend_pid()")?.parse()?;
    let mut witness = fault.connect("postgres")?;
    let start = Instant::now();
    let purging = std::thread::spawn(move || purge_all(&mut engine).map(|()| engine));
    if let Some(after) = after {
        std::thread::sleep(after);
        if is_server {
            fault.cluster.crash()?;
        } else {
            // SAFETY: a backend of our own server, whose connection is open until the thread is joined.
            unsafe { libc::kill(process, libc::SIGKILL) };
            // The server ends all others as soon as it has noticed.
            while witness.query("select 1").is_ok() {
                ensure!(start.elapsed() < Duration::from_secs(60), "the server did not notice");
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
    let outcome = purging.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
    let lived = start.elapsed();
    if after.is_none() {
        outcome?;
    }
    let mut engine: Postgres = fault.connect_when_back(&copy)?;
    let left = check(&mut engine, expected)?;
    drop(engine);
    fault.connect("postgres")?.exec(&format!("drop database {copy} with (force)"))?;
    Ok((left, lived))
}
