//! Every relation of the catalogue as a table and a table function: one generic virtual table that runs the relation's
//! select, with the arguments bound and equality on its columns pushed into it.
//!
//! The module is registered under the relation's own name with xCreate = xConnect, which rusqlite can and
//! sqlite-loadable cannot, so that the name works at once and `create virtual table NAME using NAME` lists it. rusqlite
//! also returns SQLite's own result codes (an interrupt stays an interrupt); the guard against panics is ours.

mod plan;

use crate::calls::{self, Calls};
use crate::failure::Failure;
use crate::statement::Statement;
use crate::{guard, install};
use cotaste_core::catalogue::{read, relations, Relation};
use plan::{Plan, Shape};
use rusqlite::ffi::{sqlite3, sqlite3_vtab, sqlite3_vtab_cursor};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::vtab::{
    Context, CreateVTab, Filters, IndexInfo, Module, VTab, VTabConfig, VTabConnection, VTabCursor, VTabKind,
};
use rusqlite::{Connection, Result};
use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::{c_int, CStr, CString};
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

pub fn register(db: &Connection) -> Result<()> {
    const MODULE: &Module<'static, Table> = &Module::read_only_module();
    let all = relations().iter().chain(SIMILAR_OF.iter());
    all.into_iter().try_for_each(|relation| db.create_module(relation.name, MODULE, Some(relation)))
}

/// What Postgres has as a function of its own.
static SIMILAR_OF: LazyLock<Option<Relation>> = LazyLock::new(|| read(include_str!("../../sql/sqlite/similar_of.sql")));

/// One relation on one connection. Its cursors leave their statements to it for the next scan of the same plan; SQLite
/// disconnects tables before it looks whether a connection that is to be closed has statements left.
#[repr(C)]
pub struct Table {
    base: sqlite3_vtab,
    db: *mut sqlite3,
    shape: Shape,
    calls: &'static Calls,
    idle: Rc<RefCell<Vec<(Plan, Statement)>>>,
}

/// How many statements a table keeps.
const IDLE: usize = 4;

// SAFETY: repr(C) with the base first.
unsafe impl VTab<'_> for Table {
    type Aux = &'static Relation;
    type Cursor = Cursor;

    fn connect(
        db: &mut VTabConnection,
        relation: Option<&Self::Aux>,
        _module: &[u8],
        _database: &[u8],
        _table: &[u8],
        _arguments: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        Ok(guard::catch(|| {
            // It only reads what the statement itself could read, so views and an untrusted schema may use it.
            db.config(VTabConfig::Innocuous)?;
            let relation = relation.ok_or(cotaste_core::Error::internal())?;
            let (shape, calls) = (Shape::new(relation), calls::of(relation.name));
            let declaration = CString::new(shape.declaration()).map_err(|_| cotaste_core::Error::internal())?;
            // SAFETY: the handle is used while the connection is open: SQLite disconnects tables before it closes.
            let db = unsafe { db.handle() };
            // SAFETY: as above. The connection is borrowed: dropping it does not close it.
            install::refuse_newer(&unsafe { Connection::from_handle(db)? })?;
            let (base, idle) = (sqlite3_vtab::default(), Rc::default());
            Ok((Cow::Owned(declaration), Self { base, db, shape, calls, idle }))
        })?)
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        Ok(guard::catch(|| Ok(plan::choose(&self.shape, info)?))?)
    }

    fn open(&mut self) -> Result<Cursor> {
        Ok(guard::catch(|| {
            let (base, db, shape) = (sqlite3_vtab_cursor::default(), self.db, self.shape.clone());
            let idle = Rc::clone(&self.idle);
            let (calls, scan) = (self.calls, Scan::default());
            Ok(Cursor { base, db, shape, calls, scan, idle, running: None, on_row: false, row: 0, bound: Vec::new() })
        })?)
    }
}

impl CreateVTab<'_> for Table {
    const KIND: VTabKind = VTabKind::Eponymous;
}

