//! `make bench`: contenders side by side in one run, medians of alternating runs. A table for people, and one JSON
//! object a figure in `target/bench/<bench>.jsonl`.

mod analytics;
mod context;
mod data;
mod embeddings;
mod experiments;
mod figures;
mod helper;
mod recommend;
mod scale_out;
mod sets;
mod similarity;
pub use data::Data;
pub use similarity::plain;

use crate::cluster::Cluster;
use crate::engine::{Engine, Host};
use crate::postgres::PostgresHost;
use crate::run::Scratch;
use crate::sqlite::SqliteHost;
use crate::Options;
use anyhow::{bail, Context, Result};
pub use figures::{Figures, Subject};

/// How often each contender runs, in turn with the others.
pub const RUNS: usize = 5;

/// What a server with this much memory to itself is usually given.
pub const SETTINGS: &str = "
shared_buffers = 2GB
maintenance_work_mem = 512MB
work_mem = 64MB
max_wal_size = 8GB
jit = off
";

/// Makes fresh spaces of one engine.
type Spaces<'a> = &'a mut dyn FnMut() -> Result<Box<dyn Engine>>;
type Bench = fn(Spaces<'_>, &str, &Options, &mut Figures) -> Result<()>;

/// The engines a bench runs on.
const ENGINES: [&str; 3] = ["sqlite", "pg15", "pg18"];

pub fn run(name: &str, options: &Options) -> Result<()> {
    let mut figures = Figures::new(name, &options.target)?;
    if name == "cli" {
        crate::cli::bench::run(options, &mut figures)?;
        return figures.done();
    }
    if name == "scale-out" {
        scale_out::run(options, &mut figures)?;
        return figures.done();
    }
    let bench: Bench = match name {
        "similarity" => similarity::run,
        "analytics" => analytics::run,
        "context" => context::run,
        "embeddings" => embeddings::run,
        "experiments" => experiments::run,
        "recommend" => recommend::run,
        _ => bail!("there is no bench {name}: analytics, cli, context, embeddings, experiments, recommend, scale-out, similarity"),
    };
    for engine in ENGINES.into_iter().filter(|name| options.engine.as_deref().is_none_or(|only| only == *name)) {
        on(engine, options, |space| bench(space, engine, options, &mut figures))?;
    }
    figures.done()
}

/// Calls `work` with a maker of fresh spaces of one engine.
fn on(engine: &str, options: &Options, work: impl FnOnce(Spaces<'_>) -> Result<()>) -> Result<()> {
    if engine == "sqlite" {
        let scratch = Scratch::new("bench")?;
        let extension = options.target.join("cotaste0.so");
        let mut host = SqliteHost::new(scratch.0.clone(), extension.clone(), extension);
        return work(&mut || {
            let mut space = host.space()?;
            space.exec("pragma synchronous = off; pragma cache_size = -262144")?;
            Ok(space)
        });
    }
    let pg_config = if engine == "pg15" { &options.pg15 } else { &options.pg18 };
    let library = options.target.join(format!("build-{engine}/release/libcotaste.so"));
    let cluster = Cluster::start_with(pg_config, &library, SETTINGS)?;
    let mut host = PostgresHost::new(cluster, || bail!("a bench plants nothing"))?;
    work(&mut || host.space())
}

/// A number from the environment.
pub fn setting(variable: &str, otherwise: u32) -> Result<u32> {
    match std::env::var(variable) {
        Ok(text) if !text.is_empty() => text.parse().with_context(|| format!("{variable}={text}")),
        _ => Ok(otherwise),
    }
}

/// How often each contender runs.
pub fn runs() -> Result<usize> {
    Ok(setting("COTASTE_BENCH_RUNS", RUNS as u32)?.max(1) as usize)
}
