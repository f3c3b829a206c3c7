//! `cotaste_init()`: makes the space, or brings it up to this version. All in one savepoint, and writing nothing when
//! there is nothing to do, so that it also runs on a read-only file.

mod script;

use crate::failure::{Failure, Result};
use crate::guard;
use cotaste_core::catalogue::{relations, ADOPT, CONTENTS, EXPERIMENT_VIEWS, HEALTH, SETTINGS, STATE, VIEWS};
use cotaste_core::{Error, VERSION};
use rusqlite::{ffi, Connection, OptionalExtension};
use script::Object;
use std::collections::HashMap;

const TABLES: &str = include_str!("../../sql/sqlite/tables.sql");
const STATE_TABLES: &str = include_str!("../../sql/sqlite/state.sql");
const ENGINE_CONTENTS: &str = include_str!("../../sql/sqlite/contents.sql");
const ADOPT_EMBEDDINGS: &str = include_str!("../../sql/sqlite/adopt_embeddings.sql");
const TASTES: &str = include_str!("../../sql/sqlite/tastes.sql");
const ENGINE_VIEWS: &str = include_str!("../../sql/sqlite/views.sql");

/// Says what it did.
///
/// # Safety
/// `db` is an open connection, used by this thread.
pub unsafe fn run(db: *mut ffi::sqlite3) -> Result<String> {
    // SAFETY: the caller's promise. The connection is borrowed: dropping it does not close it.
    let db = unsafe { Connection::from_handle(db)? };
    let wanted = objects()?;
    let present = present(&db)?;
    let is_new = !present.contains_key("cotaste_meta");
    let version = if is_new { None } else { version(&db)? };
    let missing: Vec<&Object> = wanted.iter().filter(|object| is_new || !object.is_in(&present)).collect();
    let lacking = lacking_columns(&db, &wanted, &present)?;
    let obsolete = obsolete(&wanted, &present);
    let is_whole =
        missing.is_empty() && lacking.is_empty() && obsolete.is_empty() && !is_older(&present, "content_embeddings");
    if is_whole && version.as_deref() == Some(VERSION) {
        return Ok(format!("cotaste {VERSION}: space is up to date"));
    }
    refuse_newer(&db)?;
    in_savepoint(&db, || {
        let present = if is_new { present } else { without_older_tables(&db, &present)? };
        for (kind, name) in obsolete {
            db.execute_batch(&format!("drop {kind} main.\"{name}\""))?;
        }
        let lacking = lacking_columns(&db, &wanted, &present)?;
        for (table, definition) in &lacking {
            add_column(&db, table, definition)?;
        }
        let is_stale = lacking.iter().any(|(table, _)| is_derived(table));
        for object in wanted.iter().filter(|object| is_new || !object.is_in(&present)) {
            create(&db, object, &present, is_new)?;
        }
        if present.contains_key("cotaste_older_embeddings") {
            db.execute_batch(ADOPT_EMBEDDINGS)?;
        }
        db.execute_batch(SETTINGS)?;
        db.execute_batch(ADOPT)?;
        if is_new {
            // The settings, which came row by row, made it so.
            db.execute_batch("update cotaste_parameters set stale = 0")?;
        }
        if is_stale {
            // What is left of the state does not belong to the emptied part. The row of parameters is there again when a
            // setting is written.
            db.execute_batch(
                "delete from cotaste_user_contents; delete from cotaste_users; delete from cotaste_postings; \
                 delete from cotaste_blocks; update cotaste_settings set value = value; \
                 update cotaste_parameters set stale = 1",
            )?;
        }
        db.execute(
            "insert into cotaste_meta (key, value) values ('schema_version', ?1) \
             on conflict (key) do update set value = excluded.value",
            [VERSION],
        )?;
        check(&db)
    })?;
    let done = if is_new { "created" } else { "updated" };
    Ok(format!("cotaste {VERSION}: space {done}"))
}

