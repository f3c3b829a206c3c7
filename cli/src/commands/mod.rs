//! One file a command.

mod bench;
mod care;
mod contents;
mod demo;
mod export;
mod import;
mod init;
mod migrate;
mod questions;
mod stream;

use crate::args::{Cli, Command};
use crate::database::Database;
use crate::failure::Result;
use crate::output::Output;
use crate::Ended;

pub fn run(cli: Cli, output: Output) -> Ended {
    let connect = &cli.connect;
    let open = || -> Result<Database> {
        let mut database = Database::open(connect, false)?;
        database.check_space()?;
        Ok(database)
    };
    match cli.command {
        Command::Init => init::run(connect, output),
        Command::Demo(arguments) => demo::run(connect, &arguments, output),
        Command::Import(arguments) => import::run(open()?, &arguments, output),
        Command::Export(arguments) => export::run(&open()?, &arguments, output),
        Command::Migrate(arguments) => migrate::run(connect, &arguments, output),
        Command::Stream(arguments) => stream::run(open()?, &arguments, output),
        Command::Health => care::health(open()?, output),
        Command::Verify => care::verify(open()?, output),
        Command::Refresh(arguments) => care::refresh(open()?, &arguments, output),
        Command::Bench(arguments) => bench::run(open()?, connect, &arguments, output),
        Command::Purge(arguments) => care::purge(open()?, &arguments, output),
    }
}
