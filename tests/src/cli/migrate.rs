//! A SQLite space moved to Postgres, killed on the way, compared row by row by the test itself.

use super::tool::{Database, Place, Tool};
use crate::random::Random;
use crate::report::Report;
use anyhow::{ensure, Result};
use std::fmt::Write;
use std::time::Duration;

/// Every value of the public tables, in words both engines print alike.
const TABLES: [&str; 5] = [
    "select b.id, b.user_id, b.content_id, b.action, b.rating, b.progress, b.context, e.occurred_us, b.event_id, e.device, e.context_status
      from user_behaviors b join cotaste_events e on e.user_id = b.user_id and e.id = b.id order by b.id",
    "select content_id, title, genres, to_epoch_us(created_at) from contents order by content_id",
    "select key, value, description from cotaste_settings order by key",
    "select content_id, model, dim, embedding_json(embedding), to_epoch_us(updated_at) from content_embeddings order by content_id",
    "select user_id, taste from cotaste_tastes order by user_id",
];

/// What plain SQL may have written beside the demo: odd spellings of times, contexts that are none, gaps in the ids.
const ODD: &str = "
delete from user_behaviors where id % 97 = 0;
insert into user_behaviors (user_id, content_id, action, rating, context, occurred_at) values
  ('odd', 1, 'rate', 5, '{\"device\":', '2026-01-05'),
  ('odd', 2, 'view', null, '[1]', '2026-01-05 23:30:00-05'),
  ('odd', 9223372036854775807, 'complete', null, '', '2026-01-05T10:00:00.123456789Z'),
  ('o''dd \"ü\"\\', -1, 'like', null, null, '0001-01-01T00:00:00Z');
insert into contents (content_id, title, genres, attributes) values (-1, 'Zurück', 'no genres', '{\"a\": [1, null]}');
insert into content_embeddings (content_id, model, dim, embedding) values (-1, 'small', 3, to_embedding('[0.1, -1.25, 3]'));
update cotaste_settings set value = '0.6' where key = 'jaccard_weight';
insert into cotaste_settings (key, value) values ('action_weight.dance', '2');
insert into user_behaviors (user_id, content_id, action) values ('odd', 1, 'dance');
delete from cotaste_settings where key = 'action_weight.search';
select purge_behaviors(cast(julianday('now') - julianday((select occurred_at from user_behaviors order by occurred_at limit 1 offset 3000)) as integer));
";

pub fn run(tool: &Tool, report: &mut Report) -> Result<()> {
    if tool.is_sqlite() {
        return Ok(());
    }
    let files = tool.beside(Place::Sqlite, "migrate")?;
    let source = files.database()?;
    source.run(&["demo"])?.ok()?;
    source.connect()?.exec(ODD)?;
    report.case("a dry run tells what there is and writes nothing", || {
        source.connect()?.exec("create table own (a); alter table contents add column mood text")?;
        let target = tool.database()?;
        let plan = target.run(&["migrate", source.file(), "--dry-run"])?.ok()?;
        ensure!(plan.number("events")? == source.count("select count(*) from user_behaviors")?, "{}", plan.json);
        ensure!(plan.json["not_carried"] == serde_json::json!(["contents.mood", "own"]), "{}", plan.json);
        ensure!(target.run(&["health"])?.code == 4, "there is a space");
        Ok(())
    });
    report.case(
        "killed at random points and started again, every row is there once and every question answered alike",
        || {
            let kills = super::asked("COTASTE_KILLS").unwrap_or(4);
            let target = tool.database()?;
            let arguments = ["migrate", source.file(), "--batch", "3000"];
            let mut random = Random::new(7);
            let mut interrupted = 0;
            for _ in 0..kills {
                interrupted +=
                    u64::from(target.kill_after(&arguments, Duration::from_millis(50 + random.below(500) as u64))?);
            }
            ensure!(interrupted > 0, "it was never interrupted");
            let ended = target.run(&arguments)?.ok()?;
            ensure!(ended.number("asked")? >= 60, "{}", ended.json);
            same_rows(&source, &target)?;
            let kept = source.count("select count(*) from cotaste_base")?;
            ensure!(kept > 0 && kept == target.count("select count(*) from cotaste_base")?, "{kept} purged pairs");
            target.run(&["verify"])?.ok()?;
            let last = target.count("select max(id) from user_behaviors")?;
            ensure!(target.count("select record_behavior('new', 1, 'view')")? > last, "ids go on");
            Ok(())
        },
    );
    if let Some(events) = super::asked("COTASTE_EVENTS") {
        report.case("the same with many events, killed anywhere on the way", || many(tool, &files, events));
    }
    report.case("a space that answers otherwise is told, and one that holds other events is left alone", || {
        let target = tool.database()?;
        target.run(&["migrate", source.file()])?.ok()?;
        target.connect()?.exec(
            "update user_behaviors set rating = 1 where id = (select min(id) from user_behaviors where rating > 2)",
        )?;
        let ended = target.run(&["migrate", source.file()])?;
        ensure!(
            ended.code == 5 && ended.json["differ"].as_array().is_some_and(|differ| !differ.is_empty()),
            "{} {}",
            ended.code,
            ended.json
        );
        let other = tool.space()?;
        other.connect()?.exec("insert into user_behaviors (user_id, content_id, action) values ('ann', 1, 'view')")?;
        ensure!(other.run(&["migrate", source.file()])?.error() == "INVALID_ARGUMENT");
        ensure!(other.count("select count(*) from user_behaviors")? == 1);
        Ok(())
    });
    report.case("rows that Postgres cannot hold are named before anything is written", || {
        let bad = files.space()?;
        bad.connect()?.exec("insert into user_behaviors (id, user_id, content_id, action, context) values (7, 'ann', 1, 'view', 'a' || char(0))")?;
        let target = tool.database()?;
        let ended = target.run(&["migrate", bad.file()])?;
        ensure!(ended.error() == "INVALID_ARGUMENT" && ended.json.to_string().contains("cannot hold: 7"), "{}", ended.json);
        ensure!(target.run(&["health"])?.code == 4);
        Ok(())
    });
    Ok(())
}

