//! What the measures of contents should be, computed from the rows of the log, beside what the database says.

use super::model::{read_timestamp, Event, Model};
use super::steps::CONTENTS;
use crate::engine::{print_timestamp, quote, Engine, NULL};
use anyhow::{ensure, Context, Result};
use std::collections::{BTreeMap, BTreeSet};

const TOLERANCE: f64 = 1e-9;
const HOUR: f64 = 3600e6;

const COLUMNS: [&str; 26] = [
    "content_id",
    "total_views",
    "completions",
    "skips",
    "completion_rate",
    "skip_rate",
    "orphan_completions",
    "starters",
    "user_completion_rate",
    "user_completion_lower",
    "user_completion_upper",
    "user_skip_rate",
    "user_skip_lower",
    "user_skip_upper",
    "rating_count",
    "average_rating",
    "rating_users",
    "average_rating_latest",
    "bayes_rating",
    "wilson_rating",
    "unique_users",
    "unique_viewers",
    "first_activity",
    "last_activity",
    "title",
    "trending_score",
];

/// What the database answers.
pub struct Answers {
    all: Vec<Vec<String>>,
    content: i64,
    one: Vec<Vec<String>>,
    filtered: Vec<Vec<String>>,
    trending: Vec<(Asked, Vec<Vec<String>>)>,
}

/// The arguments of one call of trending_content; NULL is the default.
#[derive(Debug, Default)]
struct Asked {
    k: Option<usize>,
    half_life: Option<f64>,
    as_of: Option<i64>,
}

/// Asks; `turn` chooses the content that is asked in more ways.
pub fn ask(engine: &mut dyn Engine, turn: usize, now: i64) -> Result<Answers> {
    let content = 1 + (turn % CONTENTS) as i64;
    let columns = COLUMNS.join(", ");
    let mut trending = Vec::new();
    for asked in [
        Asked::default(),
        Asked { k: Some(3), ..Asked::default() },
        Asked { k: Some(1), half_life: None, as_of: Some(now + 60_000_000 * 60) },
        Asked { k: Some(100), half_life: None, as_of: Some(now + 60_000_000 * 60 * 24 * 900) },
        Asked { k: Some(2), half_life: None, as_of: Some(now - 60_000_000 * 60 * 24 * 7) },
        Asked { k: Some(4), half_life: Some(100.0), as_of: None },
    ] {
        let argument = |value: Option<String>| value.unwrap_or("null".into());
        let sql = format!(
            "select content_id, score, events, rank, rank_key, half_life_hours, as_of from trending_content({}, {}, {})",
            argument(asked.k.map(|k| k.to_string())),
            argument(asked.half_life.map(|hours| hours.to_string())),
            argument(asked.as_of.map(|at| quote(&print_timestamp(at)))),
        );
        let rows = engine.query(&sql).with_context(|| format!("{asked:?}"))?;
        trending.push((asked, rows));
    }
    trending.push((
        Asked::default(),
        engine
            .query("select content_id, score, events, rank, rank_key, half_life_hours, as_of from trending_content")?,
    ));
    Ok(Answers {
        all: engine.query(&format!("select {columns} from content_metrics order by content_id"))?,
        content,
        one: engine.query(&format!("select {columns} from content_metrics({content})"))?,
        filtered: engine.query(&format!("select {columns} from content_metrics where content_id = {content}"))?,
        trending,
    })
}

pub fn compare(model: &Model, answers: &Answers) -> Result<()> {
    metrics(model, answers)?;
    for (asked, rows) in &answers.trending {
        trending(model, asked, rows).with_context(|| format!("trending_content, {asked:?}: {rows:?}"))?;
    }
    Ok(())
}

fn number(model: &Model, key: &str) -> Result<f64> {
    Ok(model.settings.get(key).with_context(|| key.to_string())?.parse()?)
}

/// The events of each user with one content, up to a time.
type Pairs<'a> = BTreeMap<&'a str, Vec<&'a Event>>;

fn contents(model: &Model, until: i64) -> BTreeMap<i64, Pairs<'_>> {
    let mut contents: BTreeMap<i64, Pairs<'_>> = BTreeMap::new();
    for event in model.log.iter().filter(|event| event.at <= until) {
        contents.entry(event.content).or_default().entry(&event.user).or_default().push(event);
    }
    contents
}

/// The last rating of a pair.
fn last_rating(events: &[&Event]) -> Option<f64> {
    let rated = events.iter().filter(|event| event.action == "rate" && event.rating.is_some());
    rated.max_by_key(|event| (event.at, event.id)).and_then(|event| event.rating)
}

