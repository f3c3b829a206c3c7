//! Operating a space: health at any state of the queue, counters, forgetting.

use crate::compare::Answers;
use crate::engine::{Engine, Host, Kind};
use crate::random::Random;
use crate::reads;
use crate::report::Report;
use anyhow::{ensure, Result};
use std::collections::BTreeSet;

pub fn run(host: &mut dyn Host, report: &mut Report, _: &Answers) -> Result<()> {
    report.case("cotaste_health counts every event, whatever is folded and whatever is pending", || record_count(host));
    report.case(
        "cotaste_health is degraded and says why: pending keys, old keys, stale state, bad contexts, versions",
        || degraded(host),
    );
    report.case("forget_user leaves no trace of half the users and everything of the others", || forget(host));
    report.case("cotaste_traces looks into every table that has users", || traces(host));
    report.case("cotaste_stats counts calls, rows, errors and time", || stats(host));
    Ok(())
}

fn record_count(host: &mut dyn Host) -> Result<()> {
    let mut engine = host.space()?;
    let mut random = Random::new(41);
    let mut seen = BTreeSet::new();
    for step in 0..120 {
        let (user, content) = (random.below(6), random.below(5));
        let sql = match random.below(10) {
            0..=3 => format!("insert into user_behaviors(user_id, content_id, action) values ('u{user}', {content}, 'view')"),
            4 => format!(
                "insert into user_behaviors(user_id, content_id, action, occurred_at) values ('u{user}', {content}, 'view', '2090-01-01T00:00:00Z')"
            ),
            5 => format!("delete from user_behaviors where user_id = 'u{user}' and content_id = {content}"),
            6 => format!("update user_behaviors set content_id = {content} where user_id = 'u{user}' and content_id = {}", content + 1),
            7 => format!("update user_behaviors set user_id = 'u{user}' where user_id = 'u{}'", user + 1),
            8 => "select cotaste_refresh()".to_string(),
            _ => format!("insert into contents(content_id, genres) values ({}, '[\"Drama\"]')", 10 + step),
        };
        engine.exec(&sql)?;
        let row = &engine.query(
            "select record_count, (select count(*) from user_behaviors), pending_keys > 0, is_stale from cotaste_health",
        )?[0];
        ensure!(row[0] == row[1], "after step {step}, {sql}: {row:?}");
        seen.insert((row[2].clone(), row[3].clone()));
    }
    ensure!(seen.len() >= 2, "pending and folded were both meant to be seen: {seen:?}");
    engine.exec("update cotaste_settings set value = '100' where key = 'taste_half_life_hours'")?;
    let row =
        &engine.query("select record_count, (select count(*) from user_behaviors), is_stale from cotaste_health")?[0];
    ensure!(row[0] == row[1] && matches!(row[2].as_str(), "1" | "true"), "{row:?}");
    Ok(())
}

