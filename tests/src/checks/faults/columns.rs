//! Hostile bytes in every binary column of a space: a read gives CORRUPT_STATE or the right answer, never another one, a
//! crash or a hang; `cotaste_verify()` tells; `cotaste_rebuild()` heals.

use super::workload;
use crate::checks::hostile::{with_checksum, Mutations};
use crate::engine::{unhex, Engine, Kind, SqlError};
use crate::report::Report;
use crate::surface::{self, Asked, Read};
use crate::{random::Random, scale};
use anyhow::{bail, ensure, Context, Result};
use std::time::{Duration, Instant};

/// How long one read of a damaged space may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub fn run(engine: &mut dyn Engine, report: &mut Report) -> Result<()> {
    fill(engine)?;
    let asked = Asked { user: "user 1".into(), other: "user 5".into(), content: 7, experiment: "ranker".into() };
    let reads = surface::reads(engine, &asked)?;
    let columns = columns(engine)?;
    ensure!(columns.len() >= 5, "{columns:?}");
    let (mut damaged, mut refused, mut right, failed) = (0, 0, 0, report.failed);
    for (table, column) in &columns {
        report.case(&format!("hostile bytes in {table}.{column}: CORRUPT_STATE or the right answer"), || {
            let before = answers(engine, &reads)?;
            let mut mutations = Mutations::new(7);
            let mut random = Random::new(3);
            for number in 0..scale::of(4, 400) {
                let sound = engine.query(&format!("select {column} from {table} where {column} is not null"))?;
                let sound = &random.pick(&sound.iter().map(|row| row[0].as_str()).collect::<Vec<_>>()).to_string();
                let pending = is_pending(engine, (table, column), sound)?;
                let mut hostile = mutations.mutate(&unhex(sound));
                let forged = number % 4 == 3;
                if forged {
                    hostile = with_checksum(hostile);
                }
                if hostile == unhex(sound) {
                    continue;
                }
                let counts = damage(engine, (table, column), sound, &hostile, (forged, pending), &before)
                    .with_context(|| format!("{} for {sound}", engine.blob(&hostile)))?;
                (damaged, refused, right) = (damaged + 1, refused + counts.0, right + counts.1);
            }
            Ok(())
        });
    }
    let value = format!("{damaged} values damaged; of the reads {refused} refused, {right} right, 0 wrong");
    if report.failed == failed {
        report.figure(&format!("hostile bytes in {} columns", columns.len()), &value);
    }
    Ok(())
}