/// Score and what rounding may have to do with it: the sum of the terms without their signs.
fn score(model: &Model, pairs: &Pairs<'_>, half_life: f64, as_of: i64) -> Result<(f64, f64)> {
    let cap = number(model, "trending_user_cap")? as usize;
    let mut sum = (0.0, 0.0);
    for events in pairs.values() {
        let mut events = events.clone();
        events.sort_by_key(|event| std::cmp::Reverse((event.at, event.id)));
        events.truncate(if cap == 0 { usize::MAX } else { cap });
        for event in events {
            let term = event.weight * (-((as_of - event.at) as f64) / (half_life * HOUR)).exp2();
            sum = (sum.0 + term, sum.1 + term.abs());
        }
    }
    Ok(sum)
}

fn metrics(model: &Model, answers: &Answers) -> Result<()> {
    let contents = contents(model, model.now);
    let ids: BTreeSet<i64> = contents.keys().chain(model.catalogue.keys()).copied().collect();
    let listed: Vec<i64> = answers.all.iter().map(|row| Ok(row[0].parse()?)).collect::<Result<_>>()?;
    ensure!(listed == ids.iter().copied().collect::<Vec<_>>(), "content_metrics has {listed:?}, {ids:?} expected");
    let last: Vec<f64> =
        contents.values().flat_map(|pairs| pairs.values()).filter_map(|events| last_rating(events)).collect();
    let prior = (!last.is_empty()).then(|| last.iter().sum::<f64>() / last.len() as f64);
    let none = Pairs::new();
    for row in &answers.all {
        let id: i64 = row[0].parse()?;
        let pairs = contents.get(&id).unwrap_or(&none);
        one(model, pairs, prior, row).with_context(|| format!("content_metrics of {id}: {row:?}"))?;
    }
    let same: Vec<&[String]> = answers
        .all
        .iter()
        .filter(|row| row[0] == answers.content.to_string())
        .map(|row| &row[..COLUMNS.len() - 1])
        .collect();
    for (how, rows) in [("function", &answers.one), ("filtered view", &answers.filtered)] {
        let rows: Vec<&[String]> = rows.iter().map(|row| &row[..COLUMNS.len() - 1]).collect();
        ensure!(rows == same, "content_metrics of {}: the view has {same:?}, the {how} {rows:?}", answers.content);
    }
    Ok(())
}

fn one(model: &Model, pairs: &Pairs<'_>, prior: Option<f64>, row: &[String]) -> Result<()> {
    let events = || pairs.values().flatten();
    let of = |action: &str| events().filter(|event| event.action == action).count() as f64;
    let users = |is: &dyn Fn(&Vec<&Event>) -> bool| pairs.values().filter(|events| is(events)).count() as f64;
    let did =
        |events: &Vec<&Event>, actions: &[&str]| events.iter().any(|event| actions.contains(&event.action.as_str()));
    let ratio = |a: f64, b: f64| (b > 0.0).then(|| a / b);
    let (views, completes, skips) = (of("view"), of("complete"), of("skip"));
    let starters = users(&|events| did(events, &["view", "complete", "skip"]));
    let (completers, skippers) = (users(&|events| did(events, &["complete"])), users(&|events| did(events, &["skip"])));
    let orphans = pairs
        .values()
        .filter(|events| !did(events, &["view"]))
        .flatten()
        .filter(|event| event.action == "complete")
        .count();
    let ratings: Vec<f64> = events().filter(|event| event.action == "rate").filter_map(|event| event.rating).collect();
    let last: Vec<f64> = pairs.values().filter_map(|events| last_rating(events)).collect();
    let mean = |values: &[f64]| ratio(values.iter().sum(), values.len() as f64);
    let weight = number(model, "rating_prior_weight")?;
    let (low, high) = (wilson(completers, starters), wilson(skippers, starters));
    let bayes = prior.and_then(|prior| ratio(weight * prior + last.iter().sum::<f64>(), weight + last.len() as f64));
    let expected = [
        Some(views),
        Some(completes),
        Some(skips),
        ratio(completes, views),
        ratio(skips, views),
        Some(orphans as f64),
        Some(starters),
        ratio(completers, starters),
        low.map(|interval| interval.0),
        low.map(|interval| interval.1),
        ratio(skippers, starters),
        high.map(|interval| interval.0),
        high.map(|interval| interval.1),
        Some(ratings.len() as f64),
        mean(&ratings),
        Some(last.len() as f64),
        mean(&last),
        bayes,
        mean(&last)
            .and_then(|mean| wilson(mean / 10.0 * last.len() as f64, last.len() as f64))
            .map(|interval| 10.0 * interval.0),
        Some(pairs.len() as f64),
        Some(users(&|events| did(events, &["view"]))),
    ];
    for ((column, got), expected) in COLUMNS[1..].iter().zip(&row[1..]).zip(expected) {
        same(got, expected, TOLERANCE).with_context(|| column.to_string())?;
    }
    for (column, got, expected) in [
        ("first_activity", &row[22], events().map(|event| event.at).min()),
        ("last_activity", &row[23], events().map(|event| event.at).max()),
    ] {
        let expected = expected.map_or(NULL.to_string(), print_timestamp);
        ensure!(*got == expected, "{column}: {expected} expected, got {got}");
    }
    // Its time is a little later than the model's.
    let (value, size) = score(model, pairs, number(model, "trending_half_life_hours")?, model.now)?;
    let got: f64 = row[25].parse()?;
    ensure!(
        (got - value).abs() <= 1e-3 * value.abs() + TOLERANCE * size,
        "trending_score: {value} expected, got {got}"
    );
    Ok(())
}

