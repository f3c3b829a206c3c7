//! Mistakes made on purpose: the parts of this harness must notice each. Those in SQL replace a function of one space;
//! those in Rust are in a build of their own, `sqlite_ext/src/planted` and `pg_ext/src/planted.rs`.

use super::Fault;
use crate::checks::{cancel, concurrent, hostile, planted as panics};
use crate::engine::Engine;
use crate::leash;
use crate::postgres::Postgres;
use crate::report::Report;
use crate::sqlite::{Sqlite, SqliteHost};
use crate::surface::{self, Asked};
use anyhow::{bail, ensure, Context, Result};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

/// A fold that trusts the order of ids: a transaction that commits after one with higher ids is passed over.
const BY_WATERMARK: (&str, &str) = (
    "delete from cotaste_queue
    where ctid = any (array(select q.ctid from cotaste_queue q where q.due_us <= now_us limit most))
    returning user_id, content_id
  ),",
    "select b.user_id, b.content_id from user_behaviors b where b.id > (select id from planted_mark)
  ),
  moved as (update planted_mark set id = (select max(b.id) from user_behaviors b)),
  emptied as (delete from cotaste_queue q where q.due_us <= now_us),",
);

/// It has no queue to ask either.
const NO_QUEUE: (&str, &str) = (
    "where exists (select from cotaste_queue q where q.user_id = t.user_id and q.content_id is null)",
    "where t.content_id is null",
);

/// Writers that keep the state themselves, in the order in which their rows come.
const UNSORTED: &str = "
  create or replace function cotaste_queue_inserted() returns trigger language plpgsql set search_path from current as $$
  begin
    insert into cotaste_user_contents (user_id, content_id, events, touches, weight)
    select user_id, content_id, 1, 1, decode(repeat('00', 16), 'hex') from written
    on conflict (user_id, content_id) do update set events = cotaste_user_contents.events + 1;
    return null;
  end $$";

/// A read that keeps what it found.
const WRITES: &str = "
  create or replace function user_similarity(a text, b text) returns double precision language plpgsql as $$
  begin
    insert into cotaste_neighbour_runs (user_id, k, computed_us) values (a, 1, 1) on conflict do nothing;
    return 0;
  end $$";

/// No guard stands between its panic and the host.
const UNGUARDED: &str = "select planted_unguarded(1)";
/// Computes for so many seconds and lets nobody interrupt it.
const BUSY: &str = "select planted_busy(@seconds@)";
/// Long enough to be late even if it waits for a processor most of the time, which is no fault of it.
const BUSY_SECONDS: &str = "2.0";
/// Trusts a length it read.
const LENGTH: &str = "select planted_length(?)";

