//! The order of things: the core's own tests, the engines two at a time, then what compares them.

use crate::cluster::Cluster;
use crate::postgres::PostgresHost;
use crate::report::{is_missing, Report, FIGURE};
use crate::sqlite::SqliteHost;
use crate::{checks, cli, compare, core_tests, leash, newer, scripts, Options};
use anyhow::{bail, ensure, Context, Result};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

/// In this order two run beside each other: one SQLite, one Postgres.
const ENGINES: [&str; 4] = ["sqlite", "pg15", "sqlite-new", "pg18"];

/// Every test; false when one failed.
pub fn everything(options: &Options) -> Result<bool> {
    ensure!(options.target.is_dir(), "build first: make test");
    let start = Instant::now();
    let mut report = Report::new("all", options.only.clone());
    let engines: Vec<&'static str> =
        ENGINES.into_iter().filter(|name| options.engine.as_deref().is_none_or(|only| only == *name)).collect();
    ensure!(!engines.is_empty(), "there is no engine {:?}: {ENGINES:?}", options.engine);
    if options.engine.is_none() && report.section("core") {
        core_tests::run(&mut report)?;
    }
    newer::build(&options.target.join("sqlite-new"))?;
    let scratch = Scratch::new("answers")?;
    let (mut finished, mut figures) = (Vec::new(), Vec::new());
    for pair in engines.chunks(2) {
        let counts = std::thread::scope(|scope| {
            let children: Vec<_> = pair.iter().map(|name| scope.spawn(|| child(name, options, &scratch.0))).collect();
            children
                .into_iter()
                .map(|child| child.join().unwrap_or(Err(anyhow::anyhow!("a thread panicked"))))
                .collect::<Vec<_>>()
        });
        for (name, count) in pair.iter().zip(counts) {
            match count {
                Ok(outcome) => {
                    report.add(outcome.counts);
                    report.missing.extend(outcome.missing);
                    figures.extend(outcome.figures);
                    finished.push(*name);
                }
                Err(error) => report.fail(&format!("{name} runs to its end"), &format!("{error:#}")),
            }
        }
    }
    if options.engine.is_none() && options.only.as_deref().is_none_or(|only| only.contains("cli")) {
        cli::run(options, &mut report)?;
    }
    if options.engine.is_none() {
        scripts::run(options, &mut report);
    }
    if finished.len() > 1 {
        compare::answers(&scratch.0, &finished, &mut report)?;
    }
    if engines.contains(&"pg18") && report.section("pg_upgrade") {
        let library = |name: &str| options.target.join(format!("build-{name}/release/libcotaste.so"));
        let (pg15, pg18) = ((&*options.pg15, &*library("pg15")), (&*options.pg18, &*library("pg18")));
        checks::backup::upgrade(pg15, pg18, &mut report)?;
    }
    if engines.contains(&"pg18") && report.section("no server outlives its test") {
        checks::leash::run(options, &mut report);
    }
    if !figures.is_empty() {
        println!("\n{}\n", figures.join("\n"));
    }
    if !report.missing.is_empty() {
        println!("failed or skipped:\n{}\n", report.missing.join("\n"));
    }
    println!("every test ran in {:.0} s", start.elapsed().as_secs_f64());
    println!("{} passed, {} failed, {} skipped", report.passed, report.failed, report.skipped);
    Ok(report.failed == 0)
}

/// What an engine's process told.
#[derive(Default)]
struct Outcome {
    /// Cases that passed, failed and were skipped.
    counts: (usize, usize, usize),
    figures: Vec<String>,
    /// The first two lines of each case that failed or was skipped.
    missing: Vec<String>,
}

/// Runs one engine in a process of its own.
fn child(name: &str, options: &Options, answers: &Path) -> Result<Outcome> {
    let mut command = leash::command()?;
    command.args(["engine", name]).arg("--target").arg(&options.target).arg("--answers").arg(answers);
    command.arg("--pg15").arg(&options.pg15).arg("--pg18").arg(&options.pg18);
    if let Some(only) = &options.only {
        command.args(["--only", only]);
    }
    if name == "sqlite-new" {
        command.env("LD_LIBRARY_PATH", options.target.join("sqlite-new"));
    }
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let (mut outcome, mut is_whole, mut is_reason) = (Outcome::default(), false, false);
    for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
        let line = line?;
        let numbers: Option<Result<Vec<usize>, _>> =
            line.strip_prefix("counts ").map(|rest| rest.split(' ').map(str::parse).collect());
        match numbers.transpose()?.as_deref() {
            Some([passed, failed, skipped]) => {
                outcome.counts = (*passed, *failed, *skipped);
                is_whole = true;
            }
            _ => println!("{line}"),
        }
        if line.contains(FIGURE) {
            outcome.figures.push(line.replacen(FIGURE, "] ", 1));
        }
        let is_told = is_missing(&line);
        if is_told || (is_reason && line.starts_with("    ")) {
            outcome.missing.push(line);
        }
        is_reason = is_told;
    }
    let status = child.wait()?;
    ensure!(is_whole, "it ended early: {status}");
    Ok(outcome)
}

/// One engine, in its own process.
pub fn engine(name: &str, options: &Options) -> Result<bool> {
    let scratch = Scratch::new(name)?;
    leash::follow_parent(vec![scratch.0.clone(), options.answers.clone()]);
    let mut report = Report::new(name, options.only.clone());
    let answers = compare::Answers::new(&options.answers, name);
    match name {
        "sqlite" | "sqlite-new" => {
            let expected = fs::read_to_string(options.target.join("sqlite-new/version"))?;
            let planted = options.target.join("debug/libcotaste0.so");
            let mut host = SqliteHost::new(scratch.0.clone(), options.target.join("cotaste0.so"), planted);
            checks::sqlite(&mut host, name == "sqlite-new", &expected, &mut report, &answers)?;
        }
        "pg15" | "pg18" => {
            let pg_config = if name == "pg15" { &options.pg15 } else { &options.pg18 }.clone();
            let build = options.target.join(format!("build-{name}"));
            let (library, planted) = (build.join("release/libcotaste.so"), build.join("debug/libcotaste.so"));
            let cluster = Cluster::start(&pg_config, &library)?;
            let start_planted = {
                let (pg_config, planted) = (pg_config.clone(), planted.clone());
                move || Cluster::start(&pg_config, &planted)
            };
            let mut host = PostgresHost::new(cluster, start_planted)?;
            checks::postgres(&mut host, (&pg_config, &library, &planted), &mut report, &answers)?;
            if name == "pg15" {
                checks::scale_out(&pg_config, &library, &mut report);
            }
        }
        _ => bail!("unknown engine {name}"),
    }
    println!("counts {} {} {}", report.passed, report.failed, report.skipped);
    Ok(report.failed == 0)
}

/// A temporary directory, removed at the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(purpose: &str) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("cotaste-{purpose}-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        Ok(Scratch(directory))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
