//! What a space offers, from the database's own catalogue: what is added tomorrow is asked tomorrow.

use crate::engine::{quote, Engine, Kind};
use anyhow::{ensure, Result};
use std::collections::BTreeSet;

/// A statement that reads, and what it reads.
#[derive(Clone, Debug)]
pub struct Read {
    pub name: String,
    pub sql: String,
}

/// Who and what is asked for.
pub struct Asked {
    pub user: String,
    pub other: String,
    pub content: i64,
    pub experiment: String,
}

impl Asked {
    /// A literal for an argument of this name; what is not known is left at its default.
    fn argument(&self, name: &str) -> Option<String> {
        Some(match name.strip_prefix("arg_").unwrap_or(name) {
            "a" | "user_id" | "for_user_id" | "probe" | "user" | "pending_user" => quote(&self.user),
            "b" | "other" => quote(&self.other),
            "content_id" | "content" => self.content.to_string(),
            "experiment" => quote(&self.experiment),
            "k" => "5".into(),
            _ => return None,
        })
    }
}

/// Every view, every function of rows, and every function that reads the tables.
pub fn reads(engine: &mut dyn Engine, asked: &Asked) -> Result<Vec<Read>> {
    let reads = match engine.kind() {
        Kind::Postgres => of_postgres(engine, asked)?,
        Kind::Sqlite => of_sqlite(engine, asked)?,
    };
    ensure!(reads.len() > 30, "the catalogue offers only {reads:?}");
    Ok(reads)
}

fn read(name: &str, sql: String) -> Read {
    Read { name: name.into(), sql }
}