pub fn postgres(fault: &mut Fault, report: &mut Report) -> Result<()> {
    let failed = report.failed;
    report.case("a fold by watermark is noticed", || {
        let (database, mut engine) = fault.space()?;
        engine.exec("create table planted_mark (id bigint); insert into planted_mark values (0)")?;
        let text = engine.value("select pg_get_functiondef('cotaste_fold(bigint)'::regprocedure)")?;
        let mut wrong = text;
        for (right, mistake) in [BY_WATERMARK, NO_QUEUE] {
            ensure!(wrong.contains(right), "the fold does not look as this test thinks");
            wrong = wrong.replace(right, mistake);
        }
        engine.exec(&wrong)?;
        noticed(|quiet| concurrent::within(&|| fault.connect(&database), &mut engine, quiet))
    });
    report.case("an unsorted upsert is noticed", || {
        let (database, mut engine) = fault.space()?;
        engine.exec(UNSORTED)?;
        noticed(|quiet| concurrent::within(&|| fault.connect(&database), &mut engine, quiet))
    });
    report.case("a read that writes is noticed", || {
        let (_, mut engine) = fault.space()?;
        // Of another volatility it would not be replaced as a read: the harness asks what was one.
        let asked = Asked { user: "a".into(), other: "b".into(), content: 1, experiment: "x".into() };
        let reads = surface::reads(&mut engine, &asked)?;
        engine.exec(WRITES)?;
        engine.exec("set default_transaction_read_only = on")?;
        let refused: Vec<_> = reads.iter().filter(|read| fails(&mut engine, &read.sql, "25006")).collect();
        ensure!(refused.iter().any(|read| read.name == "user_similarity()"), "{refused:?}");
        Ok(())
    });
    let mut wrong = Fault::start(&fault.pg_config, &fault.planted, &fault.planted)?;
    let (database, mut engine) = wrong.space()?;
    engine.exec(&std::fs::read_to_string(crate::repository().join("sql/postgres/planted.sql"))?)?;
    engine.exec("insert into contents(content_id, genres) values (1, '[\"Drama\"]')")?;
    report.case("a missing interrupt check is noticed", || {
        engine.query(&BUSY.replace("@seconds@", "0.0"))?;
        noticed(|_| cancel::ends_in_postgres(&mut engine, &BUSY.replace("@seconds@", BUSY_SECONDS)))
    });
    report
        .case("a missing length check is noticed", || noticed(|quiet| hostile::within(&mut engine, &[LENGTH], quiet)));
    report.case("an unguarded panic is noticed", || {
        engine.query("select 'planted_unguarded'::regproc::text")?;
        noticed(|_| panics::survives(&mut engine, &[UNGUARDED]))?;
        // The server takes connections until it knows what happened.
        std::thread::sleep(std::time::Duration::from_millis(500));
        let mut engine = wrong.connect_when_back(&database)?;
        ensure!(engine.value("select 1")? == "1");
        Ok(())
    });
    if report.failed == failed {
        report.figure("planted bugs", "6 of 6 noticed");
    }
    Ok(())
}

/// Those in Rust again, in the other host.
pub fn sqlite(host: &mut SqliteHost, report: &mut Report) -> Result<()> {
    let failed = report.failed;
    let path = host.fresh_path();
    let mut engine = Sqlite::new(rusqlite::Connection::open(&path)?);
    engine.load(host.planted_extension())?;
    report.case("a missing interrupt check is noticed", || {
        engine.query(&BUSY.replace("@seconds@", "0.0"))?;
        noticed(|_| cancel::ends_in_sqlite(&mut engine, &BUSY.replace("@seconds@", BUSY_SECONDS)))
    });
    report
        .case("a missing length check is noticed", || noticed(|quiet| hostile::within(&mut engine, &[LENGTH], quiet)));
    report.case("an unguarded panic is noticed", || {
        // It ends the process, so it has one of its own; a guarded one does not.
        let mut in_a_process = |sql: &str| -> Result<_> {
            let mut child = leash::command()?;
            child.arg("survives").arg(host.fresh_path()).arg(host.planted_extension()).arg(sql);
            Ok(child.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status()?)
        };
        ensure!(in_a_process("select planted_panic('now')")?.success(), "a guarded panic ends the process");
        let status = in_a_process(UNGUARDED)?;
        ensure!(status.signal() == Some(libc::SIGABRT), "nobody noticed: {status:?}");
        Ok(())
    });
    if report.failed == failed {
        report.figure("planted bugs in Rust", "3 of 3 noticed");
    }
    Ok(())
}

/// A process that panics and lives on, or does not: `PATH EXTENSION SQL`.
pub fn survives_in_sqlite(words: &[&str]) -> Result<()> {
    let [path, extension, sql] = words else { bail!("not for people") };
    let mut file = Sqlite::new(rusqlite::Connection::open(path)?);
    file.load(Path::new(extension)).context("the planted build")?;
    file.exec("select cotaste_init(); insert into contents(content_id, genres) values (1, '[\"Drama\"]')")?;
    panics::survives(&mut file, &[sql])
}

fn fails(engine: &mut Postgres, sql: &str, state: &str) -> bool {
    engine.query(sql).is_err_and(|error| error.sqlstate.as_deref() == Some(state))
}

/// Runs a part of the harness, which must fail at least one case.
fn noticed(part: impl FnOnce(&mut Report) -> Result<()>) -> Result<()> {
    let mut quiet = Report::quiet();
    let outcome = part(&mut quiet);
    ensure!(quiet.failed > 0 || outcome.is_err(), "nothing failed");
    Ok(())
}