/// Embeddings were JSON arrays once, and user_genre_embeddings a table that nothing filled.
fn is_older(present: &Present, name: &str) -> bool {
    present.get(name).is_some_and(|(_, sql)| sql.contains("json_array_length(embedding)"))
}

/// Puts such tables out of the way of this version's; rows of the user's own stay, or are taken over once it is there.
fn without_older_tables(db: &Connection, present: &Present) -> Result<Present> {
    if is_older(present, "content_embeddings") {
        db.execute_batch("alter table main.content_embeddings rename to cotaste_older_embeddings")?;
    }
    let is_filled = |name| db.prepare(&format!("select 1 from main.{name}"))?.exists([]);
    if is_older(present, "user_genre_embeddings") && !is_filled("user_genre_embeddings")? {
        db.execute_batch("drop table main.user_genre_embeddings")?;
    }
    self::present(db)
}

/// Everything a space consists of, in the order of creation.
fn objects() -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    for text in
        [TABLES, STATE_TABLES, ENGINE_VIEWS, VIEWS, EXPERIMENT_VIEWS, STATE, TASTES, ENGINE_CONTENTS, CONTENTS, HEALTH]
    {
        objects.extend(script::objects(text)?);
    }
    for relation in relations().iter().filter(|relation| relation.is_view) {
        objects.extend(script::objects(&format!("create virtual table {0} using {0};", relation.name))?);
    }
    Ok(objects)
}

/// `name -> (type, sql)` of what the file holds.
type Present = HashMap<String, (String, String)>;

fn present(db: &Connection) -> Result<Present> {
    let mut statement =
        db.prepare("select lower(coalesce(name, '')), coalesce(type, ''), coalesce(sql, '') from main.sqlite_master")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn version(db: &Connection) -> Result<Option<String>> {
    Ok(db
        .query_row("select value from main.cotaste_meta where key = 'schema_version'", [], |row| row.get(0))
        .optional()?)
}

/// A newer version's space is not for this library: its tables may mean something else.
pub fn refuse_newer(db: &Connection) -> Result<()> {
    match version(db) {
        Ok(Some(version)) if numbers(&version) > numbers(VERSION) => {
            let problem =
                format!("the space is of version {version}, the library is {VERSION}: install the newer library");
            Err(Error::init(problem).into())
        }
        // Any other failure may have ended the host's transaction: going on would write outside of it.
        Err(failure) if failure.code & 0xff != ffi::SQLITE_ERROR => Err(failure),
        // Without a space there is no version either, and whoever asked meets that.
        _ => Ok(()),
    }
}

/// `0.10.2` as numbers, which compare as versions do.
fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|number| number.parse().unwrap_or(0)).collect()
}

/// `(table, definition)` of each column an older version's table lacks.
fn lacking_columns<'a>(db: &Connection, wanted: &'a [Object], present: &Present) -> Result<Vec<(&'a str, &'a str)>> {
    let mut lacking = Vec::new();
    let mut has = db.prepare("select 1 from pragma_table_xinfo(?1) where name = ?2")?;
    for table in wanted.iter().filter(|table| present.contains_key(&table.name)) {
        for (column, definition) in table.columns() {
            if !has.exists([&table.name, column])? {
                lacking.push((&*table.name, definition));
            }
        }
    }
    Ok(lacking)
}

/// A derived table is emptied first: its rows have no value for the column, and cotaste_refresh() makes it anew.
fn add_column(db: &Connection, table: &str, definition: &str) -> Result<()> {
    if is_derived(table) {
        db.execute_batch(&format!("delete from main.\"{table}\""))?;
    }
    Ok(db.execute_batch(&format!("alter table main.\"{table}\" add column {definition}"))?)
}

/// Makes the log's indexes that are not there: a load goes without some of them.
pub fn make_log_indexes(db: &Connection) -> Result<()> {
    let objects = script::objects(TABLES)?;
    let of_log = |object: &&Object| object.kind == "index" && object.name.starts_with("user_behaviors_");
    objects.iter().filter(of_log).try_for_each(|object| Ok(db.execute_batch(&object.sql)?))
}

