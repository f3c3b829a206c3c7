//! `cotaste_refresh_neighbours([limit])`: computes what the cache lacks or holds too long, oldest first. Users with
//! something pending are read from the log, cached or not, so nothing is folded here.

use super::{log::LogTastes, of};
use crate::failure::Result;
use crate::kept::{text, Kept};
use rusqlite::ffi::sqlite3;
use rusqlite::Connection;

/// How many users' neighbours were computed.
///
/// # Safety
/// `raw` is the connection behind `db`, used by this thread.
pub unsafe fn refresh(raw: *mut sqlite3, db: &Connection, kept: &Kept, limit: Option<i64>, now_us: i64) -> Result<i64> {
    db.execute_batch(text("forget")?)?;
    let (k, ttl): (i64, f64) = db.query_row(text("cache settings")?, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let oldest = now_us.saturating_sub((ttl * 3.6e9) as i64);
    let users: Vec<String> = {
        let mut outdated = db.prepare(text("outdated")?)?;
        let users = outdated.query_map((k, oldest, limit.unwrap_or(-1)), |row| row.get(0))?;
        users.collect::<rusqlite::Result<_>>()?
    };
    let (mut drop_all, mut add) = (db.prepare(text("drop neighbours")?)?, db.prepare(text("add neighbour")?)?);
    let mut set_run = db.prepare(text("set run")?)?;
    let mut log = LogTastes::default();
    for user in &users {
        // SAFETY: the caller's promise.
        let found = unsafe { of(raw, kept, &mut log, user, Some(k), false)? };
        drop_all.execute([user])?;
        for (rank, row) in (1..).zip(&found.rows) {
            let scores = (row.similarity, row.jaccard, row.genre_cosine, row.shared_items);
            let rank: i64 = rank;
            add.execute((user, rank, &row.user_id, scores.0, scores.1, scores.2, scores.3, &found.computed_at))?;
        }
        set_run.execute((user, k, now_us))?;
    }
    Ok(users.len() as i64)
}
