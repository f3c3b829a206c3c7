//! The golden event log: loaded as a user would, then every aggregate of it asked in SQL.

use crate::compare::Answers;
use crate::engine::{quote, Engine, Host};
use crate::golden::{self, close, Row};
use crate::random::Random;
use crate::report::Report;
use anyhow::{ensure, Context, Result};

/// The end of the log: what decays is asked as of this time.
const END: &str = "2026-03-26T00:00:00Z";
const ABSOLUTE: f64 = 1e-12;
const RELATIVE: f64 = 1e-9;

pub fn run(host: &mut dyn Host, report: &mut Report, _: &Answers) -> Result<()> {
    if !golden::directory().join("e2e/events.csv").is_file() {
        report.skip("golden event log", &format!("{} is not here; set COTASTE_SHARED", golden::directory().display()));
        return Ok(());
    }
    let mut space = host.space()?;
    let engine = space.as_mut();
    load_roundabout(engine)?;
    context_status(engine, report)?;
    content_metrics(engine, report)?;
    trending(engine, report)?;
    experiment(engine, report, "full", "2026-03-01T00:00:00Z", END)?;
    experiment(engine, report, "sub", "2026-03-04T00:00:00Z", "2026-03-13T00:00:00Z")?;
    favorite_genres(engine, report)?;
    time_slots(engine, report)?;
    similarity(engine, report)
}

fn table(name: &str) -> Result<Vec<Row>> {
    golden::read(&format!("e2e/{name}.csv"))
}

/// `c07` is content 7.
fn content_id(row: &Row) -> String {
    row.text("content_id").trim_start_matches('c').parse::<i64>().unwrap_or(-1).to_string()
}

pub fn load(engine: &mut dyn Engine) -> Result<()> {
    let contents = table("content")?;
    let mut rows = contents.iter().map(|row| vec![Some(content_id(row)), row.optional("genres").map(str::to_string)]);
    engine.load("contents", &["content_id", "genres"], &mut rows)?;
    let events = table("events")?;
    let columns = ["user_id", "content_id", "action", "rating", "context", "occurred_at", "event_id"];
    let mut rows = events.iter().map(|row| {
        let cell = |column: &str| row.optional(column).map(str::to_string);
        vec![
            cell("user_id"),
            Some(content_id(row)),
            cell("action"),
            cell("rating"),
            cell("context"),
            cell("timestamp"),
            cell("event_id"),
        ]
    });
    engine.load("user_behaviors", &columns, &mut rows)
}

/// The same log by another way: in random order and in batches, folded now and then, with a part of it changed or deleted
/// and put back.
fn load_roundabout(engine: &mut dyn Engine) -> Result<()> {
    load(engine)?;
    let columns = "user_id, content_id, action, rating, context, occurred_at, event_id";
    engine.exec("create table golden_log as select * from user_behaviors")?;
    engine.exec("delete from user_behaviors")?;
    let ids = engine.query("select id from golden_log")?;
    let mut ids: Vec<String> = ids.into_iter().map(|row| row[0].clone()).collect();
    let mut random = Random::new(7);
    for place in (1..ids.len()).rev() {
        ids.swap(place, random.below(place + 1));
    }
    for (batch, ids) in ids.chunks(ids.len() / 5 + 1).enumerate() {
        // The id stays: of equal times it says which rating is the last.
        engine.exec(&format!(
            "insert into user_behaviors (id, {columns}) select id, {columns} from golden_log where id in ({})",
            ids.join(", ")
        ))?;
        match batch {
            1 => engine.exec("delete from user_behaviors where id % 5 = 0")?,
            2 => engine
                .exec("update user_behaviors set content_id = content_id + 100000, action = 'skip' where id % 3 = 0")?,
            _ => {}
        }
        engine.query("select cotaste_refresh(700)")?;
    }
    engine.exec("delete from user_behaviors where content_id > 50000")?;
    engine.query("select cotaste_refresh()")?;
    engine.exec(&format!(
        "insert into user_behaviors (id, {columns}) select id, {columns} from golden_log
         where id not in (select id from user_behaviors)"
    ))?;
    engine.exec("drop table golden_log")?;
    engine.query("select cotaste_refresh(400)")?;
    let problems = engine.query("select * from cotaste_verify()")?;
    ensure!(problems.is_empty(), "cotaste_verify: {problems:?}");
    Ok(())
}

