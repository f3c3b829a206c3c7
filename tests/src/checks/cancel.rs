//! Long work can be cancelled: a timeout, a request to cancel or an interrupt ends it within a quarter of a second, and the
//! session goes on.
//!
//! Every view and function is asked over 200,000 events; `COTASTE_CANCEL_DATA=target/synthetic-100000-20000` asks over ten
//! million. What ends by itself before it is cancelled proves nothing, and is counted apart.

use crate::bench::Data;
use crate::engine::{Engine, Kind, SqlError};
use crate::postgres::{Postgres, PostgresHost};
use crate::report::Report;
use crate::sqlite::{Sqlite, SqliteHost};
use crate::surface::{self, Asked, Read};
use anyhow::{bail, ensure, Context, Result};
use std::path::Path;
use std::time::{Duration, Instant};

const DATA: &str = include_str!("../../cases/cancel-data.sql");
const CROWD: &str = include_str!("../../cases/cancel-crowd.sql");
/// When the statement is given up.
const AFTER: Duration = Duration::from_millis(20);
/// How long it may go on after that.
const LATENCY: Duration = Duration::from_millis(250);
/// The machine may pause a process, so the least of so many counts, and none of the time it waits for a processor.
const TRIES: usize = 3;

/// Each takes well over [`AFTER`].
const LONG: [&str; 10] = [
    "select cotaste_learn_embeddings(256)",
    "select sum(n.similarity) from user_behaviors b, similar_users(b.user_id, 10) n",
    "select sum(user_similarity(a.user_id, b.user_id)) from cotaste_users a, cotaste_users b",
    "select sum(taste_similarity(a.taste, b.taste)) from cotaste_users a, cotaste_users b, cotaste_users c",
    "select cotaste_rebuild()",
    "select cotaste_refresh_neighbours()",
    "select count(*) from cotaste_verify()",
    "select count(*) from recommend_for_all(1000)",
    "select count(*) from evaluate_recommender('random20', 1000)",
    "select cotaste_refresh_recommendations()",
];

/// What writes, and what is asked of many rows at once; each inside a transaction that is rolled back.
const OTHERS: [&str; 18] = [
    "select cotaste_refresh()",
    "select cotaste_refresh(100000)",
    "select cotaste_rebuild()",
    "select cotaste_refresh_neighbours()",
    "select cotaste_refresh_recommendations()",
    "select cotaste_learn_embeddings(64)",
    "select cotaste_refresh_embeddings()",
    "select purge_behaviors(0)",
    "select forget_user((select min(user_id) from cotaste_users))",
    "select cotaste_init()",
    "select count(*) from recommend_for_all(10)",
    "select count(*) from evaluate_recommender('random20', 10)",
    "update contents set genres = '[\"War\"]'",
    "delete from user_behaviors",
    "update user_behaviors set content_id = content_id + 1",
    "insert into user_behaviors (user_id, content_id, action) select user_id, content_id + 7, 'view' from user_behaviors",
    "select length(taste_rollup(taste)) from cotaste_users",
    "select length(moments(content_id, rating)) from user_behaviors",
];

/// How a statement is given up.
#[derive(Clone, Copy)]
enum By {
    /// `statement_timeout`, in SQLite an interrupt.
    Timeout,
    /// A request to cancel, in SQLite an interrupt.
    Request,
}

/// An engine whose statements can be given up.
trait Impatient: Engine {
    /// What the statement gave, and how long it went on after it was given up.
    fn within(&mut self, sql: &str, after: Duration, by: By) -> Result<(Result<usize, SqlError>, Duration)>;
}

/// A moment in the life of a process: the clock, and how long it has waited for a processor so far, which is no fault of it.
#[derive(Clone, Copy)]
struct Moment(Instant, Duration);

impl Moment {
    fn of(process: &str) -> Self {
        let waited = std::fs::read_to_string(format!("/proc/{process}/schedstat")).ok();
        let waited = waited.and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or_default();
        Moment(Instant::now(), Duration::from_nanos(waited))
    }

    /// Without the time it waited.
    fn until(self, end: Self) -> Duration {
        end.0.saturating_duration_since(self.0).saturating_sub(end.1.saturating_sub(self.1))
    }
}

