//! Mistakes made on purpose: the parts of this harness must notice each. Those in SQL replace a function of one space;
//! nothing of them is in a build.

use super::Fault;
use crate::checks::concurrent;
use crate::engine::Engine;
use crate::postgres::Postgres;
use crate::report::Report;
use crate::surface::{self, Asked};
use anyhow::{ensure, Result};

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

pub fn run(fault: &mut Fault, report: &mut Report) -> Result<()> {
    let failed = report.failed;
    report.case("a fold by watermark is noticed", || {
        let (database, mut engine) = fault.space()?;
        engine.exec("create table planted_mark (id bigint); insert into planted_mark values (0)")?;
        let text = engine.value("select pg_get_functiondef('cotaste_fold(bigint)'::regprocedure)")?;
        let wrong = text.replace(BY_WATERMARK.0, BY_WATERMARK.1);
        ensure!(wrong != text, "the fold does not look as this test thinks");
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
    if report.failed == failed {
        report.figure("planted bugs in SQL", "3 of 3 noticed");
    }
    Ok(())
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