fn degraded(host: &mut dyn Host) -> Result<()> {
    let mut engine = host.space()?;
    let health = |engine: &mut dyn Engine| -> Result<(String, String)> {
        let row = engine.query("select status, reason from cotaste_health")?.remove(0);
        Ok((row[0].clone(), row[1].clone()))
    };
    let failing = |engine: &mut dyn Engine| -> Result<Vec<String>> {
        let rows = engine
            .query("select name from cotaste_health_checks where status in ('degraded', 'unhealthy') order by name")?;
        Ok(rows.into_iter().flatten().collect())
    };
    ensure!(health(engine.as_mut())? == ("healthy".into(), "ok".into()), "{:?}", health(engine.as_mut())?);
    engine.exec("update cotaste_settings set value = '2' where key = 'health_pending_keys'")?;
    engine.exec("insert into user_behaviors(user_id, content_id, action) values ('a', 1, 'view'), ('a', 2, 'view'), ('b', 1, 'view')")?;
    let (status, reason) = health(engine.as_mut())?;
    ensure!(status == "degraded" && reason.contains("cotaste_refresh"), "{status}: {reason}");
    ensure!(failing(engine.as_mut())? == ["pending_keys"], "{:?}", failing(engine.as_mut())?);
    engine.exec("update cotaste_settings set value = '0' where key = 'health_pending_keys'")?;
    ensure!(health(engine.as_mut())?.0 == "unhealthy");
    engine.exec("update cotaste_settings set value = '10000' where key = 'health_pending_keys'")?;
    let hour_ago = match engine.kind() {
        Kind::Sqlite => "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now', '-1 hour')",
        Kind::Postgres => "now() - interval '1 hour'",
    };
    engine.exec(&format!("update cotaste_queue set queued_at = {hour_ago} where due_us = 0"))?;
    ensure!(failing(engine.as_mut())? == ["oldest_pending_minutes"], "{:?}", failing(engine.as_mut())?);
    let age: f64 = engine.value("select oldest_pending_seconds from cotaste_health")?.parse()?;
    ensure!((3600.0..3700.0).contains(&age), "{age}");
    engine.exec("select cotaste_refresh()")?;
    ensure!(health(engine.as_mut())?.0 == "healthy");
    engine.exec("update cotaste_parameters set stale = true")?;
    ensure!(failing(engine.as_mut())? == ["state"]);
    engine.exec("select cotaste_refresh()")?;
    for _ in 0..10 {
        engine.exec(
            "insert into user_behaviors(user_id, content_id, action, context) values ('a', 1, 'view', '{broken')",
        )?;
    }
    engine.exec("select cotaste_refresh()")?;
    ensure!(failing(engine.as_mut())? == ["bad_contexts"]);
    engine.exec("update user_behaviors set context = '{}'; select cotaste_refresh()")?;
    engine.exec("update cotaste_meta set value = '0.0.9' where key = 'schema_version'")?;
    let (status, reason) = health(engine.as_mut())?;
    ensure!(status == "degraded" && reason.contains("cotaste_init()"), "{status}: {reason}");
    Ok(())
}

/// What the state holds, with users in place of their numbers.
fn state(engine: &mut dyn Engine) -> Result<Vec<Vec<String>>> {
    Ok(engine.query(
        "select l.user_id, l.content_id, l.events, l.touches, u.items from cotaste_user_contents l
         join cotaste_users u on u.user_id = l.user_id order by l.user_id, l.content_id",
    )?)
}

fn forget(host: &mut dyn Host) -> Result<()> {
    let mut engine = host.space()?;
    reads::load(engine.as_mut())?;
    engine.exec(
        "select cotaste_refresh(); select cotaste_refresh_neighbours(); select cotaste_refresh_recommendations()",
    )?;
    // Some pending and some of the future when they are forgotten.
    engine.exec(
        "insert into user_behaviors(user_id, content_id, action, occurred_at) values
           ('u3', 3, 'view', '2026-03-30T00:00:00Z'), ('u3', 4, 'view', '2090-01-01T00:00:00Z'), ('u2', 4, 'view', '2090-01-01T00:00:00Z')",
    )?;
    let before = engine.query("select table_name from cotaste_traces('u3')")?;
    ensure!(before.len() == 11, "every table has something of this user: {before:?}");
    let forgotten: Vec<String> = (0..20).map(|n| format!("u{}", 2 * n + 1)).collect();
    let removed: i64 = engine.value("select count(*) from user_behaviors where user_id in ('u1', 'u3')")?.parse()?;
    let counts: Vec<i64> = ["u1", "u3"]
        .iter()
        .map(|user| Ok(engine.value(&format!("select forget_user('{user}')"))?.parse()?))
        .collect::<Result<_>>()?;
    ensure!(counts.iter().sum::<i64>() == removed, "{counts:?} of {removed}");
    for user in &forgotten {
        engine.exec(&format!("select forget_user('{user}')"))?;
        let left = engine.query(&format!("select * from cotaste_traces('{user}')"))?;
        ensure!(left.is_empty(), "{user}: {left:?}");
    }
    let wrong = engine.query("select * from cotaste_verify()")?;
    ensure!(wrong.is_empty(), "{wrong:?}");
    let named = engine.query("select user_id from neighbours where neighbour_id = 'u1' or user_id = 'u1'")?;
    ensure!(named.is_empty());
    ensure!(engine.value("select forget_user('nobody')")? == "0");
    // The others, as a space that never knew the forgotten.
    let mut other = host.space()?;
    reads::load(other.as_mut())?;
    let list = forgotten.iter().map(|user| format!("'{user}'")).collect::<Vec<_>>().join(", ");
    other.exec("insert into user_behaviors(user_id, content_id, action, occurred_at) values ('u2', 4, 'view', '2090-01-01T00:00:00Z')")?;
    other.exec(&format!("delete from user_behaviors where user_id in ({list}); select cotaste_rebuild()"))?;
    ensure!(state(engine.as_mut())? == state(other.as_mut())?);
    let similar = "select for_user_id, rank, user_id, similarity, jaccard, genre_cosine from similar_users order by for_user_id, rank";
    ensure!(engine.query(similar)? == other.query(similar)?);
    let bad = engine.query("select forget_user(null)");
    ensure!(bad.is_err_and(|error| error.code() == Some("INVALID_ARGUMENT")));
    Ok(())
}