/// Compares a row of answers, column by column: numbers within tolerance, all else exactly.
fn same(got: &[String], want: &Row, columns: &[&str]) -> Result<()> {
    ensure!(got.len() == columns.len(), "{} columns expected, got {got:?}", columns.len());
    for (got, column) in got.iter().zip(columns) {
        let wanted = want.optional(column);
        let result = match wanted {
            Some(text) if text.ends_with('Z') => {
                let whole = text.trim_end_matches('Z');
                let padded = format!("{whole:0<26}Z");
                exactly(got, &padded)
            }
            Some(text) if text.parse::<f64>().is_err() => exactly(got, text),
            _ => close(got, wanted, ABSOLUTE, RELATIVE),
        };
        result.with_context(|| column.to_string())?;
    }
    Ok(())
}

fn exactly(got: &str, wanted: &str) -> Result<()> {
    ensure!(got == wanted, "{wanted} expected, got {got}");
    Ok(())
}

fn context_status(engine: &mut dyn Engine, report: &mut Report) -> Result<()> {
    // The expected table counts a partial context as ok.
    let status = "case context_status when 'partial' then 'ok' else context_status end";
    let rows =
        engine.query(&format!("select {status}, cast(sum(events) as bigint) from context_quality group by 1"))?;
    report.case("context status: every status counted", || {
        let expected = table("expected_context_status")?;
        ensure!(rows.len() == expected.len(), "{rows:?}");
        for want in expected {
            let got = rows
                .iter()
                .find(|row| row[0] == want.text("status"))
                .with_context(|| want.text("status").to_string())?;
            same(got, &want, &["status", "events"])?;
        }
        Ok(())
    });
    Ok(())
}

fn content_metrics(engine: &mut dyn Engine, report: &mut Report) -> Result<()> {
    let before = report.passed;
    for want in table("expected_content_metrics")? {
        report.row(&format!("content metrics of {}", want.text("content_id")), || {
            let rows = engine.query(&format!(
                "select total_views, unique_viewers, completions, skips, completion_rate, skip_rate, starters, user_completion_rate,
                   user_completion_lower, user_completion_upper, user_skip_rate, orphan_completions, rating_count, average_rating,
                   rating_users, average_rating_latest, bayes_rating
                 from content_metrics({})",
                content_id(&want)
            ))?;
            let columns = [
                "views", "unique_viewers", "completions", "skips", "completion_rate", "skip_rate", "starters", "user_completion_rate",
                "user_completion_lo", "user_completion_hi", "user_skip_rate", "orphan_completions", "ratings", "avg_rating",
                "rating_users", "avg_rating_latest", "bayes_rating",
            ];
            ensure!(rows.len() == 1, "{rows:?}");
            same(&rows[0], &want, &columns)
        });
    }
    report.rows_done("content metrics", before);
    Ok(())
}

fn trending(engine: &mut dyn Engine, report: &mut Report) -> Result<()> {
    let rows = engine.query(&format!(
        "select rank, content_id, half_life_hours, score, events from trending_content(100, 24, '{END}') order by rank"
    ))?;
    report.case("trending: order, scores and number of events", || {
        let expected = table("expected_trending")?;
        ensure!(rows.len() == expected.len(), "{} rows", rows.len());
        for (got, want) in rows.iter().zip(&expected) {
            ensure!(got[1] == content_id(want), "{got:?}");
            let got: Vec<String> =
                got.iter().enumerate().filter(|(i, _)| *i != 1).map(|(_, cell)| cell.clone()).collect();
            same(&got, want, &["rank", "half_life_hours", "score", "events"])?;
        }
        Ok(())
    });
    Ok(())
}

