//! No server outlives its test, however the test ends.

use crate::cluster::Cluster;
use crate::report::Report;
use crate::{leash, Options};
use anyhow::{bail, ensure, Context, Result};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

pub fn run(options: &Options, report: &mut Report) {
    for (name, ending, signal) in [
        ("after it returned", "return", None),
        ("after a panic", "panic", None),
        ("after SIGINT", "wait", Some(libc::SIGINT)),
        ("after SIGTERM", "wait", Some(libc::SIGTERM)),
        ("after SIGKILL", "wait", Some(libc::SIGKILL)),
    ] {
        report.case(name, || ends(options, ending, signal));
    }
}

fn ends(options: &Options, ending: &str, signal: Option<i32>) -> Result<()> {
    let mut command = leash::command()?;
    command.args(["hold-cluster", ending, "--pg18"]).arg(&options.pg18).arg("--target").arg(&options.target);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut directory = String::new();
    BufReader::new(child.stdout.take().context("no output")?).read_line(&mut directory)?;
    let directory = PathBuf::from(directory.trim_end());
    ensure!(!directory.as_os_str().is_empty(), "the cluster did not start");
    if let Some(signal) = signal {
        ensure!(!processes(&directory)?.is_empty(), "the server should be running now");
        // SAFETY: a signal to a child of ours that has not been waited for, so its id is its own.
        unsafe { libc::kill(child.id() as libc::pid_t, signal) };
    }
    child.wait()?;
    let start = Instant::now();
    while directory.exists() || !processes(&directory)?.is_empty() {
        ensure!(start.elapsed() < Duration::from_secs(20), "still there: {:?}", processes(&directory)?);
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The processes whose command line names the directory.
fn processes(directory: &Path) -> Result<Vec<String>> {
    let name = directory.to_string_lossy();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let line = std::fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(name.as_ref()) {
            found.push(line);
        }
    }
    Ok(found)
}

/// The child of the test above: holds a cluster and ends as told.
pub fn hold(ending: &str, options: &Options) -> Result<bool> {
    let cluster = Cluster::start(&options.pg18, &options.target.join("build-pg18/release/libcotaste.so"))?;
    // A run in the background of a script inherits SIGINT ignored; the test needs it to end this process.
    // SAFETY: no handler of ours is replaced.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    println!("{}", cluster.directory().display());
    match ending {
        "return" => Ok(true),
        "panic" => panic!("on purpose"),
        "wait" => loop {
            std::thread::sleep(Duration::from_secs(60));
        },
        _ => bail!("return, panic or wait"),
    }
}
