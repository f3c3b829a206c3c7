//! `cotaste demo`: a catalogue with events and an experiment, and eight questions to it.

use super::{contents, init};
use crate::args::{Connect, Demo};
use crate::database::{Database, Table, Value};
use crate::event::Event;
use crate::failure::{Failure, Result};
use crate::output::{grouped, Output};
use crate::sink::{self, Mode, Seal};
use crate::source::movielens::{self, Movie, Rating};
use crate::Ended;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};

const TOUR: &str = include_str!("../../sql/tour.sql");
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
            None => synthetic(),
        };
        contents::write(&mut database, &contents::of_movies(&movies))?;
        let events = events(&movies, &ratings);
        output.note(&format!(
            "{} contents, {} events; completions, devices and the experiment are simulated",
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
            output.done(&format!("{question}\n{}\n", rounded(&table).text()), json!(null));
        }
        answers.push(json!({"question": question.trim_start_matches("-- "), "rows": table.json()}));
    }
    if output.json {
        output.done("", json!({"database": database.name(), "answers": answers}));
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

/// What MovieLens lacks is simulated as demo/events.sql tells: a view and a rating are given, completions, devices,
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
            context: Some(context.clone()),
            occurred_us: at,
            event_id: format!("demo-{action}-{}", rating.movie_id),
        };
        events.push(event("view", None, at));
        events.push(event("rate", Some(rating.stars * 2.0), at));
        if rating.stars >= 3.0 && draw(3) < if user % 4 == 1 { 65 } else { 55 } {
            events.push(event("complete", None, at + 5_400_000_000));
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

const GENRES: [&str; 18] = [
    "Action",
    "Adventure",
    "Animation",
    "Children",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];

/// A seeded catalogue of the shape of MovieLens, the one of demo/synthetic.sql: 2,000 movies, 300 users.
fn synthetic() -> (Vec<Movie>, Vec<Rating>) {
    let next = |x: i64| (x * 1_103_515_245 + 12_345) % 2_147_483_648;
    let genre = |at: i64| GENRES.get((at % 18) as usize).copied().unwrap_or_default();
    let mut movies = Vec::new();
    let mut x = 12_345;
    for id in 1..=2000 {
        let mut genres = vec![genre(x / 7)];
        if (x / 11) % 3 != 0 {
            genres.push(genre(x / 7 + 1 + (x / 13) % 17));
        }
        let title = format!("Synthetic movie {id} ({})", 1960 + id % 60);
        movies.push(Movie { movie_id: id, content_id: 1_000_000_000 + id, title, genres: json!(genres).to_string() });
        x = next(x);
    }
    // The first draw of a user and a movie counts.
    let mut drawn: BTreeMap<(i64, i64), (f64, i64)> = BTreeMap::new();
    let mut x = 20_260_101_i64;
    for n in 1..=90_000_i64 {
        if n % 2 == 0 {
            // A movie's rank decides how often it is drawn: the square of a uniform draw favours the low ids.
            let uniform = ((n * 7919) % 100_003) as f64 / 100_003.0;
            let movie = 1 + (1999.0 * uniform * uniform) as i64;
            let stars = 0.5 * (3 + (x / 65_536) % 8) as f64;
            drawn.entry((1 + (x / 16) % 300, movie)).or_insert((stars, 1_500_000_000 + (x / 32) % 40_000_000));
        }
        x = next(x);
    }
    let rating = |((user, movie_id), (stars, seconds)): ((i64, i64), (f64, i64))| Rating {
        user_id: user.to_string(),
        movie_id,
        stars,
        seconds,
    };
    (movies, drawn.into_iter().map(rating).collect())
}
