//! Retention: old events go, and what they came to stays in `cotaste_base`, so that level 1 is what it was bit by bit. In
//! SQLite the writer is alone, so it runs in the transaction of whoever calls it.

use crate::failure::Result;
use crate::fold;
use cotaste_core::Error;
use rusqlite::{Connection, OptionalExtension};

const PURGE: &str = include_str!("../../sql/sqlite/purge.sql");
/// How many events are carried at once.
const CHUNK: i64 = 100_000;
/// How many events one `cotaste_refresh` removes at most.
const REFRESH: i64 = 20_000;
const DAY_US: i64 = 86_400_000_000;

/// `purge_behaviors(days [, dry_run [, batch]])`: removes events older than so many days, or so many of them, and keeps
/// what they came to; how many events they were, or would be.
pub fn purge(db: &Connection, days: Option<i64>, dry_run: bool, batch: Option<i64>, now_us: i64) -> Result<i64> {
    let days = days.ok_or(Error::invalid("days", "is NULL"))?;
    if !(0..=1_000_000).contains(&days) {
        return Err(Error::invalid("days", format!("{days} is not between 0 and 1000000")).into());
    }
    if let Some(batch) = batch.filter(|batch| *batch <= 0) {
        return Err(Error::invalid("batch", format!("{batch} is not above 0")).into());
    }
    if dry_run {
        return Ok(db.query_row(statement("previewed")?, [days], |row| row.get(0))?);
    }
    let cut_us = now_us.saturating_sub(days.saturating_mul(DAY_US));
    if cut_us < cotaste_core::time::MIN_US {
        return Ok(0);
    }
    let bound: String = db.query_row(statement("bound")?, [cut_us], |row| row.get(0))?;
    let (mut purged, mut exposed) = (0, 0);
    loop {
        let most = batch.map_or(CHUNK, |batch| batch.saturating_sub(purged).min(CHUNK));
        let (more, of_experiments) = if most > 0 { some(db, cut_us, &bound, most)? } else { (0, 0) };
        purged += more;
        exposed += of_experiments;
        if more == 0 {
            break;
        }
    }
    let is_stale: bool = db.query_row(statement("is stale")?, [], |row| row.get(0))?;
    if exposed > 0 && !is_stale {
        fold::refresh(db, None, now_us)?;
    }
    Ok(purged)
}

/// What `cotaste_refresh` does by the setting `retention_days`.
pub fn retain(db: &Connection, now_us: i64) -> Result<()> {
    let days: Option<i64> = db.query_row(statement("retention")?, [], |row| row.get(0)).optional()?;
    days.map_or(Ok(()), |days| purge(db, Some(days), false, Some(REFRESH), now_us).map(drop))
}

/// Purges at most so many events; how many they were, and how many users of experiments.
fn some(db: &Connection, cut_us: i64, bound: &str, most: i64) -> Result<(i64, usize)> {
    let last =
        db.query_row(statement("last of a batch")?, (cut_us, bound, most - 1), |row| Ok((row.get(0)?, row.get(1)?)));
    // Without one, all there are.
    let (last_at, last_id): (String, i64) = last.optional()?.unwrap_or_else(|| (bound.to_owned(), i64::MAX));
    let batch = (cut_us, bound, &last_at, last_id);
    let events: i64 = db.query_row(statement("events of a batch")?, batch, |row| row.get(0))?;
    if events == 0 {
        return Ok((0, 0));
    }
    let exposed = db.execute(statement("queue exposed users")?, batch)?;
    db.execute(statement("carry")?, batch)?;
    let last_key: i64 = db.query_row(statement("last key")?, [], |row| row.get(0))?;
    let gone = db.execute(statement("purge")?, batch)?;
    if i64::try_from(gone) != Ok(events) {
        return Err(Error::update("a trigger of user_behaviors keeps events from being deleted").into());
    }
    // The pairs are what they were: nothing is to be folded.
    db.execute(statement("unqueue")?, [last_key])?;
    Ok((events, exposed))
}

fn statement(name: &str) -> Result<&'static str> {
    let text = PURGE.split("\n-- ").find_map(|part| part.strip_prefix(name)?.strip_prefix('\n'));
    Ok(text.ok_or(Error::Internal)?)
}
