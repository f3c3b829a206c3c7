//! `cotaste_neighbours_of(probe [, k])` as a table function; it also owns the connection's kept statements.

use super::{log::LogTastes, of, Neighbours};
use crate::failure::Failure;
use crate::guard;
use crate::kept::Kept;
use cotaste_core::Error;
use rusqlite::ffi::{sqlite3, sqlite3_vtab, sqlite3_vtab_cursor};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::vtab::{
    Context, CreateVTab, Filters, IndexConstraintOp, IndexInfo, Module, VTab, VTabConfig, VTabConnection, VTabCursor,
    VTabKind,
};
use rusqlite::{Connection, Result};
use std::borrow::Cow;
use std::ffi::{c_int, CStr};
use std::sync::Arc;

const DECLARATION: &CStr = c"create table x(user_id text, similarity real, jaccard real, genre_cosine real, \
    shared_items integer, rank integer, computed_at text, cached integer, probe text hidden, k integer hidden)";
const PROBE: c_int = 8;
const K: c_int = 9;

pub fn register(db: &Connection, kept: &Arc<Kept>) -> Result<()> {
    const MODULE: &Module<'static, Table> = &Module::eponymous_only_module();
    db.create_module("cotaste_neighbours_of", MODULE, Some(Arc::clone(kept)))
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

    /// Bit 1 of the plan says that k is given; without a probe there are no rows.
    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        Ok(guard::catch(|| {
            let constraints: Vec<(c_int, bool, bool)> = info
                .constraints()
                .map(|c| (c.column(), c.operator() == IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ, c.is_usable()))
                .collect();
            let (mut plan, mut bound) = (0, 0);
            for (column, bit) in [(PROBE, 1), (K, 2)] {
                let Some(at) = constraints.iter().position(|c| c.0 == column && c.1) else { continue };
                if constraints.get(at).is_none_or(|c| !c.2) {
                    return Ok(false);
                }
                (plan, bound) = (plan | bit, bound + 1);
                let mut usage = info.constraint_usage(at);
                usage.set_argv_index(bound);
                usage.set_omit(true);
            }
            info.set_idx_num(plan);
            info.set_estimated_cost(1e4);
            info.set_estimated_rows(10);
            Ok(true)
        })?)
    }

    fn open(&mut self) -> Result<Cursor> {
        let (base, db, kept) = (sqlite3_vtab_cursor::default(), self.db, Arc::clone(&self.kept));
        let (log, found, arguments) = (LogTastes::default(), Neighbours::default(), [Value::Null, Value::Null]);
        Ok(Cursor { base, db, kept, log, found, row: 0, arguments })
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
    log: LogTastes,
    found: Neighbours,
    row: usize,
    arguments: [Value; 2],
}

impl Cursor {
    fn search(&mut self, plan: c_int, values: &Filters<'_>) -> crate::failure::Result<()> {
        (self.found, self.row) = (Neighbours::default(), 0);
        let mut values = values.iter();
        let probe = if plan & 1 != 0 { values.next() } else { None };
        let k = if plan & 2 != 0 { values.next() } else { None };
        let (Some(ValueRef::Text(user)), k) = (probe, k.unwrap_or(ValueRef::Null)) else { return Ok(()) };
        let user = std::str::from_utf8(user).map_err(|_| Error::invalid("user_id", "is not valid UTF-8"))?;
        let k = k.as_i64_or_null().map_err(|_| Error::invalid("k", "is not an integer"))?;
        self.arguments = [Value::Text(user.to_owned()), k.into()];
        // SAFETY: SQLite closes cursors before the connection, and calls them on its thread.
        self.found = guard::nested(|| unsafe { of(self.db, &self.kept, &mut self.log, user, k, true) })?;
        Ok(())
    }

    fn value(&self, i: c_int) -> Option<ToSqlOutput<'_>> {
        let row = self.found.rows.get(self.row)?;
        Some(match i {
            0 => ToSqlOutput::Borrowed(ValueRef::from(&*row.user_id)),
            1 => row.similarity.into(),
            2 => row.jaccard.into(),
            3 => row.genre_cosine.into(),
            4 => row.shared_items.into(),
            5 => (self.row as i64 + 1).into(),
            6 => ToSqlOutput::Borrowed(ValueRef::from(&*self.found.computed_at)),
            7 => self.found.cached.into(),
            PROBE => ToSqlOutput::Borrowed(ValueRef::from(self.arguments.first()?)),
            _ => ToSqlOutput::Borrowed(ValueRef::from(self.arguments.last()?)),
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
        self.row >= self.found.rows.len()
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
