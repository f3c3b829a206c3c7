//! `cotaste_recommender_quality(protocol, k, recency)` as a table function.

use super::quality_of;
use super::table::{choose, real, text};
use crate::failure::Failure;
use crate::guard;
use crate::kept::Kept;
use cotaste_core::recommend::{Ask, Quality};
use cotaste_core::Error;
use rusqlite::ffi::{sqlite3, sqlite3_vtab, sqlite3_vtab_cursor};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::vtab::{
    Context, CreateVTab, Filters, IndexInfo, Module, VTab, VTabConfig, VTabConnection, VTabCursor, VTabKind,
};
use rusqlite::{Connection, Result};
use std::borrow::Cow;
use std::ffi::{c_int, CStr};
use std::sync::Arc;

const DECLARATION: &CStr = c"create table x(recommender text, users integer, ndcg real, ndcg_error real, recall real, \
    hit_rate real, coverage real, novelty real, protocol hidden, k hidden, recency hidden)";
/// The first hidden column, and how many there are.
const ARGUMENTS: c_int = 8;
const COUNT: usize = 3;

pub fn register(db: &Connection, kept: &Arc<Kept>) -> Result<()> {
    const MODULE: &Module<'static, Table> = &Module::eponymous_only_module();
    db.create_module("cotaste_recommender_quality", MODULE, Some(Arc::clone(kept)))
}

/// The table on one connection.
#[repr(C)]
pub struct Table {
    base: sqlite3_vtab,
    db: *mut sqlite3,
    kept: Arc<Kept>,
}

impl Drop for Table {
    fn drop(&mut self) {
        guard::catch_or((), || self.kept.disconnected());
    }
}

// SAFETY: repr(C) with the base first.
unsafe impl VTab<'_> for Table {
    type Aux = Arc<Kept>;
    type Cursor = Cursor;

    fn connect(
        db: &mut VTabConnection,
        kept: Option<&Self::Aux>,
        _module: &[u8],
        _database: &[u8],
        _table: &[u8],
        _arguments: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        Ok(guard::catch(|| {
            db.config(VTabConfig::Innocuous)?;
            let kept = Arc::clone(kept.ok_or(Error::internal())?);
            kept.connected();
            // SAFETY: the handle is used while the connection is open: SQLite disconnects tables before it closes.
            let db = unsafe { db.handle() };
            Ok((Cow::Borrowed(DECLARATION), Self { base: sqlite3_vtab::default(), db, kept }))
        })?)
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        Ok(guard::catch(|| Ok(choose(info, ARGUMENTS, COUNT as c_int)?))?)
    }

    fn open(&mut self) -> Result<Cursor> {
        let (base, db, kept) = (sqlite3_vtab_cursor::default(), self.db, Arc::clone(&self.kept));
        Ok(Cursor { base, db, kept, rows: Vec::new(), row: 0 })
    }
}

impl CreateVTab<'_> for Table {
    const KIND: VTabKind = VTabKind::EponymousOnly;
}

/// One scan.
#[repr(C)]
pub struct Cursor {
    base: sqlite3_vtab_cursor,
    db: *mut sqlite3,
    kept: Arc<Kept>,
    rows: Vec<Quality>,
    row: usize,
}

impl Cursor {
    fn search(&mut self, plan: c_int, values: &Filters<'_>) -> crate::failure::Result<()> {
        (self.rows, self.row) = (Vec::new(), 0);
        let [protocol, k, recency] = super::table::given::<COUNT>(plan, values);
        let k = k.as_i64_or_null().map_err(|_| Error::invalid("k", "is not an integer"))?;
        let ask = Ask::new(k, real(recency)?, None, None, None)?;
        let protocol = text("protocol", protocol)?.unwrap_or_default();
        // SAFETY: SQLite closes cursors before the connection, and calls them on its thread.
        self.rows = guard::nested(|| unsafe { quality_of(self.db, &self.kept, protocol, &ask) })?;
        Ok(())
    }

    fn value(&self, i: c_int) -> Option<ToSqlOutput<'_>> {
        let row = self.rows.get(self.row)?;
        Some(match i {
            0 => ToSqlOutput::Borrowed(ValueRef::from(row.recommender)),
            1 => row.users.into(),
            2 => row.ndcg?.into(),
            3 => row.ndcg_error?.into(),
            4 => row.recall?.into(),
            5 => row.hit_rate?.into(),
            6 => row.coverage?.into(),
            7 => row.novelty?.into(),
            _ => return None,
        })
    }
}

// SAFETY: repr(C) with the base first.
unsafe impl VTabCursor for Cursor {
    fn filter(&mut self, plan: c_int, _: Option<&str>, values: &Filters<'_>) -> Result<()> {
        Ok(guard::catch(|| self.search(plan, values))?)
    }

    fn next(&mut self) -> Result<()> {
        self.row += 1;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.row >= self.rows.len()
    }

    fn column(&self, context: &mut Context, i: c_int) -> Result<()> {
        Ok(guard::catch(|| {
            let null = ToSqlOutput::Borrowed(ValueRef::Null);
            context.set_result(&self.value(i).unwrap_or(null)).map_err(Failure::from)
        })?)
    }

    fn rowid(&self) -> Result<i64> {
        Ok(self.row as i64)
    }
}