/// Whether a table's rows are computed from the others.
fn is_derived(table: &str) -> bool {
    script::objects(STATE_TABLES).is_ok_and(|objects| objects.iter().any(|object| object.name == table))
}

/// `(type, name)` of what an older version made and this one does not: triggers first.
fn obsolete(wanted: &[Object], present: &Present) -> Vec<(String, String)> {
    let mut obsolete: Vec<(String, String)> = present
        .iter()
        .filter(|(name, (kind, _))| name.starts_with("cotaste_") && matches!(&**kind, "trigger" | "view"))
        .filter(|(name, _)| wanted.iter().all(|object| object.name != **name))
        .map(|(name, (kind, _))| (kind.clone(), name.clone()))
        .collect();
    obsolete.sort();
    obsolete
}

/// An object of ours that differs is an older version's and is made anew, except tables, which hold the user's rows. In
/// a new space a name that is taken is the user's own, and stays.
fn create(db: &Connection, object: &Object, present: &Present, is_new: bool) -> Result<()> {
    if let Some((kind, sql)) = present.get(&object.name) {
        if is_new || !object.replaces(kind, sql) {
            let problem = format!("the file already has a {kind} called {}, a name cotaste needs", object.name);
            return Err(Error::init(problem).into());
        }
        db.execute_batch(&format!("drop {kind} main.\"{}\"", object.name))?;
    }
    Ok(db.execute_batch(&object.sql)?)
}

/// SQLite does not look into a view until it is read: read each once, here, where it can be undone.
fn check(db: &Connection) -> Result<()> {
    let names = db
        .prepare("select name from main.sqlite_master where type = 'view' and name like 'cotaste\\_%' escape '\\'")?
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for name in names {
        db.prepare(&format!("select * from main.\"{name}\""))?;
    }
    for relation in relations() {
        db.prepare(&relation.body)?;
    }
    Ok(())
}

/// Runs `f` wholly or not at all.
pub fn in_savepoint<T>(db: &Connection, f: impl FnOnce() -> Result<T>) -> Result<T> {
    let write = db.prepare("delete from main.cotaste_meta where false").ok();
    // Prepared while there is memory: when there is none, what was half done must still be undone.
    let (mut back, mut release) = (db.prepare("rollback to cotaste_call")?, db.prepare("release cotaste_call")?);
    db.execute_batch("savepoint cotaste_call")?;
    let released = guard::catch(f).and_then(|value| {
        db.execute_batch("release cotaste_call")?;
        Ok(value)
    });
    released.map_err(|failure| {
        // On a full disk or an I/O error SQLite may have ended the whole transaction, savepoint included: rolling back to
        // it would fail and hide the cause.
        let undone = match db.is_autocommit() {
            true => Ok(()),
            false => undo(db, &mut back, &mut release, write),
        };
        match undone {
            Ok(()) => failure,
            Err(again) => Failure { message: format!("{} (and undoing it: {again})", failure.message), ..failure },
        }
    })
}

/// Rolls back to the savepoint. While the host's statement is being interrupted SQLite runs no other to its end, not
/// even a rollback, and prepares none; but a statement that writes, when it is interrupted, rolls the whole transaction
/// back, as SQLite documents of interrupted writes. `write` is one, prepared before and changing nothing.
fn undo(
    db: &Connection,
    back: &mut rusqlite::Statement<'_>,
    release: &mut rusqlite::Statement<'_>,
    write: Option<rusqlite::Statement<'_>>,
) -> rusqlite::Result<()> {
    let undone = back.execute([]).and_then(|_| release.execute([])).map(drop);
    match (&undone, write) {
        (Err(rusqlite::Error::SqliteFailure(error, _)), Some(mut write))
            if error.code == ffi::ErrorCode::OperationInterrupted =>
        {
            let _ = write.execute([]);
            if db.is_autocommit() {
                return Ok(());
            }
            undone
        }
        _ => undone,
    }
}
