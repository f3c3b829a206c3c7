//! The golden tables of ratings and trends, through the log and the state.

use super::golden_tables::table;
use crate::compare::Answers;
use crate::engine::{print_timestamp, quote, Engine, Host};
use crate::golden::{close, Row};
use crate::report::Report;
use anyhow::{ensure, Context, Result};

const ABSOLUTE: f64 = 1e-12;
const RELATIVE: f64 = 1e-9;
const SECOND: i64 = 1_000_000;

pub fn run(host: &mut dyn Host, report: &mut Report, _: &Answers) -> Result<()> {
    ratings(host, report)?;
    trending(host, report)?;
    zscore(host, report)
}

fn numbers(row: &Row, column: &str) -> Result<Vec<f64>> {
    Ok(serde_json::from_str(row.text(column))?)
}

/// A content a row of the table, a user a rating, and one more content whose ratings bring the mean of all to the prior.
fn ratings(host: &mut dyn Host, report: &mut Report) -> Result<()> {
    let Some(rows) = table("rating_shrinkage.csv", report)? else { return Ok(()) };
    let mut engine = host.space()?;
    let prior: f64 = rows[0].text("prior_mean").parse()?;
    let mut events = Vec::new();
    let mut all = Vec::new();
    for (content, row) in rows.iter().enumerate() {
        for (user, rating) in numbers(row, "ratings")?.into_iter().enumerate() {
            events.push(format!("('u{user}', {content}, 'rate', {rating})"));
            all.push(rating);
        }
    }
    let more = 2 * all.len() + 10;
    let rating = prior + (prior * all.len() as f64 - all.iter().sum::<f64>()) / more as f64;
    events.extend((0..more).map(|user| format!("('u{user}', 1000, 'rate', {rating})")));
    let contents: Vec<String> = (0..rows.len()).map(|content| format!("({content})")).collect();
    engine.exec(&format!("insert into contents (content_id) values {}", contents.join(", ")))?;
    engine.exec(&format!(
        "insert into user_behaviors (user_id, content_id, action, rating) values {}",
        events.join(", ")
    ))?;
    let before = report.passed;
    for folded in [false, true] {
        if folded {
            engine.query("select cotaste_refresh()")?;
        }
        for (content, row) in rows.iter().enumerate() {
            report.row(&format!("{}, folded {folded}", row.text("id")), || {
                let got = engine.query(&format!(
                    "select rating_count, average_rating, bayes_rating, wilson_rating from content_metrics({content})"
                ))?;
                ensure!(got.len() == 1, "{got:?}");
                for (column, got) in ["n", "avg_rating", "bayes_rating", "wilson_lower"].iter().zip(&got[0]) {
                    close(got, row.optional(column), ABSOLUTE, RELATIVE).with_context(|| column.to_string())?;
                }
                Ok(())
            });
        }
    }
    report.rows_done("rows of rating_shrinkage.csv", before);
    Ok(())
}

/// Each row a content. Scores are asked of the log, as the times have passed; rank keys of the state, folded or not.
fn trending(host: &mut dyn Host, report: &mut Report) -> Result<()> {
    let Some(rows) = table("trending.csv", report)? else { return Ok(()) };
    let mut engine = host.space()?;
    let mut events = Vec::new();
    for (content, row) in rows.iter().enumerate() {
        for (seconds, weight) in serde_json::from_str::<Vec<(i64, f64)>>(row.text("events"))? {
            let action = match weight as i64 {
                1 => "view",
                2 => "complete",
                3 => "like",
                -1 => "skip",
                _ => anyhow::bail!("no action weighs {weight}"),
            };
            let user = events.len() % 7;
            events.push(format!("('u{user}', {content}, '{action}', '{}')", print_timestamp(seconds * SECOND)));
        }
    }
    engine.exec(&format!(
        "insert into user_behaviors (user_id, content_id, action, occurred_at) values {}",
        events.join(", ")
    ))?;
    let before = report.passed;
    for folded in [false, true] {
        for (content, row) in rows.iter().enumerate() {
            if row.text("events") != "[]" {
                report.row(&format!("{}, folded {folded}", row.text("id")), || {
                    one(engine.as_mut(), row, content, folded)
                });
            }
        }
    }
    report.rows_done("rows of trending.csv", before);
    Ok(())
}

