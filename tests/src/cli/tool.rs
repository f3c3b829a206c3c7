//! The binary as a script runs it: arguments in, exit code and JSON out.

use crate::cluster::Cluster;
use crate::engine::Engine;
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use anyhow::{ensure, Context, Result};
use serde_json::Value;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[derive(Clone, Copy)]
pub enum Place<'a> {
    Sqlite,
    Postgres(&'a Cluster),
}

pub struct Tool<'a> {
    target: PathBuf,
    scratch: PathBuf,
    place: Place<'a>,
    made: Cell<u32>,
}

/// A database for one case.
pub struct Database<'a> {
    tool: &'a Tool<'a>,
    /// What the tool is pointed at.
    pub url: String,
    name: String,
}

pub struct Ended {
    pub code: i32,
    pub json: Value,
    pub stderr: String,
}

impl Ended {
    pub fn number(&self, name: &str) -> Result<u64> {
        self.json.get(name).and_then(Value::as_u64).with_context(|| format!("{name} in {}", self.json))
    }

    /// The code of an error.
    pub fn error(&self) -> &str {
        self.json.pointer("/error/code").and_then(Value::as_str).unwrap_or("no error")
    }

    pub fn ok(self) -> Result<Self> {
        ensure!(self.code == 0, "exit code {}: {} {}", self.code, self.json, self.stderr);
        Ok(self)
    }
}

impl<'a> Tool<'a> {
    pub fn new(target: &Path, scratch: &Path, place: Place<'a>) -> Self {
        Tool { target: target.to_path_buf(), scratch: scratch.to_path_buf(), place, made: Cell::new(0) }
    }

    pub fn engine(&self) -> &'static str {
        match self.place {
            Place::Sqlite => "sqlite",
            Place::Postgres(_) => "pg15",
        }
    }

    pub fn is_sqlite(&self) -> bool {
        matches!(self.place, Place::Sqlite)
    }

    /// The same tool on another engine, with files of its own.
    pub fn beside<'b>(&self, place: Place<'b>, name: &str) -> Result<Tool<'b>> {
        let scratch = self.path(name);
        std::fs::create_dir_all(&scratch)?;
        Ok(Tool::new(&self.target, &scratch, place))
    }

    /// A path among what was built and downloaded.
    pub fn target(&self, name: &str) -> PathBuf {
        self.target.join(name)
    }

    /// The scratch directory.
    pub fn directory(&self) -> &Path {
        &self.scratch
    }

    /// A path in the scratch directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(format!("{}-{name}", self.engine()))
    }

    pub fn file(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// The tool without a database named, and with nothing of this process's environment that names one.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.target.join("cotaste"));
        command.current_dir(&self.scratch).stdin(Stdio::null());
        for name in ["DATABASE_URL", "COTASTE_ENV", "NODE_ENV", "COTASTE_DATA"] {
            command.env_remove(name);
        }
        command.env("COTASTE_EXTENSION", self.target.join("cotaste0.so"));
        command
    }

    /// A new database without a space.
    pub fn database(&'a self) -> Result<Database<'a>> {
        self.made.set(self.made.get() + 1);
        let number = self.made.get();
        Ok(match self.place {
            Place::Sqlite => {
                let name = self.path(&format!("{number}.db")).display().to_string();
                Database { tool: self, url: format!("sqlite:{name}"), name }
            }
            Place::Postgres(cluster) => {
                let name = format!("cli_{number}");
                Postgres::connect(cluster, "postgres", "postgres")?
                    .exec(&format!("create database {name} template template0"))?;
                let url =
                    format!("host={} port={} user=postgres dbname={name}", cluster.socket().display(), cluster.port());
                Database { tool: self, url, name }
            }
        })
    }

    /// A new database with a space.
    pub fn space(&'a self) -> Result<Database<'a>> {
        let database = self.database()?;
        database.run(&["init"])?.ok()?;
        Ok(database)
    }
}

impl Database<'_> {
    pub fn is_sqlite(&self) -> bool {
        self.tool.is_sqlite()
    }

    /// The path of a SQLite database.
    pub fn file(&self) -> &str {
        &self.name
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.tool.command();
        command.args(arguments).args(["--json", "--url", &self.url]);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Result<Ended> {
        finish(self.command(arguments))
    }

    /// Starts the tool and kills it after some time; whether it was still at work.
    pub fn kill_after(&self, arguments: &[&str], time: Duration) -> Result<bool> {
        let mut command = self.command(arguments);
        let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        std::thread::sleep(time);
        let at_work = child.try_wait()?.is_none();
        child.kill()?;
        child.wait()?;
        Ok(at_work)
    }

    /// Gives its space on the disk back.
    pub fn remove(&self) -> Result<()> {
        match self.tool.place {
            Place::Sqlite => Ok(std::fs::remove_file(&self.name)?),
            Place::Postgres(cluster) => Ok(Postgres::connect(cluster, "postgres", "postgres")?
                .exec(&format!("drop database {} with (force)", self.name))?),
        }
    }

    /// A connection of the test's own.
    pub fn connect(&self) -> Result<Box<dyn Engine>> {
        Ok(match self.tool.place {
            Place::Sqlite => {
                let sqlite = Sqlite::new(rusqlite::Connection::open(&self.name)?);
                sqlite.load(&self.tool.target.join("cotaste0.so"))?;
                sqlite.connection.busy_timeout(Duration::from_secs(10))?;
                Box::new(sqlite)
            }
            Place::Postgres(cluster) => Box::new(Postgres::connect(cluster, "postgres", &self.name)?),
        })
    }

    /// One number from the database.
    pub fn count(&self, sql: &str) -> Result<u64> {
        Ok(self.connect()?.value(sql)?.parse()?)
    }
}

/// Runs it to its end.
pub fn finish(mut command: Command) -> Result<Ended> {
    let output = command.output().context("target/cotaste is missing: make build-cli")?;
    let stdout = String::from_utf8(output.stdout)?;
    let json = serde_json::from_str(stdout.trim()).unwrap_or(Value::String(stdout));
    let code = output.status.code().context("it was ended by a signal")?;
    Ok(Ended { code, json, stderr: String::from_utf8_lossy(&output.stderr).into_owned() })
}
