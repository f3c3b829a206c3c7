//! A backend or the first process of Postgres killed under load: what was acknowledged is there, once, and the state is
//! that of the log.

use super::ledger::{self, Ledger};
use super::workload::{self, Workload};
use super::Fault;
use crate::engine::{Engine, SqlError};
use crate::postgres::Postgres;
use crate::random::Random;
use crate::report::Report;
use crate::scale;
use anyhow::{bail, ensure, Context, Result};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

const WRITERS: usize = 6;
/// How many die on each of two majors.
fn backends() -> usize {
    scale::of(15, 100)
}
fn servers() -> usize {
    scale::of(5, 50)
}

pub fn run(fault: &mut Fault, report: &mut Report) -> Result<()> {
    let (database, mut engine) = fault.space()?;
    engine.exec(&workload::catalogue())?;
    drop(engine);
    let mut clients: Vec<(Workload, Ledger)> =
        (0..WRITERS).map(|n| (Workload::new(&format!("w{n}"), n as u64), Ledger::default())).collect();
    let mut random = Random::new(77);
    for (what, deaths, whole) in [("a backend", backends(), false), ("the postmaster", servers(), true)] {
        let (mut done, failed) = (0, report.failed);
        report.case(&format!("nothing is lost or doubled by SIGKILL of {what} under load"), || {
            for death in 0..deaths {
                let after = Duration::from_millis(30 + random.below(150) as u64);
                round(fault, &database, &mut clients, after, (!whole).then(|| random.below(WRITERS + 2)))
                    .and_then(|()| check(fault, &database, &mut clients))
                    .with_context(|| format!("death {death}"))?;
                done += 1;
            }
            Ok(())
        });
        let acknowledged: usize = clients.iter().map(|(_, ledger)| ledger.acknowledged).sum();
        let value = format!("0 lost or doubled in {done}, {acknowledged} transactions acknowledged so far");
        if report.failed == failed {
            report.figure(&format!("SIGKILL of {what}"), &value);
        }
    }
    Ok(())
}

/// Writers, a folder and a reader work until one of them (`target`) or the server is killed and all connections end.
fn round(
    fault: &mut Fault,
    database: &str,
    clients: &mut [(Workload, Ledger)],
    after: Duration,
    target: Option<usize>,
) -> Result<()> {
    let pids: Vec<AtomicI32> = (0..WRITERS + 2).map(|_| AtomicI32::new(0)).collect();
    let connect = |place: usize| -> Result<Postgres> {
        let mut engine = fault.connect(database)?;
        pids[place].store(engine.value("select pg_backend_pid()")?.parse()?, Ordering::SeqCst);
        Ok(engine)
    };
    let others = ["select cotaste_refresh()", "select count(*) from similar_users"];
    let mut threads: Vec<Postgres> = (0..WRITERS + others.len()).map(connect).collect::<Result<_>>()?;
    std::thread::scope(|scope| {
        let mut work = Vec::new();
        for (sql, engine) in others.iter().zip(threads.split_off(WRITERS)) {
            work.push(scope.spawn(move || repeat(engine, sql)));
        }
        for ((workload, ledger), engine) in clients.iter_mut().zip(threads) {
            work.push(scope.spawn(move || write(engine, workload, ledger)));
        }
        std::thread::sleep(after);
        let killed = match target {
            // SAFETY: a backend of our own server, alive as long as its connection above.
            Some(place) => match unsafe { libc::kill(pids[place].load(Ordering::SeqCst), libc::SIGKILL) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error().into()),
            },
            None => fault.cluster.crash(),
        };
        let ended: Vec<Result<()>> =
            work.into_iter().map(|w| w.join().unwrap_or_else(|_| bail!("a thread panicked"))).collect();
        ended.into_iter().collect::<Result<()>>()?;
        killed
    })
}

/// Whether the connection is gone, with the server or before it had started again.
fn is_gone(error: &SqlError) -> bool {
    error.sqlstate.as_deref().is_none_or(|state| state.starts_with("57P") || state.starts_with("08"))
}

fn repeat(mut engine: Postgres, sql: &str) -> Result<()> {
    loop {
        match engine.query(sql) {
            Ok(_) => {}
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => return Err(error).context(sql.to_string()),
        }
    }
}

fn write(mut engine: Postgres, workload: &mut Workload, ledger: &mut Ledger) -> Result<()> {
    loop {
        let transaction = workload.next(ledger);
        ledger.begin(transaction.changes);
        let mut all = || -> Result<(), SqlError> {
            engine.exec("begin")?;
            transaction.statements.iter().try_for_each(|sql| engine.exec(sql))?;
            engine.exec("commit")
        };
        match all() {
            Ok(()) => ledger.committed(),
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => return Err(error).with_context(|| transaction.statements.join("; ")),
        }
    }
}

fn check(fault: &Fault, database: &str, clients: &mut [(Workload, Ledger)]) -> Result<()> {
    let mut engine = fault.connect_when_back(database)?;
    let mut log = ledger::by_client(&mut engine)?;
    for (place, (_, ledger)) in clients.iter_mut().enumerate() {
        let own = log.remove(&format!("w{place}")).unwrap_or_default();
        ledger.settle(own).with_context(|| format!("writer {place}"))?;
    }
    ensure!(log.is_empty(), "events nobody wrote: {log:?}");
    ledger::sound(&mut engine)
}