impl Impatient for Postgres {
    fn within(&mut self, sql: &str, after: Duration, by: By) -> Result<(Result<usize, SqlError>, Duration)> {
        let backend = self.value("select pg_backend_pid()")?;
        if matches!(by, By::Timeout) {
            self.exec(&format!("set statement_timeout = {}", after.as_millis()))?;
            let start = Moment::of(&backend);
            let outcome = self.query(sql);
            let went_on = start.until(Moment::of(&backend)).saturating_sub(after);
            // In a transaction that failed nothing can be set: the caller ends it first.
            if self.exec("reset statement_timeout").is_err() {
                self.exec("rollback; reset statement_timeout")?;
            }
            return Ok((outcome.map(|rows| rows.len()), went_on));
        }
        let (token, process) = (self.client.cancel_token(), backend.clone());
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let alarm = std::thread::spawn(move || {
            let is_late = told.recv_timeout(after).is_err();
            let asked = if is_late { token.cancel_query(postgres::NoTls) } else { Ok(()) };
            asked.map(|()| (is_late, Moment::of(&process)))
        });
        let outcome = self.query(sql);
        let end = Moment::of(&backend);
        let _ = tell.send(());
        let (is_late, given_up) = alarm.join().map_err(|_| anyhow::anyhow!("the alarm panicked"))??;
        // A request that has ended nothing yet may still arrive, on a busy machine much later, and ends nothing else.
        if is_late && outcome.is_ok() {
            let _ = self.query("select pg_sleep(2)");
        }
        Ok((outcome.map(|rows| rows.len()), given_up.until(end)))
    }
}

impl Impatient for Sqlite {
    fn within(&mut self, sql: &str, after: Duration, _: By) -> Result<(Result<usize, SqlError>, Duration)> {
        let handle = self.connection.get_interrupt_handle();
        // SAFETY: no preconditions.
        let thread = format!("self/task/{}", unsafe { libc::gettid() });
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let watched = thread.clone();
        let alarm = std::thread::spawn(move || {
            if told.recv_timeout(after).is_err() {
                handle.interrupt();
            }
            Moment::of(&watched)
        });
        let outcome = self.query(sql);
        let end = Moment::of(&thread);
        let _ = tell.send(());
        let given_up = alarm.join().map_err(|_| anyhow::anyhow!("the alarm panicked"))?;
        Ok((outcome.map(|rows| rows.len()), given_up.until(end)))
    }
}

/// How long the statement went on after it was given up; none when it had ended by itself.
fn latency(engine: &mut dyn Impatient, sql: &str, after: Duration, by: By) -> Result<Option<Duration>> {
    let (outcome, went_on) = engine.within(sql, after, by)?;
    let error = match outcome {
        Ok(_) => return Ok(None),
        Err(error) => error,
    };
    // What SQLite 3.41 and newer now and then say of a view that is interrupted while they prepare it.
    let is_half_prepared = engine.kind() == Kind::Sqlite && error.message.starts_with("expected 0 columns for ''");
    let is_cancelled =
        error.sqlstate.as_deref() == Some("57014") || error.message.contains("interrupt") || is_half_prepared;
    ensure!(is_cancelled, "{error:?}");
    Ok(Some(went_on))
}

/// The statement ends within [`LATENCY`] of being given up, which it is before its own end.
fn ends(engine: &mut dyn Impatient, sql: &str) -> Result<()> {
    for left in (0..TRIES).rev() {
        let latency = latency(engine, sql, AFTER, By::Timeout)?.context("it ended by itself")?;
        if latency <= LATENCY {
            return Ok(());
        }
        ensure!(left > 0, "it went on for {latency:?}");
    }
    Ok(())
}

/// For the harness' own proof: the same of a statement that does not let itself be cancelled.
pub fn ends_in_postgres(engine: &mut Postgres, sql: &str) -> Result<()> {
    ends(engine, sql)
}

pub fn ends_in_sqlite(engine: &mut Sqlite, sql: &str) -> Result<()> {
    ends(engine, sql)
}

pub fn postgres(host: &mut PostgresHost, report: &mut Report) -> Result<()> {
    let mut engine = host.database("space")?;
    engine.exec(DATA)?;
    engine.exec("select cotaste_refresh(); analyze")?;
    long(&mut engine, report);
    let mut engine = host.database("space")?;
    // Postgres cannot be cancelled while it compiles a plan, which takes a large view about a second: docs/operations.md.
    engine.exec("set jit = off")?;
    everything(&mut engine, report)
}

pub fn sqlite(host: &mut SqliteHost, report: &mut Report) -> Result<()> {
    let path = host.fresh_path();
    let mut engine = host.open(&path)?;
    engine.exec("select cotaste_init()")?;
    engine.exec(DATA)?;
    engine.exec("select cotaste_refresh()")?;
    long(&mut engine, report);
    let path = host.fresh_path();
    let mut engine = host.open(&path)?;
    engine.exec("pragma synchronous = off; pragma cache_size = -262144; select cotaste_init()")?;
    everything(&mut engine, report)
}

fn long(engine: &mut dyn Impatient, report: &mut Report) {
    for sql in LONG {
        report.case(&format!("within a quarter of a second ends {sql}"), || {
            ends(engine, sql)?;
            ensure!(engine.value("select count(*) from cotaste_users")? == "600", "the work was half done");
            Ok(())
        });
    }
}

