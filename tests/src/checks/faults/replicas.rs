//! A read never writes: on a hot standby, in a read-only transaction and with SQLite's `query_only` every read gives what
//! it gives elsewhere, after each of ten mutations.

use super::{workload, Fault};
use crate::engine::{Engine, Kind};
use crate::postgres::Postgres;
use crate::report::Report;
use crate::scale;
use crate::sqlite::SqliteHost;
use crate::surface::{self, Asked, Read};
use anyhow::{ensure, Context, Result};
use std::time::{Duration, Instant};

/// What happens to the space, one after the other.
const MUTATIONS: [&str; 10] = [
    "insert into user_behaviors (user_id, content_id, action, context) select 'user 1', content_id, 'view',
       '{\"experimentName\":\"ranker\",\"experimentVariant\":\"a\"}' from contents where content_id < 12",
    "insert into user_behaviors (user_id, content_id, action, context) select 'user 5', content_id, 'complete',
       '{\"experimentName\":\"ranker\",\"experimentVariant\":\"b\"}' from contents where content_id between 6 and 20",
    "select cotaste_refresh()",
    "insert into user_behaviors (user_id, content_id, action, rating) values ('user 2', 7, 'rate', 9), ('user 3', 7, 'like', null), ('user 3', 8, 'view', null)",
    "select cotaste_refresh_neighbours()",
    "update user_behaviors set content_id = 30 where content_id = 9",
    "delete from user_behaviors where content_id = 10",
    "update contents set genres = '[\"western\"]' where content_id in (7, 11)",
    "update cotaste_settings set value = '100' where key = 'taste_half_life_hours'",
    "select cotaste_rebuild()",
];

fn asked() -> Asked {
    Asked { user: "user 1".into(), other: "user 5".into(), content: 7, experiment: "ranker".into() }
}

pub fn sqlite(host: &mut SqliteHost, report: &mut Report) -> Result<()> {
    let path = host.fresh_path();
    let (mut writer, mut reader) = (host.open(&path)?, host.open(&path)?);
    writer.exec("select cotaste_init()")?;
    writer.exec(&workload::catalogue())?;
    reader.exec("pragma query_only = on")?;
    everywhere(&mut writer, &mut [("with query_only", &mut reader)], |_| Ok(()), report)
}

pub fn postgres(fault: &mut Fault, report: &mut Report) -> Result<()> {
    let (database, mut writer) = fault.space()?;
    writer.exec(&workload::catalogue())?;
    let standby = fault.cluster.standby(&fault.pg_config, &fault.library, super::SETTINGS)?;
    let mut replica = Postgres::connect(&standby, "postgres", &database)?;
    let mut reader = fault.connect(&database)?;
    reader.exec("set default_transaction_read_only = on")?;
    let mut watch = Postgres::connect(&standby, "postgres", &database)?;
    let caught_up = |writer: &mut dyn Engine| -> Result<()> {
        let wanted = writer.value("select pg_current_wal_lsn()::text")?;
        let start = Instant::now();
        while watch.value(&format!("select pg_last_wal_replay_lsn() >= '{wanted}'::pg_lsn"))? != "1" {
            ensure!(start.elapsed() < Duration::from_secs(30), "the standby does not follow");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    };
    let mut others: [(&str, &mut dyn Engine); 2] =
        [("in a read-only transaction", &mut reader), ("on a hot standby", &mut replica)];
    everywhere(&mut writer, &mut others, caught_up, report)?;
    if scale::soaking().is_some() {
        let mut reads = surface::reads(&mut writer, &asked())?;
        reads.retain(|read| read.name != "cotaste_clock");
        report.case("a promoted standby answers as the primary did, writes and folds", || {
            replica.query("select pg_promote()")?;
            reads.iter().try_for_each(|read| alike(&mut writer, &mut replica, read))?;
            replica.query("select record_behavior('user 1', 39, 'view')")?;
            replica.query("select cotaste_refresh()")?;
            let problems = replica.query("select * from cotaste_verify()")?;
            ensure!(problems.is_empty(), "{problems:?}");
            Ok(())
        });
    }
    Ok(())
}

fn everywhere(
    writer: &mut dyn Engine,
    others: &mut [(&str, &mut dyn Engine)],
    mut caught_up: impl FnMut(&mut dyn Engine) -> Result<()>,
    report: &mut Report,
) -> Result<()> {
    let mut reads = surface::reads(writer, &asked())?;
    // The one read that is never the same twice.
    reads.retain(|read| read.name != "cotaste_clock");
    let (mut told, failed) = (0, report.failed);
    for (number, mutation) in MUTATIONS.iter().enumerate() {
        let statement = if writer.kind() == Kind::Sqlite { mutation.replace("\n", " ") } else { mutation.to_string() };
        writer.exec(&statement).with_context(|| statement.clone())?;
        caught_up(writer)?;
        for (place, other) in others.iter_mut() {
            let name = format!("{} reads after mutation {} give the same {place}", reads.len(), number + 1);
            report.row(&name, || reads.iter().try_for_each(|read| alike(writer, *other, read)));
            told += reads.len();
        }
    }
    let places: Vec<&str> = others.iter().map(|(place, _)| *place).collect();
    if report.failed == failed {
        report.figure(&places.join(" and "), &format!("{told} reads after {} mutations, identical", MUTATIONS.len()));
    }
    Ok(())
}

/// The same answer in both places, and nothing written in the second.
fn alike(writer: &mut dyn Engine, other: &mut dyn Engine, read: &Read) -> Result<()> {
    let got = surface::rows(other, &read.sql).with_context(|| read.sql.clone())?;
    let expected = surface::rows(writer, &read.sql).with_context(|| read.sql.clone())?;
    // Whether it is in recovery, and who called what, is a matter of the place.
    let of_the_place = ["cotaste_health", "cotaste_engine", "cotaste_calls", "cotaste_stats"];
    ensure!(
        surface::same(&got, &expected) || of_the_place.iter().any(|place| read.name.starts_with(place)),
        "{}: {got:?} instead of {expected:?}",
        read.sql
    );
    Ok(())
}
