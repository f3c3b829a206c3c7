//! The golden tables, value by value through SQL.

use crate::compare::Answers;
use crate::engine::{hex, quote, quote_or_null, Engine, Host, Kind, NULL};
use crate::golden::{self, close, Row};
use crate::report::Report;
use anyhow::{ensure, Result};
use base64::Engine as _;
use serde_json::Value;

/// The golden tables lie outside of the repository: a clone without them proves what cases/*.slt repeat of them.
pub fn table(name: &str, report: &mut Report) -> Result<Option<Vec<Row>>> {
    if !golden::directory().join(name).is_file() {
        report.skip(name, &format!("{} is not here; set COTASTE_SHARED", golden::directory().display()));
        return Ok(None);
    }
    golden::read(name).map(Some)
}

const ABSOLUTE: f64 = 1e-12;
const RELATIVE: f64 = 1e-9;

pub fn similarity(host: &mut dyn Host, report: &mut Report, _: &Answers) -> Result<()> {
    let Some(rows) = table("similarity.csv", report)? else { return Ok(()) };
    let mut engine = host.uninitialised()?;
    let before = report.passed;
    for row in &rows {
        report.row(&format!("{} {}", row.text("id"), row.text("name")), || {
            let (a, b) = (quote(row.text("items_a")), quote(row.text("items_b")));
            let (x, y) = (quote(row.text("genres_a")), quote(row.text("genres_b")));
            let answer = engine.query(&format!(
                "select jaccard_similarity({a}, {b}), cosine_similarity({x}, {y}),
                   weighted_similarity(jaccard_similarity({a}, {b}), cosine_similarity({x}, {y})),
                   cosine_similarity({y}, {x})"
            ))?;
            let columns = ["jaccard", "cosine", "similarity", "cosine"];
            columns
                .iter()
                .zip(&answer[0])
                .try_for_each(|(column, got)| close(got, row.optional(column), ABSOLUTE, RELATIVE))
        });
        report.row(&format!("{} {} by tastes", row.text("id"), row.text("name")), || by_tastes(engine.as_mut(), row));
    }
    report.rows_done("rows of similarity.csv", before);
    Ok(())
}

/// The same two users as taste values: items numbered, one row an item, one row a genre.
fn by_tastes(engine: &mut dyn Engine, row: &Row) -> Result<()> {
    let mut names: Vec<String> = Vec::new();
    let mut taste = |items: &str, genres: &str| -> Result<String> {
        let mut rows = Vec::new();
        for item in serde_json::from_str::<Vec<Value>>(items)?.iter().filter_map(Value::as_str) {
            let number = names.iter().position(|name| name == item).unwrap_or_else(|| {
                names.push(item.to_string());
                names.len() - 1
            });
            rows.push(format!("({number}, null, null)"));
        }
        for (genre, weight) in serde_json::from_str::<serde_json::Map<String, Value>>(genres)? {
            rows.push(format!("(null, {}, {weight})", quote(&Value::from(vec![genre]).to_string())));
        }
        let null = "(cast(null as bigint), cast(null as text), cast(null as double precision))";
        let rows = if rows.is_empty() { String::new() } else { format!(", {}", rows.join(", ")) };
        Ok(format!("(select taste_agg(column1, column2, column3) from (values {null}{rows}) v)"))
    };
    let (a, b) = (taste(row.text("items_a"), row.text("genres_a"))?, taste(row.text("items_b"), row.text("genres_b"))?);
    let sql = format!(
        "select taste_similarity(a, b), taste_jaccard(a, b), taste_genre_cosine(a, b), taste_shared_items(a, b)
         from (select {a} as a, {b} as b) t"
    );
    let answer = engine.query(&sql)?;
    for (column, got) in ["similarity", "jaccard", "cosine"].iter().zip(&answer[0]) {
        close(got, row.optional(column), ABSOLUTE, RELATIVE)?;
    }
    ensure!(answer[0][3] == row.text("common"), "{} common items expected, got {}", row.text("common"), answer[0][3]);
    Ok(())
}

/// Columns of the table and the functions that give them.
const FIELDS: [(&str, &str); 7] = [
    ("timeOfDay", "time_of_day"),
    ("dayOfWeek", "day_of_week"),
    ("device", "device"),
    ("location", "location"),
    ("experimentName", "experiment"),
    ("experimentVariant", "variant"),
    ("status", "status"),
];

