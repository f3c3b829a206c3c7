//! Runs every test on every engine: each engine in a process of its own, so that one that dies is told and counted, and
//! so that the same program meets two SQLite libraries.

mod bench;
mod checks;
mod cli;
mod cluster;
mod compare;
mod core_tests;
mod docs;
mod engine;
mod extension_update;
mod golden;
mod leash;
mod newer;
mod postgres;
mod random;
mod reads;
mod report;
mod run;
mod scale;
mod scale_out;
mod scripts;
mod slt;
mod sqlite;
mod surface;

use anyhow::{bail, Result};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str =
    "cotaste-tests --target DIR --pg15 PG_CONFIG --pg18 PG_CONFIG [--engine NAME] [--only SECTION] | cli ... | docs ... | bench NAME ...";

/// The root of the repository this program was built from.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// What to run, from the command line.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the built artefacts are.
    pub target: PathBuf,
    pub pg15: PathBuf,
    pub pg18: PathBuf,
    /// Only this engine.
    pub engine: Option<String>,
    /// Only sections whose name contains this.
    pub only: Option<String>,
    /// For a child: where it leaves the answers that are compared between engines.
    pub answers: PathBuf,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cotaste-tests: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<bool> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["keep-cluster", pg_config, library, settings, primary] => {
            cluster::keep(Path::new(pg_config), Path::new(library), settings, Path::new(primary)).map(|()| true)
        }
        ["victim", options @ ..] => checks::faults::victim(options).map(|()| true),
        ["purging-victim", options @ ..] => checks::faults::purging_victim(options).map(|()| true),
        ["survives", options @ ..] => checks::faults::survives_in_sqlite(options).map(|()| true),
        ["engine", name, options @ ..] => run::engine(name, &parse(options)?),
        ["cli", options @ ..] => cli::everything(&parse(options)?),
        ["docs", options @ ..] => docs::write(&parse(options)?).map(|()| true),
        ["bench", name, options @ ..] => bench::run(name, &parse(options)?).map(|()| true),
        ["extension-update", old, new] => extension_update::print(Path::new(old), Path::new(new)).map(|()| true),
        ["hold-cluster", ending, options @ ..] => checks::leash::hold(ending, &parse(options)?),
        options => run::everything(&parse(options)?),
    }
}

fn parse(words: &[&str]) -> Result<Options> {
    let mut options = Options::default();
    for pair in words.chunks(2) {
        match *pair {
            ["--target", path] => options.target = std::path::absolute(path)?,
            ["--pg15", path] => options.pg15 = std::path::absolute(path)?,
            ["--pg18", path] => options.pg18 = std::path::absolute(path)?,
            ["--answers", path] => options.answers = path.into(),
            ["--engine", name] => options.engine = Some(name.into()),
            ["--only", section] => options.only = Some(section.into()),
            _ => bail!("{USAGE}"),
        }
    }
    Ok(options)
}