fn fill(engine: &mut dyn Engine) -> Result<()> {
    engine.exec(&workload::catalogue())?;
    let mut rows = Vec::new();
    let mut random = Random::new(11);
    for n in 0..600 {
        let (user, content) = (random.below(30), random.below(workload::CONTENTS));
        let action = random.pick(&["view", "complete", "like", "skip", "rate"]);
        let context = format!(r#"{{"experimentName":"ranker","experimentVariant":"{}"}}"#, ["a", "b"][user % 2]);
        rows.push(format!("('user {user}', {content}, '{action}', '{context}', '2026-03-0{}T10:00:00Z')", 1 + n % 9));
    }
    engine.exec(&format!(
        "insert into user_behaviors (user_id, content_id, action, context, occurred_at) values {}",
        rows.join(", ")
    ))?;
    engine.exec("insert into user_behaviors (user_id, content_id, action, rating) values ('user 2', 3, 'rate', 8)")?;
    engine.exec("select cotaste_refresh(); select cotaste_refresh_neighbours(5)")?;
    // One user is read from the log and one from the state with pending pairs.
    engine.exec(
        "insert into user_behaviors (user_id, content_id, action) values ('user 5', 3, 'view'), ('new', 4, 'like')",
    )?;
    Ok(())
}

/// Columns of bare sums.
const SUMS: [&str; 2] = ["weight", "trend"];

/// What the owner put in, what was learned from it or is kept of purged events: no state that a rebuild would make anew.
const NOT_STATE: [&str; 3] = ["content_embeddings", "cotaste_base", "cotaste_learned"];

/// Every binary column of the state.
fn columns(engine: &mut dyn Engine) -> Result<Vec<(String, String)>> {
    let rows = engine.query(match engine.kind() {
        Kind::Postgres => {
            "select c.relname::text, a.attname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.atttypid = 'bytea'::regtype and a.attgenerated = ''
             order by 1, 2"
        }
        Kind::Sqlite => {
            "select m.name, c.name from sqlite_master m, pragma_table_xinfo(m.name) c
             where m.type = 'table' and upper(c.type) = 'BLOB' and m.sql not like 'create virtual%' order by 1, 2"
        }
    })?;
    let mut columns = Vec::new();
    for row in rows.into_iter().filter(|row| !NOT_STATE.contains(&row[0].as_str())) {
        let filled = engine.value(&format!("select count(*) from {} where {} is not null", row[0], row[1]))?;
        ensure!(filled != "0", "{}.{} is empty here: fill it", row[0], row[1]);
        columns.push((row[0].clone(), row[1].clone()));
    }
    Ok(columns)
}

type Answer = (Read, Vec<Vec<String>>);

fn answers(engine: &mut dyn Engine, reads: &[Read]) -> Result<Vec<Answer>> {
    let answer = |read: &Read| {
        let rows = surface::rows(engine, &read.sql).with_context(|| read.sql.clone())?;
        Ok((read.clone(), rows))
    };
    reads.iter().map(answer).collect()
}

/// Whether the value is that of a user with something pending, who is read from the log.
fn is_pending(engine: &mut dyn Engine, (table, column): (&str, &str), sound: &str) -> Result<bool> {
    if !table.starts_with("cotaste_user") {
        return Ok(false);
    }
    let sound = engine.blob(&unhex(sound));
    let pending = format!(
        "select count(*) from {table} t join cotaste_queue q on q.user_id = t.user_id where t.{column} = {sound}"
    );
    Ok(engine.value(&pending)? != "0")
}

/// One read inside the transaction, which goes on.
fn attempt(engine: &mut dyn Engine, sql: &str) -> Result<Result<Vec<Vec<String>>, SqlError>> {
    engine.exec("savepoint attempt")?;
    let start = Instant::now();
    let outcome = surface::rows(engine, sql);
    ensure!(start.elapsed() < PATIENCE, "{sql} took {:?}", start.elapsed());
    engine.exec("rollback to savepoint attempt; release savepoint attempt")?;
    Ok(outcome)
}

/// Puts the bytes in place of a sound value and asks everything; how many reads refused and how many were right.
fn damage(
    engine: &mut dyn Engine,
    (table, column): (&str, &str),
    sound: &str,
    hostile: &[u8],
    is: (bool, bool),
    before: &[Answer],
) -> Result<(usize, usize)> {
    let (new, was) = (engine.blob(hostile), engine.blob(&unhex(sound)));
    engine.exec("begin")?;
    let outcome = match engine.exec(&format!("update {table} set {column} = {new} where {column} = {was}")) {
        Ok(()) => ask(engine, column, is, before),
        // A generated column of the same row has read it.
        Err(error) if error.code() == Some("CORRUPT_STATE") => Ok((1, 0)),
        Err(error) => Err(error.into()),
    };
    engine.exec("rollback")?;
    outcome
}

fn ask(
    engine: &mut dyn Engine,
    column: &str,
    (forged, pending): (bool, bool),
    before: &[Answer],
) -> Result<(usize, usize)> {
    let (mut refused, mut right) = (0, 0);
    for (read, expected) in before {
        // These show the state's tables themselves.
        let shows = read.name.starts_with("cotaste_");
        match attempt(engine, &read.sql)? {
            Err(error) if error.code() == Some("CORRUPT_STATE") => refused += 1,
            // A sum out of range is told by the function that gets it.
            Err(error) if SUMS.contains(&column) && error.code() == Some("INVALID_ARGUMENT") => refused += 1,
            Err(error) => bail!("{}: {error:?}", read.sql),
            // A forged checksum, and a sum, which has none, can be another sound value.
            Ok(rows) if !surface::same(&rows, expected) && !forged && !shows && !SUMS.contains(&column) => {
                bail!("{}: {rows:?} instead of {expected:?}", read.sql)
            }
            Ok(_) => right += 1,
        }
    }
    match attempt(engine, "select * from cotaste_verify()")? {
        Err(error) => ensure!(error.code() == Some("CORRUPT_STATE"), "cotaste_verify: {error:?}"),
        Ok(problems) => ensure!(!problems.is_empty() || pending, "cotaste_verify sees nothing"),
    }
    for fold in ["select cotaste_refresh()", "select cotaste_refresh_neighbours()"] {
        if let Err(error) = attempt(engine, fold)? {
            ensure!(error.code() == Some("CORRUPT_STATE"), "{fold}: {error:?}");
        }
    }
    engine.exec("select cotaste_rebuild()")?;
    let problems = engine.query("select * from cotaste_verify()")?;
    ensure!(problems.is_empty(), "after cotaste_rebuild(): {problems:?}");
    Ok((refused, right))
}
