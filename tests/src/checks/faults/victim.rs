//! A process that writes into a SQLite file until it is killed or meets an error, telling what it is about to do and what
//! was acknowledged: `+id` and `-id` of a transaction in one line, then `done`.

use super::ledger::{Change, Ledger};
use super::workload::Workload;
use crate::engine::Engine;
use crate::sqlite::Sqlite;
use crate::{leash, scale};
use anyhow::{bail, ensure, Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// The process: `PATH EXTENSION JOURNAL CLIENT SEED TRANSACTIONS`.
pub fn run(words: &[&str]) -> Result<()> {
    let [path, extension, journal, client, seed, most] = words else { bail!("not for people") };
    let mut file = Sqlite::new(rusqlite::Connection::open(path)?);
    file.load(Path::new(extension))?;
    file.query(&format!("pragma journal_mode = {journal}"))?;
    file.exec("pragma synchronous = normal")?;
    let (mut workload, mut ledger) = (Workload::new(client, seed.parse()?), Ledger::default());
    say("ready")?;
    for _ in 0..most.parse()? {
        let transaction = workload.next(&ledger);
        let words: Vec<String> = transaction
            .changes
            .iter()
            .map(|change| match change {
                Change::Add(id) => format!("+{id}"),
                Change::Remove(id) => format!("-{id}"),
            })
            .collect();
        say(&format!("try {}", words.join(" ")))?;
        ledger.begin(transaction.changes);
        let begin = [String::from("begin immediate")];
        let commit = [String::from("commit")];
        for sql in begin.iter().chain(&transaction.statements).chain(&commit) {
            if let Err(error) = file.query(sql) {
                return say(&format!("error {}", error.message.replace('\n', " ")));
            }
        }
        ledger.committed();
        say("done")?;
    }
    Ok(())
}

/// One line in one piece.
fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())?;
    Ok(out.flush()?)
}

/// A running victim.
pub struct Victim {
    child: Child,
    told: BufReader<std::process::ChildStdout>,
}

/// What a victim told before its end.
pub struct Told {
    pub error: Option<String>,
    pub status: ExitStatus,
}

impl Victim {
    /// Starts it and waits until it is about to write. `wrapper` are the words before its command line.
    pub fn start(wrapper: &[&str], words: &[&str]) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = match wrapper {
            [] => leash::command()?,
            [wrapper, rest @ ..] => {
                let mut command = Command::new(wrapper);
                command.args(rest).arg(program).stdin(Stdio::null());
                command
            }
        };
        let mut child = command.arg("victim").args(words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let told = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Victim { child, told })
    }

    /// Waits until it is about to write.
    pub fn ready(mut self) -> Result<Self> {
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        ensure!(line == "ready\n", "it did not start: {line:?} {:?}", self.child.wait());
        Ok(self)
    }

    pub fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill()?)
    }

    /// Reads to the end what it told into its ledger.
    pub fn end(mut self, ledger: &mut Ledger) -> Result<Told> {
        let mut error = None;
        let mut line = String::new();
        while {
            line.clear();
            self.told.read_line(&mut line)?
        } > 0
        {
            let Some(whole) = line.strip_suffix('\n') else { break };
            if whole == "done" {
                ledger.committed();
            } else if let Some(words) = whole.strip_prefix("try ") {
                let change = |word: &str| match word.split_at(1) {
                    ("+", id) => Change::Add(id.into()),
                    (_, id) => Change::Remove(id.into()),
                };
                ledger.begin(words.split(' ').filter(|word| !word.is_empty()).map(change).collect());
            } else {
                error = whole.strip_prefix("error ").map(str::to_string);
            }
        }
        Ok(Told { error, status: self.child.wait()? })
    }
}

/// How many processes die in each journal mode on each SQLite.
pub fn deaths() -> usize {
    scale::of(100, 1000)
}