fn experiment(engine: &mut dyn Engine, report: &mut Report, range: &str, from: &str, to: &str) -> Result<()> {
    let rows = engine.query(&format!(
        "select experiment, variant, users, views, conversions, conversion_events, conversion_rate, rate_lower, rate_upper,
           first_event, last_event, crossover_users, diff_lower, diff_upper, chance_to_win
         from experiment_results('exp1', '{from}', '{to}') order by variant"
    ))?;
    report.case(
        &format!(
            "experiment, range {range}: users, views, conversions, rate, interval, first, last, crossover, comparison"
        ),
        || {
            let expected = table(&format!("expected_experiment_{range}"))?;
            ensure!(rows.len() == expected.len(), "{rows:?}");
            let columns = [
                "experiment",
                "variant",
                "users",
                "views",
                "conversions",
                "conversion_events",
                "conversion_rate",
                "rate_lo",
                "rate_hi",
                "first_event",
                "last_event",
                "crossover_users",
                "diff_newcombe_lo",
                "diff_newcombe_hi",
                "bayes_ctw",
            ];
            rows.iter().zip(&expected).try_for_each(|(got, want)| same(got, want, &columns))
        },
    );
    Ok(())
}

/// The expected rows of one user after the other.
fn by_user(expected: &[Row]) -> impl Iterator<Item = (&str, &[Row])> {
    expected.chunk_by(|a, b| a.text("user_id") == b.text("user_id")).map(|rows| (rows[0].text("user_id"), rows))
}

fn favorite_genres(engine: &mut dyn Engine, report: &mut Report) -> Result<()> {
    let before = report.passed;
    for (user, expected) in by_user(&table("expected_favourite_genres")?) {
        report.row(&format!("favourite genres of {user}"), || {
            let sql = format!(
                "select rank, genre, score, share, events from favorite_genres({}, null, '{END}') order by rank",
                quote(user)
            );
            let rows = engine.query(&sql)?;
            ensure!(rows.len() == expected.len(), "{rows:?}");
            rows.iter()
                .zip(expected)
                .try_for_each(|(got, want)| same(got, want, &["rank", "genre", "score", "share", "events"]))
        });
    }
    report.rows_done("users' favourite genres", before);
    Ok(())
}

fn time_slots(engine: &mut dyn Engine, report: &mut Report) -> Result<()> {
    let before = report.passed;
    for (user, expected) in by_user(&table("expected_time_slots")?) {
        report.row(&format!("time slots of {user}"), || {
            let sql = format!("select rank, slot, events, share, smoothed_share, events_per_hour from preferred_time_slots({}) order by rank", quote(user));
            let rows = engine.query(&sql)?;
            ensure!(rows.len() == expected.len(), "{rows:?}");
            let columns = ["rank", "slot", "events", "share", "smoothed_share", "events_per_hour"];
            rows.iter().zip(expected).try_for_each(|(got, want)| same(got, want, &columns))
        });
    }
    report.rows_done("users' time slots", before);
    Ok(())
}

fn similarity(engine: &mut dyn Engine, report: &mut Report) -> Result<()> {
    let before = report.passed;
    for want in table("expected_similarity")? {
        let (a, b) = (want.text("user_a"), want.text("user_b"));
        report.row(&format!("similarity of {a} and {b}"), || {
            let sql = format!(
                "select shared_items, jaccard, genre_cosine, similarity from user_similarity_detail({}, {})",
                quote(a),
                quote(b)
            );
            let rows = engine.query(&sql)?;
            ensure!(rows.len() == 1, "{rows:?}");
            same(&rows[0], &want, &["common", "jaccard", "cosine", "similarity"])
        });
    }
    report.rows_done("pairs of users", before);
    Ok(())
}
