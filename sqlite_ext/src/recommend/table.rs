//! `cotaste_recommended(user_id, k, recency, include_seen, exclude, genre)` and, for everybody with events,
//! `cotaste_recommended_to_all(k, recency, include_seen, exclude, genre)` as table functions.

use super::{answer, Asker, Rows};
use crate::failure::Failure;
use crate::guard;
use crate::kept::Kept;
use cotaste_core::recommend::Ask;
use cotaste_core::Error;
use rusqlite::ffi::{sqlite3, sqlite3_vtab, sqlite3_vtab_cursor};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::vtab::{
    Context, CreateVTab, Filters, IndexConstraintOp, IndexInfo, Module, VTab, VTabConfig, VTabConnection, VTabCursor,
    VTabKind,
};
use rusqlite::{Connection, Result};
use std::borrow::Cow;
use std::ffi::{c_int, CStr, CString};
use std::sync::Arc;

const COLUMNS: &str =
    "user_id text, rank integer, content_id integer, title text, score real, method text, reason text, computed_at text";
/// The first hidden column.
const ARGUMENTS: c_int = 8;
const ONE: &str = "probe hidden";
const ASK: [&str; 5] = ["k hidden", "recency hidden", "include_seen hidden", "exclude hidden", "genre hidden"];

pub fn register(db: &Connection, kept: &Arc<Kept>) -> Result<()> {
    const MODULE: &Module<'static, Table> = &Module::eponymous_only_module();
    db.create_module("cotaste_recommended", MODULE, Some((Arc::clone(kept), true)))?;
    db.create_module("cotaste_recommended_to_all", MODULE, Some((Arc::clone(kept), false)))
}

/// One of the two on one connection.
#[repr(C)]
pub struct Table {
    base: sqlite3_vtab,
    db: *mut sqlite3,
    kept: Arc<Kept>,
    /// Whether it is of one user.
    of_one: bool,
}

impl Drop for Table {
    fn drop(&mut self) {
        guard::catch_or((), || self.kept.disconnected());
    }
}

// SAFETY: repr(C) with the base first.
unsafe impl VTab<'_> for Table {
    type Aux = (Arc<Kept>, bool);
    type Cursor = Cursor;

    fn connect(
        db: &mut VTabConnection,
        of: Option<&Self::Aux>,
        _module: &[u8],
        _database: &[u8],
        _table: &[u8],
        _arguments: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        Ok(guard::catch(|| {
            db.config(VTabConfig::Innocuous)?;
            let (kept, of_one) = of.ok_or(Error::internal())?;
            let arguments: Vec<&str> = of_one.then_some(ONE).into_iter().chain(ASK).collect();
            let declaration = CString::new(format!("create table x({COLUMNS}, {})", arguments.join(", ")));
            let declaration = declaration.map_err(|_| Error::internal())?;
            kept.connected();
            // SAFETY: the handle is used while the connection is open: SQLite disconnects tables before it closes.
            let db = unsafe { db.handle() };
            let (base, kept, of_one) = (sqlite3_vtab::default(), Arc::clone(kept), *of_one);
            Ok((Cow::Owned(declaration), Self { base, db, kept, of_one }))
        })?)
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        Ok(guard::catch(|| Ok(choose(info, ARGUMENTS, ASK.len() as c_int + 1)?))?)
    }

    fn open(&mut self) -> Result<Cursor> {
        let (base, db, kept, of_one) = (sqlite3_vtab_cursor::default(), self.db, Arc::clone(&self.kept), self.of_one);
        Ok(Cursor { base, db, kept, of_one, found: Rows::default(), row: 0 })
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
    of_one: bool,
    found: Rows,
    row: usize,
}

