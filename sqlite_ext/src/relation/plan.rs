//! How a scan of a relation becomes a statement: which constraints of the outer query are bound to what.

use crate::convert::exact_integer;
use crate::failure::Result;
use crate::statement::Statement;
use cotaste_core::catalogue::{Named, Relation, Type};
use cotaste_core::{time, Error};
use rusqlite::types::{Value, ValueRef};
use rusqlite::vtab::{Filters, IndexConstraintOp, IndexInfo};
use std::ffi::{c_int, CString};

/// A relation's columns as SQLite sees them: the declared ones, then the hidden ones that carry arguments.
#[derive(Clone)]
pub struct Shape {
    pub relation: &'static Relation,
    hidden: Vec<Hidden>,
}

#[derive(Clone)]
struct Hidden {
    column: String,
    of: Named,
    is_key: bool,
}

impl Shape {
    /// The key's column is called `arg_KEY`, an argument's like the argument unless a column has that name.
    pub fn new(relation: &'static Relation) -> Self {
        let taken = |name: &str| relation.columns.iter().any(|column| column.name == name);
        let name = |of: &Named| if taken(of.name) { format!("arg_{}", of.name) } else { of.name.to_owned() };
        let key = relation.key.iter().map(|of| Hidden { column: format!("arg_{}", of.name), of: *of, is_key: true });
        let arguments = relation.arguments.iter().map(|of| Hidden { column: name(of), of: *of, is_key: false });
        Self { relation, hidden: key.chain(arguments).collect() }
    }

