//! What the benches run on: MovieLens latest-small, and the synthetic behaviour of `bench/gen_synth.py`.

use crate::engine::{print_timestamp, Engine, Kind};
use crate::golden::{movielens, read_csv, shared};
use anyhow::{ensure, Context, Result};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

const COLUMNS: [&str; 6] = ["user_id", "content_id", "action", "rating", "context", "occurred_at"];

pub struct Event {
    pub user: String,
    pub content: i64,
    pub action: String,
    /// 0 to 10.
    pub rating: Option<f64>,
    pub context: Option<String>,
    /// Since 1970.
    pub seconds: i64,
}

impl Event {
    pub fn row(self) -> Vec<Option<String>> {
        vec![
            Some(self.user),
            Some(self.content.to_string()),
            Some(self.action),
            self.rating.map(|rating| rating.to_string()),
            self.context,
            Some(print_timestamp(self.seconds * 1_000_000)),
        ]
    }
}

pub struct Content {
    pub id: i64,
    pub title: Option<String>,
    pub genres: Vec<String>,
}

/// A catalogue and the events of its users.
pub struct Data {
    pub name: String,
    pub contents: Vec<Content>,
    events: PathBuf,
    read: fn(&Path) -> Result<Events>,
}

pub type Events = Box<dyn Iterator<Item = Event>>;

impl Data {
    /// MovieLens latest-small, one rating an event, its 0.5 to 5 as 1 to 10; none when it is not here.
    pub fn movielens() -> Result<Option<Self>> {
        let directory = movielens();
        if !directory.join("ratings.csv").is_file() {
            println!("SKIPPED: no MovieLens in {}; set COTASTE_DATA", directory.display());
            return Ok(None);
        }
        let contents = read_csv(directory.join("movies.csv"))?
            .iter()
            .map(|movie| {
                let genres = movie.text("genres").split('|').filter(|genre| !genre.starts_with('('));
                Ok(Content {
                    id: movie.text("movieId").parse()?,
                    title: Some(movie.text("title").into()),
                    genres: genres.map(str::to_string).collect(),
                })
            })
            .collect::<Result<_>>()?;
        let events = directory.join("ratings.csv");
        Ok(Some(Data { name: "MovieLens small".into(), contents, events, read: read_ratings }))
    }

    /// The synthetic set of so many users and items, made once and kept under the target directory.
    pub fn synthetic(target: &Path, users: u32, items: u32) -> Result<Option<Self>> {
        let directory = target.join(format!("synthetic-{users}-{items}"));
        if !make_synthetic(target, &directory, users, items)? {
            return Ok(None);
        }
        let thousands = |n: u32| if n.is_multiple_of(1000) { format!("{}k", n / 1000) } else { n.to_string() };
        let name = format!("synthetic {} x {}", thousands(users), thousands(items));
        Ok(Some(Data { name, ..Self::at(&directory)? }))
    }

    /// A synthetic set by its directory.
    pub fn at(directory: &Path) -> Result<Self> {
        let contents = BufReader::new(File::open(directory.join("contents.tsv"))?)
            .lines()
            .map(|line| {
                let line = line?;
                let (id, genres) = line.split_once('\t').context("contents.tsv")?;
                Ok(Content { id: id.parse()?, title: None, genres: serde_json::from_str(genres)? })
            })
            .collect::<Result<_>>()?;
        let name = directory.display().to_string();
        Ok(Data { name, contents, events: directory.join("events.csv"), read: read_synthetic })
    }

    /// All events into the log.
    pub fn load_log(&self, engine: &mut dyn Engine) -> Result<()> {
        load_events_with_labels(engine, self.events()?)
    }

    /// In their order in the file.
    pub fn events(&self) -> Result<Events> {
        (self.read)(&self.events)
    }

    /// The file of the events.
    pub fn file(&self) -> &Path {
        &self.events
    }

    pub fn load_contents(&self, engine: &mut dyn Engine) -> Result<()> {
        let mut rows = self.contents.iter().map(|content| {
            vec![Some(content.id.to_string()), content.title.clone(), serde_json::to_string(&content.genres).ok()]
        });
        engine.load("contents", &["content_id", "title", "genres"], &mut rows)
    }
}

/// COPY, or one transaction of prepared inserts, into the log or a table like it.
pub fn load_events(engine: &mut dyn Engine, table: &str, events: impl Iterator<Item = Event>) -> Result<()> {
    engine.load(table, &COLUMNS, &mut events.map(Event::row))
}

