//! The core crate's own tests, counted with all others.

use crate::report::Report;
use anyhow::Result;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

pub fn run(report: &mut Report) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "-p", "cotaste-core", "--no-fail-fast"]).current_dir(crate::repository());
    let mut child = cargo.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
    let mut counted = 0;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if let Some(result) = line.strip_prefix("test result: ") {
                let count = |what: &str| -> usize {
                    let words: Vec<&str> = result.split([' ', ';']).collect();
                    words.windows(2).find(|pair| pair[1] == what).and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
                };
                report.add((count("passed"), count("failed"), 0));
                counted += 1;
            }
            if !line.ends_with("... ok") && !line.is_empty() {
                println!("[core] {line}");
            }
        }
    }
    if !child.wait()?.success() && (counted == 0 || report.failed == 0) {
        report.fail("the core's tests build and run", "cargo test failed");
    }
    Ok(())
}
