//! Embeddings: the value functions and the aggregates, one line each where one is enough.

mod write;

use crate::aggregates::{blob, define, integer, text, Group};
use crate::convert::Answer::{Blob, Integer, Null, Text};
use crate::failure::Result;
use crate::kept::Kept;
use crate::scalar::{pure, Db, Pure};
use cotaste_core::embedding::mean::Mean;
use cotaste_core::embedding::nearest::Nearest;
use cotaste_core::genre_order::Dimensions;
use cotaste_core::{block, embedding, posting, taste, Error};
use rusqlite::functions::Context;
use rusqlite::types::{Value, ValueRef};
use rusqlite::Connection;
use std::borrow::Cow;
use std::ffi::c_int;
use std::sync::Arc;

/// Name, number of arguments, body.
#[rustfmt::skip]
const FUNCTIONS: &[(&str, c_int, Pure)] = &[
    ("to_embedding",         1, |a| Ok(Blob(a.embedding(0, "embedding")?))),
    ("embedding_json",       1, |a| Ok(Text(embedding::to_json(&a.embedding(0, "embedding")?)?.into()))),
    ("embedding_similarity", 2, |a| Ok(embedding::similarity(&a.embedding(0, "a")?, &a.embedding(1, "b")?)?.into())),
    ("check_embedding",      2, |a| Ok(Integer(embedding::check(&a.embedding(0, "embedding")?, a.integer(1, "dim")?).map(|()| 1)?))),
    ("posting_length",       1, |a| Ok(Integer(posting::len(a.blob(0, "users")?)?.into()))),
    ("posting_bitmap",       1, |a| Ok(Blob(posting::bitmap(a.blob(0, "users")?)?.into()))),
    ("posting_shared",       2, |a| Ok(Integer(posting::shared(a.blob(0, "users")?, a.blob(1, "members")?)?.into()))),
    ("block_touching",       1, |a| Ok(Integer(block::touching(a.blob(0, "users")?)?.into()))),
    ("taste_embedding",      2, |a| Ok(taste::unit_json(a.blob(0, "taste")?, a.text(1, "genres")?)?.map_or(Null, |json| Text(json.into())))),
    ("check_model",          1, |a| Ok(Integer(embedding::check_model(a.text(0, "model")?).map(|()| 1)?))),
];

pub fn register(db: Db, writers: bool, kept: &Arc<Kept>) -> Result<()> {
    FUNCTIONS.iter().try_for_each(|&(name, arguments, body)| pure(db, name, arguments, body))?;
    if writers {
        write::register(db, kept)?;
    }
    Ok(())
}

pub fn register_aggregates(db: &Connection) -> rusqlite::Result<()> {
    define::<NearestContents>(db, "nearest_contents", 4)?;
    define::<EmbeddingMean>(db, "embedding_mean", 1)?;
    define::<GenreDimensions>(db, "genre_dimensions", 2)
}

/// `nearest_contents(content_id, embedding, probe, k)`: a row with a NULL is left out.
#[derive(Default)]
struct NearestContents(Option<Nearest>);

impl Group for NearestContents {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        let (Some(id), Some(embedding)) = (integer(row, 0, "content_id")?, of(row, 1, "embedding")?) else {
            return Ok(());
        };
        let nearest = match &mut self.0 {
            Some(nearest) => nearest,
            none => {
                let (Some(probe), Some(k)) = (of(row, 2, "probe")?, integer(row, 3, "k")?) else { return Ok(()) };
                none.insert(Nearest::new(&probe, usize::try_from(k).unwrap_or(0))?)
            }
        };
        Ok(nearest.add(id, &embedding)?)
    }

    fn finish(&self) -> Result<Value> {
        Ok(Value::Text(self.0.as_ref().map_or(Ok("[]".to_owned()), Nearest::ids_json)?))
    }
}

/// `embedding_mean(embedding)`
#[derive(Default)]
struct EmbeddingMean(Mean);

impl Group for EmbeddingMean {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        of(row, 0, "embedding")?.map_or(Ok(()), |embedding| Ok(self.0.add(&embedding)?))
    }

    fn finish(&self) -> Result<Value> {
        Ok(self.0.finish()?.map_or(Value::Null, Value::Blob))
    }
}

/// `genre_dimensions(genre_order, taste)`
#[derive(Default)]
struct GenreDimensions(Dimensions);

impl Group for GenreDimensions {
    fn push(&mut self, row: &Context<'_>) -> Result<()> {
        Ok(self.0.add(text(row, 0, "genre_order")?, blob(row, 1, "taste")?)?)
    }

    fn finish(&self) -> Result<Value> {
        Ok(Value::Text(self.0.json()?))
    }
}

/// An embedding as it is stored, read in place, or from a JSON array.
fn of<'a>(row: &'a Context<'_>, i: usize, name: &'static str) -> Result<Option<Cow<'a, [u8]>>> {
    match row.get_raw(i) {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(bytes) => Ok(Some(Cow::Borrowed(bytes))),
        ValueRef::Text(text) => {
            let json = std::str::from_utf8(text).map_err(|_| Error::invalid(name, "is not valid UTF-8"))?;
            Ok(Some(Cow::Owned(embedding::from_json(name, json)?)))
        }
        _ => Err(Error::invalid(name, "is neither a blob nor a JSON array").into()),
    }
}
