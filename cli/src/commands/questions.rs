//! Two spaces asked the same questions.

use crate::database::{Database, Value};
use crate::failure::Result;
use crate::sql;

const QUESTIONS: &str = include_str!("../../sql/questions.sql");
const SQL: &str = include_str!("../../sql/migrate.sql");

pub struct Answers {
    pub asked: usize,
    /// The questions whose answers differ.
    pub differ: Vec<String>,
}

/// Asks both, about users, contents and experiments of the first.
pub fn compare(first: &mut Database, second: &mut Database) -> Result<Answers> {
    let mut answers = Answers { asked: 0, differ: Vec::new() };
    for question in questions(first)? {
        answers.asked += 1;
        let (a, b) = (ask(first, &question)?, ask(second, &question)?);
        if a != b {
            answers.differ.push(question);
        }
    }
    Ok(answers)
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
