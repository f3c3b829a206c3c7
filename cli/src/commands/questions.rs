//! Two spaces asked the same questions.

use crate::database::{Database, Value};
use crate::failure::{Failure, Result};
use crate::sql;

const QUESTIONS: &str = include_str!("../../sql/questions.sql");
const SQL: &str = include_str!("../../sql/migrate.sql");

pub struct Answers {
    pub asked: usize,
    /// The questions whose answers differ.
    pub differ: Vec<String>,
}

/// Asks both at once, about users, contents and experiments of the first.
pub fn compare(first: &mut Database, second: &mut Database) -> Result<Answers> {
    let questions = questions(first)?;
    let all =
        |database: &mut Database| questions.iter().map(|question| ask(database, question)).collect::<Result<Vec<_>>>();
    let (a, b) = std::thread::scope(|scope| {
        let second = scope.spawn(|| all(second));
        let ended = |_| Err(Failure::argument("the asking thread ended", "Report it."));
        (all(first), second.join().unwrap_or_else(ended))
    });
    let (a, b) = (a?, b?);
    let differ =
        questions.iter().zip(a.iter().zip(&b)).filter(|(_, (a, b))| a != b).map(|(question, _)| question.clone());
    Ok(Answers { asked: questions.len(), differ: differ.collect() })
}

/// Rows as texts: a boolean is a number in one engine, a whole sum a double in the other.
fn ask(database: &mut Database, question: &str) -> Result<Vec<Vec<String>>> {
    let print = |value: &Value| match value {
        Value::Bool(value) => i64::from(*value).to_string(),
        Value::Null => "NULL".into(),
        other => other.text(),
    };
    let table = database.query(question, &[])?;
    Ok(table.rows.iter().map(|row| row.iter().map(print).collect()).collect())
}

/// The questions with everything put in.
fn questions(database: &mut Database) -> Result<Vec<String>> {
    let mut column = |name: &str| -> Result<Vec<String>> {
        let table = database.query(sql::named(SQL, name), &[])?;
        Ok(table.rows.iter().filter_map(|row| row.first()).map(literal).collect())
    };
    let (users, contents, experiments) = (column("users")?, column("contents asked")?, column("experiments")?);
    let time = literal(&database.value("select last_activity from cotaste_health", &[])?);
    let mut questions = Vec::new();
    for question in QUESTIONS.split("\n\n").map(str::trim).filter(|text| !text.starts_with("--")) {
        let question = question.replace("{time}", &time);
        if question.contains("{user}") {
            for (i, user) in users.iter().enumerate() {
                let other = users.get((i + 1) % users.len()).unwrap_or(user);
                questions.push(question.replace("{user}", user).replace("{other}", other));
            }
        } else if question.contains("{content}") {
            questions.extend(contents.iter().map(|content| question.replace("{content}", content)));
        } else if question.contains("{experiment}") {
            questions.extend(experiments.iter().map(|experiment| question.replace("{experiment}", experiment)));
        } else {
            questions.push(question);
        }
    }
    Ok(questions)
}

/// A value as it stands in SQL, the same in both engines.
pub fn literal(value: &Value) -> String {
    match value {
        Value::Int(value) => value.to_string(),
        Value::Null => "null".into(),
        other => format!("'{}'", other.text().replace('\'', "''")),
    }
}
