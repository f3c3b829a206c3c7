//! Counts what passed and failed, and tells it.

use anyhow::Result;
use std::panic::{catch_unwind, AssertUnwindSafe};

pub struct Report {
    engine: String,
    only: Option<String>,
    section: String,
    is_quiet: bool,
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    /// What failed and was skipped, told again at the end.
    pub missing: Vec<String>,
}

/// What stands before a figure in the output.
pub const FIGURE: &str = "] figure  ";
const FAILED: &str = "] FAILED  ";
const SKIPPED: &str = "] SKIPPED ";

/// Whether a line tells a case that failed or was skipped.
pub fn is_missing(line: &str) -> bool {
    line.contains(FAILED) || line.contains(SKIPPED)
}

impl Report {
    pub fn new(engine: &str, only: Option<String>) -> Self {
        Report {
            engine: engine.to_string(),
            only,
            section: String::new(),
            is_quiet: false,
            passed: 0,
            failed: 0,
            skipped: 0,
            missing: Vec::new(),
        }
    }

    /// One that counts and tells nothing: of a part that is expected to fail.
    pub fn quiet() -> Self {
        Report { is_quiet: true, ..Self::new("", None) }
    }

    /// Starts a section; false when `--only` leaves it out.
    pub fn section(&mut self, name: &str) -> bool {
        self.section = name.to_string();
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }

    /// One case, named after the promise it proves.
    pub fn case(&mut self, name: &str, test: impl FnOnce() -> Result<()>) {
        let before = self.failed;
        self.row(name, test);
        if self.failed == before && !self.is_quiet {
            println!("[{}] ok      {}: {name}", self.engine, self.section);
        }
    }

    /// One of many small cases: counted like a case, told only when it fails.
    pub fn row(&mut self, name: &str, test: impl FnOnce() -> Result<()>) {
        match catch_unwind(AssertUnwindSafe(test)) {
            Ok(Ok(())) => self.passed += 1,
            Ok(Err(error)) => self.fail(name, &format!("{error:#}")),
            Err(_) => self.fail(name, "the test panicked"),
        }
    }

    /// Tells how many rows a section had.
    pub fn rows_done(&self, name: &str, since: usize) {
        println!("[{}] ok      {}: {name}: {} passed", self.engine, self.section, self.passed - since);
    }

    /// Something worth knowing that neither passes nor fails.
    pub fn note(&self, text: &str) {
        if self.is_quiet {
            return;
        }
        println!("[{}]         {}: {text}", self.engine, self.section);
    }

    /// Something that was counted or measured: told here, and again in the table at the end.
    pub fn figure(&self, what: &str, value: &str) {
        println!("[{}{FIGURE}{}: {what}: {value}", self.engine, self.section);
    }

    pub fn fail(&mut self, name: &str, why: &str) {
        self.failed += 1;
        if self.is_quiet {
            return;
        }
        self.tell(format!("[{}{FAILED}{}: {name}\n    {}", self.engine, self.section, why.replace('\n', "\n    ")));
    }

    /// A case that cannot run here.
    pub fn skip(&mut self, name: &str, why: &str) {
        self.skipped += 1;
        self.tell(format!("[{}{SKIPPED}{}: {name}: {why}", self.engine, self.section));
    }

    fn tell(&mut self, missing: String) {
        println!("{missing}");
        self.missing.push(missing);
    }

    pub fn add(&mut self, (passed, failed, skipped): (usize, usize, usize)) {
        self.passed += passed;
        self.failed += failed;
        self.skipped += skipped;
    }
}
