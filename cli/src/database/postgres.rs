//! A Postgres database behind a pool.

use super::{tls, Table, Value};
use crate::args::Connect;
use crate::failure::{Failure, Result};
use postgres::config::{Host, SslMode};
use postgres::types::ToSql;
use postgres::{Client, Config};
use r2d2_postgres::PostgresConnectionManager;
use std::time::Duration;

type Manager = PostgresConnectionManager<tls::Connector>;
pub type Pooled = r2d2::PooledConnection<Manager>;

pub struct Postgres {
    pool: r2d2::Pool<Manager>,
    name: String,
}

impl Postgres {
    pub fn open(url: &str, connect: &Connect) -> Result<Self> {
        let (url, connector) = tls::read(url)?;
        let malformed =
            |error| Failure::connection(format!("the URL: {error}"), "Pass postgres://user:password@host/database.");
        let mut config: Config = url.parse().map_err(malformed)?;
        let timeout = Duration::from_secs(connect.connect_timeout);
        config.connect_timeout(timeout);
        if config.get_application_name().is_none() {
            config.application_name("cotaste");
        }
        if config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) {
            config.ssl_mode(SslMode::Disable);
        }
        let name = config.get_dbname().or(config.get_user()).unwrap_or("postgres").to_string();
        let settle = Settle { schema: connect.schema.clone() };
        // The first connection is made here and now, so that what is wrong with it is told and not tried again till the
        // time is over.
        settle.on(&mut config.connect(connector.clone()).map_err(unreached)?)?;
        let pool = r2d2::Pool::builder()
            .max_size(connect.pool_size)
            .min_idle(Some(0))
            .idle_timeout(Some(Duration::from_secs(connect.pool_idle)))
            .connection_timeout(timeout)
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .connection_customizer(Box::new(settle))
            .build(Manager::new(config, connector))?;
        Ok(Postgres { pool, name })
    }

    pub fn name(&self) -> String {
        self.name.clone()
    }

    pub fn client(&self) -> Result<Pooled> {
        Ok(self.pool.get()?)
    }

    pub fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Table> {
        ask(&mut *self.client()?, sql, parameters)
    }
}

pub fn ask(client: &mut Client, sql: &str, parameters: &[Value]) -> Result<Table> {
    let statement = client.prepare(sql)?;
    let columns: Vec<String> = statement.columns().iter().map(|column| column.name().to_string()).collect();
    let values: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| value as _).collect();
    let rows = client.query(&statement, &values)?;
    let read = |row: &postgres::Row| (0..columns.len()).map(|i| Ok(row.try_get::<_, Value>(i)?)).collect();
    let rows = rows.iter().map(read).collect::<Result<_>>()?;
    Ok(Table { columns, rows })
}

fn unreached(error: postgres::Error) -> Failure {
    let failure = Failure::from(error);
    let hint =
        "Check the address, the user, the password and that the server runs; --connect-timeout gives it more time.";
    Failure::connection(failure.message, hint)
}

/// What a new connection is told: the space's schema goes first in its search_path.
#[derive(Debug)]
struct Settle {
    schema: Option<String>,
}

impl Settle {
    fn on(&self, client: &mut Client) -> std::result::Result<(), postgres::Error> {
        match &self.schema {
            Some(schema) => client
                .execute("select set_config('search_path', quote_ident($1) || ', ' || current_setting('search_path'), false)", &[schema])
                .map(drop),
            None => Ok(()),
        }
    }
}

impl r2d2::CustomizeConnection<Client, postgres::Error> for Settle {
    fn on_acquire(&self, client: &mut Client) -> std::result::Result<(), postgres::Error> {
        self.on(client)
    }
}
