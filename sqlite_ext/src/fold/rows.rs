//! The statements of `sql/sqlite/fold.sql`, prepared once a fold.

use crate::failure::Result;
use cotaste_core::Error;
use rusqlite::{Connection, OptionalExtension, Statement};

const FOLD: &str = include_str!("../../../sql/sqlite/fold.sql");

/// A statement of the file by the line `-- name` above it.
pub struct Names;

impl Names {
    pub fn get(name: &str) -> Result<&'static str> {
        let mut parts = FOLD.split("\n-- ");
        let text = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('\n'));
        Ok(text.ok_or(Error::Internal)?)
    }
}

/// A user's row.
pub struct Known {
    pub ord: i64,
    pub taste: Vec<u8>,
    pub sums: Vec<u8>,
}

/// A pair's row.
pub struct Level1 {
    pub touches: i64,
    pub weight: Vec<u8>,
    pub facts: Vec<u8>,
}

macro_rules! rows {
    ($($field:ident: $name:literal),* $(,)?) => {
        pub struct Rows<'a> { $(pub $field: Statement<'a>),* }

        impl<'a> Rows<'a> {
            pub fn prepare(db: &'a Connection) -> Result<Self> {
                Ok(Self { $($field: db.prepare(Names::get($name)?)?),* })
            }
        }
    };
}

rows! {
    action_weights: "action weights",
    fold_state: "fold state",
    set_fold_state: "set fold state",
    take: "take",
    taken: "taken",
    is_whole: "is whole",
    later: "later",
    contents_of: "contents of a user",
    user: "user",
    level_1: "level 1",
    events: "events",
    base: "base",
    events_of: "events of a user",
    kept_events: "kept events",
    set_kept_events: "set kept events",
    drop_kept_events: "drop kept events",
    experiments: "experiments",
    add_experiment: "add experiment",
    genres: "genres",
    set_level_1: "set level 1",
    drop_level_1: "drop level 1",
    set_user: "set user",
    drop_user: "drop user",
    posting: "posting",
    set_posting: "set posting",
    drop_posting: "drop posting",
    block: "block",
    set_block: "set block",
    drop_block: "drop block",
    measures: "measures",
    set_measures: "set measures",
    drop_measures: "drop measures",
    extent: "extent",
    rating_totals: "rating totals",
    set_rating_totals: "set rating totals",
}

impl Rows<'_> {
    /// The next user's number and the genre order.
    pub fn fold_state(&mut self) -> Result<(i64, String)> {
        let state = self.fold_state.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(state.unwrap_or_else(|| (0, "[]".to_owned())))
    }

    pub fn contents_of(&mut self, user: &str) -> Result<Vec<i64>> {
        let contents = self.contents_of.query_map([user], |row| row.get(0))?;
        Ok(contents.collect::<rusqlite::Result<_>>()?)
    }

    pub fn user(&mut self, user: &str) -> Result<Option<Known>> {
        let read = |row: &rusqlite::Row<'_>| Ok(Known { ord: row.get(0)?, taste: row.get(1)?, sums: row.get(2)? });
        Ok(self.user.query_row([user], read).optional()?)
    }

    pub fn level_1(&mut self, user: &str, content: i64) -> Result<Option<Level1>> {
        let read =
            |row: &rusqlite::Row<'_>| Ok(Level1 { touches: row.get(0)?, weight: row.get(1)?, facts: row.get(2)? });
        Ok(self.level_1.query_row((user, content), read).optional()?)
    }

    /// Genres that are not text are none, as the views have it.
    pub fn genres(&mut self, content: i64) -> Result<Option<String>> {
        let text = |row: &rusqlite::Row<'_>| {
            let genres = row.get_ref(0)?;
            Ok(genres.as_bytes().ok().and_then(|bytes| std::str::from_utf8(bytes).ok()).map(str::to_owned))
        };
        Ok(self.genres.query_row([content], text).optional()?.flatten())
    }

    pub fn posting(&mut self, content: i64, chunk: i64) -> Result<Option<Vec<u8>>> {
        Ok(self.posting.query_row((content, chunk), |row| row.get(0)).optional()?)
    }

    pub fn measures(&mut self, content: i64) -> Result<Option<Vec<u8>>> {
        Ok(self.measures.query_row([content], |row| row.get(0)).optional()?)
    }

    pub fn block(&mut self, block: i64) -> Result<Option<Vec<u8>>> {
        Ok(self.block.query_row([block], |row| row.get(0)).optional()?)
    }
}
