//! A SQLite process killed at random points: what was acknowledged is there, once, and the state is that of the log.

use super::ledger::{self, Ledger};
use super::victim::{self, Victim};
use super::workload;
use crate::engine::Engine;
use crate::random::Random;
use crate::report::Report;
use crate::sqlite::SqliteHost;
use anyhow::{ensure, Context, Result};
use std::time::Duration;

/// After so many deaths a new file is begun, so that the log stays short.
const LIVES: usize = 25;

pub fn run(host: &mut SqliteHost, report: &mut Report) -> Result<()> {
    for journal in ["wal", "delete"] {
        let (mut deaths, mut acknowledged, failed) = (0, 0, report.failed);
        report.case(&format!("nothing is lost or doubled by SIGKILL, journal mode {journal}"), || {
            while deaths < victim::deaths() {
                let lives = LIVES.min(victim::deaths() - deaths);
                acknowledged += one_file(host, journal, lives, deaths as u64)?;
                deaths += lives;
            }
            Ok(())
        });
        let value = format!("0 lost or doubled in {deaths}, {acknowledged} transactions acknowledged");
        if report.failed == failed {
            report.figure(&format!("SIGKILL, journal mode {journal}"), &value);
        }
    }
    Ok(())
}

/// Kills one victim of a file after the other; returns how many transactions were acknowledged.
fn one_file(host: &mut SqliteHost, journal: &str, lives: usize, seed: u64) -> Result<usize> {
    let path = host.fresh_path();
    let mut file = host.open(&path)?;
    file.exec("select cotaste_init()")?;
    file.exec(&workload::catalogue())?;
    drop(file);
    let name = path.to_string_lossy().into_owned();
    let extension = host.extension().to_string_lossy().into_owned();
    let mut ledgers = Vec::new();
    let mut acknowledged = 0;
    let mut random = Random::new(seed ^ 0xdead);
    for life in 0..lives {
        let client = life.to_string();
        let own = (seed * 1000 + life as u64).to_string();
        let mut victim = Victim::start(&[], &[&name, &extension, journal, &client, &own, "1000000"])?.ready()?;
        // A commit to a rollback journal takes longer.
        let most = if journal == "wal" { 40_000 } else { 150_000 };
        std::thread::sleep(Duration::from_micros(random.below(most) as u64));
        victim.kill()?;
        let mut ledger = Ledger::default();
        let told = victim.end(&mut ledger)?;
        ensure!(told.error.is_none(), "an error before it was killed: {:?}", told.error);
        acknowledged += ledger.acknowledged;
        ledgers.push((client, ledger));
        check(host, &path, &mut ledgers).with_context(|| format!("seed {own}, death {life} of {name}"))?;
    }
    std::fs::remove_file(&path)?;
    Ok(acknowledged)
}

fn check(host: &SqliteHost, path: &std::path::Path, ledgers: &mut [(String, Ledger)]) -> Result<()> {
    let mut file = host.open(path)?;
    ensure!(file.value("pragma integrity_check")? == "ok", "the file is damaged");
    let mut log = ledger::by_client(&mut file)?;
    for (client, ledger) in ledgers {
        ledger.settle(log.remove(client).unwrap_or_default())?;
    }
    ensure!(log.is_empty(), "events nobody wrote: {log:?}");
    ledger::sound(&mut file)
}
