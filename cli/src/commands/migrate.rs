//! `cotaste migrate`: a SQLite space into a Postgres one. Every batch is a transaction that also notes how far it is, so
//! that a migration that was killed goes on where it was; at the end both spaces are asked the same questions.

use super::{init, questions};
use crate::args::{Connect, Migrate};
use crate::database::postgres::{Pooled, Postgres};
use crate::database::sqlite::Sqlite;
use crate::database::{Database, Table, Value};
use crate::failure::{Exit, Failure, Result};
use crate::output::{grouped, Output, COUNT};
use crate::sink::{Binary, TABLES};
use crate::sql;
use crate::Ended;
use cotaste_core::time::parse_timestamp;
use indicatif::ProgressBar;
use postgres::types::ToSql;
use serde_json::json;
use std::io::Write;
use std::time::Instant;

const SQL: &str = include_str!("../../sql/migrate.sql");
const SINK: &str = include_str!("../../sql/postgres.sql");
const TASK: &str = "migrate";

pub fn run(connect: &Connect, arguments: &Migrate, output: Output) -> Ended {
    let begun = Instant::now();
    let from = Connect { sqlite: Some(arguments.from.clone()), ..connect.clone() };
    let mut source = Database::open(&from, false)?;
    source.check_space()?;
    let mut target = Database::open(&Connect { sqlite: None, ..connect.clone() }, false)?;
    let Database::Sqlite(sqlite) = &mut source else { return Err(not_postgres()) };
    let plan = Plan::read(sqlite)?;
    plan.check()?;
    if arguments.dry_run {
        output.answer(&plan.text(&target.name()), plan.json());
        return Ok(None);
    }
    let Database::Postgres(_) = &target else { return Err(not_postgres()) };
    let made = init::space(&mut target, connect)?;
    output.note(&format!("{}: {made}", target.name()));
    let Database::Postgres(postgres) = &mut target else { return Err(not_postgres()) };
    let mut work = Work::begin(sqlite, postgres, arguments)?;
    let bar = output.bar(plan.events, COUNT);
    let moved = work.run(&bar)?;
    bar.finish_and_clear();
    let copied = begun.elapsed().as_secs_f64();
    output.note(&format!("{} events copied in {copied:.1} s; asking both the same questions ...", grouped(moved)));
    let differing = questions::compare(&mut source, &mut target)?;
    let seconds = begun.elapsed().as_secs_f64();
    let mut text = format!(
        "{} events and {} contents in {}; {} questions answered alike, {} not; {seconds:.1} s",
        grouped(plan.events),
        grouped(plan.contents),
        target.name(),
        differing.asked - differing.differ.len(),
        differing.differ.len(),
    );
    for question in &differing.differ {
        text += &format!("\n  differs: {question}");
    }
    let fields = json!({
        "events": plan.events, "contents": plan.contents, "copied_now": moved, "asked": differing.asked, "differ": differing.differ,
        "copy_seconds": copied, "seconds": seconds, "not_carried": plan.own,
    });
    output.done(&text, fields);
    Ok((!differing.differ.is_empty()).then_some(Exit::NotWell))
}

fn not_postgres() -> Failure {
    Failure::argument(
        "the target is not Postgres",
        "Name it: cotaste migrate FILE --url postgres://user:password@host/database",
    )
}

/// What there is to move.
struct Plan {
    events: u64,
    contents: u64,
    embeddings: u64,
    settings: u64,
    /// The user's own tables and columns, which are not carried over.
    own: Vec<String>,
    /// Ids of rows that hold what Postgres cannot.
    unfit_events: Vec<String>,
    unfit_contents: Vec<String>,
}

impl Plan {
    fn read(source: &mut Sqlite) -> Result<Self> {
        let totals = source.query(sql::named(SQL, "totals"), &[])?;
        let total = |i: usize| match totals.rows.first().and_then(|row| row.get(i)) {
            Some(Value::Int(value)) => value.unsigned_abs(),
            _ => 0,
        };
        let mut column = |name: &str| -> Result<Vec<String>> {
            let table = source.query(sql::named(SQL, name), &[])?;
            Ok(table.rows.iter().filter_map(|row| row.first()).map(Value::text).collect())
        };
        let own = [column("own columns")?, column("own tables")?].concat();
        let (unfit_events, unfit_contents) = (column("unfit events")?, column("unfit contents")?);
        Ok(Plan {
            events: total(0),
            contents: total(1),
            embeddings: total(2),
            settings: total(3),
            own,
            unfit_events,
            unfit_contents,
        })
    }

