//! What a command tells: a table or lines for a person, one JSON object for a program; progress on standard error.

use crate::database::{Table, Value};
use crate::failure::Failure;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{json, Map};
use std::io::{IsTerminal, Write};

/// How to tell it.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    pub json: bool,
    pub quiet: bool,
}

impl Output {
    /// What a command did: `fields` for a program, `text` for a person who has not asked for quiet.
    pub fn done(&self, text: &str, fields: serde_json::Value) {
        if self.json || !self.quiet {
            self.answer(text, fields);
        }
    }

    /// What a command was asked for.
    pub fn answer(&self, text: &str, fields: serde_json::Value) {
        if self.json {
            print(&fields.to_string());
        } else if !text.is_empty() {
            print(text);
        }
    }

    pub fn failed(&self, failure: &Failure) {
        if self.json {
            print(
                &json!({"error": {"code": failure.code, "message": failure.message, "hint": failure.hint}}).to_string(),
            );
        } else {
            self.say(&format!("cotaste: {failure}\n  {}", failure.hint));
        }
    }

    /// A remark on the way, on standard error.
    pub fn say(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    pub fn note(&self, text: &str) {
        if !self.json && !self.quiet {
            self.say(text);
        }
    }

    /// A bar of so many units; without a terminal it is not shown.
    pub fn bar(&self, units: u64, template: &str) -> ProgressBar {
        if self.json || self.quiet || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(units);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar
    }
}

pub const COUNT: &str = "{msg} {wide_bar} {human_pos}/{human_len}, {eta} left";
pub const BYTES: &str = "{msg} {wide_bar} {bytes}/{total_bytes}, {eta} left";

/// A closed pipe (`cotaste ... | head`) is no failure.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// `12,345,678`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Table {
    /// Columns of equal width, numbers to the right.
    pub fn text(&self) -> String {
        let cells: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(Value::text).collect()).collect();
        let width = |i: usize, name: &String| {
            cells.iter().filter_map(|row| row.get(i)).chain([name]).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = self.columns.iter().enumerate().map(|(i, name)| width(i, name)).collect();
        let line = |cells: &[String], values: Option<&Vec<Value>>| {
            let mut line = String::from(" ");
            for (i, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(width - cell.chars().count());
                let right = values.and_then(|values| values.get(i)).is_some_and(Value::is_number);
                line += &if right { format!(" {gap}{cell} ") } else { format!(" {cell}{gap} ") };
            }
            line.trim_end().to_string()
        };
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let mut lines = vec![line(&self.columns, None), line(&rule, None)];
        lines.extend(cells.iter().zip(&self.rows).map(|(cells, row)| line(cells, Some(row))));
        lines.join("\n")
    }

    /// `name: value` lines of the first row.
    pub fn card(&self) -> String {
        let width = self.columns.iter().map(String::len).max().unwrap_or(0);
        let row = self.rows.first().map(Vec::as_slice).unwrap_or_default();
        let lines = self.columns.iter().zip(row).map(|(name, value)| format!("{name:width$}  {}", value.text()));
        lines.collect::<Vec<_>>().join("\n")
    }

    pub fn json(&self) -> serde_json::Value {
        self.rows.iter().map(|row| self.object(row)).collect()
    }

    pub fn object(&self, row: &[Value]) -> serde_json::Value {
        self.columns.iter().cloned().zip(row.iter().map(Value::json)).collect::<Map<_, _>>().into()
    }
}
