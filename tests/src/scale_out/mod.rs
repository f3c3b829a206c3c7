//! A space over several servers: data clusters, a coordinator, and between them sockets that count what is moved.

pub mod proxy;

use crate::cluster::Cluster;
use crate::engine::{quote, Engine};
use crate::postgres::Postgres;
use crate::run::Scratch;
use anyhow::{Context, Result};
use proxy::{Moved, Proxy};
use std::fs;
use std::path::{Path, PathBuf};

/// The scripts of `sql/postgres/sharding` for the coordinator, in the order they run in one session.
const COORDINATOR: [&str; 5] = ["prepare", "shard", "coordinator", "shards", "split"];

pub struct Clusters {
    /// Shard 1 first. `None` once it has been stopped.
    pub data: Vec<Option<Cluster>>,
    pub coordinator: Cluster,
    pub proxies: Vec<Proxy>,
    _scratch: Scratch,
}

impl Clusters {
    pub fn start(pg_config: &Path, library: &Path, number: usize, settings: &str) -> Result<Self> {
        let scratch = Scratch::new("proxies")?;
        // Beside each other: most of it is copying files and waiting for servers.
        let start = || Cluster::start_with(pg_config, library, settings);
        let (coordinator, data): (Result<Cluster>, Vec<Result<Cluster>>) = std::thread::scope(|scope| {
            let data: Vec<_> = (0..number).map(|_| scope.spawn(start)).collect();
            let join = |started: std::thread::ScopedJoinHandle<'_, Result<Cluster>>| {
                started.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked")))
            };
            (start(), data.into_iter().map(join).collect())
        });
        let data: Vec<Cluster> = data.into_iter().collect::<Result<_>>()?;
        let proxies = data
            .iter()
            .enumerate()
            .map(|(i, cluster)| Proxy::start(&scratch.0.join(format!("{i}")), &cluster.socket()))
            .collect::<Result<_>>()?;
        Ok(Clusters {
            data: data.into_iter().map(Some).collect(),
            coordinator: coordinator?,
            proxies,
            _scratch: scratch,
        })
    }

    /// A new database with an empty space that can be a shard, in data cluster `i`.
    pub fn shard(&self, i: usize, database: &str) -> Result<Postgres> {
        let cluster = self.data[i].as_ref().context("the shard was stopped")?;
        let mut space = space(cluster, database)?;
        space.exec(&script("shard")?)?;
        Ok(space)
    }

    /// A connection to it.
    pub fn connect(&self, i: usize, database: &str) -> Result<Postgres> {
        Postgres::connect(self.data[i].as_ref().context("the shard was stopped")?, "postgres", database)
    }

    /// A new coordinator over the first `number` data clusters, each with a new database of the same name.
    pub fn space(&self, database: &str, number: usize) -> Result<Postgres> {
        let mut coordinator = self.empty(database)?;
        for i in 0..number {
            self.shard(i, database)?;
            self.add(&mut coordinator, i, database, number, i)?;
        }
        Ok(coordinator)
    }

    /// A new coordinator without shards.
    pub fn empty(&self, database: &str) -> Result<Postgres> {
        let mut coordinator = new_database(&self.coordinator, database)?;
        for name in COORDINATOR {
            coordinator.exec(&script(name)?).with_context(|| name.to_string())?;
        }
        Postgres::connect(&self.coordinator, "postgres", database)
    }

    /// Adds data cluster `i` as the shard `s<i + 1>`.
    pub fn add(
        &self,
        coordinator: &mut Postgres,
        i: usize,
        database: &str,
        modulus: usize,
        remainder: usize,
    ) -> Result<()> {
        let host = quote(&self.host(i).to_string_lossy());
        let port = crate::cluster::PORT;
        Ok(coordinator.exec(&format!(
            "select cotaste_add_shard('s{}', {host}, {port}, {}, {modulus}, {remainder})",
            i + 1,
            quote(database)
        ))?)
    }

    /// Where the coordinator finds data cluster `i`.
    pub fn host(&self, i: usize) -> PathBuf {
        self.proxies[i].directory().to_path_buf()
    }

    /// What all shards answered so far.
    pub fn moved(&self) -> Moved {
        self.proxies
            .iter()
            .map(Proxy::moved)
            .fold(Moved::default(), |all, one| Moved { rows: all.rows + one.rows, bytes: all.bytes + one.bytes })
    }
}

/// A new database of a cluster with the extension and a space.
pub fn space(cluster: &Cluster, database: &str) -> Result<Postgres> {
    let mut space = new_database(cluster, database)?;
    space.exec("create extension cotaste; select cotaste_init()")?;
    Ok(space)
}

fn new_database(cluster: &Cluster, database: &str) -> Result<Postgres> {
    Postgres::connect(cluster, "postgres", "postgres")?.exec(&format!("create database {database}"))?;
    Postgres::connect(cluster, "postgres", database)
}

fn script(name: &str) -> Result<String> {
    let path = crate::repository().join(format!("sql/postgres/sharding/{name}.sql"));
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}
