//! What a block of SQL gives, printed the same way for both engines: each statement with rows as a table, one value alone
//! as itself. Doubles have six digits, times end with their last digit that is not zero.

use crate::engine::{Engine, SqlError, Table, NULL};

/// The outputs of the block's statements, or the text of the first error.
pub fn of(engine: &mut dyn Engine, sql: &str) -> Result<String, String> {
    let mut outputs = Vec::new();
    for statement in statements(sql) {
        let table = engine.table(&statement).map_err(|error| outputs.join("\n") + &error_text(&error))?;
        outputs.extend(print(&table));
    }
    Ok(outputs.join("\n"))
}

/// Statements end with a semicolon at the end of a line, a comment may follow it.
fn statements(sql: &str) -> Vec<String> {
    let (mut statements, mut statement) = (Vec::new(), String::new());
    for line in sql.lines() {
        let code = line.split("--").next().unwrap_or_default().trim_end();
        statement.extend([line, "\n"]);
        if code.ends_with(';') {
            statements.push(std::mem::take(&mut statement));
        }
    }
    statements.push(statement);
    let is_code = |line: &str| !line.trim().is_empty() && !line.trim().starts_with("--");
    statements.retain(|statement| statement.lines().any(is_code));
    statements
}

/// As SQLite has it, the hint follows the message.
fn error_text(error: &SqlError) -> String {
    let hint = error.hint.as_ref().map_or(String::new(), |hint| format!(". {hint}"));
    format!("{}{hint}\n", error.message)
}

fn print(table: &Table) -> Option<String> {
    let rows: Vec<Vec<String>> = table.rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()).collect();
    if table.columns.is_empty() {
        return None;
    }
    if let ([row], [_]) = (rows.as_slice(), table.columns.as_slice()) {
        return Some(row[0].clone() + "\n");
    }
    if rows.is_empty() {
        return Some("(no rows)\n".into());
    }
    let width =
        |at: usize| rows.iter().map(|row| &row[at]).chain([&table.columns[at]]).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..table.columns.len()).map(|at| width(at).unwrap_or_default()).collect();
    let is_number = |at: usize| rows.iter().all(|row| row[at] == NULL || row[at].parse::<f64>().is_ok());
    let line = |cells: &[String], all_left: bool| {
        let cell = |at: usize| match !all_left && is_number(at) {
            true => format!("{:>1$}", cells[at], widths[at]),
            false => format!("{:<1$}", cells[at], widths[at]),
        };
        let cells: Vec<String> = (0..cells.len()).map(cell).collect();
        format!(" {}\n", cells.join(" | ").trim_end())
    };
    let ruler: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let body: String = rows.iter().map(|row| line(row, false)).collect();
    Some(line(&table.columns, true) + &ruler.join("+") + "\n" + &body)
}

fn shown(cell: &str) -> String {
    if let Some(time) = cell.strip_suffix('Z').filter(|time| time.len() == 26 && time.as_bytes()[10] == b'T') {
        return time.trim_end_matches('0').trim_end_matches('.').to_string() + "Z";
    }
    match cell.parse::<f64>() {
        Ok(value) if cell.contains('.') && value.is_finite() => six_digits(value),
        _ => cell.to_string(),
    }
}

/// Six significant digits, without a fraction's last zeros.
fn six_digits(value: f64) -> String {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    match rounded.abs() {
        size if size != 0.0 && !(1e-5..1e15).contains(&size) => format!("{rounded:e}"),
        _ => format!("{rounded}"),
    }
}
