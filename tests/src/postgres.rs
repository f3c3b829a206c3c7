//! Postgres through the wire protocol, in a throwaway cluster.

use crate::cluster::Cluster;
use crate::engine::{hex, print_double, print_timestamp, Engine, Host, Kind, SqlError, Table, Value, NULL};
use anyhow::Result;
use postgres::types::{FromSql, ToSql, Type};
use postgres::{Client, NoTls, Row, Statement};
use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub struct PostgresHost {
    cluster: Cluster,
    start_planted: Box<dyn Fn() -> Result<Cluster>>,
    planted: Option<Cluster>,
    made: u32,
}

impl PostgresHost {
    /// Fresh databases are copies of a template in which the extension and the space are made once.
    pub fn new(cluster: Cluster, start_planted: impl Fn() -> Result<Cluster> + 'static) -> Result<Self> {
        make_template(&cluster)?;
        Ok(PostgresHost { cluster, start_planted: Box::new(start_planted), planted: None, made: 0 })
    }

    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A fresh database copied from a template.
    pub fn database(&mut self, template: &str) -> Result<Postgres> {
        self.made += 1;
        let name = format!("test_{}", self.made);
        connect(&self.cluster, "postgres")?.exec(&format!("create database {name} template {template}"))?;
        connect(&self.cluster, &name)
    }
}

impl Host for PostgresHost {
    fn kind(&self) -> Kind {
        Kind::Postgres
    }

    fn space(&mut self) -> Result<Box<dyn Engine>> {
        Ok(Box::new(self.database("space")?))
    }

    fn uninitialised(&mut self) -> Result<Box<dyn Engine>> {
        let mut engine = self.database("template0")?;
        engine.exec("create extension cotaste")?;
        Ok(Box::new(engine))
    }

    fn planted(&mut self) -> Result<Box<dyn Engine>> {
        if self.planted.is_none() {
            let cluster = (self.start_planted)()?;
            make_template(&cluster)?;
            let declarations = std::fs::read_to_string(crate::repository().join("sql/postgres/planted.sql"))?;
            connect(&cluster, "space")?.exec(&declarations)?;
            self.planted = Some(cluster);
        }
        match &self.planted {
            Some(cluster) => Ok(Box::new(connect(cluster, "space")?)),
            None => anyhow::bail!("no planted cluster"),
        }
    }
}

fn make_template(cluster: &Cluster) -> Result<()> {
    connect(cluster, "postgres")?.exec("create database space template template0")?;
    connect(cluster, "space")?.exec("create extension cotaste; select cotaste_init()")?;
    Ok(())
}

fn connect(cluster: &Cluster, database: &str) -> Result<Postgres> {
    Postgres::connect(cluster, "postgres", database)
}

pub struct Postgres {
    pub client: Client,
    notices: Arc<Mutex<Vec<String>>>,
    /// Queries are prepared without a name and run in one message, as a pooler of transactions wants it.
    pub is_pooled: bool,
    /// What was asked before, and its plan once it was asked again.
    kept: Option<HashMap<String, Option<Statement>>>,
}

impl Postgres {
    pub fn connect(cluster: &Cluster, user: &str, database: &str) -> Result<Self> {
        Self::connect_to(&cluster.socket(), user, database)
    }

    /// To the server whose socket is in that directory.
    pub fn connect_to(socket: &std::path::Path, user: &str, database: &str) -> Result<Self> {
        let mut config = postgres::Config::new();
        config.host_path(socket).port(crate::cluster::PORT).user(user).dbname(database);
        let notices = Arc::new(Mutex::new(Vec::new()));
        let told = notices.clone();
        config.notice_callback(move |notice| {
            told.lock().unwrap_or_else(PoisonError::into_inner).push(notice.message().to_string());
        });
        Ok(Postgres { client: config.connect(NoTls)?, notices, is_pooled: false, kept: None })
    }
}

impl Engine for Postgres {
    fn kind(&self) -> Kind {
        Kind::Postgres
    }

    fn exec(&mut self, sql: &str) -> Result<(), SqlError> {
        self.client.batch_execute(sql).map_err(sql_error)
    }

    fn query(&mut self, sql: &str) -> Result<Vec<Vec<String>>, SqlError> {
        let rows = match &mut self.kept {
            Some(kept) => match kept.get_mut(sql) {
                Some(Some(statement)) => self.client.query(&*statement, &[]),
                Some(plan) => {
                    let statement = plan.insert(self.client.prepare(sql).map_err(sql_error)?);
                    self.client.query(&*statement, &[])
                }
                None => {
                    kept.insert(sql.to_string(), None);
                    self.client.query(sql, &[])
                }
            },
            None if self.is_pooled => self.client.query_typed(sql, &[]),
            None => self.client.query(sql, &[]),
        };
        rows.map_err(sql_error)?.iter().map(print_row).collect()
    }

