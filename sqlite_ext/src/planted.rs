//! Test builds only: entry points of each kind that panic on purpose, to show that the host survives, and other mistakes that
//! the tests must notice.
#![allow(clippy::panic)]

mod mistakes;
mod rows;

use crate::convert::Answer;
use crate::failure::Result;
use crate::scalar::{pure, Db};
use rusqlite::Connection;

pub fn with_rusqlite(db: &Connection) -> rusqlite::Result<()> {
    mistakes::with_rusqlite(db)?;
    rows::with_rusqlite(db)
}

/// `planted_panic(text)`
pub fn with_loadable(db: Db) -> Result<()> {
    pure(db, "planted_panic", 1, |args| {
        let text = args.text(0, "text")?;
        if text != "no" {
            panic!("planted: {text}");
        }
        Ok(Answer::Text(text.into()))
    })?;
    mistakes::with_loadable(db)?;
    rows::with_loadable(db)
}