/// How much each content trends now.
pub fn trends(model: &Model) -> Result<BTreeMap<i64, f64>> {
    let half_life = number(model, "trending_half_life_hours")?;
    let contents = contents(model, model.now);
    contents.iter().map(|(id, pairs)| Ok((*id, score(model, pairs, half_life, model.now)?.0))).collect()
}

/// The Wilson interval of a rate.
fn wilson(x: f64, n: f64) -> Option<(f64, f64)> {
    let (z, p) = (1.959963984540054f64, x / n);
    let (middle, half) = (p + z * z / (2.0 * n), z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).max(0.0).sqrt());
    (n > 0.0).then(|| (((middle - half) / (1.0 + z * z / n)).max(0.0), ((middle + half) / (1.0 + z * z / n)).min(1.0)))
}

fn same(got: &str, expected: Option<f64>, tolerance: f64) -> Result<()> {
    match (got, expected) {
        (NULL, None) => Ok(()),
        (NULL, Some(expected)) => anyhow::bail!("{expected} expected, got NULL"),
        (got, None) => anyhow::bail!("NULL expected, got {got}"),
        (got, Some(expected)) => {
            let value: f64 = got.parse()?;
            ensure!((value - expected).abs() <= tolerance * (1.0 + expected.abs()), "{expected} expected, got {got}");
            Ok(())
        }
    }
}

fn trending(model: &Model, asked: &Asked, rows: &[Vec<String>]) -> Result<()> {
    let k = asked.k.map_or_else(|| number(model, "trending_k").map(|k| k as usize), Ok)?;
    let half_life = asked.half_life.map_or_else(|| number(model, "trending_half_life_hours"), Ok)?;
    let as_of = match (asked.as_of, rows.first()) {
        (Some(as_of), _) => as_of,
        (None, Some(row)) => read_timestamp(&row[6])?,
        (None, None) => model.now,
    };
    let mut contents = contents(model, as_of);
    if asked.half_life.is_some() || asked.as_of.is_some_and(|as_of| as_of < model.now) {
        // The log alone knows.
        contents
            .values_mut()
            .for_each(|pairs| pairs.values_mut().for_each(|events| events.retain(|event| !event.is_purged)));
        contents.values_mut().for_each(|pairs| pairs.retain(|_, events| !events.is_empty()));
        contents.retain(|_, pairs| !pairs.is_empty());
    }
    ensure!(rows.len() == k.min(contents.len()), "{} rows of {} contents", rows.len(), contents.len());
    let mut last: Option<(f64, i64)> = None;
    let mut lowest = (f64::INFINITY, 0.0f64);
    let mut seen = BTreeSet::new();
    for (position, row) in rows.iter().enumerate() {
        let (id, got): (i64, f64) = (row[0].parse()?, row[1].parse()?);
        ensure!(seen.insert(id), "{id} twice");
        let pairs = contents.get(&id).with_context(|| format!("{id} has no events"))?;
        let (value, size) = score(model, pairs, half_life, as_of)?;
        ensure!((got - value).abs() <= TOLERANCE * size + 1e-300, "{id}: {value} expected, got {got}");
        ensure!(row[2] == pairs.values().map(Vec::len).sum::<usize>().to_string(), "{id}: {} events", row[2]);
        ensure!(row[3] == (position + 1).to_string(), "{id} has rank {}", row[3]);
        // The key is the logarithm of the score as of 1970.
        if let Ok(key) = row[4].parse::<f64>() {
            let back = (key - as_of as f64 / (half_life * HOUR)).exp2();
            ensure!(
                (back - got).abs() <= 1e-6 * got.abs() + 1e-300,
                "{id}: the key {key} is that of {back}, the score {got}"
            );
        } else {
            ensure!(got <= 0.0, "{id} has no rank key and the score {got}");
        }
        if let Some((score, before)) = last {
            ensure!(score > got || score == got && before < id, "{id} comes after {before}");
        }
        (last, lowest) = (Some((got, id)), (lowest.0.min(value), size));
    }
    for (id, pairs) in &contents {
        let (value, size) = score(model, pairs, half_life, as_of)?;
        let better = value > lowest.0 + TOLERANCE * (size + lowest.1) + 1e-300;
        ensure!(seen.contains(id) || !better, "{id} with {value} is missing");
    }
    Ok(())
}