/// Measures a migration, then kills others of the same space at random points of their whole way.
fn many(tool: &Tool, files: &Tool, events: u64) -> Result<()> {
    let source = files.space()?;
    let mut random = Random::new(11);
    let mut rows = String::from("user_id,content_id,action,rating,context,occurred_at,event_id\n");
    for row in 0..events {
        let (user, content, second) = (random.below(50_000), random.below(10_000), random.below(86_400 * 300));
        let context =
            ["", "\"{\"\"device\"\": \"\"tv\"\"}\"", "\"{\"\"timeOfDay\"\": \"\"night\"\"}\""][random.below(3)];
        let _ = writeln!(rows, "u{user},{content},rate,{},{context},{},e{row}", row % 11, 1_700_000_000 + second);
    }
    let path = tool.file("many.csv", &rows)?;
    ensure!(source.run(&["import", path.to_str().unwrap_or_default()])?.ok()?.number("recorded")? == events);
    let target = tool.database()?;
    let whole = target.run(&["migrate", source.file()])?.ok()?;
    let (copy, all) = (whole.json["copy_seconds"].as_f64(), whole.json["seconds"].as_f64().unwrap_or_default());
    println!(
        "          migrate: {events} events copied in {:.1} s, {all:.1} s with the questions",
        copy.unwrap_or_default()
    );
    target.remove()?;
    let kills = super::asked("COTASTE_KILLS").unwrap_or(4);
    let (target, mut interrupted) = (tool.database()?, 0);
    let longest = (all * 1000.0 / 8.0) as usize;
    for _ in 0..kills {
        let time = Duration::from_millis(50 + random.below(longest.max(1)) as u64);
        interrupted += u64::from(target.kill_after(&["migrate", source.file()], time)?);
    }
    ensure!(interrupted > 0, "it was never interrupted");
    println!("          migrate: killed {interrupted} times at work");
    ensure!(target.run(&["migrate", source.file()])?.ok()?.number("asked")? >= 60);
    same_rows(&source, &target)?;
    target.run(&["verify"])?.ok()?;
    Ok(())
}

fn same_rows(source: &Database, target: &Database) -> Result<()> {
    for sql in TABLES {
        let (left, right) = (source.connect()?.query(sql)?, target.connect()?.query(sql)?);
        ensure!(left.len() == right.len(), "{} and {} rows of {sql}", left.len(), right.len());
        for (left, right) in left.iter().zip(&right) {
            ensure!(left == right, "{left:?}\n{right:?}\nof {sql}");
        }
    }
    Ok(())
}
