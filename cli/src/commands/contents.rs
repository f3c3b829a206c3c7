//! The catalogue: contents from CSV, JSON lines or MovieLens, by content id; what is there is overwritten.

use crate::args::Format;
use crate::database::Database;
use crate::failure::{Failure, Result};
use crate::output::{grouped, Output};
use crate::source::movielens;
use crate::sql;
use rusqlite::params;
use serde_json::{json, Value};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

const SQL: &str = include_str!("../../sql/contents.sql");
/// Contents a statement.
const BATCH: usize = 5_000;

/// One row of `contents`; genres and attributes are JSON.
#[derive(Clone, Debug, Default)]
pub struct Content {
    pub content_id: i64,
    pub title: Option<String>,
    pub genres: Option<String>,
    pub attributes: Option<String>,
}

pub fn import(database: &mut Database, path: &Path, format: Format, output: Output) -> Result<()> {
    let contents = match format {
        Format::Movielens => of_movies(&movielens::movies(path)?),
        Format::Csv => read_csv(path)?,
        Format::Jsonl => read_jsonl(path)?,
        Format::Parquet => {
            return Err(Failure::argument("contents are not read from Parquet", "Give them as CSV or JSON lines."))
        }
    };
    let changed = write(database, &contents)?;
    let text = format!("{} contents read, {} new or changed", grouped(contents.len() as u64), grouped(changed));
    match format {
        Format::Movielens => output.note(&text),
        _ => output.done(&text, json!({"contents": contents.len(), "changed": changed})),
    }
    Ok(())
}

pub fn of_movies(movies: &[movielens::Movie]) -> Vec<Content> {
    let content = |movie: &movielens::Movie| Content {
        content_id: movie.content_id,
        title: Some(movie.title.clone()),
        genres: Some(movie.genres.clone()),
        attributes: None,
    };
    movies.iter().map(content).collect()
}

/// How many rows were new or changed; all or none are written.
pub fn write(database: &mut Database, contents: &[Content]) -> Result<u64> {
    let mut changed = 0;
    match database {
        Database::Sqlite(sqlite) => {
            let transaction = sqlite.connection.transaction()?;
            let mut statement = transaction.prepare(sql::named(SQL, "sqlite"))?;
            for content in contents {
                let Content { content_id, title, genres, attributes } = content;
                changed += statement.execute(params![content_id, title, genres, attributes])? as u64;
            }
            drop(statement);
            transaction.commit()?;
        }
        Database::Postgres(postgres) => {
            let mut client = postgres.client()?;
            let mut transaction = client.transaction()?;
            for some in contents.chunks(BATCH) {
                let ids: Vec<i64> = some.iter().map(|content| content.content_id).collect();
                let titles: Vec<Option<&str>> = some.iter().map(|content| content.title.as_deref()).collect();
                let genres: Vec<Option<&str>> = some.iter().map(|content| content.genres.as_deref()).collect();
                let attributes: Vec<Option<&str>> = some.iter().map(|content| content.attributes.as_deref()).collect();
                changed += transaction.execute(sql::named(SQL, "postgres"), &[&ids, &titles, &genres, &attributes])?;
            }
            transaction.commit()?;
        }
    }
    Ok(changed)
}

fn read_csv(path: &Path) -> Result<Vec<Content>> {
    let (mut reader, columns) = crate::source::csv_reader(path)?;
    let place = |name: &str| columns.iter().position(|column| column == name);
    let missing = || {
        Failure::argument(
            format!("{}: there is no column content_id", path.display()),
            "The columns are content_id, title, genres, attributes.",
        )
    };
    let (id, title, genres, attributes) =
        (place("content_id").ok_or_else(missing)?, place("title"), place("genres"), place("attributes"));
    let mut contents = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| Failure::file(path, error))?;
        let text = |place: Option<usize>| {
            place.and_then(|place| record.get(place)).filter(|text| !text.is_empty()).map(str::to_string)
        };
        let line = record.position().map_or(0, csv::Position::line);
        let attributes = text(attributes);
        if attributes.as_deref().is_some_and(|text| serde_json::from_str::<Value>(text).is_err()) {
            return Err(wrong(path, line, "attributes is not JSON"));
        }
        contents.push(Content {
            content_id: text(Some(id))
                .and_then(|text| text.trim().parse().ok())
                .ok_or_else(|| wrong(path, line, "content_id is not an integer"))?,
            title: text(title),
            genres: text(genres).map(|text| if text.trim_start().starts_with('[') { text } else { of_bars(&text) }),
            attributes,
        });
    }
    Ok(contents)
}

/// `Drama|Thriller` as a JSON array.
fn of_bars(genres: &str) -> String {
    Value::from(genres.split('|').collect::<Vec<_>>()).to_string()
}

fn read_jsonl(path: &Path) -> Result<Vec<Content>> {
    let file = File::open(path).map_err(|error| Failure::file(path, error))?;
    let mut contents = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| Failure::file(path, error))?;
        if line.trim().is_empty() {
            continue;
        }
        let number = number as u64 + 1;
        let object: Value = serde_json::from_str(&line).map_err(|_| wrong(path, number, "is not JSON"))?;
        let get = |names: [&str; 2]| names.iter().find_map(|name| object.get(name)).filter(|value| !value.is_null());
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
        contents.push(Content {
            content_id: get(["content_id", "contentId"])
                .and_then(Value::as_i64)
                .ok_or_else(|| wrong(path, number, "content_id is not an integer"))?,
            title: get(["title", "title"]).map(text),
            genres: get(["genres", "genres"]).map(text),
            attributes: get(["attributes", "attributes"]).map(Value::to_string),
        });
    }
    Ok(contents)
}

fn wrong(path: &Path, line: u64, problem: &str) -> Failure {
    Failure::argument(
        format!("{}, line {line}: {problem}", path.display()),
        "Nothing was written; mend the file and import it again.",
    )
}