fn traces(host: &mut dyn Host) -> Result<()> {
    let mut engine = host.space()?;
    let tables = match engine.kind() {
        Kind::Sqlite => engine.query(
            "select distinct m.name from sqlite_master m, pragma_table_info(m.name) c
             where m.type = 'table' and m.sql not like 'create virtual%' and c.name in ('user_id', 'neighbour_id') order by 1",
        )?,
        Kind::Postgres => engine.query(
            "select distinct c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attname in ('user_id', 'neighbour_id') order by 1",
        )?,
    };
    let text = std::fs::read_to_string(crate::repository().join("sql/common/relations/cotaste_traces.sql"))?;
    let unseen: Vec<_> = tables.iter().flatten().filter(|table| !text.contains(&format!("from {table} t"))).collect();
    ensure!(tables.len() >= 7 && unseen.is_empty(), "of {tables:?} not looked into: {unseen:?}");
    Ok(())
}

fn stats(host: &mut dyn Host) -> Result<()> {
    let mut engine = host.space()?;
    if engine.kind() == Kind::Postgres {
        engine.exec("set track_functions = 'all'")?;
    }
    for _ in 0..30 {
        engine.exec("select record_behavior('ann', 1, 'view')")?;
    }
    ensure!(engine.exec("select record_behavior('ann', 1, 'rate', 11)").is_err());
    engine.query("select * from user_analytics")?;
    if engine.kind() == Kind::Postgres {
        // The server tells its counters when the session has been idle for a moment, or at its end.
        engine.exec("select pg_stat_force_next_flush()")?;
        engine.exec("begin; end")?;
    }
    let rows = engine.query(
        "select source, calls, total_ms >= 0, worst_ms, errors from cotaste_stats where function = 'record_behavior'",
    )?;
    ensure!(rows.len() == 1, "{rows:?}");
    let calls: i64 = rows[0][1].parse()?;
    ensure!(calls >= 30, "{rows:?}");
    if engine.kind() == Kind::Sqlite {
        ensure!(rows[0][0] == "process" && rows[0][4].parse::<i64>()? >= 1, "{rows:?}");
        let relation = engine.query("select calls, rows from cotaste_stats where function = 'user_analytics'")?;
        ensure!(
            relation.len() == 1 && relation[0][0].parse::<i64>()? >= 1 && relation[0][1].parse::<i64>()? >= 1,
            "{relation:?}"
        );
    } else {
        ensure!(rows[0][0] == "pg_stat_user_functions" && rows[0][4] == "NULL", "{rows:?}");
    }
    Ok(())
}
