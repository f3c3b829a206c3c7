//! Contenders that are programs of their own: started once, they say `ready`; asked with a line, they do the work,
//! measure it themselves and answer with a line of numbers.

use super::data::{python, succeed};
use super::sets::Sets;
use anyhow::{ensure, Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Helper {
    child: Child,
    ask: ChildStdin,
    answer: BufReader<ChildStdout>,
}

impl Helper {
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().with_context(|| format!("{command:?}"))?;
        let ask = child.stdin.take().context("no standard input")?;
        let answer = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut helper = Helper { child, ask, answer };
        let ready = helper.line().with_context(|| format!("{command:?}"))?;
        ensure!(ready == "ready", "{command:?} said {ready}");
        Ok(helper)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answer.read_line(&mut line)?;
        ensure!(line.ends_with('\n'), "it ended");
        Ok(line.trim_end().to_string())
    }

    /// The numbers that answer a question.
    pub fn ask(&mut self, question: &str) -> Result<Vec<f64>> {
        writeln!(self.ask, "{question}")?;
        self.line()?.split(' ').map(|number| Ok(number.parse()?)).collect()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // The end of its input would end it as well; it may be in the middle of its work.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The files a helper reads: the sets, and the sampled users by ordinal.
pub struct Files {
    sets: PathBuf,
    sample: PathBuf,
}

impl Files {
    pub fn write(sets: &Sets, sample: &[usize], target: &Path, name: &str) -> Result<Self> {
        let sets = sets.write(target, name)?;
        let text: Vec<String> = sample.iter().map(usize::to_string).collect();
        std::fs::write(sets.with_extension("sample"), text.join("\n"))?;
        Ok(Files { sample: sets.with_extension("sample"), sets })
    }

    /// Posting lists in RAM, counted by a small Rust program.
    pub fn floor(&self, target: &Path) -> Result<Helper> {
        let program = target.join("tests/release/cotaste-floor");
        ensure!(program.is_file(), "{} is not built: make build-floor", program.display());
        Helper::start(Command::new(program).arg(&self.sets).arg(&self.sample))
    }

    /// The row of a sparse matrix times the matrix.
    pub fn scipy(&self, target: &Path) -> Option<Helper> {
        let start = || {
            let python = python(target, &["numpy", "scipy"])?;
            Helper::start(Command::new(python).arg(script("scipy_top.py")).arg(&self.sets).arg(&self.sample))
        };
        told("numpy and scipy", start())
    }

    /// Every set in the memory of a Node process.
    pub fn node_top(&self) -> Option<Helper> {
        let start = || {
            ensure!(exists("node"), "there is no node");
            Helper::start(Command::new("node").arg(script("node_top.js")).arg(&self.sets).arg(&self.sample))
        };
        told("Node with every set in RAM", start())
    }
}

/// A Node process that reads the materialised tables of a SQLite file a pair at a time with better-sqlite3.
pub fn node_pairs(target: &Path, database: &str) -> Option<Helper> {
    let start = || {
        let modules = target.join("node/node_modules");
        if !modules.join("better-sqlite3").is_dir() {
            ensure!(exists("npm"), "there is no npm");
            let directory = target.join("node");
            std::fs::create_dir_all(&directory)?;
            println!("installing better-sqlite3 into {} ...", directory.display());
            succeed(
                Command::new("npm")
                    .args(["install", "--silent", "--no-save", "better-sqlite3@12"])
                    .current_dir(directory),
            )?;
        }
        Helper::start(Command::new("node").arg(script("node_pairs.js")).arg(database).env("NODE_PATH", modules))
    };
    told("Node with better-sqlite3", start())
}

fn exists(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

fn script(name: &str) -> PathBuf {
    crate::repository().join("tests/bench/similarity").join(name)
}

/// A contender that cannot run is left out, and that is told.
pub fn told(name: &str, started: Result<Helper>) -> Option<Helper> {
    started.inspect_err(|error| println!("SKIPPED: {name}: {error:#}")).ok()
}
