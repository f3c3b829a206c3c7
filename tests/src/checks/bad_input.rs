//! What clients get wrong: bad context never costs an event, a bad value costs the statement and says why, with the code.

use crate::compare::Answers;
use crate::engine::{quote, Engine, Host, Kind, SqlError};
use crate::report::Report;
use anyhow::{bail, ensure, Result};

pub fn run(host: &mut dyn Host, report: &mut Report, _: &Answers) -> Result<()> {
    contexts(host.space()?, report);
    values(host.space()?, report);
    before_init(host.uninitialised()?, report);
    Ok(())
}

/// Contexts that are too long or too deep for a case file, and what each is.
fn bad_contexts() -> Vec<(&'static str, String, &'static str)> {
    let object = |device: String| format!(r#"{{"device":"{device}","timeOfDay":"night"}}"#);
    vec![
        ("200,000 open brackets", "[".repeat(200_000), "malformed"),
        ("200,000 nested arrays", "[".repeat(200_000) + &"]".repeat(200_000), "malformed"),
        ("100,000 nested objects", r#"{"a":"#.repeat(100_000) + "1" + &"}".repeat(100_000), "malformed"),
        ("an array of a million numbers", format!("[{}1]", "1,".repeat(1_000_000)), "not_object"),
        ("a device of 4 million characters", object("x".repeat(4_000_000)), "partial"),
        ("a device of emoji without end", format!(r#"{{"device":"{}"#, "🎬".repeat(100_000)), "malformed"),
        (
            "100,000 unknown members",
            format!("{{{}\"device\":\"tv\"}}", (0..100_000).map(|i| format!("\"k{i}\":{i},")).collect::<String>()),
            "ok",
        ),
        ("a number of 100,000 digits", format!(r#"{{"x":{},"device":"tv"}}"#, "9".repeat(100_000)), "ok"),
        ("quotes, backslashes and control characters", "{\"device\":\"a\u{1}b\\\"'\"}".into(), "malformed"),
    ]
}

fn contexts(mut engine: Box<dyn Engine>, report: &mut Report) {
    for (name, text, status) in bad_contexts() {
        report.case(&format!("{name} in a context: recorded, kept byte for byte, {status}"), || {
            let literal = quote(&text);
            engine.exec("delete from user_behaviors")?;
            engine.exec(&format!(
                "insert into user_behaviors(user_id, content_id, action, context) values ('ann', 1, 'view', {literal})"
            ))?;
            engine.exec(&format!("select record_behavior('ann', 1, 'view', null, {literal})"))?;
            for row in engine.query("select context, context_status from cotaste_events")? {
                ensure!(row[0] == text, "the text was changed");
                ensure!(row[1] == status, "its status is {}", row[1]);
            }
            ensure!(engine.value("select count(*) from user_behaviors")? == "2");
            Ok(())
        });
    }
}

/// Arguments of `record_behavior` and of a plain insert; `$names` stand for what each engine writes differently.
const BAD_VALUES: [(&str, &str); 12] = [
    ("an unknown action", "'ann', 1, 'dance', null, null, '2026-03-01T00:00:00Z'"),
    ("a rating above 10", "'ann', 1, 'rate', 10.5, null, '2026-03-01T00:00:00Z'"),
    ("a rating below 0", "'ann', 1, 'rate', -0.1, null, '2026-03-01T00:00:00Z'"),
    ("an infinite rating", "'ann', 1, 'rate', $infinity, null, '2026-03-01T00:00:00Z'"),
    ("a NULL user", "null, 1, 'view', null, null, '2026-03-01T00:00:00Z'"),
    ("an empty user", "'', 1, 'view', null, null, '2026-03-01T00:00:00Z'"),
    ("a user id of 5,000 bytes", "'$long', 1, 'view', null, null, '2026-03-01T00:00:00Z'"),
    ("a NULL content", "'ann', null, 'view', null, null, '2026-03-01T00:00:00Z'"),
    ("a NULL action", "'ann', 1, null, null, null, '2026-03-01T00:00:00Z'"),
    ("a time after the year 9999", "'ann', 1, 'view', null, null, '10000-01-01T00:00:00Z'"),
    ("a time before the year 1", "'ann', 1, 'view', null, null, $before_christ"),
    ("progress above 1", ""),
];

fn values(mut engine: Box<dyn Engine>, report: &mut Report) {
    let columns = "user_id, content_id, action, rating, context, occurred_at";
    for (name, values) in BAD_VALUES {
        let (infinity, before_christ) = match engine.kind() {
            Kind::Postgres => ("'infinity'::float8", "'0044-03-15 00:00:00 BC'::timestamptz"),
            Kind::Sqlite => ("9e999", "'-0044-03-15T00:00:00Z'"),
        };
        let filled = values
            .replace("$infinity", infinity)
            .replace("$before_christ", before_christ)
            .replace("$long", &"x".repeat(5000));
        report.case(&format!("{name} is refused with INVALID_ARGUMENT"), || {
            if !values.is_empty() {
                refused(engine.as_mut(), &format!("select record_behavior({filled})"), "INVALID_ARGUMENT")?;
            }
            let insert = match values {
                "" => {
                    "insert into user_behaviors(user_id, content_id, action, progress) values ('ann', 1, 'view', 1.5)"
                        .to_string()
                }
                _ => format!("insert into user_behaviors({columns}) values ({filled})"),
            };
            if name.contains("NULL") && engine.kind() == Kind::Postgres {
                // A plain insert of NULL meets the primary key's own constraint first.
                let error = engine.query(&insert).err().unwrap_or_default();
                ensure!(error.sqlstate.as_deref() == Some("23502"), "{error:?}");
            } else {
                refused(engine.as_mut(), &insert, "INVALID_ARGUMENT")?;
            }
            ensure!(engine.value("select count(*) from user_behaviors")? == "0", "something was recorded");
            Ok(())
        });
    }
    let of_engine: &[(&str, &str)] = match engine.kind() {
        Kind::Postgres => &[
            ("NaN as a rating", "select record_behavior('ann', 1, 'rate', 'NaN')"),
            (
                "NaN as an inserted rating",
                "insert into user_behaviors(user_id, content_id, action, rating) values ('ann', 1, 'rate', 'NaN')",
            ),
            (
                "NaN as progress",
                "insert into user_behaviors(user_id, content_id, action, progress) values ('ann', 1, 'view', 'NaN')",
            ),
            ("infinity as a time", "select record_behavior('ann', 1, 'view', null, null, 'infinity')"),
            ("-infinity as a time", "select time_slot('-infinity'::timestamptz)"),
            ("NaN in a sum", "select reproducible_sum('NaN'::float8)"),
            ("NaN as a taste's weight", "select taste_agg(1, '[\"a\"]', 'NaN')"),
            ("NaN in a vector", "select cosine_similarity(array['NaN', 1]::float8[], array[1, 1]::float8[])"),
            ("vectors of two lengths", "select cosine_similarity(array[1]::float8[], array[1, 1]::float8[])"),
        ],
        // SQLite has no NaN: it is NULL. It has texts and blobs where numbers belong instead.
        Kind::Sqlite => &[
            ("a text as a rating", "select record_behavior('ann', 1, 'rate', 'nine')"),
            (
                "an inserted text as a rating",
                "insert into user_behaviors(user_id, content_id, action, rating) values ('ann', 1, 'rate', 'nine')",
            ),
            (
                "a blob as a content",
                "insert into user_behaviors(user_id, content_id, action) values ('ann', x'01', 'view')",
            ),
            ("a fraction as a content", "select record_behavior('ann', 1.5, 'view')"),
            ("a blob as a user", "insert into user_behaviors(user_id, content_id, action) values (x'01', 1, 'view')"),
            (
                "a word as a time",
                "insert into user_behaviors(user_id, content_id, action, occurred_at) values ('ann', 1, 'view', 'now')",
            ),
            ("a number as a time", "select time_slot(5)"),
            ("infinity in a sum", "select reproducible_sum(9e999)"),
            ("infinity as a taste's weight", "select taste_agg(1, '[\"a\"]', -9e999)"),
            ("a text as a taste", "select taste_json('C')"),
        ],
    };
    for (name, sql) in of_engine {
        report.case(&format!("{name} is refused with INVALID_ARGUMENT"), || {
            refused(engine.as_mut(), sql, "INVALID_ARGUMENT")
        });
    }
}

/// The statement fails with the code; Postgres adds the SQLSTATE and a hint.
fn refused(engine: &mut dyn Engine, sql: &str, code: &str) -> Result<()> {
    let shown = sql.chars().take(200).collect::<String>();
    let error: SqlError = match engine.query(sql) {
        Ok(rows) => bail!("accepted, {rows:?}: {shown}"),
        Err(error) => error,
    };
    ensure!(error.code() == Some(code), "{code} expected, got {error:?} from {shown}");
    if engine.kind() == Kind::Postgres {
        let state = match code {
            "INVALID_ARGUMENT" => "22023",
            _ => "55000",
        };
        ensure!(error.sqlstate.as_deref() == Some(state), "SQLSTATE {state} expected: {error:?} from {shown}");
        ensure!(error.hint.is_some(), "no hint: {error:?} from {shown}");
    }
    Ok(())
}

fn before_init(mut engine: Box<dyn Engine>, report: &mut Report) {
    for sql in [
        "select record_behavior('ann', 550, 'view')",
        "select user_similarity('ann', 'bob')",
        "select * from user_similarity_detail('ann', 'bob')",
        "select * from similar_users('ann', 3)",
        "select * from favorite_genres('ann')",
        "select * from preferred_time_slots('ann')",
        "select * from user_analytics('ann')",
        "select set_content_embedding(1, 'm', '[1]')",
        "select * from experiment_results('ranker')",
        "select * from experiment_summary('ranker')",
        "select * from experiment_timeline('ranker')",
        "select * from experiment_segments('ranker', 'device')",
        "select * from experiment_numeric('ranker', 'events')",
    ] {
        report.case(&format!("before cotaste_init NOT_INITIALIZED: {sql}"), || {
            refused(engine.as_mut(), sql, "NOT_INITIALIZED")
        });
    }
    report.case("before cotaste_init the value functions work", || {
        ensure!(engine.value("select jaccard_similarity('[1,2]', '[2]')")? == "0.5");
        Ok(())
    });
    report.case("cotaste_init twice changes nothing", || {
        engine.exec("select cotaste_init()")?;
        engine.exec(
            "insert into cotaste_settings(key, value) values ('mine', '1'); select record_behavior('ann', 1, 'view')",
        )?;
        let again = engine.value("select cotaste_init()")?;
        ensure!(again.contains("up to date"), "{again}");
        ensure!(engine.value("select count(*) from user_behaviors")? == "1");
        ensure!(engine.value("select value from cotaste_settings where key = 'mine'")? == "1");
        Ok(())
    });
}
