//! `cotaste bench`: how fast this space answers, from this machine: the common questions by some clients at once, about its own
//! users and contents. It only reads.

use super::questions::literal;
use crate::args::{Bench, Connect};
use crate::database::{Database, Table, Value};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::sql;
use crate::Ended;
use serde_json::json;
use std::time::{Duration, Instant};

const SQL: &str = include_str!("../../sql/bench.sql");
const SUBJECTS: &str = include_str!("../../sql/migrate.sql");

pub fn run(mut database: Database, connect: &Connect, arguments: &Bench, output: Output) -> Ended {
    let mut column = |name: &str| -> Result<Vec<String>> {
        let table = database.query(sql::named(SUBJECTS, name), &[])?;
        Ok(table.rows.iter().filter_map(|row| row.first()).map(literal).collect())
    };
    let (users, contents) = (column("bench users")?, column("bench contents")?);
    if users.is_empty() {
        return Err(Failure::argument(
            "there are no events to ask about",
            "Import some: cotaste import, or cotaste demo.",
        ));
    }
    let mut table = Table {
        columns: ["question", "calls", "calls/s", "median ms", "p95 ms", "p99 ms"].map(String::from).to_vec(),
        rows: Vec::new(),
    };
    for question in SQL.split("\n\n").map(str::trim).filter(|text| !text.starts_with("--")) {
        let bar = output.bar(0, "{spinner} {msg}");
        bar.set_message(question.to_string());
        let texts: Vec<String> = (0..users.len().max(contents.len()))
            .map(|i| {
                let at = |list: &[String], i: usize| list.get(i % list.len().max(1)).cloned().unwrap_or_default();
                question
                    .replace("{user}", &at(&users, i))
                    .replace("{other}", &at(&users, i * 7 + 1))
                    .replace("{content}", &at(&contents, i))
            })
            .collect();
        let mut times = ask(connect, arguments, &texts)?;
        bar.finish_and_clear();
        times.sort();
        let quantile = |part: f64| {
            times
                .get((times.len() as f64 * part) as usize)
                .map_or(Value::Null, |time| Value::Real((time.as_secs_f64() * 1e6).round() / 1e3))
        };
        let rate = times.len() as f64 / arguments.seconds as f64;
        let calls = i64::try_from(times.len()).unwrap_or(i64::MAX);
        table.rows.push(vec![
            question.into(),
            Value::Int(calls),
            Value::Real(rate.round()),
            quantile(0.5),
            quantile(0.95),
            quantile(0.99),
        ]);
    }
    output.answer(
        &table.text(),
        json!({"clients": arguments.clients, "seconds": arguments.seconds, "questions": table.json()}),
    );
    Ok(None)
}

/// How long each call took: every client asks one after the other until the time is over.
fn ask(connect: &Connect, arguments: &Bench, texts: &[String]) -> Result<Vec<Duration>> {
    let (clients, time) = (arguments.clients as usize, Duration::from_secs(arguments.seconds));
    let client = |number: usize| -> Result<Vec<Duration>> {
        let mut database = Database::open(connect, false)?;
        let begun = Instant::now();
        let mut times = Vec::new();
        for text in texts.iter().cycle().skip(number * texts.len() / clients) {
            let start = Instant::now();
            if start - begun >= time {
                break;
            }
            database.query(text, &[])?;
            times.push(start.elapsed());
        }
        Ok(times)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|number| scope.spawn(move || client(number))).collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(Failure::argument("a client ended", "Report it."))));
        Ok(joined.collect::<Result<Vec<_>>>()?.concat())
    })
}
