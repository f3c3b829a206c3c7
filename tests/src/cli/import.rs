//! Files into a space: what is read, what is rejected, and what happens when it is killed.

use super::tool::{Database, Tool};
use crate::random::Random;
use crate::report::Report;
use anyhow::{ensure, Result};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

const BAD: [(&str, &str); 6] = [
    ("u1,nine,view,,2026-01-05T10:00:00Z,b1", "content_id: \"nine\" is not an integer"),
    ("u1,9,rate,10.5,2026-01-05T10:00:00Z,b2", "rating: 10.5 is not between 0 and 10"),
    (",9,view,,2026-01-05T10:00:00Z,b3", "user_id: is missing"),
    (
        "u1,9,view,,tomorrow,b4",
        "occurred_at: \"tomorrow\" is neither an ISO 8601 date and time nor a number since 1970",
    ),
    ("u1,9,view,,2026-01-05T10:00:00Z,b5,more", "has 7 fields, the header 6"),
    (
        "u1,9,dance,,2026-01-05T10:00:00Z,b6",
        "action: \"dance\" is not known; add its weight to cotaste_settings as action_weight.dance",
    ),
];

pub fn run(tool: &Tool, report: &mut Report) -> Result<()> {
    let folder = crate::golden::movielens();
    match folder.join("ratings.csv").is_file() {
        true => report.case("MovieLens is read whole, and the state equals the log", || movielens(tool, &folder)),
        false => report.skip("MovieLens", "it is not here; set COTASTE_DATA"),
    }
    report.case("rejected rows are listed with line and reason, the others recorded", || rejects(tool));
    report.case("CSV and JSON lines of the same rows are the same events", || formats(tool));
    report.case("a file that has grown is read on, and one read again changes nothing", || grown(tool));
    report.case("killed and started again, nothing is lost or doubled", || killed(tool));
    report.case("killed and given up, a refresh makes it whole", || given_up(tool));
    report.case("triggers of one's own see every event, and what they refuse is rejected", || triggers(tool));
    report.case("a catalogue is read and read again", || contents(tool));
    if tool.is_sqlite() {
        report.case("the tool knows every trigger of an insert, whose work it does", || {
            let names = tool.space()?.connect()?.query(
                "select name from sqlite_master where type = 'trigger' and tbl_name = 'user_behaviors' and sql like '% insert on %' order by name",
            )?;
            let known = [["cotaste_queue_insert"], ["cotaste_queue_replaced_by_insert"], ["user_behaviors_check_insert"]];
            ensure!(names == known, "teach it to cli/src/sink/sqlite.rs, or loads are slow: {names:?}");
            Ok(())
        });
    }
    Ok(())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// So many rows of so many users; the ids tell the line.
fn csv(rows: u32, seed: u64) -> String {
    let mut random = Random::new(seed);
    let mut text = String::from("user_id,content_id,action,rating,occurred_at,event_id\n");
    for row in 0..rows {
        let (user, content, second) = (random.below(300), random.below(500), random.below(86_400 * 300));
        let (action, rating) = if random.below(4) == 0 {
            ("rate", format!("{}", random.below(21) as f64 / 2.0))
        } else {
            ("view", String::new())
        };
        let _ = writeln!(text, "u{user},{content},{action},{rating},{},e{row}", 1_700_000_000 + second);
    }
    text
}

fn check_whole(database: &Database, events: u64) -> Result<()> {
    ensure!(database.count("select count(*) from user_behaviors")? == events);
    ensure!(
        database.count("select count(*) from (select distinct user_id, event_id from user_behaviors) e")? == events
    );
    ensure!(database.count("select count(*) from cotaste_queue where due_us = 0")? == 0, "keys are pending");
    database.run(&["verify"])?.ok()?;
    // A first load of SQLite does without some of them.
    let indexes = "select count(*) from sqlite_master where type = 'index' and name glob 'user_behaviors_*'";
    ensure!(!database.is_sqlite() || database.count(indexes)? == 4, "an index is missing");
    Ok(())
}

/// Killed before it makes the state anew, and never run again.
fn given_up(tool: &Tool) -> Result<()> {
    let path = tool.file("given-up.csv", &csv(40_000, 8))?;
    let database = tool.space()?;
    let arguments = ["import", "--batch", "500", text(&path)];
    for millis in (20..).step_by(20) {
        database.kill_after(&arguments, Duration::from_millis(millis))?;
        if database.count("select count(*) from user_behaviors")? > 0 {
            break;
        }
    }
    let events = database.count("select count(*) from user_behaviors")?;
    ensure!(events < 40_000, "it ended before it was killed");
    if tool.is_sqlite() {
        let index = "select count(*) from sqlite_master where name = 'user_behaviors_content'";
        ensure!(database.count(index)? == 0, "it loads with all indexes");
    }
    // Whoever refreshes brings everything back.
    database.connect()?.query("select cotaste_refresh()")?;
    check_whole(&database, events)
}

fn movielens(tool: &Tool, folder: &Path) -> Result<()> {
    let database = tool.space()?;
    let first = database.run(&["import", text(folder)])?.ok()?;
    ensure!(first.number("recorded")? == 100_836, "{}", first.json);
    check_whole(&database, 100_836)?;
    ensure!(database.count("select count(*) from contents")? == 9_742);
    ensure!(
        database.count("select count(*) from user_behaviors where content_id = 862 and action = 'rate'")? == 215,
        "Toy Story"
    );
    ensure!(database.run(&["import", text(folder)])?.ok()?.number("rows")? == 0, "it was read to its end");
    let again = database.run(&["import", "--again", text(folder)])?.ok()?;
    ensure!((again.number("recorded")?, again.number("duplicates")?) == (0, 100_836), "{}", again.json);
    check_whole(&database, 100_836)
}

fn rejects(tool: &Tool) -> Result<()> {
    let mut file = csv(500, 1);
    for (row, _) in BAD {
        let _ = writeln!(file, "{row}");
    }
    file += &csv(100, 2).lines().skip(1).map(|line| format!("{}x\n", line)).collect::<String>();
    let path = tool.file("rejects.csv", &file)?;
    let database = tool.space()?;
    let ended = database.run(&["import", "--batch", "37", text(&path)])?;
    ensure!(ended.code == 6 && ended.number("rejected")? == BAD.len() as u64, "{} {}", ended.code, ended.json);
    check_whole(&database, 600)?;
    let listed = std::fs::read_to_string(format!("{}.rejects.csv", path.display()))?;
    let mut reader = csv::Reader::from_reader(listed.as_bytes());
    let found: Vec<(u64, String)> = reader
        .records()
        .map(|row| {
            let row = row?;
            Ok((row[0].parse()?, row[1].to_string()))
        })
        .collect::<Result<_>>()?;
    let expected: Vec<(u64, String)> =
        BAD.iter().enumerate().map(|(i, (_, reason))| (502 + i as u64, reason.to_string())).collect();
    ensure!(found == expected, "{found:?}");
    let mine = tool.file("mine.csv", "precious\n")?;
    let refused = database.run(&["import", "--again", "--rejects", text(&mine), text(&path)])?;
    ensure!(
        refused.error() == "INVALID_ARGUMENT" && std::fs::read_to_string(&mine)? == "precious\n",
        "another file is not overwritten"
    );
    Ok(())
}

fn formats(tool: &Tool) -> Result<()> {
    let rows = csv(400, 3);
    let (mut without_ids, mut lines) = (String::from("who,what,action,rating,occurred_at\n"), String::new());
    for row in rows.lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        let _ = writeln!(without_ids, "{}", fields[..5].join(","));
        let rating = if fields[3].is_empty() { "null" } else { fields[3] };
        let _ = writeln!(
            lines,
            r#"{{"userId":"{}","contentId":{},"action":"{}","rating":{rating},"timestamp":{}000,"other":[1]}}"#,
            fields[0], fields[1], fields[2], fields[4]
        );
    }
    let database = tool.space()?;
    let path = tool.file("formats.csv", &without_ids)?;
    ensure!(database.run(&["import", text(&path)])?.error() == "INVALID_ARGUMENT", "there is no user_id");
    let first = database.run(&["import", "--map", "who=user_id", "--map", "what=content_id", text(&path)])?.ok()?;
    let path = tool.file("formats.jsonl", &lines)?;
    let second = database.run(&["import", text(&path)])?.ok()?;
    ensure!(first.number("recorded")? == second.number("duplicates")?, "{} {}", first.json, second.json);
    ensure!(first.number("recorded")? + first.number("duplicates")? == 400 && second.number("recorded")? == 0);
    check_whole(&database, first.number("recorded")?)
}

