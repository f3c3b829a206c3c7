//! Where rows come from: files of events, read from a position on.

mod csv;
mod jsonl;
pub mod movielens;
mod parquet;

use crate::args::Format;
use crate::event::{Defaults, Event, Field};
use crate::failure::{Failure, Result};
use std::path::Path;

pub use csv::{reader as csv_reader, CsvFile};
pub use jsonl::{event as jsonl_event, JsonLines};
pub use parquet::ParquetFile;

/// One row of a source.
pub struct Row {
    /// Its line, or its number in a Parquet file; the first is 1.
    pub line: u64,
    pub read: std::result::Result<Event, Rejected>,
}

/// Why a row is no event, and the row.
#[derive(Clone, Debug)]
pub struct Rejected {
    pub reason: String,
    pub row: String,
}

/// Where to go on: a byte of a text, or a row of a Parquet file; and the lines before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub offset: u64,
    pub line: u64,
}

pub trait Source: Send {
    /// The next row, or none at the end.
    fn next(&mut self) -> Result<Option<Row>>;
    /// Behind the last row that was read.
    fn position(&self) -> Position;
}

/// How columns become events.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// Column of the file, field of ours.
    pub columns: Vec<(String, Field)>,
    pub defaults: Defaults,
}

impl Mapping {
    /// The field a column holds, by `--map` or by its name.
    pub fn field(&self, column: &str) -> Option<Field> {
        let mapped = self.columns.iter().find(|(name, _)| name == column).map(|(_, field)| *field);
        let taken = |field: &Field| !self.columns.iter().any(|(_, mapped)| mapped == field);
        mapped.or_else(|| Field::named(column).filter(taken))
    }

    /// The fields of a file's columns; an error when what an event needs is not there or is there twice.
    pub fn fields<'a>(&self, path: &Path, columns: impl Iterator<Item = &'a str>) -> Result<Vec<Option<Field>>> {
        let columns: Vec<&str> = columns.collect();
        let fields: Vec<Option<Field>> = columns.iter().map(|column| self.field(column)).collect();
        let problem = |text: String| {
            let hint = format!("The columns are: {}. Name what they are with --map COLUMN=FIELD.", columns.join(", "));
            Err(Failure::argument(format!("{}: {text}", path.display()), hint))
        };
        for (field, default) in [
            (Field::User, false),
            (Field::Content, false),
            (Field::Action, self.defaults.action.is_some()),
            (Field::Time, self.defaults.time_us.is_some()),
        ] {
            if !default && !fields.contains(&Some(field)) {
                return problem(format!("there is no column {}", field.name()));
            }
        }
        for (i, field) in fields.iter().enumerate() {
            if let Some(field) = field.filter(|field| fields.iter().take(i).any(|other| *other == Some(*field))) {
                return problem(format!("two columns hold {}", field.name()));
            }
        }
        Ok(fields)
    }
}

/// What a file is, by its name.
pub fn format(path: &Path) -> Result<Format> {
    if path.is_dir() {
        return Ok(Format::Movielens);
    }
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "csv" => Ok(Format::Csv),
        "jsonl" | "ndjson" | "json" => Ok(Format::Jsonl),
        "parquet" | "pq" => Ok(Format::Parquet),
        _ => Err(Failure::argument(
            format!("{}: its name does not tell what it is", path.display()),
            "Say it: --format csv, jsonl, parquet or movielens.",
        )),
    }
}

/// Opens a file of events at a position.
pub fn open(path: &Path, format: Format, mapping: &Mapping, at: Position) -> Result<Box<dyn Source>> {
    Ok(match format {
        Format::Csv => Box::new(CsvFile::open(path, mapping, at)?),
        Format::Jsonl => Box::new(JsonLines::open(path, mapping, at)?),
        Format::Parquet => Box::new(ParquetFile::open(path, mapping, at)?),
        Format::Movielens => Box::new(movielens::Ratings::open(path, at)?),
    })
}
