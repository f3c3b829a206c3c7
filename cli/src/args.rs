//! The command line. What `--help` says is written here, and docs/cli.md beside it.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Parser, Debug)]
#[command(name = "cotaste", version, about = "Looks after a cotaste space in SQLite or Postgres.")]
pub struct Cli {
    #[command(flatten)]
    pub connect: Connect,
    /// One JSON object on standard output, and no progress
    #[arg(long, global = true)]
    pub json: bool,
    /// Only what was asked for: no progress, and nothing of what was done
    #[arg(long, short, global = true)]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

/// Which database. DATABASE_URL or --url names it; else it is a SQLite file, except in production.
#[derive(Args, Debug, Clone)]
pub struct Connect {
    /// postgres://..., a libpq connection string, or sqlite:PATH
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub url: Option<String>,
    /// A SQLite file; goes before the URL [default: ./data/cotaste.db]
    #[arg(long, global = true, value_name = "PATH")]
    pub sqlite: Option<PathBuf>,
    /// The schema of the space in Postgres [default: the first of the search_path]
    #[arg(long, global = true, value_name = "NAME")]
    pub schema: Option<String>,
    /// cotaste0.so [default: beside this program, ../lib, /usr/local/lib/cotaste, /usr/lib/cotaste]
    #[arg(long, global = true, env = "COTASTE_EXTENSION", value_name = "PATH")]
    pub extension: Option<PathBuf>,
    /// The most connections to Postgres
    #[arg(long, global = true, env = "COTASTE_POOL_SIZE", default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pool_size: u32,
    /// Seconds after which an unused connection is closed
    #[arg(long, global = true, env = "COTASTE_POOL_IDLE", default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub pool_idle: u64,
    /// Seconds to wait for a connection
    #[arg(long, global = true, env = "COTASTE_CONNECT_TIMEOUT", default_value_t = 2, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub connect_timeout: u64,
    /// Milliseconds to wait for another writer of the SQLite file
    #[arg(long, global = true, default_value_t = 5000, value_name = "MS")]
    pub busy_timeout: u32,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Make the space, or bring it up to this version
    Init,
    /// Load a demo catalogue with events and an experiment, and ask it eight questions
    Demo(Demo),
    /// Load events or contents from CSV, JSON lines, Parquet or a MovieLens folder
    Import(Import),
    /// Write the log as Parquet files by day, what has changed since the last time
    Export(Export),
    /// Copy a SQLite space to Postgres, and compare their answers
    Migrate(Migrate),
    /// Record events as they come from standard input, Redis Streams or Kafka
    Stream(Stream),
    /// Tell whether the space is well
    Health,
    /// Compare the state with the log
    Verify,
    /// Fold what is pending into the state
    Refresh(Refresh),
    /// Remove old events, or everything of one user
    Purge(Purge),
    /// Measure how fast the space answers; only reads
    Bench(Bench),
}

#[derive(Args, Debug)]
pub struct Demo {
    /// A folder with MovieLens' movies.csv, links.csv and ratings.csv; without one a seeded catalogue is made
    #[arg(long, env = "COTASTE_DATA", value_name = "FOLDER")]
    pub data: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Csv,
    Jsonl,
    Parquet,
    Movielens,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Into {
    Events,
    Contents,
}

#[derive(Args, Debug, Clone)]
pub struct Import {
    /// Files, or a MovieLens folder
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// What the files are [default: by their names; a folder is MovieLens]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// What the rows are
    #[arg(long, value_enum, default_value = "events")]
    pub into: Into,
    /// A column of the file that is a field of ours: --map movie=content_id
    #[arg(long = "map", value_name = "COLUMN=FIELD")]
    pub maps: Vec<String>,
    /// The action of rows that have none
    #[arg(long, value_name = "ACTION")]
    pub default_action: Option<String>,
    /// The time of rows that have none
    #[arg(long, value_name = "TIME")]
    pub default_time: Option<String>,
    /// Where rejected rows are listed [default: PATH.rejects.csv]
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Rows a transaction [default: 100000, of a load of more than there is 250000]
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub batch: Option<u64>,
    /// Read from the start even where an earlier import came further
    #[arg(long)]
    pub again: bool,
}

#[derive(Args, Debug)]
pub struct Export {
    /// The folder of the files and their manifest
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Where the folder will be read from by other systems, such as gs://bucket/cotaste [default: its path]
    #[arg(long, value_name = "URI")]
    pub uri: Option<String>,
    /// Keep what the database has removed since: days that are gone or have fewer events stay as they are
    #[arg(long)]
    pub archive: bool,
}

#[derive(Args, Debug)]
pub struct Migrate {
    /// The SQLite file; the target is the Postgres of --url or DATABASE_URL
    #[arg(value_name = "FILE")]
    pub from: PathBuf,
    /// Rows a transaction
    #[arg(long, default_value_t = 50_000, value_name = "ROWS", value_parser = clap::value_parser!(i64).range(1..=10_000_000))]
    pub batch: i64,
    /// Tell what would be copied, and whether it can be
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args, Debug)]
pub struct Stream {
    #[command(subcommand)]
    pub from: StreamFrom,
    /// The most events a transaction
    #[arg(long, global = true, default_value_t = 10_000, value_name = "EVENTS", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub batch: u64,
    /// Milliseconds an event may wait for others to be committed with
    #[arg(long, global = true, default_value_t = 200, value_name = "MS")]
    pub linger: u64,
    /// Seconds between folds; 0 leaves folding to a scheduled `cotaste refresh`
    #[arg(long, global = true, default_value_t = 10, value_name = "SECONDS")]
    pub fold_every: u64,
    /// End when nothing has come for so long
    #[arg(long, global = true, value_name = "SECONDS")]
    pub stop_when_idle: Option<u64>,
}

#[derive(Subcommand, Debug)]
pub enum StreamFrom {
    /// A JSON object a line
    Stdin,
    /// A stream, through a consumer group
    Redis {
        /// redis://user:password@host:port/database
        server: String,
        stream: String,
        #[arg(long, default_value = "cotaste")]
        group: String,
        /// Each process of a group needs a name of its own, and the same one when it starts again
        #[arg(long, default_value = "cotaste-1")]
        consumer: String,
    },
    /// A topic, through a consumer group
    #[cfg(feature = "kafka")]
    Kafka {
        /// host:port, several with commas
        brokers: String,
        topic: String,
        #[arg(long, default_value = "cotaste")]
        group: String,
        /// A setting of librdkafka, such as security.protocol=sasl_plaintext
        #[arg(long = "set", value_name = "NAME=VALUE")]
        settings: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub struct Bench {
    /// Clients that ask at once
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub clients: u32,
    /// Seconds a question is asked
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
}

#[derive(Args, Debug)]
pub struct Refresh {
    /// Also compute the similar users that are missing or outdated
    #[arg(long)]
    pub neighbours: bool,
    /// Make the whole state anew from the log
    #[arg(long)]
    pub rebuild: bool,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct What {
    /// Remove events older than so many days; what they counted for stays counted
    #[arg(long, value_name = "N")]
    pub days: Option<i64>,
    /// Remove everything of one user
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
}

#[derive(Args, Debug)]
pub struct Purge {
    #[command(flatten)]
    pub what: What,
    /// Tell what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
}
