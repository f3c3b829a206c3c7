//! `cotaste demo`: a catalogue with events and an experiment, and eight questions to it.

use super::{contents, init};
use crate::args::{Connect, Demo};
use crate::database::{Database, Table, Value};
use crate::event::Event;
use crate::failure::{Failure, Result};
use crate::output::{grouped, Output};
use crate::sink::{self, Mode, Seal};
use crate::source::movielens::{self, Movie, Rating, OWN_ID};
use crate::Ended;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};

const TOUR: &str = include_str!("../../sql/tour.sql");
const SYNTHETIC: &str = include_str!("../../../demo/synthetic.sql");
const GOAL: &str = include_str!("../../../demo/goal.sql");
const TASK: &str = "demo";

pub fn run(connect: &Connect, arguments: &Demo, output: Output) -> Ended {
    let mut database = Database::open(connect, true)?;
    init::space(&mut database, connect)?;
    let held = database.integer("select count(*) from (select 1 from user_behaviors limit 1) b", &[])?;
    let mut sink = sink::open(Database::open(connect, false)?, Mode::Load)?;
    if sink.checkpoint(TASK)?.is_none() {
        if held > 0 {
            let hint = "The demo would mix with them. Name another database: --sqlite demo.db";
            return Err(Failure::argument(format!("{} holds events already", database.name()), hint));
        }
        let (movies, ratings) = match &arguments.data {
            Some(folder) => (movielens::movies(folder)?, movielens::ratings(folder)?),
            None => synthetic()?,
        };
        contents::write(&mut database, &contents::of_movies(&movies))?;
        database.query(GOAL, &[])?;
        let events = events(&movies, &ratings);
        output.note(&format!(
            "{} contents, {} events; completions, skips, devices and the experiment are simulated",
            grouped(movies.len() as u64),
            grouped(events.len() as u64)
        ));
        let mut sealing = |_: &_| Ok(Seal { checkpoint: Some((TASK.into(), "done".into())), dead: Vec::new() });
        sink.write(&events, &mut sealing)?;
    }
    sink.refresh()?;
    drop(sink);
    tour(&mut database, output)?;
    Ok(None)
}

fn tour(database: &mut Database, output: Output) -> Result<()> {
    let mut answers = Vec::new();
    for paragraph in TOUR.split("\n\n") {
        let (question, sql) = paragraph.trim().split_once('\n').unwrap_or_default();
        let table = database.query(sql, &[])?;
        if !output.json {
            output.answer(&format!("{question}\n{}\n", rounded(&table).text()), json!(null));
        }
        answers.push(json!({"question": question.trim_start_matches("-- "), "rows": table.json()}));
    }
    if output.json {
        output.answer("", json!({"database": database.name(), "answers": answers}));
    }
    Ok(())
}

/// Four decimals are enough for the eye.
fn rounded(table: &Table) -> Table {
    let round = |value: &Value| match value {
        Value::Real(value) => Value::Real((value * 1e4).round() / 1e4),
        other => other.clone(),
    };
    Table {
        columns: table.columns.clone(),
        rows: table.rows.iter().map(|row| row.iter().map(round).collect()).collect(),
    }
}

