//! `cotaste_refresh_recommendations([limit])`: computes what is missing, too old or older than the user's last event.

use super::{answer, Asker};
use crate::failure::Result;
use crate::kept::{text, Kept};
use cotaste_core::recommend::Ask;
use rusqlite::ffi::sqlite3;
use rusqlite::Connection;

/// How many users' recommendations were computed.
///
/// # Safety
/// `raw` is the connection behind `db`, used by this thread.
pub unsafe fn refresh(raw: *mut sqlite3, db: &Connection, kept: &Kept, limit: Option<i64>, now_us: i64) -> Result<i64> {
    db.execute_batch(text("forget recommendations")?)?;
    let users: Vec<String> = {
        let mut outdated = db.prepare(text("outdated recommendations")?)?;
        let users = outdated.query_map((now_us, limit.unwrap_or(-1)), |row| row.get(0))?;
        users.collect::<rusqlite::Result<_>>()?
    };
    // SAFETY: the caller's promise.
    let found = unsafe { answer(raw, kept, &Asker::Several(&users), &Ask::default())? };
    let (mut drop_all, mut add) =
        (db.prepare(text("drop recommendations")?)?, db.prepare(text("add recommendation")?)?);
    let mut set_run = db.prepare(text("set recommendation run")?)?;
    for user in &users {
        drop_all.execute([user])?;
        set_run.execute((user, now_us))?;
    }
    for row in &found.rows {
        let (of, user) = (&row.of, row.user.as_deref());
        add.execute((user, row.rank, of.content_id, of.score, of.method.name(), &of.reason, &found.computed_at))?;
    }
    Ok(users.len() as i64)
}
