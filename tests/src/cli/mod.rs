//! The command-line tool: the built binary against a SQLite file and a real Postgres server, each case in a database of
//! its own.

pub mod bench;
mod brokers;
mod choice;
mod export;
mod import;
mod migrate;
mod stream;
mod tool;

use crate::cluster::Cluster;
use crate::report::Report;
use crate::Options;
use anyhow::Result;
use tool::{Place, Tool};

type Check = fn(&Tool, &mut Report) -> Result<()>;

const CHECKS: [(&str, Check); 5] = [
    ("cli choice", choice::run),
    ("cli import", import::run),
    ("cli export", export::run),
    ("cli migrate", migrate::run),
    ("cli stream", stream::run),
];

/// A number from the environment: the long forms of these checks.
fn asked(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Every check on SQLite and on the system's Postgres; false when one failed.
pub fn everything(options: &Options) -> Result<bool> {
    let mut report = Report::new("cli", options.only.clone());
    run(options, &mut report)?;
    println!("{} passed, {} failed", report.passed, report.failed);
    Ok(report.failed == 0)
}

pub fn run(options: &Options, report: &mut Report) -> Result<()> {
    let scratch = crate::run::Scratch::new("cli")?;
    let cluster = Cluster::start(&options.pg15, &options.target.join("build-pg15/release/libcotaste.so"))?;
    for place in [Place::Sqlite, Place::Postgres(&cluster)] {
        let tool = Tool::new(&options.target, &scratch.0, place);
        for (name, check) in CHECKS {
            let name = format!("{name}, {}", tool.engine());
            if report.section(&name) {
                if let Err(error) = check(&tool, report) {
                    report.fail("the section runs to its end", &format!("{error:#}"));
                }
            }
        }
    }
    Ok(())
}