pub fn context(host: &mut dyn Host, report: &mut Report, _: &Answers) -> Result<()> {
    let Some(rows) = table("context_json.csv", report)? else { return Ok(()) };
    let mut engine = host.space()?;
    let before = report.passed;
    for row in &rows {
        let Some(text) = context_text(row)? else { continue };
        if text.as_ref().is_some_and(|text| text.contains('\0')) && engine.kind() == Kind::Postgres {
            report.skip(&format!("{} {}", row.text("id"), row.text("name")), "no client can send U+0000 to Postgres");
            continue;
        }
        report.row(&format!("{} {}", row.text("id"), row.text("name")), || {
            one_context(engine.as_mut(), row, text.as_deref())
        });
    }
    report.rows_done("rows of context_json.csv", before);
    Ok(())
}

/// The input of a row: Some(None) is SQL NULL, None is text that no engine can hold.
fn context_text(row: &Row) -> Result<Option<Option<String>>> {
    if row.text("is_sql_null") == "true" {
        return Ok(Some(None));
    }
    let bytes = match row.optional("input_file") {
        Some(file) => std::fs::read(golden::directory().join(file))?,
        None => base64::engine::general_purpose::STANDARD.decode(row.text("input_base64"))?,
    };
    Ok(String::from_utf8(bytes).ok().map(Some))
}

fn literal(text: Option<&str>) -> String {
    match text {
        Some(text) if text.contains('\0') => format!("cast(x'{}' as text)", hex(text.as_bytes())),
        text => quote_or_null(text),
    }
}

fn one_context(engine: &mut dyn Engine, row: &Row, text: Option<&str>) -> Result<()> {
    let wanted: Vec<&str> = FIELDS.iter().map(|(column, _)| row.optional(column).unwrap_or(NULL)).collect();
    let input = literal(text);
    // The functions are strict; the table function and the log say 'empty' for NULL.
    if text.is_some() {
        let calls: Vec<String> = FIELDS.iter().map(|(_, name)| format!("context_{name}({input})")).collect();
        let got = engine.query(&format!("select {}", calls.join(", ")))?;
        ensure!(got[0] == wanted, "functions: {wanted:?} expected, got {:?}", got[0]);
    }
    let columns = "time_of_day, day_of_week, device, location, experiment, variant, context_status";
    let got = engine.query(&format!("select {columns} from parse_context({input})"))?;
    ensure!(got == [wanted.clone()], "parse_context: {wanted:?} expected, got {got:?}");
    engine.exec("delete from user_behaviors")?;
    engine.exec(&format!(
        "insert into user_behaviors(user_id, content_id, action, context) values ('ann', 1, 'view', {input})"
    ))?;
    let got = engine.query(&format!("select {columns} from cotaste_events"))?;
    ensure!(got == [wanted.clone()], "cotaste_events: {wanted:?} expected, got {got:?}");
    let kept = engine.value("select context from user_behaviors")?;
    ensure!(kept == text.unwrap_or(NULL), "the raw text was not kept byte for byte");
    let id = engine.value(&format!("select record_behavior('bob', 1, 'view', null, {input})"))?;
    let got = engine.query(&format!("select {columns} from cotaste_events where user_id = 'bob' and id = {id}"))?;
    ensure!(got == [wanted.clone()], "record_behavior: {wanted:?} expected, got {got:?}");
    let kept = engine.value("select context from user_behaviors where user_id = 'bob'")?;
    ensure!(kept == text.unwrap_or(NULL), "record_behavior did not keep the raw text byte for byte");
    Ok(())
}

pub fn time_slots(host: &mut dyn Host, report: &mut Report, _: &Answers) -> Result<()> {
    let Some(rows) = table("timeslots.csv", report)? else { return Ok(()) };
    let mut engine = host.uninitialised()?;
    let before = report.passed;
    for row in &rows {
        report.row(row.text("id"), || {
            let (utc, zone, us) = (row.text("utc"), row.text("tz"), row.text("epoch_us"));
            let got = engine.query(&format!(
                "select time_slot('{utc}', '{zone}'), day_of_week('{utc}', '{zone}'), to_epoch_us('{utc}'),
                   time_slot(from_epoch_us({us}), '{zone}'), day_of_week(from_epoch_us({us}), '{zone}')"
            ))?;
            let (slot, day) = (row.text("slot"), row.text("day_of_week"));
            let wanted = [slot, day, us, slot, day];
            ensure!(got[0] == wanted, "{wanted:?} expected, got {:?}", got[0]);
            Ok(())
        });
    }
    report.rows_done("rows of timeslots.csv", before);
    Ok(())
}
