//! What calls, cancelled statements, errors and connections leave behind in memory: next to nothing.

use super::workload;
use super::Fault;
use crate::engine::Engine;
use crate::report::Report;
use crate::scale;
use crate::sqlite::{Sqlite, SqliteHost};
use crate::surface::{self, Asked};
use anyhow::{bail, ensure, Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The most that may be left, in kB.
const MOST: i64 = 5 * 1024;

fn calls() -> usize {
    scale::of(100_000, 1_000_000)
}
fn cancels() -> usize {
    scale::of(1_000, 10_000)
}
fn errors() -> usize {
    scale::of(10_000, 100_000)
}
fn opens() -> usize {
    scale::of(2_000, 20_000)
}

/// Enough rows that each of [`LONG`] takes longer than it is given.
const FILL: &str = "insert into user_behaviors (user_id, content_id, action, context)
    select 'user ' || cast(c.content_id as text), d.content_id, 'view', '{\"experimentName\":\"ranker\",\"experimentVariant\":\"a\"}'
    from contents c cross join contents d where (c.content_id + d.content_id) % 3 > 0";

/// Of each user with each.
const PAIRS: &str =
    "select count(user_similarity(a.user_id, b.user_id)) from cotaste_users a cross join cotaste_users b";

const LONG: [&str; 8] = [
    "select sum(user_similarity(a.user_id, b.user_id)) from cotaste_users a, cotaste_users b, cotaste_users c",
    "select sum(taste_similarity(a.taste, b.taste)) from cotaste_users a, cotaste_users b, cotaste_users c",
    "select sum(n.similarity) from user_behaviors b, similar_users(b.user_id, 10) n",
    "select cotaste_rebuild()",
    "select count(*) from cotaste_verify()",
    "select count(*) from recommend_for_all(1000)",
    "select cotaste_refresh_neighbours() from cotaste_users",
    "select count(t.taste) from (select taste_agg(b.content_id, null, 1.0) as taste from user_behaviors b, user_behaviors c group by b.user_id) t",
];

const WRONG: [&str; 6] = [
    "select taste_similarity(taste, cast('x' as @bytes@)) from cotaste_users",
    "select record_behavior(null, 1, 'view')",
    "select record_behavior('user 1', 1, 'no such action')",
    "insert into user_behaviors (user_id, content_id, action, rating) values ('user 1', 1, 'rate', 11)",
    "select * from experiment_results('ranker', null, null, 'rating >= x')",
    "select wilson_lower(5, 2)",
];

/// A process whose memory is looked at.
trait Measured {
    fn engine(&mut self) -> &mut dyn Engine;
    /// Its own memory in kB, without what it shares.
    fn kilobytes(&mut self) -> Result<i64>;
    /// Runs a statement that takes longer than it is given.
    /// How many were cancelled: none when the statement ended before.
    fn give_up(&mut self, sql: &str) -> Result<usize>;
}

struct Backend {
    engine: crate::postgres::Postgres,
    process: String,
}

impl Measured for Backend {
    fn engine(&mut self) -> &mut dyn Engine {
        &mut self.engine
    }

    fn kilobytes(&mut self) -> Result<i64> {
        anonymous(&self.process)
    }

    fn give_up(&mut self, sql: &str) -> Result<usize> {
        // Set for the session before: the statement is all there is.
        let Err(error) = self.engine.query(sql) else { return Ok(0) };
        ensure!(error.sqlstate.as_deref() == Some("57014"), "{error:?} from {sql}");
        Ok(1)
    }
}

struct Own(Sqlite);

impl Measured for Own {
    fn engine(&mut self) -> &mut dyn Engine {
        &mut self.0
    }

    fn kilobytes(&mut self) -> Result<i64> {
        // SAFETY: gives the system what is free; no preconditions.
        unsafe { libc::malloc_trim(0) };
        anonymous("self")
    }

    fn give_up(&mut self, sql: &str) -> Result<usize> {
        let Err(error) = self.0.query(sql) else { return Ok(0) };
        ensure!(error.message.contains("interrupt"), "{error:?} from {sql}");
        Ok(1)
    }
}

fn anonymous(process: &str) -> Result<i64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

pub fn postgres(fault: &mut Fault, report: &mut Report) -> Result<()> {
    let (database, mut engine) = fault.space()?;
    fill(&mut engine)?;
    let process = engine.value("select pg_backend_pid()")?;
    let mut backend = Backend { engine, process };
    let mut grown = calls_and_errors(&mut backend, report)?;
    backend.engine.exec("set statement_timeout = 2")?;
    grown.push(growth(&mut backend, report, "cancelled statements", cancels(), |backend, n| {
        backend.give_up(LONG[n % LONG.len()])
    }));
    backend.engine.exec("reset statement_timeout")?;
    // A connection's memory goes with its process: what may be left is the server's.
    let parent = std::fs::read_to_string(format!("/proc/{}/status", backend.process))?;
    let parent = parent.lines().find_map(|line| line.strip_prefix("PPid:")).context("no PPid")?.trim().to_string();
    let mut server = Backend { engine: backend.engine, process: parent };
    grown.push(growth(&mut server, report, "connections", opens(), |_, _| {
        fault.connect(&database)?.query("select user_similarity('user 1', 'user 2')")?;
        Ok(1)
    }));
    tell(report, "a backend", &grown);
    Ok(())
}

pub fn sqlite(host: &mut SqliteHost, report: &mut Report) -> Result<()> {
    let path = host.fresh_path();
    let mut file = host.open(&path)?;
    file.exec("pragma synchronous = off; select cotaste_init()")?;
    fill(&mut file)?;
    let handle = file.connection.get_interrupt_handle();
    let mut own = Own(file);
    let mut grown = calls_and_errors(&mut own, report)?;
    let over = AtomicBool::new(false);
    grown.push(std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(2));
                handle.interrupt();
            }
        });
        let grown =
            growth(&mut own, report, "cancelled statements", cancels(), |own, n| own.give_up(LONG[n % LONG.len()]));
        over.store(true, Ordering::Relaxed);
        grown
    }));
    grown.push(growth(&mut own, report, "connections", opens(), |_, _| {
        host.open(&path)?.query("select user_similarity('user 1', 'user 2')")?;
        Ok(1)
    }));
    tell(report, "the process", &grown);
    Ok(())
}

