//! What breaks in production, made to happen: killed processes, many clients, full disks, little memory, damaged bytes,
//! impatient users. Each part in its quick form; `make soak` is the long one (see [`crate::scale`]).

mod columns;
mod crash_postgres;
mod crash_sqlite;
mod ledger;
mod limits;
mod load;
mod planted;
mod replicas;
mod victim;
mod workload;

use crate::cluster::Cluster;
use crate::engine::{Engine, Host};
use crate::postgres::Postgres;
use crate::report::Report;
use crate::sqlite::SqliteHost;
use anyhow::Result;
use std::path::{Path, PathBuf};

pub use victim::run as victim;

/// As a database owner would set it, except that nothing here has to outlive a power cut.
const SETTINGS: &str = "
max_connections = 120
synchronous_commit = on
wal_level = logical
log_min_messages = fatal
";

/// A server that may be ill-treated.
pub struct Fault {
    pub cluster: Cluster,
    pub pg_config: PathBuf,
    pub library: PathBuf,
    made: u32,
}

impl Fault {
    pub fn start(pg_config: &Path, library: &Path) -> Result<Self> {
        let cluster = Cluster::start_with(pg_config, library, SETTINGS)?;
        Ok(Fault { cluster, pg_config: pg_config.into(), library: library.into(), made: 0 })
    }

    /// A fresh database with a space: its name and a connection.
    pub fn space(&mut self) -> Result<(String, Postgres)> {
        self.made += 1;
        let name = format!("fault_{}", self.made);
        self.connect("postgres")?.exec(&format!("create database {name} template template0"))?;
        let mut engine = self.connect(&name)?;
        engine.exec("create extension cotaste; select cotaste_init()")?;
        Ok((name, engine))
    }

    pub fn connect(&self, database: &str) -> Result<Postgres> {
        Postgres::connect(&self.cluster, "postgres", database)
    }
}

/// All parts on SQLite.
pub fn sqlite(host: &mut SqliteHost, report: &mut Report) {
    super::section("killed processes", report, |report| crash_sqlite::run(host, report));
    super::section("full disks and little memory", report, |report| limits::sqlite(host, report));
    super::section("reads that only read", report, |report| replicas::sqlite(host, report));
    super::section("hostile columns", report, |report| columns::run(host.space()?.as_mut(), report));
}

/// All parts on Postgres, on a server of their own.
pub fn postgres(pg_config: &Path, library: &Path, report: &mut Report) {
    let mut server = None;
    let parts: [(&str, Part); 6] = [
        ("killed processes", crash_postgres::run),
        ("sixty-four clients", load::run),
        ("full disks and little memory", limits::postgres),
        ("reads that only read", replicas::postgres),
        ("planted bugs", planted::run),
        ("hostile columns", |fault, report| columns::run(&mut fault.space()?.1, report)),
    ];
    for (name, part) in parts {
        super::section(name, report, |report| {
            let fault = match &mut server {
                Some(fault) => fault,
                none => none.insert(Fault::start(pg_config, library)?),
            };
            part(fault, report)
        });
    }
}

type Part = fn(&mut Fault, &mut Report) -> Result<()>;