/// One scan. The statement is kept for the next scan of the same plan: a join with the key bound scans once a row.
#[repr(C)]
pub struct Cursor {
    base: sqlite3_vtab_cursor,
    db: *mut sqlite3,
    shape: Shape,
    calls: &'static Calls,
    scan: Scan,
    idle: Rc<RefCell<Vec<(Plan, Statement)>>>,
    running: Option<(Plan, Statement)>,
    on_row: bool,
    row: i64,
    /// The hidden columns' values: the arguments of this scan.
    bound: Vec<Value>,
}

/// What a scan took so far.
#[derive(Default)]
struct Scan {
    is_on: bool,
    took: Duration,
    failed: bool,
}

impl Cursor {
    /// Runs a part of a scan and adds what it took.
    fn timed(&mut self, part: impl FnOnce(&mut Self) -> crate::failure::Result<()>) -> Result<()> {
        let start = Instant::now();
        let done = guard::catch(|| part(self));
        self.scan.took += start.elapsed();
        self.scan.failed |= done.is_err();
        Ok(done?)
    }

    /// Counts the scan that ends here.
    fn count(&mut self) {
        let scan = std::mem::take(&mut self.scan);
        if scan.is_on {
            self.calls.add(scan.took, (self.row - i64::from(!self.on_row)).max(0), scan.failed);
        }
    }

    fn start(&mut self, text: &str, values: &Filters<'_>) -> crate::failure::Result<()> {
        (self.on_row, self.row) = (false, 0);
        self.leave();
        let mut idle = self.idle.try_borrow_mut().map_err(|_| cotaste_core::Error::internal())?;
        let kept = idle.iter().position(|(plan, _)| plan.text == text).map(|at| idle.swap_remove(at));
        drop(idle);
        let (plan, mut statement) = match kept {
            Some(kept) => kept,
            None => {
                let plan = Plan::new(&self.shape, text)?;
                // SAFETY: SQLite closes cursors before the connection, and calls them on its thread.
                let statement = unsafe { Statement::prepare(self.db, &plan.sql)? };
                (plan, statement)
            }
        };
        self.bound = plan.bind(&self.shape, values, &mut statement)?;
        self.running = Some((plan, statement));
        self.step()
    }

    /// Leaves the statement to the next scan.
    fn leave(&mut self) {
        let Some((plan, mut statement)) = self.running.take() else { return };
        statement.reset();
        if let Ok(mut idle) = self.idle.try_borrow_mut() {
            if idle.len() < IDLE {
                idle.push((plan, statement));
            }
        }
    }

    fn step(&mut self) -> crate::failure::Result<()> {
        let Some((_, statement)) = &mut self.running else { return Ok(()) };
        self.on_row = false;
        self.on_row = guard::nested(|| statement.step())?;
        self.row += 1;
        if !self.on_row {
            statement.reset();
        }
        Ok(())
    }

    fn value(&self, i: c_int) -> crate::failure::Result<ValueRef<'_>> {
        let index = usize::try_from(i).unwrap_or(usize::MAX);
        match (&self.running, index.checked_sub(self.shape.relation.columns.len())) {
            (Some((_, statement)), None) => statement.column(i),
            (_, Some(hidden)) => Ok(self.bound.get(hidden).map_or(ValueRef::Null, ValueRef::from)),
            (None, None) => Ok(ValueRef::Null),
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        guard::catch_or((), || {
            self.count();
            self.leave();
        });
    }
}

// SAFETY: repr(C) with the base first.
unsafe impl VTabCursor for Cursor {
    fn filter(&mut self, _: c_int, plan: Option<&str>, values: &Filters<'_>) -> Result<()> {
        self.count();
        self.scan.is_on = true;
        self.timed(|cursor| cursor.start(plan.unwrap_or_default(), values))
    }

    fn next(&mut self) -> Result<()> {
        self.timed(Self::step)
    }

    fn eof(&self) -> bool {
        !self.on_row
    }

    fn column(&self, context: &mut Context, i: c_int) -> Result<()> {
        Ok(guard::catch(|| {
            let value = ToSqlOutput::Borrowed(self.value(i)?);
            context.set_result(&value).map_err(Failure::from)
        })?)
    }

    fn rowid(&self) -> Result<i64> {
        Ok(self.row)
    }
}