fn fill(engine: &mut dyn Engine) -> Result<()> {
    engine.exec(&workload::catalogue())?;
    engine.exec(FILL)?;
    engine.exec("select cotaste_refresh()")?;
    Ok(())
}

fn calls_and_errors(measured: &mut dyn Measured, report: &mut Report) -> Result<Vec<Grown>> {
    let asked = Asked { user: "user 1".into(), other: "user 5".into(), content: 7, experiment: "ranker".into() };
    let reads = surface::reads(measured.engine(), &asked)?;
    let called = growth(measured, report, "calls", calls(), |measured, n| {
        let engine = measured.engine();
        for read in &reads {
            engine.query(&read.sql).with_context(|| read.sql.clone())?;
        }
        let pairs: usize = engine.value(PAIRS)?.parse()?;
        engine.query(&format!("select record_behavior('user {}', {}, 'like')", n % 40, n % 37))?;
        engine.query("select cotaste_refresh()")?;
        Ok(reads.len() + pairs + 2)
    });
    let bytes = if measured.engine().kind() == crate::engine::Kind::Postgres { "bytea" } else { "blob" };
    let wrong = WRONG.map(|sql| sql.replace("@bytes@", bytes));
    let refused = growth(measured, report, "errors", errors(), |measured, n| {
        let sql = &wrong[n % wrong.len()];
        let error = measured.engine().query(sql).err().with_context(|| format!("no error from {sql}"))?;
        ensure!(error.code().is_some(), "{error:?} from {sql}");
        Ok(1)
    });
    Ok(vec![called, refused])
}

/// How many of something, and the kB they left.
type Grown = (&'static str, usize, i64);

/// Repeats `work`, which says how many it did, until there are so many: after a few that fill what is kept.
fn growth<M: Measured + ?Sized>(
    measured: &mut M,
    report: &mut Report,
    what: &'static str,
    most: usize,
    mut work: impl FnMut(&mut M, usize) -> Result<usize>,
) -> Grown {
    let (mut done, mut grown) = (0, 0);
    report.case(&format!("{most} {what} leave at most 5 MB behind"), || {
        const FIRST: usize = 50;
        let mut round = 0;
        let mut warmed = 0;
        while warmed < (most / 20).max(FIRST) {
            warmed += work(measured, round)?;
            round += 1;
        }
        // A plan made anew on the way takes its memory once; what leaks takes it every time.
        for _ in 0..2 {
            let before = measured.kilobytes()?;
            done = 0;
            while done < most {
                done += work(measured, round)?;
                round += 1;
            }
            grown = measured.kilobytes()? - before;
            if grown <= MOST {
                return Ok(());
            }
        }
        bail!("{grown} kB, and as much before")
    });
    (what, done, grown)
}

fn tell(report: &Report, of: &str, grown: &[Grown]) {
    let parts: Vec<String> = grown.iter().map(|(what, done, kb)| format!("{done} {what} {kb} kB")).collect();
    report.figure(&format!("growth of {of}'s memory"), &parts.join(", "));
}
