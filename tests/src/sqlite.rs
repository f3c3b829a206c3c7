//! SQLite as a host program meets it: the shared library of the system (or a newer one), the extension loaded at run time.

use crate::engine::{hex, print_double, Engine, Host, Kind, SqlError, Table, Value, NULL};
use anyhow::{Context, Result};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub struct SqliteHost {
    directory: PathBuf,
    extension: PathBuf,
    planted: PathBuf,
    made: u32,
}

impl SqliteHost {
    pub fn new(directory: PathBuf, extension: PathBuf, planted: PathBuf) -> Self {
        SqliteHost { directory, extension, planted, made: 0 }
    }

    /// The path of a database file that does not exist yet.
    pub fn fresh_path(&mut self) -> PathBuf {
        self.made += 1;
        self.directory.join(format!("{}.db", self.made))
    }

    /// Where the extension is.
    pub fn extension(&self) -> &Path {
        &self.extension
    }

    /// Where the build with mistakes in it is.
    pub fn planted_extension(&self) -> &Path {
        &self.planted
    }

    /// A database without the extension, as any other tool sees it.
    pub fn open_plain(&self, path: &Path) -> Result<Sqlite> {
        Ok(Sqlite::new(Connection::open(path)?))
    }

    pub fn open(&self, path: &Path) -> Result<Sqlite> {
        self.open_with(path, &self.extension)
    }

    fn open_with(&self, path: &Path, extension: &Path) -> Result<Sqlite> {
        let sqlite = self.open_plain(path)?;
        sqlite.load(extension)?;
        Ok(sqlite)
    }
}

impl Host for SqliteHost {
    fn kind(&self) -> Kind {
        Kind::Sqlite
    }

    fn space(&mut self) -> Result<Box<dyn Engine>> {
        let mut engine = self.uninitialised()?;
        engine.exec("select cotaste_init()")?;
        Ok(engine)
    }

    fn uninitialised(&mut self) -> Result<Box<dyn Engine>> {
        let path = self.fresh_path();
        Ok(Box::new(self.open(&path)?))
    }

    fn planted(&mut self) -> Result<Box<dyn Engine>> {
        let path = self.fresh_path();
        let mut engine = self.open_with(&path, &self.planted)?;
        engine.exec("select cotaste_init()")?;
        Ok(Box::new(engine))
    }
}

pub struct Sqlite {
    pub connection: Connection,
    keeps_plans: bool,
}

impl Sqlite {
    pub fn new(connection: Connection) -> Self {
        Sqlite { connection, keeps_plans: false }
    }

    /// Loads an extension the way a program does: allowed for this one call.
    pub fn load(&self, extension: &Path) -> Result<()> {
        // SAFETY: the library is the one this project built; loading is disabled again at once.
        unsafe {
            self.connection.load_extension_enable()?;
            let loaded = self.connection.load_extension(extension, None::<&str>);
            self.connection.load_extension_disable()?;
            loaded.with_context(|| format!("loading {}", extension.display()))
        }
    }
}

impl Engine for Sqlite {
    fn kind(&self) -> Kind {
        Kind::Sqlite
    }

    fn exec(&mut self, sql: &str) -> Result<(), SqlError> {
        self.connection.execute_batch(sql).map_err(sql_error)
    }

    fn query(&mut self, sql: &str) -> Result<Vec<Vec<String>>, SqlError> {
        Ok(self.table(sql)?.rows)
    }

    fn table(&mut self, sql: &str) -> Result<Table, SqlError> {
        if self.keeps_plans {
            let mut statement = self.connection.prepare_cached(sql).map_err(sql_error)?;
            return table(&mut statement);
        }
        table(&mut self.connection.prepare(sql).map_err(sql_error)?)
    }

    fn keep_plans(&mut self) {
        self.keeps_plans = true;
        self.connection.set_prepared_statement_cache_capacity(200);
    }

    fn load(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: &mut dyn Iterator<Item = Vec<Option<String>>>,
    ) -> Result<()> {
        let places = vec!["?"; columns.len()].join(", ");
        let sql = format!("insert into {table} ({}) values ({places})", columns.join(", "));
        let transaction = self.connection.transaction()?;
        let mut statement = transaction.prepare(&sql)?;
        for row in rows {
            statement.execute(rusqlite::params_from_iter(row))?;
        }
        drop(statement);
        Ok(transaction.commit()?)
    }

    fn each(&mut self, sql: &str, parameters: &[Vec<Value>], budget: Duration) -> Result<Vec<Duration>> {
        let mut statement = self.connection.prepare(sql)?;
        let columns = statement.column_count();
        let (begun, mut times) = (Instant::now(), Vec::with_capacity(parameters.len()));
        for parameters in parameters {
            let start = Instant::now();
            let mut rows = statement.query(rusqlite::params_from_iter(parameters))?;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    std::hint::black_box(row.get_ref(column)?);
                }
            }
            times.push(start.elapsed());
            if begun.elapsed() > budget {
                break;
            }
        }
        Ok(times)
    }
}

fn table(statement: &mut rusqlite::Statement<'_>) -> Result<Table, SqlError> {
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_string).collect();
    let mut rows = statement.raw_query();
    let mut result = Vec::new();
    while let Some(row) = rows.next().map_err(sql_error)? {
        let cell = |i| row.get_ref(i).map(print).map_err(sql_error);
        result.push((0..columns.len()).map(cell).collect::<Result<_, _>>()?);
    }
    Ok(Table { columns, rows: result })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Value::Text(text) => text.to_sql(),
            Value::Int(integer) => integer.to_sql(),
        }
    }
}

fn print(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => NULL.to_string(),
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(double) => print_double(double),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => hex(bytes),
    }
}

fn sql_error(error: rusqlite::Error) -> SqlError {
    let message = match error {
        rusqlite::Error::SqliteFailure(code, Some(message)) if message.is_empty() => code.to_string(),
        rusqlite::Error::SqliteFailure(_, Some(message)) => message,
        other => other.to_string(),
    };
    SqlError { message, ..SqlError::default() }
}

/// The system's `sqlite3`, on the system's library whichever this process runs: it refuses to start on another one.
pub fn shell() -> Command {
    let mut shell = Command::new("sqlite3");
    shell.env_remove("LD_LIBRARY_PATH");
    shell
}