impl Cursor {
    fn search(&mut self, plan: c_int, values: &Filters<'_>) -> crate::failure::Result<()> {
        (self.found, self.row) = (Rows::default(), 0);
        let [first, rest @ ..] = given::<6>(plan, values);
        // Without a user the others are the first.
        let (user, [k, recency, include_seen, exclude, genre]) = match (self.of_one, rest) {
            (true, rest) => (first, rest),
            (false, [recency, include_seen, exclude, genre, _]) => {
                (ValueRef::Null, [first, recency, include_seen, exclude, genre])
            }
        };
        let ask = Ask::new(
            k.as_i64_or_null().map_err(|_| Error::invalid("k", "is not an integer"))?,
            real(recency)?,
            include_seen.as_i64_or_null().map_err(|_| Error::invalid("include_seen", "is not 0 or 1"))?.map(|n| n != 0),
            text("exclude", exclude)?,
            text("genre", genre)?,
        )?;
        let asker = if self.of_one { Asker::One(text("user_id", user)?) } else { Asker::Everybody };
        // SAFETY: SQLite closes cursors before the connection, and calls them on its thread.
        self.found = guard::nested(|| unsafe { answer(self.db, &self.kept, &asker, &ask) })?;
        Ok(())
    }

    fn value(&self, i: c_int) -> Option<ToSqlOutput<'_>> {
        let row = self.found.rows.get(self.row)?;
        let text = |text: &'static str| ToSqlOutput::Borrowed(ValueRef::from(text));
        Some(match i {
            0 => ToSqlOutput::Borrowed(row.user.as_deref().map_or(ValueRef::Null, ValueRef::from)),
            1 => row.rank.into(),
            2 => row.of.content_id.into(),
            3 => ToSqlOutput::Borrowed(row.of.title.as_deref().map_or(ValueRef::Null, ValueRef::from)),
            4 => row.of.score.into(),
            5 => text(row.of.method.name()),
            6 => ToSqlOutput::Borrowed(ValueRef::from(&*row.of.reason)),
            7 => ToSqlOutput::Borrowed(ValueRef::from(&*self.found.computed_at)),
            _ => return None,
        })
    }
}

/// The plan has a bit for each argument that is given, in their order.
pub fn choose(info: &mut IndexInfo, first: c_int, count: c_int) -> Result<bool> {
    let constraints: Vec<(c_int, bool, bool)> = info
        .constraints()
        .map(|c| (c.column(), c.operator() == IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ, c.is_usable()))
        .collect();
    let (mut plan, mut bound) = (0, 0);
    for argument in 0..count {
        let Some(at) = constraints.iter().position(|c| c.0 == first + argument && c.1) else { continue };
        if constraints.get(at).is_none_or(|c| !c.2) {
            return Ok(false);
        }
        (plan, bound) = (plan | 1 << argument, bound + 1);
        let mut usage = info.constraint_usage(at);
        usage.set_argv_index(bound);
        usage.set_omit(true);
    }
    info.set_idx_num(plan);
    info.set_estimated_cost(1e5);
    info.set_estimated_rows(10);
    Ok(true)
}

/// The arguments of a plan; NULL where none is given.
pub fn given<'a, const N: usize>(plan: c_int, values: &'a Filters<'_>) -> [ValueRef<'a>; N] {
    let mut values = values.iter();
    let mut given = [ValueRef::Null; N];
    for (argument, slot) in given.iter_mut().enumerate() {
        if plan & 1 << argument != 0 {
            *slot = values.next().unwrap_or(ValueRef::Null);
        }
    }
    given
}

pub fn text<'a>(name: &'static str, value: ValueRef<'a>) -> crate::failure::Result<Option<&'a str>> {
    Ok(value.as_str_or_null().map_err(|_| Error::invalid(name, "is not text"))?)
}

pub fn real(value: ValueRef<'_>) -> crate::failure::Result<Option<f64>> {
    match value {
        ValueRef::Integer(integer) => Ok(Some(integer as f64)),
        value => Ok(value.as_f64_or_null().map_err(|_| Error::invalid("recency", "is not a number"))?),
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