    /// What xConnect declares.
    pub fn declaration(&self) -> String {
        let columns = self.relation.columns.iter().map(|c| format!("\"{}\" {}", c.name, c.r#type.sqlite()));
        let hidden = self.hidden.iter().map(|h| format!("\"{}\" {} hidden", h.column, h.of.r#type.sqlite()));
        format!("create table x({})", columns.chain(hidden).collect::<Vec<_>>().join(", "))
    }

    fn column(&self, i: usize) -> Option<Column<'_>> {
        match i.checked_sub(self.relation.columns.len()) {
            None => self.relation.columns.get(i).map(Column::Declared),
            Some(hidden) => self.hidden.get(hidden).map(Column::Hidden),
        }
    }
}

enum Column<'a> {
    Declared(&'a Named),
    Hidden(&'a Hidden),
}

/// xBestIndex. The plan is the columns bound, in order, as SQLite shows it in EXPLAIN QUERY PLAN: `user_id=,k=`.
/// `false` when an argument depends on a table that comes later: the planner must take another order.
pub fn choose(shape: &Shape, info: &mut IndexInfo) -> rusqlite::Result<bool> {
    let mut plan = String::new();
    let mut bound: Vec<c_int> = Vec::new();
    let mut has_key = false;
    let constraints: Vec<(c_int, bool, bool)> = info
        .constraints()
        .map(|c| (c.column(), c.operator() == IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ, c.is_usable()))
        .collect();
    for (i, &(column, equal, usable)) in constraints.iter().enumerate() {
        let Some(target) = usize::try_from(column).ok().and_then(|column| shape.column(column)) else { continue };
        if !equal || bound.contains(&column) {
            continue;
        }
        let is_hidden = matches!(target, Column::Hidden(..));
        match (is_hidden, usable) {
            (true, false) => return Ok(false),
            (false, false) => continue,
            // Another collation finds rows the bytes do not.
            (false, true) if info.collation(i)? != "BINARY" => continue,
            _ => {}
        }
        let name = match target {
            Column::Declared(column) => {
                has_key |= shape.relation.key.is_some_and(|key| key.name == column.name);
                column.name
            }
            Column::Hidden(hidden) => {
                has_key |= hidden.is_key;
                &hidden.column
            }
        };
        plan.push_str(if plan.is_empty() { "" } else { "," });
        plan.push_str(name);
        plan.push('=');
        bound.push(column);
        let mut usage = info.constraint_usage(i);
        usage.set_argv_index(bound.len() as c_int);
        // An argument is no condition on rows. A declared column is checked again by SQLite, so pushing it is a help only.
        usage.set_omit(is_hidden);
    }
    // A relation is computed. One key of it costs less than all of it, but not so little that a join with a large table
    // should compute it once a row.
    let (cost, rows) = match (has_key, shape.relation.key) {
        (true, Some(_)) => (5e4, 25),
        (_, None) => (1e5, 100),
        _ => (1e6, 100_000),
    };
    info.set_estimated_cost(cost / (1 + bound.len()) as f64);
    info.set_estimated_rows(rows);
    info.set_idx_str(&plan);
    Ok(true)
}

/// Where a body wants `where KEY = ...` when the key is bound. To Postgres, which needs no help, it is a comment.
const KEY_MARK: &str = "/* where key */";

/// A plan ready to run.
pub struct Plan {
    pub text: String,
    pub sql: String,
    targets: Vec<Target>,
}

struct Target {
    parameter: CString,
    of: Named,
    /// The hidden column, or `None` for a declared one.
    hidden: Option<usize>,
}

impl Plan {
    /// The relation's own select, with the equalities of `text` around it. SQLite pushes them through one GROUP BY only; a
    /// body with more says where else the key belongs by the comment [`KEY_MARK`].
    pub fn new(shape: &Shape, text: &str) -> Result<Self> {
        let mut targets = Vec::new();
        let mut filters = Vec::new();
        let mut body = shape.relation.body.clone();
        for (n, name) in text.split(',').filter_map(|part| part.strip_suffix('=')).enumerate() {
            let hidden = shape.hidden.iter().position(|hidden| hidden.column == name);
            let declared = shape.relation.columns.iter().find(|column| column.name == name);
            let (of, is_argument) = match (hidden.and_then(|i| shape.hidden.get(i)), declared) {
                (Some(hidden), _) => (hidden.of, !hidden.is_key),
                (None, Some(column)) => (*column, false),
                (None, None) => continue,
            };
            // The catalogue numbers the key, if any, and the arguments as the hidden columns stand.
            let parameter = if is_argument { format!("${}", hidden.map_or(0, |i| i + 1)) } else { format!(":v{n}") };
            if !is_argument {
                let filter = format!("\"{}\" = {parameter}", of.name);
                if shape.relation.key.is_some_and(|key| key.name == of.name) {
                    body = body.replace(KEY_MARK, &format!("where {filter}"));
                }
                filters.push(filter);
            }
            let parameter = CString::new(parameter).map_err(|_| Error::internal())?;
            targets.push(Target { parameter, of, hidden });
        }
        let sql = match filters.is_empty() {
            true => body,
            false => format!("select * from (\n{body}\n) where {}", filters.join(" and ")),
        };
        Ok(Self { text: text.to_owned(), sql, targets })
    }

    /// Binds the values of one scan and gives those of the hidden columns.
    pub fn bind(&self, shape: &Shape, values: &Filters<'_>, statement: &mut Statement) -> Result<Vec<Value>> {
        let mut bound = vec![Value::Null; shape.hidden.len()];
        for (target, value) in self.targets.iter().zip(values.iter()) {
            let Some(slot) = target.hidden.and_then(|hidden| bound.get_mut(hidden)) else {
                let value = with_affinity(target.of.r#type, value);
                statement.bind(&target.parameter, value.as_ref().map_or_else(|given| *given, ValueRef::from))?;
                continue;
            };
            *slot = argument(target.of, value)?;
            statement.bind(&target.parameter, ValueRef::from(&*slot))?;
        }
        Ok(bound)
    }
}

/// The value as a column of that type would compare it: the inverse would lose rows that SQLite finds.
fn with_affinity(r#type: Type, value: ValueRef<'_>) -> std::result::Result<Value, ValueRef<'_>> {
    match (r#type, value) {
        (Type::Text | Type::Timestamp, ValueRef::Integer(integer)) => Ok(Value::Text(integer.to_string())),
        (Type::Bigint | Type::Double | Type::Boolean, ValueRef::Text(text)) => number(text).ok_or(value),
        _ => Err(value),
    }
}

/// An argument read as Postgres reads a parameter of that type; NULL means the default.
fn argument(of: Named, value: ValueRef<'_>) -> Result<Value> {
    let wrong = |problem: &str| Error::invalid(of.name, problem).into();
    let value = match value {
        ValueRef::Null => return Ok(Value::Null),
        ValueRef::Real(real) => exact_integer(real).map_or(Value::Real(real), Value::Integer),
        ValueRef::Text(text) if matches!(of.r#type, Type::Text | Type::Timestamp) => match std::str::from_utf8(text) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => return Err(wrong("is not valid UTF-8")),
        },
        ValueRef::Text(text) => number(text).ok_or_else(|| Error::invalid(of.name, "is text, not a number"))?,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Blob(_) => return Err(wrong("is a blob")),
    };
    match (of.r#type, value) {
        (Type::Text, Value::Integer(integer)) => Ok(Value::Text(integer.to_string())),
        (Type::Text, Value::Text(text)) => Ok(Value::Text(text)),
        (Type::Text, _) => Err(wrong("is a real number, not text")),
        (Type::Timestamp, Value::Text(text)) => {
            time::parse_timestamp(&text).map(|_| Value::Text(text)).map_err(Into::into)
        }
        (Type::Timestamp, _) => Err(wrong("is not ISO 8601 text")),
        (Type::Double, Value::Integer(integer)) => Ok(Value::Real(integer as f64)),
        (Type::Double, value) => Ok(value),
        (Type::Bigint | Type::Boolean, Value::Integer(integer)) => Ok(Value::Integer(integer)),
        (Type::Bigint | Type::Boolean, _) => Err(wrong("is not an integer")),
    }
}

fn number(text: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(text).ok()?.trim();
    if let Ok(integer) = text.parse() {
        return Some(Value::Integer(integer));
    }
    let real: f64 = text.parse().ok().filter(|real: &f64| real.is_finite())?;
    Some(exact_integer(real).map_or(Value::Real(real), Value::Integer))
}