fn of_postgres(engine: &mut dyn Engine, asked: &Asked) -> Result<Vec<Read>> {
    let views = engine.query(
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v' order by 1",
    )?;
    let mut reads: Vec<Read> = views.iter().map(|row| read(&row[0], format!("select * from {}", row[0]))).collect();
    // Those of the space that take plain values; an argument of rank i has the default number i - (arguments - defaults).
    let functions = engine.query(
        "select p.proname::text, p.proretset,
           (select coalesce(string_agg(coalesce(p.proargnames[i], '') || ' ' || format_type(p.proargtypes[i - 1], null), ',' order by i), '')
            from generate_series(1, p.pronargs - p.pronargdefaults) i)
         from pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' and p.provolatile = 's' and p.pronargs > 0
           and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
         order by 1, p.oid",
    )?;
    for row in functions {
        let arguments = row[2].split(',').map(|argument| {
            let (name, r#type) = argument.split_once(' ')?;
            match r#type {
                "text" | "bigint" | "integer" => asked.argument(name).or((r#type == "integer").then(|| "1".into())),
                _ => None,
            }
        });
        // A user's overloads for numbers and uuids call the one for texts.
        let Some(arguments) = arguments.collect::<Option<Vec<String>>>() else { continue };
        if row[2].contains("user_id bigint") || row[2].contains("a bigint") {
            continue;
        }
        let call = format!("{}({})", row[0], arguments.join(", "));
        let sql = if row[1] == "1" { format!("select * from {call}") } else { format!("select {call}") };
        reads.push(read(&format!("{}()", row[0]), sql));
    }
    Ok(reads)
}

fn of_sqlite(engine: &mut dyn Engine, asked: &Asked) -> Result<Vec<Read>> {
    let plain = of_plain_sqlite("select name from pragma_module_list")?;
    let mut reads = Vec::new();
    for row in engine.query("select name from sqlite_master where type = 'view' order by 1")? {
        reads.push(read(&row[0], format!("select * from {}", row[0])));
    }
    let listed: BTreeSet<String> = engine
        .query("select name from sqlite_master where sql like 'create virtual table%'")?
        .into_iter()
        .map(|mut row| row.remove(0))
        .collect();
    for row in engine.query("select name from pragma_module_list order by 1")? {
        let name = &row[0];
        // Pragmas and the tables of dbstat and the like become modules when they are used.
        if plain.contains(name) || name.starts_with("pragma_") || name.starts_with("planted") {
            continue;
        }
        if listed.contains(name) || name == "cotaste_verify" {
            reads.push(read(name, format!("select * from {name}")));
        }
        let hidden = engine.query(&format!("select name from pragma_table_xinfo({}) where hidden = 1", quote(name)))?;
        let arguments: Vec<String> = hidden.iter().map_while(|row| asked.argument(&row[0])).collect();
        if !arguments.is_empty() {
            reads.push(read(&format!("{name}()"), format!("select * from {name}({})", arguments.join(", "))));
        }
    }
    for (name, arity) in readers(engine)? {
        // Parts of views, which call them with a content and a time.
        if name.starts_with("cotaste_") {
            continue;
        }
        let arguments: Vec<String> = ["a", "b"].iter().take(arity).filter_map(|name| asked.argument(name)).collect();
        reads.push(read(&format!("{name}()"), format!("select {name}({})", arguments.join(", "))));
    }
    Ok(reads)
}

/// Functions of a SQLite without the extension, which are not all marked as built in.
fn of_plain_sqlite(sql: &str) -> Result<BTreeSet<String>> {
    let connection = rusqlite::Connection::open_in_memory()?;
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// Scalar functions of SQLite that read tables: innocuous, but not deterministic.
fn readers(engine: &mut dyn Engine) -> Result<Vec<(String, usize)>> {
    let plain = of_plain_sqlite("select name from pragma_function_list")?;
    let rows = engine.query(
        "select name, narg from pragma_function_list
         where not builtin and flags & 0x200000 and not flags & 0x800 and type = 's' and narg between 0 and 2 order by 1, 2",
    )?;
    let rows = rows.into_iter().filter(|row| !plain.contains(&row[0]));
    rows.map(|row| Ok((row[0].clone(), row[1].parse()?))).collect()
}

/// Rows in an order of their own, so that two runs can be compared.
pub fn rows(engine: &mut dyn Engine, sql: &str) -> Result<Vec<Vec<String>>, crate::engine::SqlError> {
    let mut rows = engine.query(sql)?;
    rows.sort();
    Ok(rows)
}

/// Whether two answers are the same, except for what follows the clock: fractions may have moved by a thousandth, and times
/// of the same day are the same.
pub fn same(a: &[Vec<String>], b: &[Vec<String>]) -> bool {
    let close = |(a, b): (&Vec<String>, &Vec<String>)| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || same_cell(a, b))
    };
    a.len() == b.len() && a.iter().zip(b).all(close)
}

fn same_cell(a: &str, b: &str) -> bool {
    const TIME: usize = "2026-03-01T00:00:00.000000Z".len();
    let is_time = |cell: &str| cell.len() == TIME && cell.ends_with('Z') && cell.as_bytes()[10] == b'T';
    if is_time(a) && is_time(b) {
        return a[..10] == b[..10];
    }
    let (a, b) = (numbers(a), numbers(b));
    let close = |(a, b): (&(&str, &str), &(&str, &str))| {
        a.0 == b.0
            && (a.1 == b.1
                || match (a.1.parse::<f64>(), b.1.parse::<f64>()) {
                    (Ok(x), Ok(y)) => (a.1.contains('.') || b.1.contains('.')) && (x - y).abs() <= 1e-3 * x.abs(),
                    _ => false,
                })
    };
    a.len() == b.len() && a.iter().zip(&b).all(close)
}

/// A text as pieces of words, each with the number after it.
fn numbers(mut rest: &str) -> Vec<(&str, &str)> {
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let start = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (words, after) = rest.split_at(start);
        let end = after
            .char_indices()
            .find(|(at, c)| {
                let exponent = matches!(after[..*at].chars().last(), Some('e' | 'E'));
                !(c.is_ascii_digit() || *c == '.' || matches!(c, 'e' | 'E') || matches!(c, '-' | '+') && exponent)
            })
            .map_or(after.len(), |(at, _)| at);
        pieces.push((words, &after[..end]));
        rest = &after[end..];
    }
    pieces
}
