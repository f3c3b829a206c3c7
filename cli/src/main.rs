//! The command-line tool. Commands are in [`commands`]; what they read and write is in [`source`], [`sink`] and
//! [`database`]. All it knows of a space is its public SQL; events are checked by the rules of `cotaste-core`.

mod args;
mod commands;
mod database;
mod event;
mod export;
mod failure;
mod feed;
mod output;
mod sink;
mod source;
mod sql;

use args::Cli;
use clap::Parser;
use failure::Exit;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output { json: cli.json, quiet: cli.quiet };
    match commands::run(cli, output) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(exit)) => ExitCode::from(exit as u8),
        Err(failure) => {
            output.failed(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// What a command ends with: `None` for exit code 0.
pub type Ended = failure::Result<Option<Exit>>;
