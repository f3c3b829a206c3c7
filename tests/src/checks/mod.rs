//! What is promised, proved through SQL. Everything here runs on every engine unless its module's name says otherwise.

pub mod backup;
mod bad_input;
pub mod cancel;
mod catalogue;
mod concurrent;
mod documentation;
mod embeddings;
mod end_to_end;
mod errors;
mod experiments;
pub mod faults;
mod golden_analytics;
mod golden_experiments;
mod golden_families;
mod golden_tables;
mod histories;
pub mod hostile;
pub mod leash;
mod movielens;
mod operate;
mod own_check;
pub mod planted;
mod postgres_only;
mod privileges;
mod scale_out;
mod sqlite_only;
mod upgrade;

use crate::compare::Answers;
use crate::engine::Host;
use crate::postgres::PostgresHost;
use crate::report::Report;
use crate::slt;
use crate::sqlite::SqliteHost;
use anyhow::Result;
use std::path::Path;

type Check = fn(&mut dyn Host, &mut Report, &Answers) -> Result<()>;

const EVERYWHERE: [(&str, Check); 16] = [
    ("golden similarity", golden_tables::similarity),
    ("golden context_json", golden_tables::context),
    ("golden timeslots", golden_tables::time_slots),
    ("golden analytics", golden_analytics::run),
    ("golden experiments", golden_experiments::run),
    ("golden experiment families", golden_families::run),
    ("own check", own_check::run),
    ("bad input", bad_input::run),
    ("hostile blobs", hostile::run),
    ("catalogue", catalogue::run),
    ("embeddings", embeddings::run),
    ("end to end", end_to_end::run),
    ("experiment relations", experiments::run),
    ("operate", operate::run),
    ("errors", errors::run),
    ("documentation", documentation::run),
];

pub fn sqlite(
    host: &mut SqliteHost,
    newer: bool,
    newer_version: &str,
    report: &mut Report,
    answers: &Answers,
) -> Result<()> {
    if report.section("sqlite library") {
        sqlite_only::library(newer, newer_version, report);
    }
    everywhere(host, report, answers)?;
    section("sqlite only", report, |report| sqlite_only::run(host, report));
    section("upgrade", report, |report| upgrade::sqlite(host, report));
    section("backup", report, |report| backup::sqlite(host, report));
    section("cancelling", report, |report| cancel::sqlite(host, report));
    faults::sqlite(host, report);
    last(host, report, answers);
    Ok(())
}

pub fn postgres(
    host: &mut PostgresHost,
    (pg_config, library, planted): (&Path, &Path, &Path),
    report: &mut Report,
    answers: &Answers,
) -> Result<()> {
    everywhere(host, report, answers)?;
    section("postgres only", report, |report| postgres_only::run(host, pg_config, report));
    section("upgrade", report, |report| upgrade::postgres(host, report));
    section("backup", report, |report| backup::postgres(host, report));
    section("privileges", report, |report| privileges::run(host, report));
    section("cancelling", report, |report| cancel::postgres(host, report));
    section("concurrent writers", report, |report| concurrent::run(host, report));
    faults::postgres(pg_config, library, planted, report);
    last(host, report, answers);
    section("server log", report, |report| postgres_only::log(host, report));
    Ok(())
}

/// One node beside several, on one major: nothing of it depends on the major.
pub fn scale_out(pg_config: &Path, library: &Path, report: &mut Report) {
    section("scale out", report, |report| scale_out::run(pg_config, library, report));
}

fn everywhere(host: &mut dyn Host, report: &mut Report, answers: &Answers) -> Result<()> {
    section("releases", report, upgrade::releases);
    slt::run(host, report)?;
    for (name, check) in EVERYWHERE {
        section(name, report, |report| check(host, report, answers));
    }
    Ok(())
}

/// What may take long or end the process comes last.
fn last(host: &mut dyn Host, report: &mut Report, answers: &Answers) {
    section("random histories", report, |report| histories::run(host, report, answers));
    section("movielens", report, |report| movielens::run(host, report, answers));
    section("planted panics", report, |report| planted::run(host, report));
}

/// An error outside of a case is a failed case, and the next section still runs.
fn section(name: &str, report: &mut Report, check: impl FnOnce(&mut Report) -> Result<()>) {
    if report.section(name) {
        if let Err(error) = check(report) {
            report.fail("the section runs to its end", &format!("{error:#}"));
        }
    }
}