/// The same with the columns read from the contexts, which `record_behavior` writes in SQLite and Postgres generates.
pub fn load_events_with_labels(engine: &mut dyn Engine, events: impl Iterator<Item = Event>) -> Result<()> {
    if engine.kind() == Kind::Postgres {
        return load_events(engine, "user_behaviors", events);
    }
    const LABELS: [(&str, &str); 6] = [
        ("time_of_day", "timeOfDay"),
        ("day_of_week", "dayOfWeek"),
        ("device", "device"),
        ("location", "location"),
        ("experiment", "experimentName"),
        ("variant", "experimentVariant"),
    ];
    let columns: Vec<&str> =
        COLUMNS.into_iter().chain(LABELS.map(|(column, _)| column)).chain(["context_status"]).collect();
    let mut rows = events.map(|event| {
        let context: serde_json::Value =
            serde_json::from_str(event.context.as_deref().unwrap_or("{}")).unwrap_or_default();
        let labels = LABELS.map(|(_, member)| context.get(member).and_then(|label| label.as_str()).map(str::to_string));
        event.row().into_iter().chain(labels).chain([Some("ok".to_string())]).collect()
    });
    engine.load("user_behaviors", &columns, &mut rows)
}

fn read_ratings(file: &Path) -> Result<Events> {
    let ratings = read_csv(file.to_path_buf())?;
    Ok(Box::new(ratings.into_iter().map(|rating| Event {
        user: rating.text("userId").into(),
        content: rating.text("movieId").parse().unwrap_or_default(),
        action: "rate".into(),
        rating: rating.text("rating").parse().ok().map(|stars: f64| stars * 2.0),
        context: None,
        seconds: rating.text("timestamp").parse().unwrap_or_default(),
    })))
}

/// Its ratings of 0.5 to 5 as 1 to 10.
fn read_synthetic(file: &Path) -> Result<Events> {
    let reader = BufReader::with_capacity(1 << 20, File::open(file)?);
    Ok(Box::new(reader.lines().map_while(std::result::Result::ok).filter_map(|line| {
        let mut cells = line.split('\t');
        Some(Event {
            user: cells.next()?.into(),
            content: cells.next()?.parse().ok()?,
            action: cells.next()?.into(),
            rating: cells.next()?.parse().ok().map(|stars: f64| stars * 2.0),
            context: Some(cells.next()?.into()),
            seconds: cells.next()?.parse().ok()?,
        })
    })))
}

/// False when the generator is not here.
fn make_synthetic(target: &Path, directory: &Path, users: u32, items: u32) -> Result<bool> {
    let script = shared().join("bench/gen_synth.py");
    if directory.join("contents.tsv").is_file() {
        return Ok(true);
    }
    if !script.is_file() {
        println!("SKIPPED: no {}; set COTASTE_SHARED", script.display());
        return Ok(false);
    }
    let python = python(target, &["numpy", "pandas"])?;
    if !directory.join("events.csv").is_file() {
        println!("making the synthetic set of {users} users and {items} items ...");
        // Under another name until it is complete.
        let part = directory.with_extension("part");
        let mut make = Command::new(&python);
        make.arg(script).args(["--users", &users.to_string(), "--items", &items.to_string(), "--csv", "--out"]);
        succeed(make.arg(&part))?;
        std::fs::rename(part, directory)?;
    }
    let contents = crate::repository().join("tests/bench/contents.py");
    succeed(Command::new(&python).arg(contents).arg(directory))?;
    Ok(true)
}

/// A Python of our own under the target directory that has these packages.
pub fn python(target: &Path, packages: &[&str]) -> Result<PathBuf> {
    python_in(&target.join("venv"), packages)
}

/// The same in a directory of its own.
pub fn python_in(venv: &Path, packages: &[&str]) -> Result<PathBuf> {
    let python = venv.join("bin/python");
    if !python.is_file() {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    }
    let import = format!("import {}", packages.join(", "));
    if !Command::new(&python).args(["-c", &import]).stderr(std::process::Stdio::null()).status()?.success() {
        println!("installing {} into {} ...", packages.join(" and "), venv.display());
        succeed(Command::new(venv.join("bin/pip")).args(["install", "-q"]).args(packages))?;
    }
    Ok(python)
}

pub fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
