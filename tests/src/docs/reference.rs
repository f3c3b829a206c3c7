//! docs/reference.md, from what a space says of itself: names, arguments, columns and comments are read from Postgres'
//! catalogue, where the texts of sql/ put them; docs/reference.sql holds their order and an example each.

use crate::engine::Engine;
use anyhow::{bail, ensure, Context, Result};
use serde_json::Value;
use std::collections::BTreeSet;

const CATALOGUE: &str = include_str!("catalogue.sql");

/// A line of docs/reference.sql begins a section, an entry, a remark or a list of internal names; all else is SQL.
enum Line<'a> {
    Section(&'a str),
    Entry(&'a str),
    Remark(&'a str),
    Internal(&'a str),
    Sql(&'a str),
}

fn line(text: &str) -> Line<'_> {
    let Some(comment) = text.strip_prefix("--") else { return Line::Sql(text) };
    let comment = comment.trim_start();
    if let Some(name) = comment.strip_prefix("## ") {
        Line::Entry(name)
    } else if let Some(title) = comment.strip_prefix("# ") {
        Line::Section(title)
    } else if let Some(names) = comment.strip_prefix("internal: ") {
        Line::Internal(names)
    } else {
        Line::Remark(comment)
    }
}

/// A remark that says where the example below it runs.
pub const POSTGRES_ONLY: &str = "Postgres only.";

/// A remark for an example whose output is not the same every time.
const VARIES: &str = "What the example gives varies.";

/// The page without its outputs.
pub fn skeleton(engine: &mut dyn Engine, source: &str) -> Result<String> {
    let catalogue: Value = serde_json::from_str(&engine.value(CATALOGUE)?)?;
    let mut told: BTreeSet<&str> = BTreeSet::new();
    let (mut page, mut sql, mut words, mut internal) =
        (String::from("# Reference\n\n"), String::new(), "", String::new());
    for text in source.lines().chain(["--"]) {
        let line = line(text);
        if !matches!(line, Line::Sql(_)) && !sql.trim().is_empty() {
            end_paragraph(&mut page);
            page += &format!("```sql{words}\n{}\n```\n\n", sql.trim());
            sql.clear();
        }
        match line {
            Line::Section(title) => {
                end_paragraph(&mut page);
                page += &format!("## {title}\n\n");
            }
            Line::Entry(name) => {
                end_paragraph(&mut page);
                page += &format!("### {name}\n\n");
                for name in name.split(", ") {
                    page += &entry(name, &catalogue[name]).with_context(|| format!("{name} is not there"))?;
                    ensure!(told.insert(name), "{name} is there twice");
                }
                words = "";
            }
            Line::Remark("") => end_paragraph(&mut page),
            Line::Remark(remark) => {
                page.extend([remark, "\n"]);
                words = match remark {
                    POSTGRES_ONLY => " postgres",
                    VARIES => " varies",
                    _ => words,
                };
            }
            Line::Sql(text) => sql.extend([text, "\n"]),
            Line::Internal(names) => {
                for name in names.split(", ") {
                    let comment = catalogue[name]["comment"].as_str().with_context(|| format!("no {name}"))?;
                    internal += &format!("| `{name}` | {} |\n", comment.replace('|', "\\|"));
                    ensure!(told.insert(name), "{name} is there twice");
                }
            }
        }
    }
    everything_is_told(&catalogue, &told)?;
    Ok(format!("{}\n\n| name | what it is |\n|---|---|\n{internal}", page.trim_end()))
}

fn end_paragraph(page: &mut String) {
    while !page.ends_with("\n\n") {
        page.push('\n');
    }
}

/// Every function and aggregate, every relation of the core's catalogue, and every view and table without our prefix.
fn everything_is_told(catalogue: &Value, told: &BTreeSet<&str>) -> Result<()> {
    let files = std::fs::read_dir(crate::repository().join("sql/common/relations"))?;
    let relations: BTreeSet<String> =
        files.map(|file| Ok(file?.file_name().to_string_lossy().replace(".sql", ""))).collect::<Result<_>>()?;
    let offered = catalogue.as_object().context("no catalogue")?;
    let is_public = |name: &str, object: &Value| {
        relations.contains(name) || !object["forms"][0].is_null() || !name.starts_with("cotaste_")
    };
    let missing: Vec<_> = offered
        .iter()
        .filter(|(name, o)| is_public(name, o) && !told.contains(name.as_str()))
        .map(|(n, _)| n)
        .collect();
    ensure!(missing.is_empty(), "docs/reference.sql lacks {missing:?}");
    Ok(())
}

fn entry(name: &str, object: &Value) -> Result<String> {
    let comment = object["comment"].as_str().context("no comment")?;
    let kind = object["kind"].as_str().context("no kind")?;
    let is_relation = matches!(kind, "view" | "table");
    let mut forms = if is_relation { vec![format!("`{name}` ({kind})")] } else { vec![] };
    for form in forms_of(object)? {
        let kind = if kind == "aggregate" { " (aggregate)" } else { "" };
        forms.push(format!("`{name}{form}`{kind}"));
    }
    let mut text = format!("{}<br>\n{}.\n", forms.join("<br>\n"), sentence(comment));
    if let Some(columns) = object["columns"].as_str() {
        let columns: Vec<String> = columns.split(", ").map(column).collect();
        text += &format!("Columns: {}.\n", columns.join(", "));
    }
    Ok(text)
}

/// A comment begins with a small letter; a formula keeps it.
fn sentence(comment: &str) -> String {
    let comment = comment.replace('<', "\\<");
    let mut letters = comment.chars();
    match comment.split_once(' ') {
        Some((_, rest)) if rest.starts_with(['*', '-']) => comment,
        _ => letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect(),
    }
}

fn column(text: &str) -> String {
    let (name, r#type) = text.split_once(' ').unwrap_or((text, ""));
    format!("`{name}` {}", short(r#type))
}

/// `(a text, k bigint = null) -> double`, once for all types of a user's id.
fn forms_of(object: &Value) -> Result<Vec<String>> {
    let forms = object["forms"].as_array().context("no forms")?;
    let types = |form: &Value| -> Vec<String> {
        let arguments = form["arguments"].as_array().map_or(&[][..], Vec::as_slice);
        arguments.iter().map(|argument| argument[1].as_str().unwrap_or_default().to_string()).collect()
    };
    let with_texts: Vec<Vec<String>> = forms.iter().map(types).collect();
    let is_overload = |form: &Value| {
        let types = types(form);
        with_texts.iter().any(|texts| {
            let of_id =
                |(id, text): (&String, &String)| id == text || (text == "text" && (id == "bigint" || id == "uuid"));
            *texts != types && texts.len() == types.len() && types.iter().zip(texts).all(of_id)
        })
    };
    forms.iter().filter(|form| !is_overload(form)).map(signature).collect()
}

fn signature(form: &Value) -> Result<String> {
    let mut arguments = Vec::new();
    for argument in form["arguments"].as_array().context("no arguments")? {
        let [Value::String(name), Value::String(r#type), default] =
            argument.as_array().context("no argument")?.as_slice()
        else {
            bail!("an argument of {form}");
        };
        let name = if name.is_empty() { String::new() } else { format!("{name} ") };
        let default = default.as_str().map_or(String::new(), |default| format!(" = {}", plain(default)));
        arguments.push(format!("{name}{}{default}", short(r#type)));
    }
    let result = short(form["result"].as_str().context("no result")?);
    Ok(format!("({}) -> {result}", arguments.join(", ")))
}

/// A default without Postgres' cast.
fn plain(default: &str) -> String {
    let value = default.split("::").next().unwrap_or_default();
    if value == "NULL" {
        "null".into()
    } else {
        value.replace('"', "")
    }
}

fn short(r#type: &str) -> String {
    r#type.replace("double precision", "double").replace("timestamp with time zone", "timestamp")
}
