//! The database of a command: which one it is, and questions to it.

pub mod postgres;
mod reader;
pub mod sqlite;
mod tls;
mod value;

use crate::args::Connect;
use crate::failure::{Failure, Result};
pub use reader::Reader;
use std::path::PathBuf;
pub use value::{Table, Value};

pub enum Database {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

/// Where it is.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

const DEFAULT_FILE: &str = "./data/cotaste.db";

/// As the services do that use a space: the URL when there is one, which production requires, else a file.
pub fn place(connect: &Connect) -> Result<Place> {
    let environment = std::env::var("COTASTE_ENV").or_else(|_| std::env::var("NODE_ENV"));
    choose(connect, environment.is_ok_and(|environment| environment == "production"))
}

fn choose(connect: &Connect, production: bool) -> Result<Place> {
    if let Some(path) = &connect.sqlite {
        return Ok(Place::Sqlite(path.clone()));
    }
    match connect.url.as_deref().filter(|url| !url.is_empty()) {
        Some(url) => read_url(url),
        None if production => Err(Failure::connection(
            "in production DATABASE_URL must be set",
            "Set DATABASE_URL or pass --url; to use a file all the same, name it: --sqlite PATH",
        )),
        None => Ok(Place::Sqlite(DEFAULT_FILE.into())),
    }
}

fn read_url(url: &str) -> Result<Place> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        return Ok(Place::Sqlite(path.strip_prefix("//").unwrap_or(path).into()));
    }
    let is_postgres = ["postgres://", "postgresql://"].iter().any(|start| url.starts_with(start));
    if is_postgres || !url.contains("://") && url.contains('=') {
        return Ok(Place::Postgres(url.to_string()));
    }
    let hint = "Pass postgres://user:password@host/database, a libpq connection string, or sqlite:PATH.";
    Err(Failure::connection("the URL is not one of Postgres or SQLite", hint))
}

impl Database {
    /// Opens what the arguments name. A SQLite file is only made by `create`.
    pub fn open(connect: &Connect, create: bool) -> Result<Self> {
        Ok(match place(connect)? {
            Place::Sqlite(path) => Database::Sqlite(sqlite::Sqlite::open(&path, connect, create)?),
            Place::Postgres(url) => Database::Postgres(postgres::Postgres::open(&url, connect)?),
        })
    }

    pub fn name(&self) -> String {
        match self {
            Database::Sqlite(sqlite) => sqlite.path().display().to_string(),
            Database::Postgres(postgres) => postgres.name(),
        }
    }

    /// One statement; parameters are `$1`, `$2` in the order they stand in.
    pub fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Table> {
        match self {
            Database::Sqlite(sqlite) => sqlite.query(sql, parameters),
            Database::Postgres(postgres) => postgres.query(sql, parameters),
        }
    }

    pub fn value(&mut self, sql: &str, parameters: &[Value]) -> Result<Value> {
        let table = self.query(sql, parameters)?;
        Ok(table.rows.into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or(Value::Null))
    }

    pub fn integer(&mut self, sql: &str, parameters: &[Value]) -> Result<i64> {
        match self.value(sql, parameters)? {
            Value::Int(value) => Ok(value),
            other => Err(Failure::argument(format!("an integer was expected, not {}", other.text()), "Report it.")),
        }
    }

    /// The space's version, or the error that says there is none.
    pub fn check_space(&mut self) -> Result<()> {
        self.query("select value from cotaste_meta where key = 'schema_version'", &[]).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn chosen(arguments: &[&str], production: bool) -> Result<Place> {
        let line = ["cotaste", "health"].iter().chain(arguments);
        let mut connect = crate::args::Cli::try_parse_from(line).map(|cli| cli.connect).unwrap();
        // The environment of the test run is not the test's.
        if !arguments.contains(&"--url") {
            connect.url = None;
        }
        choose(&connect, production)
    }

    #[test]
    fn the_database_is_chosen_as_the_service_chooses_it() {
        let file = |path: &str| Place::Sqlite(path.into());
        assert_eq!(chosen(&[], false).unwrap(), file("./data/cotaste.db"));
        assert_eq!(chosen(&["--sqlite", "a.db"], true).unwrap(), file("a.db"));
        assert_eq!(chosen(&["--url", "sqlite:a.db"], true).unwrap(), file("a.db"));
        assert_eq!(chosen(&["--url", "postgres://h/d"], false).unwrap(), Place::Postgres("postgres://h/d".into()));
        assert_eq!(
            chosen(&["--url", "host=/tmp dbname=d"], false).unwrap(),
            Place::Postgres("host=/tmp dbname=d".into())
        );
        for refused in [chosen(&[], true), chosen(&["--url", ""], true), chosen(&["--url", "mysql://h/d"], false)] {
            assert_eq!(refused.unwrap_err().exit, crate::failure::Exit::NoDatabase);
        }
    }
}
