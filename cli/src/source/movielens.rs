//! A folder of MovieLens: movies.csv and links.csv make the catalogue, ratings.csv the events.

use super::{csv, Position, Rejected, Row, Source};
use crate::event::Event;
use crate::failure::{Failure, Result};
use ::csv::{ByteRecord, Reader};
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// One movie as a content.
pub struct Movie {
    pub movie_id: i64,
    pub content_id: i64,
    pub title: String,
    /// A JSON array.
    pub genres: String,
}

/// What is added to MovieLens' own id where it becomes the content id.
pub const OWN_ID: i64 = 1_000_000_000;
const RATINGS: &str = "ratings.csv";

/// The catalogue. The content id is the TMDB id; where there is none, or two movies claim it, 1000000000 + movieId.
pub fn movies(folder: &Path) -> Result<Vec<Movie>> {
    let mut links: HashMap<i64, i64> = HashMap::new();
    for link in Columns::open(folder, "links.csv", ["movieId", "tmdbId"])?.records() {
        let [movie, tmdb] = link?;
        if let (Ok(movie), Ok(tmdb)) = (movie.parse(), tmdb.parse()) {
            links.insert(movie, tmdb);
        }
    }
    let mut claims: HashMap<i64, u32> = HashMap::new();
    links.values().for_each(|tmdb| *claims.entry(*tmdb).or_default() += 1);
    let mut movies = Vec::new();
    for movie in Columns::open(folder, "movies.csv", ["movieId", "title", "genres"])?.records() {
        let [id, title, genres] = movie?;
        let Ok(movie_id) = id.parse() else { continue };
        let tmdb = links.get(&movie_id).filter(|tmdb| claims.get(tmdb) == Some(&1));
        let genres: Vec<&str> = genres.split('|').filter(|genre| *genre != "(no genres listed)").collect();
        let genres = serde_json::Value::from(genres).to_string();
        movies.push(Movie { movie_id, content_id: tmdb.copied().unwrap_or(OWN_ID + movie_id), title, genres });
    }
    Ok(movies)
}

/// A rating as MovieLens has it.
pub struct Rating {
    pub user_id: String,
    pub movie_id: i64,
    pub stars: f64,
    pub seconds: i64,
}

/// The ratings, each an event `rate` of 1 to 10 (MovieLens' 0.5 to 5 doubled). A user rates a movie once, so the event's id
/// is made of the movie's.
pub struct Ratings {
    file: Columns<4>,
    contents: HashMap<i64, i64>,
}

impl Ratings {
    pub fn open(folder: &Path, at: Position) -> Result<Self> {
        let contents = movies(folder)?.into_iter().map(|movie| (movie.movie_id, movie.content_id)).collect();
        let mut file = Columns::open(folder, RATINGS, ["userId", "movieId", "rating", "timestamp"])?;
        if at.offset > 0 {
            let mut position = ::csv::Position::new();
            position.set_byte(at.offset).set_line(at.line + 1);
            file.reader.seek(position).map_err(|error| Failure::file(&file.path, error))?;
        }
        Ok(Ratings { file, contents })
    }

    fn event(&self, fields: [String; 4]) -> std::result::Result<Event, String> {
        let rating = rating(fields)?;
        let unknown = || format!("movieId: {} is not in movies.csv", rating.movie_id);
        let content_id = *self.contents.get(&rating.movie_id).ok_or_else(unknown)?;
        cotaste_core::behavior::check_rating(rating.stars * 2.0).map_err(|error| error.message())?;
        Ok(Event {
            user_id: rating.user_id,
            content_id,
            action: "rate".into(),
            rating: Some(rating.stars * 2.0),
            progress: None,
            context: None,
            occurred_us: rating.seconds.saturating_mul(1_000_000),
            event_id: format!("movielens-{}", rating.movie_id),
        })
    }
}

fn rating([user_id, movie, stars, seconds]: [String; 4]) -> std::result::Result<Rating, String> {
    let wrong = |name: &str, value: &str| format!("{name}: \"{value}\" is not a number");
    let movie_id = movie.parse().map_err(|_| wrong("movieId", &movie))?;
    let stars = stars.parse().map_err(|_| wrong("rating", &stars))?;
    let seconds = seconds.parse().map_err(|_| wrong("timestamp", &seconds))?;
    Ok(Rating { user_id, movie_id, stars, seconds })
}

/// All ratings at once.
pub fn ratings(folder: &Path) -> Result<Vec<Rating>> {
    let mut file = Columns::open(folder, RATINGS, ["userId", "movieId", "rating", "timestamp"])?;
    let path = file.path.clone();
    let read = |fields: Result<[String; 4]>| rating(fields?).map_err(|reason| Failure::file(&path, reason));
    file.records().map(read).collect()
}

impl Source for Ratings {
    fn next(&mut self) -> Result<Option<Row>> {
        let Some(fields) = self.file.next()? else { return Ok(None) };
        let line = self.file.record.position().map_or(0, ::csv::Position::line);
        let reject = |reason| Rejected { reason, row: csv::text(&self.file.record) };
        Ok(Some(Row { line, read: self.event(fields).map_err(reject) }))
    }

    fn position(&self) -> Position {
        let position = self.file.reader.position();
        Position { offset: position.byte(), line: position.line().saturating_sub(1) }
    }
}

/// Some columns of a CSV file.
struct Columns<const N: usize> {
    reader: Reader<File>,
    path: PathBuf,
    places: [usize; N],
    record: ByteRecord,
}

impl<const N: usize> Columns<N> {
    fn open(folder: &Path, name: &str, columns: [&str; N]) -> Result<Self> {
        let path = folder.join(name);
        let (reader, header) = csv::reader(&path)?;
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(columns) {
            let missing = || {
                Failure::argument(
                    format!("{}: there is no column {column}", path.display()),
                    "Is it a MovieLens folder?",
                )
            };
            *place = header.iter().position(|name| name == column).ok_or_else(missing)?;
        }
        Ok(Columns { reader, path, places, record: ByteRecord::new() })
    }

    fn next(&mut self) -> Result<Option<[String; N]>> {
        let more = self.reader.read_byte_record(&mut self.record).map_err(|error| Failure::file(&self.path, error))?;
        let field = |place: usize| String::from_utf8_lossy(self.record.get(place).unwrap_or_default()).into_owned();
        Ok(more.then(|| self.places.map(field)))
    }

    fn records(&mut self) -> impl Iterator<Item = Result<[String; N]>> + '_ {
        std::iter::from_fn(|| self.next().transpose())
    }
}
