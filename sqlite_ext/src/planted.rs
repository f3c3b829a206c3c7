//! Test builds only: entry points of each kind that panic on purpose, to show that the host survives.
#![allow(clippy::panic)]

pub use rows::with_rusqlite;

mod rows;

use crate::convert::Answer;
use crate::failure::Result;
use crate::scalar::{pure, Db};

/// `planted_panic(text)`
pub fn with_loadable(db: Db) -> Result<()> {
    pure(db, "planted_panic", 1, |args| {
        let text = args.text(0, "text")?;
        if text != "no" {
            panic!("planted: {text}");
        }
        Ok(Answer::Text(text.into()))
    })?;
    rows::with_loadable(db)
}
