//! The functions that run SQL of their own on the host's connection: everything else computes on values alone.

use crate::convert::{Answer, Args};
use crate::failure::Result;
use crate::kept::Kept;
use crate::scalar::{reader, Db, READS, WRITES};
use crate::statement::Statement;
use crate::{fold, guard, install, neighbours, purge, recommend};
use cotaste_core::{behavior, context, time, Error};
use rusqlite::ffi::{self, sqlite3, sqlite3_context};
use rusqlite::types::ValueRef;
use rusqlite::Connection;
use std::sync::Arc;

/// Recording looks every so many events whether it is time to fold.
const FOLD_EVERY: i64 = 64;

pub fn register(db: Db, writers: bool, kept: &Arc<Kept>) -> Result<()> {
    let of_pairs = Arc::clone(kept);
    reader(db, "user_similarity", 2, READS, move |call, args| user_similarity(&of_pairs, call, args))?;
    let of_one = Arc::clone(kept);
    reader(db, "cotaste_log_taste", 1, READS, move |call, args| log_taste(&of_one, call, args))?;
    let of_contents = Arc::clone(kept);
    reader(db, "cotaste_content_measures", 2, READS, move |call, args| content_measures(&of_contents, call, args))?;
    let of_ratings = Arc::clone(kept);
    reader(db, "cotaste_mean_rating", 0, READS, move |call, _| mean_rating(&of_ratings, call))?;
    reader(db, "cotaste_pragma", 1, READS, pragma)?;
    if writers {
        let of_all = Arc::clone(kept);
        reader(db, "cotaste_init", 0, WRITES, init)?;
        reader(db, "cotaste_refresh", 0, WRITES, refresh)?;
        reader(db, "cotaste_refresh", 1, WRITES, refresh)?;
        reader(db, "cotaste_rebuild", 0, WRITES, rebuild)?;
        reader(db, "forget_user", 1, WRITES, forget_user)?;
        for arguments in 1..=3 {
            reader(db, "purge_behaviors", arguments, WRITES, purge_behaviors)?;
        }
        for arguments in [0, 1] {
            let kept = Arc::clone(&of_all);
            reader(db, "cotaste_refresh_neighbours", arguments, WRITES, move |call, args| {
                refresh_neighbours(&kept, call, args)
            })?;
            let kept = Arc::clone(&of_all);
            reader(db, "cotaste_refresh_recommendations", arguments, WRITES, move |call, args| {
                refresh_recommendations(&kept, call, args)
            })?;
        }
        for arguments in 3..=7 {
            let kept = Arc::clone(&of_all);
            reader(db, "record_behavior", arguments, WRITES, move |call, args| record_behavior(&kept, call, args))?;
        }
    }
    Ok(())
}

