//! The `create` statements of our SQL files, one by one, with what each creates.

use super::Present;
use crate::failure::Result;
use cotaste_core::Error;
use rusqlite::ffi;
use std::ffi::CString;

/// One object of the space.
#[derive(Debug)]
pub struct Object {
    /// `table`, `index`, `trigger` or `view`.
    pub kind: String,
    pub name: String,
    pub sql: String,
}

impl Object {
    fn new(sql: &str) -> Option<Self> {
        let sql = sql.trim().trim_end_matches(';');
        let head = Head::of(sql)?;
        Some(Self { kind: head.kind.to_owned(), name: head.name.to_owned(), sql: sql.to_owned() })
    }

    /// Whether the file holds it as this version makes it. Tables are compared by name: users add columns to them.
    pub fn is_in(&self, present: &Present) -> bool {
        present.get(&self.name).is_some_and(|(kind, sql)| {
            let same_text =
                || Head::of(sql).map(|head| head.from_name) == Head::of(&self.sql).map(|head| head.from_name);
            let is_plain_table = self.kind == "table" && !is_virtual(&self.sql) && !is_virtual(sql);
            *kind == self.kind && (is_plain_table || same_text())
        })
    }

    /// The columns of a table, each with its definition: they stand in lines of their own, indented by two.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &str)> {
        const CONSTRAINTS: [&str; 5] = ["primary", "unique", "constraint", "check", "foreign"];
        let is_plain_table = self.kind == "table" && !is_virtual(&self.sql);
        let lines = self.sql.lines().filter(move |_| is_plain_table);
        let definitions = lines.filter_map(|line| Some(line.strip_prefix("  ")?.trim_end_matches(',')));
        let columns = definitions.filter_map(|definition| Some((definition.split_once(' ')?.0, definition)));
        columns.filter(|(name, _)| !name.is_empty() && !CONSTRAINTS.contains(name))
    }

    /// Whether the one of that name in the file may be dropped for this one: not when it holds rows.
    pub fn replaces(&self, kind: &str, sql: &str) -> bool {
        kind == self.kind && (kind != "table" || is_virtual(&self.sql) && is_virtual(sql))
    }
}

fn is_virtual(sql: &str) -> bool {
    sql.get(..15).is_some_and(|start| start.eq_ignore_ascii_case("create virtual "))
}

/// The start of a `create` statement. SQLite stores the text from the name on unchanged.
struct Head<'a> {
    kind: &'a str,
    name: &'a str,
    from_name: &'a str,
}

impl<'a> Head<'a> {
    fn of(sql: &'a str) -> Option<Self> {
        let mut rest = sql;
        let mut kind = "";
        loop {
            rest = rest.trim_start();
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end)?;
            match word.to_ascii_lowercase().as_str() {
                "create" | "unique" | "virtual" | "if" | "not" | "exists" => {}
                "table" => kind = "table",
                "index" => kind = "index",
                "trigger" => kind = "trigger",
                "view" => kind = "view",
                "" => return None,
                _ => return (!kind.is_empty()).then_some(Self { kind, name: word, from_name: rest }),
            }
            rest = after;
        }
    }
}

/// The statements of a script. A `;` ends one where SQLite says so: a trigger holds more.
pub fn objects(script: &str) -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    let mut statement = String::new();
    for line in script.lines() {
        if statement.is_empty() && (line.trim().is_empty() || line.starts_with("--")) {
            continue;
        }
        statement.push_str(line);
        statement.push('\n');
        if line.trim_end().ends_with(';') && is_complete(&statement)? {
            objects.push(Object::new(&statement).ok_or(Error::internal())?);
            statement.clear();
        }
    }
    if statement.is_empty() {
        return Ok(objects);
    }
    Err(Error::internal().into())
}

fn is_complete(statement: &str) -> Result<bool> {
    let statement = CString::new(statement).map_err(|_| Error::internal())?;
    // SAFETY: a C string.
    Ok(unsafe { ffi::sqlite3_complete(statement.as_ptr()) } == 1)
}