fn grown(tool: &Tool) -> Result<()> {
    let rows = csv(3000, 4);
    let cut = rows.match_indices('\n').nth(1000).map_or(0, |(at, _)| at + 1);
    let path = tool.file("grown.csv", &rows[..cut])?;
    let database = tool.space()?;
    ensure!(database.run(&["import", text(&path)])?.ok()?.number("recorded")? == 1000);
    std::fs::write(&path, &rows)?;
    let ended = database.run(&["import", text(&path)])?.ok()?;
    ensure!((ended.number("rows")?, ended.number("recorded")?) == (2000, 2000), "{}", ended.json);
    check_whole(&database, 3000)
}

/// Kills it at random points of its way, over loads (many events into an empty space) and small additions.
fn killed(tool: &Tool) -> Result<()> {
    let kills = super::asked("COTASTE_KILLS").unwrap_or(4);
    let mut random = Random::new(5);
    let mut all_interrupted = 0;
    for rows in [40_000, 4_000] {
        let mut file = csv(rows, rows.into());
        file += &BAD.map(|(row, _)| format!("{row}\n")).concat();
        let path = tool.file(&format!("killed-{rows}.csv"), &file)?;
        let arguments = ["import", "--batch", "500", text(&path)];
        let database = tool.space()?;
        let mut interrupted = 0;
        for _ in 0..kills {
            interrupted +=
                u64::from(database.kill_after(&arguments, Duration::from_millis(20 + random.below(300) as u64))?);
        }
        let ended = database.run(&arguments)?;
        ensure!(ended.code == 6 || ended.code == 0 && interrupted < kills, "{} {}", ended.code, ended.json);
        all_interrupted += interrupted;
        check_whole(&database, rows.into())?;
        let listed = std::fs::read_to_string(format!("{}.rejects.csv", path.display()))?;
        ensure!(listed.lines().count() == BAD.len() + 1, "each reject once: {listed}");
    }
    ensure!(all_interrupted > 0, "it was never interrupted");
    Ok(())
}