/// Every view and function of the catalogue, and what writes.
fn everything(engine: &mut dyn Impatient, report: &mut Report) -> Result<()> {
    let events = fill(engine)?;
    let text = |engine: &mut dyn Impatient, sql: &str| engine.value(sql).with_context(|| sql.to_string());
    let asked = Asked {
        user: text(engine, "select user_id from cotaste_users order by items desc, user_id limit 1")?,
        other: text(engine, "select user_id from cotaste_users order by items desc, user_id limit 1 offset 1")?,
        content: text(engine, "select content_id from cotaste_contents order by users desc, content_id limit 1")?
            .parse()?,
        experiment: text(engine, "select min(experiment) from cotaste_experiments")?,
    };
    let mut statements = surface::reads(engine, &asked)?;
    statements.extend(
        OTHERS.map(|sql| Read { name: sql.split_inclusive('(').next().unwrap_or(sql).into(), sql: sql.into() }),
    );
    let mut slowest: Vec<(Duration, String)> = Vec::new();
    let mut quick = 0;
    let failed = report.failed;
    for statement in &statements {
        report.row(&format!("{} ends when it is given up", statement.sql), || {
            let worst = worst(engine, &statement.sql)?;
            match worst {
                Some(latency) => slowest.push((latency, statement.name.trim_end_matches('(').to_string())),
                None => quick += 1,
            }
            Ok(())
        });
    }
    report.row("the session goes on and nothing is half done", || {
        let problems = engine.query("select * from cotaste_verify()")?;
        ensure!(problems.is_empty(), "{problems:?}");
        Ok(())
    });
    slowest.sort();
    slowest.reverse();
    ensure!(slowest.len() > 15, "only {} statements were long enough to be cancelled: {slowest:?}", slowest.len());
    if report.failed == failed {
        let told: Vec<String> =
            slowest.iter().take(6).map(|(time, name)| format!("{name} {:.0}", time.as_secs_f64() * 1e3)).collect();
        let value = format!(
            "{} of {} statements cancelled, the others ended by themselves; the slowest in ms: {}",
            slowest.len(),
            slowest.len() + quick,
            told.join(", ")
        );
        report.figure(&format!("cancel latency over {events} events"), &value);
    }
    Ok(())
}

/// The longest that the statement went on after being given up at several moments; none when it always ended by itself.
fn worst(engine: &mut dyn Impatient, sql: &str) -> Result<Option<Duration>> {
    // What may commit in between cannot be taken back.
    let moments: &[u64] = if is_large().is_some() { &[5, 50, 500, 3000] } else { &[5, 60, 250] };
    let mut worst = None;
    for (place, moment) in moments.iter().enumerate() {
        let by = if place % 2 == 0 { By::Timeout } else { By::Request };
        let mut least = None;
        for _ in 0..TRIES {
            engine.exec("begin")?;
            let outcome = latency(engine, sql, Duration::from_millis(*moment), by);
            // An interrupted write has ended SQLite's transaction.
            let ended = engine.exec("rollback");
            if engine.kind() == Kind::Postgres {
                ended?;
            }
            let Some(latency) = outcome.with_context(|| format!("given up after {moment} ms"))? else {
                return Ok(worst);
            };
            least = Some(least.map_or(latency, |least: Duration| least.min(latency)));
            if latency <= LATENCY {
                break;
            }
        }
        ensure!(least <= Some(LATENCY), "given up after {moment} ms it went on for {least:?}");
        worst = worst.max(least);
    }
    Ok(worst)
}

/// A directory of ten million events, where that is asked for.
fn is_large() -> Option<std::path::PathBuf> {
    std::env::var_os("COTASTE_CANCEL_DATA").filter(|path| !path.is_empty()).map(Into::into)
}

/// Fills the space and folds all but a few thousand events; how many there are.
fn fill(engine: &mut dyn Impatient) -> Result<String> {
    if let Some(directory) = is_large() {
        let data = Data::at(Path::new(&directory))?;
        data.load_contents(engine)?;
        data.load_log(engine)?;
    } else {
        let at = match engine.kind() {
            Kind::Postgres => "now() - make_interval(hours => n.i * 26)",
            Kind::Sqlite => "strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-' || (n.i * 26) || ' hours')",
        };
        engine.exec(&CROWD.replace("@at@", at))?;
    }
    engine.exec("select cotaste_refresh()")?;
    engine.exec("select cotaste_learn_embeddings(8)")?;
    engine.exec("analyze")?;
    // A tail that is not folded makes reads work for it.
    engine.exec("insert into user_behaviors (user_id, content_id, action) select user_id, ord % 50, 'view' from cotaste_users where ord < 2000")?;
    match engine.value("select count(*) from user_behaviors")? {
        none if none == "0" => bail!("no events"),
        events => Ok(events),
    }
}
