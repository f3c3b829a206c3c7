//! What breaks in production, made to happen: killed processes, many clients, full disks, little memory, damaged bytes,
//! impatient users. Each part in its quick form; `make soak` is the long one (see [`crate::scale`]).

mod columns;
mod crash_postgres;
mod crash_purge;
mod crash_sqlite;
mod growth;
mod ledger;
mod limits;
mod load;
mod planted;
mod pooler;
mod replicas;
mod subscriber;
mod victim;
mod workload;

use crate::cluster::Cluster;
use crate::engine::{Engine, Host};
use crate::postgres::Postgres;
use crate::report::Report;
use crate::sqlite::SqliteHost;
use anyhow::{bail, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use crash_purge::victim as purging_victim;
pub use planted::survives_in_sqlite;
pub use victim::run as victim;

/// As a database owner would set it, except that nothing here has to outlive a power cut, and that plans over a few rows
/// are not compiled.
const SETTINGS: &str = "
jit = off
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
    /// The build with mistakes in it.
    pub planted: PathBuf,
    made: u32,
}

impl Fault {
    pub fn start(pg_config: &Path, library: &Path, planted: &Path) -> Result<Self> {
        let cluster = Cluster::start_with(pg_config, library, SETTINGS)?;
        Ok(Fault { cluster, pg_config: pg_config.into(), library: library.into(), planted: planted.into(), made: 0 })
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

    /// The same after a crash, from which the server takes a moment to come back.
    pub fn connect_when_back(&self, database: &str) -> Result<Postgres> {
        let begun = Instant::now();
        loop {
            let asked = self.connect(database).and_then(|mut engine| {
                engine.query("select 1")?;
                Ok(engine)
            });
            match asked {
                Err(error) if begun.elapsed() > Duration::from_secs(60) => {
                    bail!("the server did not come back: {error:#}")
                }
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
                engine => return engine,
            }
        }
    }
}

/// All parts on SQLite.
pub fn sqlite(host: &mut SqliteHost, report: &mut Report) {
    super::section("killed processes", report, |report| crash_sqlite::run(host, report));
    super::section("killed purges", report, |report| crash_purge::sqlite(host, report));
    super::section("full disks and little memory", report, |report| limits::sqlite(host, report));
    super::section("reads that only read", report, |report| replicas::sqlite(host, report));
    super::section("hostile columns", report, |report| columns::run(host.space()?.as_mut(), report));
    super::section("memory that grows", report, |report| growth::sqlite(host, report));
    super::section("planted bugs", report, |report| planted::sqlite(host, report));
}

/// All parts on Postgres, on a server of their own.
pub fn postgres(pg_config: &Path, library: &Path, planted: &Path, report: &mut Report) {
    let mut server = None;
    let parts: [(&str, Part); 10] = [
        ("killed processes", crash_postgres::run),
        ("killed purges", crash_purge::postgres),
        ("sixty-four clients", load::run),
        ("full disks and little memory", limits::postgres),
        ("reads that only read", replicas::postgres),
        ("logical subscriber", subscriber::run),
        ("pooled connections", pooler::run),
        ("memory that grows", growth::postgres),
        ("planted bugs", planted::postgres),
        ("hostile columns", |fault, report| columns::run(&mut fault.space()?.1, report)),
    ];
    for (name, part) in parts {
        super::section(name, report, |report| {
            let fault = match &mut server {
                Some(fault) => fault,
                none => none.insert(Fault::start(pg_config, library, planted)?),
            };
            part(fault, report)
        });
    }
}

type Part = fn(&mut Fault, &mut Report) -> Result<()>;