    fn check(&self) -> Result<()> {
        let problem = |what: &str, ids: &[String]| {
            let hint = "Postgres holds no U+0000 in texts, and its JSON is valid. Change or remove these rows, then run it again.";
            Err(Failure::argument(format!("{what} that Postgres cannot hold: {}", ids.join(", ")), hint))
        };
        match (self.unfit_events.as_slice(), self.unfit_contents.as_slice()) {
            ([], []) => Ok(()),
            ([], contents) => problem("contents", contents),
            (events, _) => problem("events", events),
        }
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "events": self.events, "contents": self.contents, "embeddings": self.embeddings, "settings": self.settings, "not_carried": self.own, "dry_run": true,
        })
    }

    fn text(&self, target: &str) -> String {
        let mut text = format!(
            "would copy to {target}: {} events, {} contents, {} settings, {} embeddings; nothing was written",
            grouped(self.events),
            grouped(self.contents),
            self.settings,
            grouped(self.embeddings),
        );
        for own in &self.own {
            text += &format!("\n  not carried over, your own: {own}");
        }
        text
    }
}

/// The steps in their order; a step's number is what is noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Settings,
    Contents,
    Events,
    Embeddings,
    State,
    Done,
}

const STEPS: [Step; 6] = [Step::Settings, Step::Contents, Step::Events, Step::Embeddings, Step::State, Step::Done];

struct Work<'a> {
    source: &'a mut Sqlite,
    target: Pooled,
    task: String,
    batch: i64,
    step: Step,
    /// The last id of the step that was copied.
    last: Value,
}

impl<'a> Work<'a> {
    /// Goes on where an earlier run was, or begins in an empty space.
    fn begin(source: &'a mut Sqlite, target: &Postgres, arguments: &Migrate) -> Result<Self> {
        let mut target = target.client()?;
        target.batch_execute(TABLES)?;
        let path = std::fs::canonicalize(&arguments.from).map_err(|error| Failure::file(&arguments.from, error))?;
        let task = format!("{TASK} {}", path.display());
        let known: Option<String> =
            target.query_opt(sql::named(SINK, "checkpoint of"), &[&task])?.map(|row| row.try_get(0)).transpose()?;
        let state = known.as_deref().and_then(|state| serde_json::from_str::<serde_json::Value>(state).ok());
        let step = state
            .as_ref()
            .and_then(|state| state.get("step")?.as_u64())
            .and_then(|step| STEPS.get(step as usize).copied());
        let last = state.as_ref().and_then(|state| state.get("last")?.as_i64()).map_or(Value::Null, Value::Int);
        if step.is_none() && !target.query_one(sql::named(SQL, "is empty"), &[])?.try_get::<_, bool>(0)? {
            let hint = "Migrate into an empty database, or another schema of it: --schema NAME";
            return Err(Failure::argument("the target holds events or contents that are not of this migration", hint));
        }
        // Nobody writes in between: one state of the file is read from beginning to end.
        source.connection.execute_batch("begin")?;
        Ok(Work { source, target, task, batch: arguments.batch, step: step.unwrap_or(Step::Settings), last })
    }

    /// Events copied now.
    fn run(&mut self, bar: &ProgressBar) -> Result<u64> {
        let mut moved = 0;
        if self.step == Step::Settings {
            self.settings()?;
        }
        while self.step == Step::Contents {
            let rows = self.source.query(sql::named(SQL, "contents"), &[self.last.clone(), Value::Int(self.batch)])?;
            self.batch(&rows, Step::Contents, contents)?;
        }
        while self.step == Step::Events {
            let rows = self.source.query(sql::named(SQL, "events"), &[self.last.clone(), Value::Int(self.batch)])?;
            moved += rows.rows.len() as u64;
            self.batch(&rows, Step::Events, events)?;
            bar.inc(rows.rows.len() as u64);
        }
        if self.step == Step::Embeddings {
            self.embeddings()?;
        }
        if self.step == Step::State {
            self.target.batch_execute(sql::named(SQL, "analyze"))?;
            // Not by a refresh, which would purge where the source has not yet.
            self.target.batch_execute("select cotaste_rebuild()")?;
            self.note(Step::Done, Value::Null)?;
        }
        self.source.connection.execute_batch("rollback")?;
        Ok(moved)
    }

    /// Notes how far it is, in the transaction that is open.
    fn note(&mut self, step: Step, last: Value) -> Result<()> {
        let state = json!({"step": step as u64, "last": last.json()}).to_string();
        self.target.execute(sql::named(SINK, "checkpoint"), &[&self.task, &state])?;
        (self.step, self.last) = (step, last);
        Ok(())
    }

    fn settings(&mut self) -> Result<()> {
        let rows = self.source.query(sql::named(SQL, "settings"), &[])?;
        let column = |i: usize| rows.rows.iter().map(|row| texts(row, i)).collect::<Vec<Option<String>>>();
        let (keys, values, descriptions) = (column(0), column(1), column(2));
        self.target.batch_execute("begin")?;
        self.target.execute(sql::named(SQL, "set settings"), &[&keys, &values, &descriptions])?;
        self.target.execute(sql::named(SQL, "drop settings"), &[&keys])?;
        self.note(Step::Contents, Value::Null)?;
        Ok(self.target.batch_execute("commit")?)
    }