/// `cotaste_init() -> text`
fn init(context: *mut sqlite3_context, _: Args<'_>) -> Result<Answer<'static>> {
    // SAFETY: the connection of the running call.
    let db = unsafe { ffi::sqlite3_context_db_handle(context) };
    // SAFETY: as above.
    let said = guard::nested(|| unsafe { install::run(db) });
    said.map(Into::into).map_err(|failure| failure.wrapped(Error::init))
}

/// `record_behavior(user_id, content_id, action [, rating, context, occurred_at, event_id]) -> id`
fn record_behavior(kept: &Kept, context: *mut sqlite3_context, args: Args<'_>) -> Result<Answer<'static>> {
    let id = guard::nested(|| {
        // SAFETY: the connection of the running call.
        let id = unsafe { record(ffi::sqlite3_context_db_handle(context), kept, args)? };
        if id % FOLD_EVERY == 0 {
            // SAFETY: the connection of the running call. It is borrowed: dropping it does not close it.
            let db = unsafe { Connection::from_handle(ffi::sqlite3_context_db_handle(context))? };
            install::in_savepoint(&db, || fold::when_due(&db, now_us(&db)?))?;
        }
        Ok(id)
    });
    id.map(Answer::Integer).map_err(|failure| failure.wrapped(Error::record))
}

/// # Safety
/// `db` is an open connection, used by this thread.
unsafe fn record(db: *mut sqlite3, kept: &Kept, args: Args<'_>) -> Result<i64> {
    // SAFETY: the caller's promise, here and below.
    unsafe { kept.connect(db)? };
    let user_id = args.id(0, "user_id")?;
    behavior::check_user_id(&user_id)?;
    let content_id = args.integer(1, "content_id")?;
    behavior::check_content_id(content_id)?;
    let action = args.text(2, "action")?;
    behavior::check_action(action)?;
    let rating = (!args.is_null(3)).then(|| args.real(3, "rating")).transpose()?;
    rating.map_or(Ok(()), behavior::check_rating)?;
    let raw = args.raw(4)?;
    let occurred_at = (!args.is_null(5)).then(|| args.timestamp(5, "occurred_at")).transpose()?;
    occurred_at.map_or(Ok(()), behavior::check_occurred_at)?;
    let occurred_at = occurred_at.map(time::format_timestamp).transpose()?;
    let event_id = (!args.is_null(6)).then(|| args.id(6, "event_id")).transpose()?;

    let parsed = context::parse_bytes(args.bytes(4)?);
    let user_id = ValueRef::from(&*user_id);
    let event_id = event_id.as_deref().map_or(ValueRef::Null, ValueRef::from);

    let values = [
        (c":user_id", user_id),
        (c":content_id", ValueRef::Integer(content_id)),
        (c":action", ValueRef::from(action)),
        (c":rating", rating.map_or(ValueRef::Null, ValueRef::Real)),
        (c":context", raw),
        (c":occurred_at", label(occurred_at.as_deref())),
        (c":event_id", event_id),
        (c":time_of_day", label(parsed.time_of_day)),
        (c":day_of_week", label(parsed.day_of_week)),
        (c":device", label(parsed.device.as_deref())),
        (c":location", label(parsed.location.as_deref())),
        (c":experiment", label(parsed.experiment.as_deref())),
        (c":variant", label(parsed.variant.as_deref())),
        (c":context_status", label(Some(parsed.status.as_str()))),
    ];
    let bind = |statement: &mut Statement| values.iter().try_for_each(|(name, value)| statement.bind(name, *value));
    let recorded = unsafe {
        kept.with(db, "record", |insert| {
            bind(insert)?;
            one_integer(insert)
        })?
    };
    if let Some(id) = recorded {
        return Ok(id);
    }
    let found = unsafe {
        kept.with(db, "recorded", |find| {
            bind(find)?;
            one_integer(find)
        })?
    };
    found.ok_or(Error::record("the event was neither written nor found").into())
}

fn label(text: Option<&str>) -> ValueRef<'_> {
    text.map_or(ValueRef::Null, ValueRef::from)
}

/// `user_similarity(a, b) -> double`: 0 for a user without events, NULL for NULL.
fn user_similarity(kept: &Kept, context: *mut sqlite3_context, args: Args<'_>) -> Result<Answer<'static>> {
    if args.any_null() {
        return Ok(Answer::Null);
    }
    let (a, b) = (args.id(0, "a")?, args.id(1, "b")?);
    // SAFETY: the connection of the running call.
    let similarity = guard::nested(|| unsafe {
        let db = ffi::sqlite3_context_db_handle(context);
        kept.connect(db)?;
        neighbours::similarity(db, kept, &a, &b)
    });
    similarity.map(Answer::Real)
}

/// `cotaste_log_taste(user) -> blob`: what the views of current tastes take for users with something pending.
fn log_taste(kept: &Kept, context: *mut sqlite3_context, args: Args<'_>) -> Result<Answer<'static>> {
    if args.any_null() {
        return Ok(Answer::Null);
    }
    let user = args.id(0, "user_id")?;
    // SAFETY: the connection of the running call.
    let taste = guard::nested(|| unsafe {
        let db = ffi::sqlite3_context_db_handle(context);
        kept.connect(db)?;
        neighbours::log_taste(db, kept, &user)
    });
    taste.map(Into::into)
}

/// `cotaste_content_measures(content, as_of_us) -> blob`: with what is not folded yet; NULL without events.
fn content_measures(kept: &Kept, context: *mut sqlite3_context, args: Args<'_>) -> Result<Answer<'static>> {
    if args.any_null() {
        return Ok(Answer::Null);
    }
    let (content, as_of_us) = (args.integer(0, "content")?, args.integer(1, "as_of_us")?);
    let measures = with_kept(kept, context, "content measures", |statement| {
        statement.bind(c"$1", ValueRef::Integer(content))?;
        statement.bind(c"$2", ValueRef::Integer(as_of_us))?;
        Ok(if statement.step()? { statement.column(0)?.as_blob().ok().map(<[u8]>::to_vec) } else { None })
    });
    measures.map(Into::into)
}

/// `cotaste_mean_rating() -> real`: of every user's last rating of every content; NULL without ratings.
fn mean_rating(kept: &Kept, context: *mut sqlite3_context) -> Result<Answer<'static>> {
    let mean = with_kept(kept, context, "mean rating", |statement| {
        Ok(if statement.step()? { statement.column(0)?.as_f64().ok() } else { None })
    });
    mean.map(Into::into)
}

/// Runs `f` on a kept statement of the calling connection.
fn with_kept<T>(
    kept: &Kept,
    context: *mut sqlite3_context,
    name: &'static str,
    f: impl FnOnce(&mut Statement) -> Result<T>,
) -> Result<T> {
    // SAFETY: the connection of the running call.
    guard::nested(|| unsafe {
        let db = ffi::sqlite3_context_db_handle(context);
        kept.connect(db)?;
        kept.with(db, name, f)
    })
}

/// `cotaste_refresh([limit]) -> keys folded`
fn refresh(context: *mut sqlite3_context, args: Args<'_>) -> Result<Answer<'static>> {
    let limit = (!args.is_null(0)).then(|| args.integer(0, "limit")).transpose()?;
    writing(context, |db, now_us| {
        let folded = fold::refresh(db, limit, now_us)?;
        purge::retain(db, now_us)?;
        Ok(folded)
    })
}

/// `purge_behaviors(days [, dry_run [, batch]]) -> events purged`
fn purge_behaviors(context: *mut sqlite3_context, args: Args<'_>) -> Result<Answer<'static>> {
    let given = |i, name| (!args.is_null(i)).then(|| args.integer(i, name)).transpose();
    let (days, dry_run, batch) = (given(0, "days")?, given(1, "dry_run")?, given(2, "batch")?);
    writing(context, |db, now_us| purge::purge(db, days, dry_run.unwrap_or(0) != 0, batch, now_us))
}

/// `cotaste_rebuild() -> users`
fn rebuild(context: *mut sqlite3_context, _: Args<'_>) -> Result<Answer<'static>> {
    writing(context, fold::rebuild)
}

/// `forget_user(user_id) -> events forgotten`
fn forget_user(context: *mut sqlite3_context, args: Args<'_>) -> Result<Answer<'static>> {
    let user = args.id(0, "user_id")?;
    behavior::check_user_id(&user)?;
    writing(context, |db, now_us| fold::forget(db, &user, now_us))
}

/// `cotaste_refresh_neighbours([limit]) -> users computed`
fn refresh_neighbours(kept: &Kept, context: *mut sqlite3_context, args: Args<'_>) -> Result<Answer<'static>> {
    let limit = (!args.is_null(0)).then(|| args.integer(0, "limit")).transpose()?;
    // SAFETY: the connection of the running call.
    let raw = unsafe { ffi::sqlite3_context_db_handle(context) };
    // SAFETY: as above.
    writing(context, |db, now_us| unsafe {
        kept.connect(raw)?;
        neighbours::refresh(raw, db, kept, limit, now_us)
    })
}

/// `cotaste_refresh_recommendations([limit]) -> users computed`
fn refresh_recommendations(kept: &Kept, context: *mut sqlite3_context, args: Args<'_>) -> Result<Answer<'static>> {
    let limit = (!args.is_null(0)).then(|| args.integer(0, "limit")).transpose()?;
    // SAFETY: the connection of the running call.
    let raw = unsafe { ffi::sqlite3_context_db_handle(context) };
    // SAFETY: as above.
    writing(context, |db, now_us| unsafe {
        kept.connect(raw)?;
        recommend::refresh(raw, db, kept, limit, now_us)
    })
}

/// Changes derived state, wholly or not at all.
pub fn writing(
    context: *mut sqlite3_context,
    change: impl FnOnce(&Connection, i64) -> Result<i64>,
) -> Result<Answer<'static>> {
    // SAFETY: the connection of the running call. It is borrowed: dropping it does not close it.
    let db = unsafe { Connection::from_handle(ffi::sqlite3_context_db_handle(context))? };
    install::refuse_newer(&db)?;
    let changed = guard::nested(|| install::in_savepoint(&db, || change(&db, now_us(&db)?)));
    changed.map(Answer::Integer).map_err(|failure| failure.without_space(&db).wrapped(Error::update))
}

fn now_us(db: &Connection) -> Result<i64> {
    Ok(db.query_row("select now_us from cotaste_clock", [], |row| row.get(0))?)
}

/// What cotaste_health tells of a connection: nothing that writes.
const PRAGMAS: [(&str, &str); 9] = [
    ("auto_vacuum", "pragma main.auto_vacuum"),
    ("busy_timeout", "pragma busy_timeout"),
    ("cache_size", "pragma main.cache_size"),
    ("freelist_count", "pragma main.freelist_count"),
    ("journal_mode", "pragma main.journal_mode"),
    ("page_count", "pragma main.page_count"),
    ("page_size", "pragma main.page_size"),
    ("secure_delete", "pragma main.secure_delete"),
    ("synchronous", "pragma main.synchronous"),
];

/// `cotaste_pragma(name) -> value`: a view of an untrusted schema cannot read a pragma. NULL for one that is not listed.
fn pragma(context: *mut sqlite3_context, args: Args<'_>) -> Result<Answer<'static>> {
    if args.is_null(0) {
        return Ok(Answer::Null);
    }
    let name = args.text(0, "name")?;
    let Some((_, sql)) = PRAGMAS.iter().find(|(known, _)| *known == name) else { return Ok(Answer::Null) };
    // SAFETY: the connection of the running call.
    let mut statement = unsafe { Statement::prepare(ffi::sqlite3_context_db_handle(context), sql)? };
    guard::nested(|| {
        if !statement.step()? {
            return Ok(Answer::Null);
        }
        Ok(match statement.column(0)? {
            ValueRef::Integer(value) => Answer::Integer(value),
            value => value.as_str().unwrap_or_default().to_owned().into(),
        })
    })
}

/// The id the statement gives, run to its end: only then is an insert complete.
fn one_integer(statement: &mut Statement) -> Result<Option<i64>> {
    let mut id = None;
    let ended = loop {
        match statement.step() {
            Ok(true) => id = statement.column(0)?.as_i64().ok(),
            other => break other,
        }
    };
    statement.reset();
    ended.map(|_| id)
}