    fn table(&mut self, sql: &str) -> Result<Table, SqlError> {
        let statement = self.client.prepare(sql).map_err(sql_error)?;
        let columns = statement.columns().iter().map(|column| column.name().to_string()).collect();
        let rows = self.client.query(&statement, &[]).map_err(sql_error)?;
        Ok(Table { columns, rows: rows.iter().map(print_row).collect::<Result<_, _>>()? })
    }

    fn keep_plans(&mut self) {
        self.kept = Some(HashMap::new());
    }

    fn load(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: &mut dyn Iterator<Item = Vec<Option<String>>>,
    ) -> Result<()> {
        let mut copy = self.client.copy_in(&format!("copy {table} ({}) from stdin", columns.join(", ")))?;
        for row in rows {
            let cells: Vec<String> = row.into_iter().map(copy_cell).collect();
            writeln!(copy, "{}", cells.join("\t"))?;
        }
        copy.finish()?;
        Ok(())
    }

    fn each(&mut self, sql: &str, parameters: &[Vec<Value>], budget: Duration) -> Result<Vec<Duration>> {
        let statement = self.client.prepare(sql)?;
        let (begun, mut times) = (Instant::now(), Vec::with_capacity(parameters.len()));
        for parameters in parameters {
            let start = Instant::now();
            let values: Vec<&(dyn ToSql + Sync)> = parameters
                .iter()
                .map(|value| match value {
                    Value::Text(text) => text as &(dyn ToSql + Sync),
                    Value::Int(integer) => integer as _,
                })
                .collect();
            std::hint::black_box(self.client.query(&statement, &values)?);
            times.push(start.elapsed());
            if begun.elapsed() > budget {
                break;
            }
        }
        Ok(times)
    }

    fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn copy_cell(cell: Option<String>) -> String {
    cell.map_or("\\N".to_string(), |text| {
        text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
    })
}

/// A row as [`Engine::query`] gives it.
pub fn print_row(row: &Row) -> Result<Vec<String>, SqlError> {
    let cell = |i| match row.try_get::<_, Option<Printed>>(i) {
        Ok(value) => Ok(value.map_or(NULL.to_string(), |printed| printed.0)),
        Err(error) => Err(SqlError { message: format!("column {i}: {error:?}"), ..SqlError::default() }),
    };
    (0..row.len()).map(cell).collect()
}

/// A value of any type the cases use, printed. Other types (numeric, arrays) have no counterpart in SQLite: cast them.
struct Printed(String);

impl<'a> FromSql<'a> for Printed {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        const POSTGRES_EPOCH: i64 = 946_684_800_000_000;
        Ok(Printed(match *ty {
            Type::BOOL => i32::from(bool::from_sql(ty, raw)?).to_string(),
            Type::INT2 => i16::from_sql(ty, raw)?.to_string(),
            Type::INT4 => i32::from_sql(ty, raw)?.to_string(),
            Type::INT8 => i64::from_sql(ty, raw)?.to_string(),
            Type::FLOAT4 => format!("{:?}", f32::from_sql(ty, raw)?),
            Type::FLOAT8 => print_double(f64::from_sql(ty, raw)?),
            Type::BYTEA => hex(raw),
            Type::JSONB => String::from_utf8(raw.get(1..).unwrap_or_default().to_vec())?,
            Type::TIMESTAMPTZ => print_timestamp(i64::from_be_bytes(raw.try_into()?) + POSTGRES_EPOCH),
            Type::TEXT | Type::VARCHAR | Type::NAME | Type::UNKNOWN | Type::JSON | Type::CHAR | Type::VOID => {
                String::from_utf8(raw.to_vec())?
            }
            _ => return Err(format!("cast {ty} to a type that both engines have").into()),
        }))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

pub fn sql_error(error: postgres::Error) -> SqlError {
    match error.as_db_error() {
        Some(db) => SqlError {
            message: db.message().to_string(),
            sqlstate: Some(db.code().code().to_string()),
            detail: db.detail().map(str::to_string),
            hint: db.hint().map(str::to_string),
        },
        None => SqlError { message: format!("{error:?}"), ..SqlError::default() },
    }
}
