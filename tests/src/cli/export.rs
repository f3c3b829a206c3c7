//! Parquet by day: DuckDB reads it back, `cotaste import` reads it back, and a second export writes what has changed.

use super::tool::{Database, Tool};
use crate::report::Report;
use anyhow::{ensure, Context, Result};
use std::path::Path;
use std::process::Command;

const EVENTS: &str = "
insert into user_behaviors (user_id, content_id, action, rating, progress, context, occurred_at, event_id) values
  ('ann', 1, 'view', null, 0.5, '{\"device\":\"tv\",\"experimentName\":\"e\",\"experimentVariant\":\"a\"}', '2026-01-05T23:59:59.999999Z', 'e1'),
  ('ann', 2, 'rate', 9.5, null, null, '2026-01-06T00:00:00Z', 'e2'),
  ('bö''b', -3, 'view', null, null, '{', '2026-01-06T12:00:00Z', null),
  ('bob', 4, 'like', null, null, null, '1969-12-31T23:00:00Z', 'e4'),
  ('bob', 5, 'like', null, null, null, '2026-01-06T23:30:00-05:00', 'e5')";

pub fn run(tool: &Tool, report: &mut Report) -> Result<()> {
    report.case("DuckDB reads every value of every event, by day", || {
        let database = tool.space()?;
        database.connect()?.exec(EVENTS)?;
        let folder = tool.path("export");
        let ended = database.run(&["export", text(&folder)])?.ok()?;
        ensure!((ended.number("rows")?, ended.number("days")?) == (5, 4), "{}", ended.json);
        let rows = duckdb(tool, &folder, "select day, user_id, content_id, action, rating, progress, context, epoch_us(occurred_at), event_id, device, experiment, variant, context_status from user_behaviors order by id")?;
        let expected = [
            r#"["2026-01-05", "ann", 1, "view", null, 0.5, "{\"device\":\"tv\",\"experimentName\":\"e\",\"experimentVariant\":\"a\"}", 1767657599999999, "e1", "tv", "e", "a", "ok"]"#,
            r#"["2026-01-06", "ann", 2, "rate", 9.5, null, null, 1767657600000000, "e2", null, null, null, "empty"]"#,
            r#"["2026-01-06", "b\u00f6'b", -3, "view", null, null, "{", 1767700800000000, null, null, null, null, "malformed"]"#,
            r#"["1969-12-31", "bob", 4, "like", null, null, null, -3600000000, "e4", null, null, null, "empty"]"#,
            r#"["2026-01-07", "bob", 5, "like", null, null, null, 1767760200000000, "e5", null, null, null, "empty"]"#,
        ];
        ensure!(rows.lines().eq(expected), "{rows}");
        let listed = std::fs::read_to_string(folder.join("files.txt"))?;
        ensure!(listed.lines().count() == 4 && listed.lines().all(|file| Path::new(file).is_file()), "{listed}");
        Ok(())
    });
    report.case("a second export writes the days that have changed and no other", || {
        let database = tool.space()?;
        database.connect()?.exec(EVENTS)?;
        let folder = tool.path("again");
        database.run(&["export", text(&folder)])?.ok()?;
        for (change, written, removed, rows) in [
            ("update user_behaviors set rating = rating", 0, 0, 5),
            ("insert into user_behaviors (user_id, content_id, action, occurred_at, event_id) values ('late', 1, 'view', '2026-01-05T01:00:00Z', 'e6')", 1, 0, 6),
            ("update user_behaviors set rating = 9 where event_id = 'e2'", 1, 0, 6),
            ("update user_behaviors set occurred_at = '2026-01-05T01:00:00Z' where event_id = 'e2'", 2, 0, 6),
            ("delete from user_behaviors where user_id = 'bob'", 0, 2, 4),
        ] {
            database.connect()?.exec(change)?;
            let ended = database.run(&["export", text(&folder)])?.ok()?;
            let found = (ended.number("days_written")?, ended.number("days_removed")?, ended.number("rows")?);
            ensure!(found == (written, removed, rows), "{change}: {}", ended.json);
            same(tool, &database, &folder)?;
            ensure!(parquet_files(&folder)? as u64 == ended.number("days")?, "old files stay behind");
        }
        let before = duckdb(tool, &folder, "select * from user_behaviors order by id")?;
        database.connect()?.exec("delete from user_behaviors where user_id = 'late'")?;
        database.run(&["export", "--archive", text(&folder)])?.ok()?;
        ensure!(duckdb(tool, &folder, "select * from user_behaviors order by id")? == before, "an archive keeps what is removed");
        Ok(())
    });
    report.case("what was exported is imported again as the same events", || {
        let database = tool.space()?;
        database.connect()?.exec(EVENTS)?;
        let folder = tool.path("round");
        database.run(&["export", text(&folder)])?.ok()?;
        let other = tool.space()?;
        let mut files = std::fs::read_to_string(folder.join("files.txt"))?.lines().map(str::to_string).collect::<Vec<_>>();
        files.insert(0, "import".into());
        let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
        ensure!(other.run(&arguments)?.ok()?.number("recorded")? == 5);
        let sql = "select user_id, content_id, action, rating, progress, context, occurred_us from cotaste_events order by user_id, content_id";
        ensure!(database.connect()?.query(sql)? == other.connect()?.query(sql)?);
        Ok(())
    });
    Ok(())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// DuckDB and the database hold the same events.
fn same(tool: &Tool, database: &Database, folder: &Path) -> Result<()> {
    let exported =
        duckdb(tool, folder, "select id, content_id, epoch_us(occurred_at) from user_behaviors order by id")?;
    let held = database.connect()?.query("select id, content_id, occurred_us from cotaste_events order by id")?;
    let held: Vec<String> = held.iter().map(|row| format!("[{}]", row.join(", "))).collect();
    ensure!(exported.lines().eq(held.iter()), "{exported}\n{held:?}");
    Ok(())
}

fn parquet_files(folder: &Path) -> Result<usize> {
    let mut found = 0;
    for day in std::fs::read_dir(folder)?.filter_map(|entry| entry.ok()).filter(|entry| entry.path().is_dir()) {
        found += std::fs::read_dir(day.path())?.count();
    }
    Ok(found)
}

/// Makes the view by the file that the export wrote, and answers with a JSON array a row.
fn duckdb(tool: &Tool, folder: &Path, question: &str) -> Result<String> {
    const PROGRAM: &str = "
import duckdb, json, sys
duckdb.execute(open(sys.argv[1]).read())
for row in duckdb.execute(sys.argv[2]).fetchall():
    print(json.dumps([str(v) if not isinstance(v, (int, float, str, type(None))) else v for v in row]))
";
    let mut python = Command::new("python3");
    python
        .env("PYTHONPATH", tool.target("cli-python"))
        .args(["-c", PROGRAM])
        .arg(folder.join("load-duckdb.sql"))
        .arg(question);
    let output = python.output().context("python3")?;
    ensure!(output.status.success(), "{} (scripts/setup cli)", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