    /// One transaction of a step; the first column is the id. An empty one ends the step.
    fn batch(&mut self, rows: &Table, step: Step, write: fn(&mut Pooled, &Table) -> Result<()>) -> Result<()> {
        let next = STEPS.get(step as usize + 1).copied().unwrap_or(Step::Done);
        self.target.batch_execute("begin")?;
        match rows.rows.last().and_then(|row| row.first()) {
            Some(last) => {
                write(&mut self.target, rows)?;
                self.note(step, last.clone())?;
            }
            None => {
                if step == Step::Events {
                    self.target.batch_execute(sql::named(SQL, "next id"))?;
                }
                self.note(next, Value::Null)?;
            }
        }
        Ok(self.target.batch_execute("commit")?)
    }

    /// Embeddings, and what is kept of purged events.
    fn embeddings(&mut self) -> Result<()> {
        let embeddings = self.source.query(sql::named(SQL, "content embeddings"), &[])?;
        let kept = self.source.query(sql::named(SQL, "kept"), &[])?;
        let learned = self.source.query(sql::named(SQL, "learned"), &[])?;
        let contents = self.source.query(sql::named(SQL, "learned contents"), &[])?;
        self.target.batch_execute("begin")?;
        for (name, table) in [
            ("kept of a pair", kept),
            ("content embedding", embeddings),
            ("learned model", learned),
            ("learned content", contents),
        ] {
            let statement = self.target.prepare(sql::named(SQL, name))?;
            for row in &table.rows {
                let values: Vec<&(dyn ToSql + Sync)> = row.iter().map(|value| value as _).collect();
                self.target.execute(&statement, &values)?;
            }
        }
        self.note(Step::State, Value::Null)?;
        Ok(self.target.batch_execute("commit")?)
    }
}

fn contents(target: &mut Pooled, rows: &Table) -> Result<()> {
    target.batch_execute(sql::named(SQL, "stage contents"))?;
    copy(target, "copy contents", rows, |binary, row| {
        binary.row(5);
        binary.integer(integer(row, 0));
        binary.text(texts(row, 1).as_deref());
        binary.text(texts(row, 2).as_deref());
        binary.text(texts(row, 3).as_deref());
        binary.instant(Some(instant(row, 4)?));
        Ok(())
    })?;
    target.batch_execute(sql::named(SQL, "insert contents"))?;
    Ok(())
}

fn events(target: &mut Pooled, rows: &Table) -> Result<()> {
    target.batch_execute(sql::named(SINK, "load"))?;
    copy(target, "copy events", rows, |binary, row| {
        binary.row(9);
        binary.integer(integer(row, 0));
        binary.text(texts(row, 1).as_deref());
        binary.integer(integer(row, 2));
        binary.text(texts(row, 3).as_deref());
        binary.real(real(row, 4));
        binary.real(real(row, 5));
        binary.text(texts(row, 6).as_deref());
        binary.instant(Some(instant(row, 7)?));
        binary.text(texts(row, 8).as_deref());
        Ok(())
    })
}

fn copy(target: &mut Pooled, name: &str, rows: &Table, write: fn(&mut Binary, &[Value]) -> Result<()>) -> Result<()> {
    let mut copy = target.copy_in(sql::named(SQL, name))?;
    let mut binary = Binary::new();
    let broken = |error: std::io::Error| match error.downcast::<postgres::Error>() {
        Ok(error) => Failure::from(error),
        Err(error) => Failure::connection(error.to_string(), "The server went away. Run the command again to go on."),
    };
    for row in &rows.rows {
        write(&mut binary, row)?;
        if let Some(bytes) = binary.full() {
            copy.write_all(&bytes).map_err(broken)?;
        }
    }
    copy.write_all(&binary.end()).map_err(broken)?;
    copy.finish()?;
    Ok(())
}

fn integer(row: &[Value], i: usize) -> Option<i64> {
    match row.get(i) {
        Some(Value::Int(value)) => Some(*value),
        _ => None,
    }
}

fn real(row: &[Value], i: usize) -> Option<f64> {
    match row.get(i) {
        Some(Value::Real(value)) => Some(*value),
        Some(Value::Int(value)) => Some(*value as f64),
        _ => None,
    }
}

fn texts(row: &[Value], i: usize) -> Option<String> {
    row.get(i).filter(|value| **value != Value::Null).map(Value::text)
}

fn instant(row: &[Value], i: usize) -> Result<i64> {
    let text = texts(row, i).unwrap_or_default();
    parse_timestamp(&text).map_err(|error| {
        let id = row.first().map(Value::text).unwrap_or_default();
        Failure::argument(
            format!("row {id}: {}", error.message()),
            "Change the row's time to ISO 8601, then run it again.",
        )
    })
}