fn triggers(tool: &Tool) -> Result<()> {
    let database = tool.space()?;
    let mut engine = database.connect()?;
    engine.exec(
        "create table seen (event_id text); insert into contents (content_id, genres) values (1, '[\"Drama\"]')",
    )?;
    engine.exec(match tool.is_sqlite() {
        true => {
            "create trigger mine after insert on user_behaviors begin
            insert into seen values (new.event_id);
            select raise(abort, 'content 13 is not for you') where new.content_id = 13;
          end"
        }
        false => {
            "create function mine() returns trigger language plpgsql as $$
          begin
            if new.content_id = 13 then raise exception 'content 13 is not for you'; end if;
            insert into seen values (new.event_id);
            return new;
          end $$;
          create trigger mine after insert on user_behaviors for each row execute function mine()"
        }
    })?;
    let rows = csv(1000, 6);
    let refused = rows.lines().filter(|line| line.split(',').nth(1) == Some("13")).count() as u64;
    let path = tool.file("triggers.csv", &rows)?;
    let ended = database.run(&["import", text(&path)])?;
    ensure!(refused > 0 && ended.code == 6 && ended.number("rejected")? == refused, "{refused}: {}", ended.json);
    check_whole(&database, 1000 - refused)?;
    ensure!(database.count("select count(*) from seen")? == 1000 - refused);
    Ok(())
}

fn contents(tool: &Tool) -> Result<()> {
    let database = tool.space()?;
    let csv = tool.file("contents.csv", "content_id,title,genres,attributes\n1,One,Drama|Crime,\"{\"\"year\"\":1999}\"\n2,\"Two, or more\",\"[\"\"War\"\"]\",\n")?;
    ensure!(database.run(&["import", "--into", "contents", text(&csv)])?.ok()?.number("changed")? == 2);
    ensure!(database.run(&["import", "--into", "contents", text(&csv)])?.ok()?.number("changed")? == 0);
    let jsonl = tool.file(
        "contents.jsonl",
        "{\"content_id\":2,\"title\":\"Two\",\"genres\":[\"War\"]}\n{\"content_id\":3,\"title\":null}\n",
    )?;
    ensure!(database.run(&["import", "--into", "contents", text(&jsonl)])?.ok()?.number("changed")? == 2);
    let rows = database.connect()?.query("select content_id, title, genres from contents order by content_id")?;
    let expected = [["1", "One", r#"["Drama","Crime"]"#], ["2", "Two", r#"["War"]"#], ["3", "NULL", "NULL"]];
    ensure!(rows == expected, "{rows:?}");
    Ok(())
}
