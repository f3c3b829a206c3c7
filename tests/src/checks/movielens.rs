//! MovieLens on every engine: loaded alike, asked alike, the answers left for the comparison. Without the data set a
//! seeded catalogue of the same shape stands in.

use crate::compare::Answers;
use crate::engine::{print_timestamp, Host};
use crate::golden::{movielens, read_csv};
use crate::report::Report;
use anyhow::{ensure, Context, Result};
use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

pub fn run(host: &mut dyn Host, report: &mut Report, answers: &Answers) -> Result<()> {
    let data = match movielens() {
        directory if directory.join("ratings.csv").is_file() => Data::read(&directory)?,
        directory => {
            report.skip(
                "MovieLens",
                &format!("{} is not here; set COTASTE_DATA. A seeded catalogue stands in", directory.display()),
            );
            Data::seeded()
        }
    };
    let mut engine = host.space()?;
    let start = Instant::now();
    let mut contents = data
        .contents
        .iter()
        .map(|(id, title, genres)| vec![Some(id.to_string()), Some(title.clone()), Some(genres.clone())]);
    engine.load("contents", &["content_id", "title", "genres"], &mut contents)?;
    let columns = ["user_id", "content_id", "action", "rating", "context", "occurred_at"];
    engine.load("user_behaviors", &columns, &mut data.ratings.iter().flat_map(events))?;
    // As the README says of large files: load, then refresh once.
    engine.exec("select cotaste_refresh(); analyze")?;
    report.note(&format!("loaded in {:.1} s", start.elapsed().as_secs_f64()));
    let before = report.passed;
    let mut slowest = (0.0, String::new());
    for (name, sql) in questions()? {
        let start = Instant::now();
        report.row(&name, || {
            let rows = engine.query(&sql)?;
            answers.leave("movielens", &name, &rows)
        });
        let seconds = start.elapsed().as_secs_f64();
        if seconds > slowest.0 {
            slowest = (seconds, name);
        }
    }
    report.rows_done("questions answered", before);
    report.note(&format!("the slowest: {}, {:.1} s", slowest.1, slowest.0));
    Ok(())
}

/// `-- ask: name`, then one statement, as often as there are questions.
fn questions() -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(crate::repository().join("tests/cases/movielens.sql"))?;
    let blocks = text.split("-- ask: ").skip(1);
    let questions: Vec<(String, String)> = blocks
        .map(|block| {
            let (name, sql) = block.split_once('\n').context("a question without a statement")?;
            Ok((name.to_string(), sql.trim().trim_end_matches(';').to_string()))
        })
        .collect::<Result<_>>()?;
    ensure!(questions.len() >= 40, "only {} questions", questions.len());
    Ok(questions)
}

struct Rating {
    user: i64,
    content: i64,
    /// 1 to 10.
    value: i64,
    seconds: i64,
}

struct Data {
    contents: Vec<(i64, String, String)>,
    ratings: Vec<Rating>,
}

impl Data {
    /// Content ids are TMDB's where links.csv has one that is not taken.
    fn read(directory: &std::path::Path) -> Result<Self> {
        let mut taken = HashSet::new();
        let mut ids = BTreeMap::new();
        for row in read_csv(directory.join("links.csv"))? {
            let movie: i64 = row.text("movieId").parse()?;
            let tmdb = row.text("tmdbId").parse().ok().filter(|id: &i64| taken.insert(*id));
            ids.insert(movie, tmdb.unwrap_or(1_000_000_000 + movie));
        }
        let id = |movie: &str| -> Result<i64> { ids.get(&movie.parse()?).copied().context("a movie without a link") };
        let mut data = Data { contents: Vec::new(), ratings: Vec::new() };
        for row in read_csv(directory.join("movies.csv"))? {
            let genres: Vec<&str> = row.text("genres").split('|').filter(|genre| !genre.starts_with('(')).collect();
            data.contents.push((
                id(row.text("movieId"))?,
                row.text("title").to_string(),
                serde_json::to_string(&genres)?,
            ));
        }
        for row in read_csv(directory.join("ratings.csv"))? {
            let stars: f64 = row.text("rating").parse()?;
            data.ratings.push(Rating {
                user: row.text("userId").parse()?,
                content: id(row.text("movieId"))?,
                value: (stars * 2.0) as i64,
                seconds: row.text("timestamp").parse()?,
            });
        }
        Ok(data)
    }

    fn seeded() -> Self {
        const GENRES: [&str; 8] = ["Drama", "Comedy", "War", "Western", "Horror", "Кино", "Sci-Fi", "Film-Noir"];
        let mut state = 7u64;
        let mut below = |limit: i64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % limit as u64) as i64
        };
        let contents = (1..=2000).map(|id| {
            let genres: Vec<&str> = GENRES.iter().filter(|_| below(4) == 0).copied().collect();
            (id, format!("Title {id}"), serde_json::to_string(&genres).unwrap_or_default())
        });
        let contents = contents.collect();
        let ratings = (0..60_000).map(|_| {
            let (user, popular) = (1 + below(610), below(2000).min(below(2000)));
            Rating { user, content: 1 + popular, value: 1 + below(10), seconds: 850_000_000 + below(680_000_000) }
        });
        Data { contents, ratings: ratings.collect() }
    }
}

/// A rating is an event; what MovieLens lacks is derived from its numbers: views, completions, skips and contexts.
fn events(rating: &Rating) -> Vec<Vec<Option<String>>> {
    let hash = rating.user * 31 + rating.content * 17;
    let event = |action: &str, value: Option<String>, seconds: i64, context: Option<String>| {
        let at = print_timestamp((rating.seconds + seconds) * 1_000_000);
        vec![
            Some(rating.user.to_string()),
            Some(rating.content.to_string()),
            Some(action.into()),
            value,
            context,
            Some(at),
        ]
    };
    let mut events = Vec::new();
    if hash % 3 == 0 {
        events.push(event("view", None, -5400, context(rating, hash)));
    }
    if hash % 3 == 0 && rating.value > 5 {
        events.push(event("complete", None, -60, None));
    }
    if rating.value < 3 {
        events.push(event("skip", None, -30, None));
    }
    events.push(event("rate", Some(rating.value.to_string()), 0, None));
    events
}

/// Mostly good; some truncated, some of a wrong type, some in the experiment `ranker` by the user's number.
fn context(rating: &Rating, hash: i64) -> Option<String> {
    let device = ["tv", "phone", "web", "tablet"][(rating.user % 4) as usize];
    let variant = ["control", "enhanced_ml", "", ""][(rating.user % 4) as usize];
    Some(match hash % 50 {
        0 => format!("{{\"device\":\"{device}"),
        1 => format!("{{\"device\":\"{device}\",\"timeOfDay\":18}}"),
        2..=20 => format!("{{\"device\":\"{device}\",\"timeOfDay\":\"evening\"}}"),
        _ if variant.is_empty() => format!("{{\"device\":\"{device}\"}}"),
        _ => format!("{{\"experimentName\":\"ranker\",\"experimentVariant\":\"{variant}\",\"device\":\"{device}\"}}"),
    })
}
