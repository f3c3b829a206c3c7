//! Reading much: one snapshot, row by row.

use super::postgres::Pooled;
use super::{Database, Value};
use crate::failure::Result;
use postgres::fallible_iterator::FallibleIterator;

/// A database read as it is at one moment.
pub enum Reader<'a> {
    Sqlite(&'a rusqlite::Connection),
    Postgres(Box<Pooled>),
}

impl<'a> Reader<'a> {
    pub fn new(database: &'a Database) -> Result<Self> {
        match database {
            Database::Sqlite(sqlite) => {
                sqlite.connection.execute_batch("begin")?;
                Ok(Reader::Sqlite(&sqlite.connection))
            }
            Database::Postgres(postgres) => {
                let mut client = postgres.client()?;
                client.batch_execute("begin isolation level repeatable read read only")?;
                Ok(Reader::Postgres(Box::new(client)))
            }
        }
    }

    /// Hands every row over; they are not kept.
    pub fn each(
        &mut self,
        sql: &str,
        parameters: &[Value],
        take: &mut dyn FnMut(&[Value]) -> Result<()>,
    ) -> Result<()> {
        match self {
            Reader::Sqlite(connection) => {
                let mut statement = connection.prepare(sql)?;
                let columns = statement.column_count();
                let mut rows = statement.query(rusqlite::params_from_iter(parameters))?;
                let mut values = Vec::with_capacity(columns);
                while let Some(row) = rows.next()? {
                    values.clear();
                    for i in 0..columns {
                        values.push(row.get_ref(i)?.into());
                    }
                    take(&values)?;
                }
            }
            Reader::Postgres(client) => {
                let mut rows = client.query_raw(sql, parameters)?;
                while let Some(row) = rows.next()? {
                    let values = (0..row.len()).map(|i| Ok(row.try_get(i)?)).collect::<Result<Vec<Value>>>()?;
                    take(&values)?;
                }
            }
        }
        Ok(())
    }

    pub fn end(self) -> Result<()> {
        match self {
            Reader::Sqlite(connection) => Ok(connection.execute_batch("rollback")?),
            Reader::Postgres(mut client) => Ok(client.batch_execute("rollback")?),
        }
    }
}