fn one(engine: &mut dyn Engine, row: &Row, content: usize, folded: bool) -> Result<()> {
    let hours = row.text("half_life_s").parse::<f64>()? / 3600.0;
    let now: i64 = row.text("now").parse()?;
    for (column, at) in [("score", now), ("score_12h_later", now + 12 * 3600)] {
        let at = quote(&print_timestamp(at * SECOND));
        let got = engine
            .value(&format!("select score from trending_content(1000, {hours}, {at}) where content_id = {content}"))?;
        close(&got, row.optional(column), ABSOLUTE, RELATIVE).with_context(|| column.to_string())?;
    }
    engine.exec(&format!("update cotaste_settings set value = '{hours}' where key = 'trending_half_life_hours'"))?;
    if folded {
        engine.query("select cotaste_refresh()")?;
    }
    let got = engine.value(&format!("select rank_key from trending_content(1000) where content_id = {content}"))?;
    close(&got, row.optional("rank_key"), ABSOLUTE, RELATIVE).context("rank_key")
}

/// Each row a content and a period a day, the latest the current one.
fn zscore(host: &mut dyn Host, report: &mut Report) -> Result<()> {
    let Some(rows) = table("trending_zscore.csv", report)? else { return Ok(()) };
    let mut engine = host.space()?;
    let as_of = 1_767_225_600;
    let mut events = Vec::new();
    for (content, row) in rows.iter().enumerate() {
        let mut counts = numbers(row, "baseline")?;
        counts.push(row.text("current").parse()?);
        for (period, count) in counts.iter().rev().enumerate() {
            let at = print_timestamp((as_of - period as i64 * 86_400 - 3_600) * SECOND);
            for user in 0..*count as usize {
                events.push(vec![
                    Some(format!("u{user}")),
                    Some(content.to_string()),
                    Some("view".into()),
                    Some(at.clone()),
                ]);
            }
        }
    }
    engine.load("user_behaviors", &["user_id", "content_id", "action", "occurred_at"], &mut events.into_iter())?;
    let at = quote(&print_timestamp(as_of * SECOND));
    let before = report.passed;
    for (content, row) in rows.iter().enumerate() {
        let baseline = numbers(row, "baseline")?;
        report.row(row.text("id"), || {
            let (sum, squares) = (baseline.iter().sum::<f64>(), baseline.iter().map(|x| x * x).sum::<f64>());
            let got = engine.query(&format!(
                "select sample_sd({0}, {sum}, {squares}), z_score({1}, {0}, {sum}, {squares})", baseline.len(), row.text("current")
            ))?;
            close(&got[0][0], row.optional("sd"), ABSOLUTE, RELATIVE)?;
            close(&got[0][1], row.optional("z"), ABSOLUTE, RELATIVE)?;
            let got = engine.query(&format!(
                "select \"current\", baseline_mean, baseline_sd, z from trending_zscore(100, 24, {}, {at}) where content_id = {content}",
                baseline.len()
            ))?;
            let has_events = row.text("current") != "0" || baseline.iter().any(|count| *count > 0.0);
            ensure!(got.len() == usize::from(has_events), "{got:?}");
            for got in got {
                for (column, got) in ["current", "mean", "sd", "z"].iter().zip(&got) {
                    close(got, row.optional(column), ABSOLUTE, RELATIVE).with_context(|| column.to_string())?;
                }
            }
            Ok(())
        });
    }
    report.rows_done("rows of trending_zscore.csv", before);
    Ok(())
}