/// What MovieLens lacks is simulated as demo/events.sql tells: a view and a rating are given, completions, skips, devices,
/// locations and the experiment are drawn from (userId, movieId).
fn events(movies: &[Movie], ratings: &[Rating]) -> Vec<Event> {
    let contents: HashMap<i64, i64> = movies.iter().map(|movie| (movie.movie_id, movie.content_id)).collect();
    let mut events = Vec::new();
    let mut last: BTreeMap<i64, (&Rating, i64, i64)> = BTreeMap::new();
    for rating in ratings {
        let (Ok(user), Some(content_id)) = (rating.user_id.parse::<i64>(), contents.get(&rating.movie_id)) else {
            continue;
        };
        let draw = |n: i64| ((user * 2_654_435_761 + rating.movie_id * 40_503 + n * 97) % 1_000_003) % 100;
        let context = context(user % 4, draw(1), draw(2));
        let at = rating.seconds * 1_000_000;
        let event = |action: &str, rated: Option<f64>, at: i64| Event {
            user_id: rating.user_id.clone(),
            content_id: *content_id,
            action: action.into(),
            rating: rated,
            progress: None,
            context: match (action, draw(5)) {
                ("view", 0) => Some(context.chars().take(20).collect()),
                ("view", 1 | 2) => None,
                _ => Some(context.clone()),
            },
            occurred_us: at,
            event_id: format!("demo-{action}-{}", rating.movie_id),
        };
        events.push(event("view", None, at));
        events.push(event("rate", Some(rating.stars * 2.0), at));
        if rating.stars >= 3.0 && draw(3) < if user % 4 == 1 { 65 } else { 55 } {
            events.push(event("complete", None, at + 5_400_000_000));
        }
        if rating.stars < 2.5 && draw(4) < 60 {
            events.push(event("skip", None, at + 600_000_000));
        }
        let converts = ((user * 2_654_435_761) % 1_000_003) % 100 < if user % 4 == 1 { 40 } else { 30 };
        if user % 4 < 2 && converts {
            let end = last.entry(user).or_insert((rating, *content_id, at));
            if at > end.2 {
                *end = (rating, *content_id, at);
            }
        }
    }
    for (user, (rating, content_id, at)) in last {
        let draw = |n: i64| ((user * 2_654_435_761 + rating.movie_id * 40_503 + n * 97) % 1_000_003) % 100;
        events.push(Event {
            user_id: rating.user_id.clone(),
            content_id,
            action: "convert".into(),
            rating: None,
            progress: None,
            context: Some(context(user % 4, draw(1), draw(2))),
            occurred_us: at + 7_200_000_000,
            event_id: "demo-convert".into(),
        });
    }
    events
}

fn context(arm: i64, device: i64, location: i64) -> String {
    let device = match device {
        0..40 => "tv",
        40..75 => "mobile",
        75..90 => "desktop",
        _ => "tablet",
    };
    let location = match location {
        0..70 => "home",
        70..80 => "work",
        80..90 => "commute",
        _ => "other",
    };
    let mut context = json!({"device": device, "location": location, "simulated": true});
    let variant = match arm {
        0 => Some("control"),
        1 => Some("enhanced_ml"),
        _ => None,
    };
    if let (Some(variant), Some(object)) = (variant, context.as_object_mut()) {
        object.insert("experimentName".into(), "ranker".into());
        object.insert("experimentVariant".into(), variant.into());
    }
    context.to_string()
}

/// The seeded catalogue of the demo: its titles and users are invented.
fn synthetic() -> Result<(Vec<Movie>, Vec<Rating>)> {
    let scratch = rusqlite::Connection::open_in_memory()?;
    scratch.execute_batch(SYNTHETIC)?;
    let mut movies = scratch.prepare("select cast(movieId as integer), title, genres from staged_movies order by 1")?;
    let movies = movies.query_map([], |row| {
        let (movie_id, genres): (i64, String) = (row.get(0)?, row.get(2)?);
        let genres = json!(genres.split('|').collect::<Vec<_>>()).to_string();
        Ok(Movie { movie_id, content_id: OWN_ID + movie_id, title: row.get(1)?, genres })
    })?;
    let mut ratings = scratch.prepare(
        "select userId, cast(movieId as integer), cast(rating as real), cast(timestamp as integer) from staged_ratings
        order by cast(userId as integer), 2",
    )?;
    let ratings = ratings.query_map([], |row| {
        Ok(Rating { user_id: row.get(0)?, movie_id: row.get(1)?, stars: row.get(2)?, seconds: row.get(3)? })
    })?;
    Ok((movies.collect::<rusqlite::Result<_>>()?, ratings.collect::<rusqlite::Result<_>>()?))
}
