//! The functions that write embeddings: one given, or all that are learned from the log.

use crate::convert::{Answer, Args};
use crate::failure::{Failure, Result};
use crate::guard;
use crate::kept::{text, Kept};
use crate::scalar::{reader, Db, WRITES};
use crate::space::writing;
use crate::statement::Statement;
use cotaste_core::embedding::learn::{check_dim, Interactions, Learned, View};
use cotaste_core::{embedding, Error};
use rusqlite::ffi::{self, sqlite3_context};
use rusqlite::types::ValueRef;
use rusqlite::{params, Connection, OptionalExtension};
use std::collections::HashMap;
use std::sync::Arc;

/// Numbers of a learned embedding, and its model, unless told otherwise.
const DIM: i64 = 64;
const MODEL: &str = "learned";

pub fn register(db: Db, kept: &Arc<Kept>) -> Result<()> {
    let kept = Arc::clone(kept);
    reader(db, "set_content_embedding", 3, WRITES, move |call, args| set(&kept, call, args))?;
    for arguments in 0..=2 {
        reader(db, "cotaste_learn_embeddings", arguments, WRITES, learn)?;
    }
    for arguments in 0..=1 {
        reader(db, "cotaste_refresh_embeddings", arguments, WRITES, refresh)?;
    }
    Ok(())
}

/// `set_content_embedding(content_id, model, embedding) -> dim`
fn set(kept: &Kept, context: *mut sqlite3_context, args: Args<'_>) -> Result<Answer<'static>> {
    let missing = ["content_id", "model", "embedding"].into_iter().enumerate().find(|(i, _)| args.is_null(*i));
    if let Some((_, name)) = missing {
        return Err(Error::invalid(name, "is NULL").into());
    }
    let (content_id, model) = (args.integer(0, "content_id")?, args.text(1, "model")?);
    embedding::check_model(model)?;
    let embedding = args.embedding(2, "embedding")?;
    let dim = embedding::dim("embedding", &embedding)? as i64;
    // SAFETY: the connection of the running call.
    let set = guard::nested(|| unsafe {
        let db = ffi::sqlite3_context_db_handle(context);
        kept.connect(db)?;
        kept.with(db, "set embedding", |set| {
            let values = [
                ValueRef::Integer(content_id),
                ValueRef::from(model),
                ValueRef::Integer(dim),
                ValueRef::Blob(&embedding),
            ];
            (1..).zip(values).try_for_each(|(at, value)| set.bind_at(at, value))?;
            set.step()
        })
    });
    set.map(|_| Answer::Integer(dim)).map_err(|failure| failure.wrapped(Error::update))
}

fn model_of(args: Args<'_>, i: usize) -> Result<String> {
    let model = if args.is_null(i) { MODEL } else { args.text(i, "model")? };
    embedding::check_model(model)?;
    Ok(model.to_owned())
}

/// `cotaste_learn_embeddings([dim, model]) -> contents`
fn learn(context: *mut sqlite3_context, args: Args<'_>) -> Result<Answer<'static>> {
    let dim = if args.is_null(0) { DIM } else { args.integer(0, "dim")? };
    let dim = usize::try_from(dim).unwrap_or(0);
    check_dim(dim)?;
    let model = model_of(args, 1)?;
    writing(context, |db, _| {
        let learned = interactions(db)?.learn(dim, &mut Interrupts::of(db)?.tick())?;
        for name in ["forget embeddings", "forget learned contents", "forget learned"] {
            db.execute(text(name)?, [&model])?;
        }
        let Some(learned) = learned else { return Ok(0) };
        let learned = learned.to_bytes()?;
        db.execute(text("keep learned")?, params![model, learned])?;
        write(db, &model, &learned)
    })
}

/// `cotaste_refresh_embeddings([model]) -> contents`
fn refresh(context: *mut sqlite3_context, args: Args<'_>) -> Result<Answer<'static>> {
    let model = model_of(args, 0)?;
    writing(context, |db, _| {
        let learned: Option<Vec<u8>> = db.query_row(text("learned")?, [&model], |row| row.get(0)).optional()?;
        let Some(learned) = learned else {
            let message = format!(
                "INVALID_ARGUMENT: model: \"{model}\" was not learned here. Run cotaste_learn_embeddings() first."
            );
            return Err(Failure::of_host(ffi::SQLITE_ERROR, message));
        };
        let learned = Learned::from_bytes(&learned)?;
        let folded = interactions(db)?.fold_in(&learned, &mut Interrupts::of(db)?.tick())?;
        write(db, &model, &folded.to_bytes()?)
    })
}

fn interactions(db: &Connection) -> Result<Interactions> {
    let mut interactions = Interactions::default();
    let mut tastes = db.prepare(text("current tastes")?)?;
    let mut rows = tastes.query([])?;
    while let Some(row) = rows.next()? {
        let (user, taste) = (row.get_ref(0)?.as_str(), row.get_ref(1)?.as_blob());
        if let (Ok(user), Ok(taste)) = (user, taste) {
            interactions.add(user, taste)?;
        }
    }
    Ok(interactions)
}

/// Writes the contents whose users changed, and new ones; then those nobody touched, by their genres.
fn write(db: &Connection, model: &str, learned: &[u8]) -> Result<i64> {
    let view = View::read(learned)?;
    let mut known: HashMap<i64, i64> = HashMap::new();
    let mut find = db.prepare(text("learned contents")?)?;
    let mut rows = find.query([model])?;
    while let Some(row) = rows.next()? {
        known.try_reserve(1).map_err(Error::from)?;
        known.insert(row.get(0)?, row.get(1)?);
    }
    let (mut set, mut keep) = (db.prepare(text("set embedding")?)?, db.prepare(text("keep learned content")?)?);
    let mut written = 0;
    for content in view.contents() {
        let Some(embedding) = view.embedding(content) else { continue };
        let fingerprint = view.fingerprint(content);
        if known.remove(&content) == fingerprint {
            continue;
        }
        set.execute(params![content, model, view.dim() as i64, embedding])?;
        keep.execute(params![model, content, fingerprint])?;
        written += 1;
    }
    let mut forget = db.prepare(text("forget learned content")?)?;
    for content in known.keys() {
        forget.execute(params![model, content])?;
    }
    let placed = db.execute(text("place by genres")?, [model])? as i64;
    db.execute(text("forget misplaced")?, [model])?;
    Ok(written + placed)
}

/// SQLite tells of an interrupt only to a statement that runs.
struct Interrupts(Statement);

impl Interrupts {
    fn of(db: &Connection) -> Result<Self> {
        // SAFETY: the connection is open, used by this thread, and outlives the call this is made in.
        Ok(Self(unsafe { Statement::prepare(db.handle(), "select 1")? }))
    }

    fn tick(&mut self) -> impl FnMut() -> cotaste_core::Result<()> + '_ {
        || {
            let running = guard::nested(|| self.0.step());
            self.0.reset();
            running.map(|_| ()).map_err(|failure| Error::update(failure.message))
        }
    }
}
