//! A subscriber of logical replication that also has a space: rows come one by one and fire no ordinary trigger, and still
//! its answers are those of the publisher and of its own log after every change, folded or not.

use super::{ledger, workload, Fault};
use crate::engine::Engine;
use crate::postgres::Postgres;
use crate::report::Report;
use crate::surface::{self, Asked, Read};
use anyhow::{bail, ensure, Context, Result};
use std::time::{Duration, Instant};

/// What happens on the publisher, one after the other.
const MUTATIONS: [&str; 16] = [
    "insert into user_behaviors (user_id, content_id, action, context) select 'user 1', content_id, 'view',
       '{\"experimentName\":\"ranker\",\"experimentVariant\":\"a\"}' from contents where content_id < 12",
    "insert into user_behaviors (user_id, content_id, action, rating) values ('user 2', 7, 'rate', 9), ('user 3', 8, 'like', null)",
    "select record_behavior('new', 4, 'view')",
    "update user_behaviors set content_id = 30 where content_id = 9",
    "update user_behaviors set user_id = 'user 9' where user_id = 'user 3' and content_id % 2 = 0",
    "update user_behaviors set action = 'skip' where user_id = 'user 4'",
    "delete from user_behaviors where content_id = 10",
    "begin; insert into user_behaviors (user_id, content_id, action) values ('gone', 1, 'view'); rollback;
     insert into user_behaviors (user_id, content_id, action) values ('user 6', 2, 'complete')",
    "update contents set genres = '[\"western\"]' where content_id in (7, 11)",
    "update contents set content_id = 900 where content_id = 12; delete from contents where content_id = 13",
    "insert into contents (content_id, genres) values (77, '[\"noir\"]'), (13, '[\"war\"]')",
    "update cotaste_settings set value = '100' where key = 'taste_half_life_hours'",
    "delete from user_behaviors where user_id = 'user 7'",
    "select purge_behaviors(3)",
    "truncate user_behaviors, cotaste_base",
    "insert into user_behaviors (user_id, content_id, action) select 'user ' || g % 9, g % 40, 'view' from generate_series(1, 400) g",
];

pub fn run(fault: &mut Fault, report: &mut Report) -> Result<()> {
    let (database, mut publisher) = fault.space()?;
    publisher.exec(&workload::catalogue())?;
    publisher.exec(
        "insert into user_behaviors (user_id, content_id, action, occurred_at, context)
         select 'user ' || g % 12, g * 7 % 40, (array['view', 'like', 'skip', 'complete'])[1 + g % 4], now() - g * interval '20 minutes',
           '{\"experimentName\":\"ranker\",\"experimentVariant\":\"b\"}'
         from generate_series(1, 600) g;
         select cotaste_refresh(); select purge_behaviors(7);
         create publication events for table user_behaviors, contents, cotaste_base, cotaste_settings",
    )?;
    let mut other = Fault::start(&fault.pg_config, &fault.library, &fault.planted)?;
    let (_, mut subscriber) = other.space()?;
    // The settings were made by cotaste_init() here as well.
    subscriber.exec("delete from cotaste_settings")?;
    subscriber.exec(&format!(
        "create subscription events connection 'host={} port={} user=postgres dbname={database}' publication events",
        fault.cluster.socket().display(),
        fault.cluster.port()
    ))?;
    let asked = Asked { user: "user 1".into(), other: "user 5".into(), content: 7, experiment: "ranker".into() };
    let mut reads = surface::reads(&mut publisher, &asked)?;
    // Whether something is folded, and who called what, is a matter of the place.
    let own = ["cotaste_", "neighbours", "recommendations", "similar_content"];
    reads.retain(|read| !own.iter().any(|name| read.name.starts_with(name)));
    let failed = report.failed;
    report.case("after the first copy a subscriber answers as the publisher does", || {
        let start = Instant::now();
        while subscriber.value("select count(*) from pg_subscription_rel where srsubstate <> 'r'")? != "0" {
            ensure!(start.elapsed() < Duration::from_secs(60), "the tables are not copied");
            std::thread::sleep(Duration::from_millis(20));
        }
        same(&mut publisher, &mut subscriber, &reads)?;
        ensure!(subscriber.value("select count(*) from cotaste_base")? != "0", "nothing of purged events was copied");
        Ok(())
    });
    for (number, mutation) in MUTATIONS.iter().enumerate() {
        report.row(&format!("after mutation {} a subscriber answers as the publisher does", number + 1), || {
            publisher.exec(mutation).with_context(|| mutation.to_string())?;
            caught_up(&mut publisher, &mut subscriber)?;
            same(&mut publisher, &mut subscriber, &reads).with_context(|| mutation.to_string())?;
            // Sometimes only one of them has folded.
            match number % 3 {
                0 => subscriber.exec("select cotaste_refresh()")?,
                1 => publisher.exec("select cotaste_refresh()")?,
                _ => return Ok(()),
            }
            same(&mut publisher, &mut subscriber, &reads).with_context(|| format!("folded after {mutation}"))
        });
    }
    report.case("a subscriber's state is that of its log", || ledger::sound(&mut subscriber));
    report.case("a session whose role is replica leaves nothing out", || {
        subscriber.exec(
            "set session_replication_role = replica;
             insert into user_behaviors (user_id, content_id, action) values ('user 1', 3, 'like'), ('user 2', 3, 'view');
             update contents set genres = '[\"comedy\"]' where content_id = 3;
             reset session_replication_role",
        )?;
        ledger::sound(&mut subscriber)
    });
    report.case("triggers enabled all at once write no key twice", || {
        subscriber.exec("alter table user_behaviors enable trigger all; select cotaste_refresh()")?;
        let keys = "select count(*) from cotaste_queue where due_us = 0";
        let before: usize = subscriber.value(keys)?.parse()?;
        subscriber.exec("insert into user_behaviors (user_id, content_id, action) values ('user 1', 5, 'like')")?;
        let after: usize = subscriber.value(keys)?.parse()?;
        ensure!(after == before + 1, "{before} keys became {after}");
        Ok(())
    });
    if report.failed == failed {
        let value =
            format!("{} reads after the copy and {} mutations equal the publisher's", reads.len(), MUTATIONS.len());
        report.figure("a logical subscriber", &value);
    }
    subscriber.exec("alter subscription events disable; alter subscription events set (slot_name = none)")?;
    subscriber.exec("drop subscription events")?;
    publisher.exec("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = 'events' and not active")?;
    Ok(())
}

/// Waits until the subscriber has applied all that is committed.
fn caught_up(publisher: &mut Postgres, subscriber: &mut Postgres) -> Result<()> {
    let wanted = publisher.value("select pg_current_wal_lsn()::text")?;
    let start = Instant::now();
    loop {
        let sent = publisher.value(&format!(
            "select coalesce(min(confirmed_flush_lsn) >= '{wanted}'::pg_lsn, false) from pg_replication_slots where slot_name = 'events'"
        ))?;
        if sent == "1" {
            return Ok(());
        }
        if start.elapsed() > Duration::from_secs(60) {
            let errors = subscriber.value("select sum(apply_error_count)::text from pg_stat_subscription_stats")?;
            bail!("the subscriber does not follow; {errors} errors of its worker");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn same(publisher: &mut Postgres, subscriber: &mut Postgres, reads: &[Read]) -> Result<()> {
    for read in reads {
        let expected = surface::rows(publisher, &read.sql).with_context(|| read.sql.clone())?;
        let got = surface::rows(subscriber, &read.sql).with_context(|| read.sql.clone())?;
        ensure!(surface::same(&got, &expected), "{}: {got:?} instead of {expected:?}", read.sql);
    }
    let wrong = subscriber.query("select * from cotaste_verify()")?;
    ensure!(wrong.is_empty(), "cotaste_verify: {wrong:?}");
    Ok(())
}
