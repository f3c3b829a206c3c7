//! Planted panics in aggregates and in the callbacks of virtual tables, of both frameworks. Where is told by the text:
//! `planted_panic_rows('next')`, or `create virtual table t using planted_panic_rows(connect)`.

use crate::aggregates::{self, Group};
use crate::convert::Args;
use crate::failure::{Failure, Result};
use crate::guard;
use crate::scalar::Db;
use rusqlite::functions::Context as Row;
use rusqlite::types::Value;
use rusqlite::vtab::{Context, CreateVTab, Filters, IndexInfo, Module, VTab, VTabConnection, VTabCursor, VTabKind};
use rusqlite::{ffi, Connection};
use sqlite_loadable::{prelude, table};
use std::borrow::Cow;
use std::ffi::{c_int, CStr};

pub fn with_rusqlite(db: &Connection) -> rusqlite::Result<()> {
    const MODULE: &Module<'static, Planted> = &Module::read_only_module();
    aggregates::define::<PlantedGroup>(db, "planted_panic_agg", 1)?;
    db.create_module("planted_panic_rows", MODULE, None)
}

/// `planted_panic_rows2(text)`: the same by way of sqlite-loadable.
pub fn with_loadable(db: Db) -> Result<()> {
    sqlite_loadable::define_table_function::<Planted2>(db, "planted_panic_rows2", None)
        .map_err(|_| Failure::of_host(ffi::SQLITE_ERROR, "planted"))
}

fn plant(here: &str, at: &str) -> Result<()> {
    if here == at {
        panic!("planted: {at} 100%s");
    }
    Ok(())
}

/// Panics in `step` or in `finish`.
#[derive(Default)]
struct PlantedGroup(String);

impl Group for PlantedGroup {
    fn push(&mut self, row: &Row<'_>) -> Result<()> {
        self.0 = row.get_raw(0).as_str().unwrap_or_default().to_owned();
        plant("step", &self.0)
    }

    fn finish(&self) -> Result<Value> {
        plant("finish", &self.0)?;
        Ok(Value::Null)
    }
}

#[repr(C)]
struct Planted {
    base: ffi::sqlite3_vtab,
    at: String,
}

// SAFETY: repr(C) with the base first.
unsafe impl VTab<'_> for Planted {
    type Aux = ();
    type Cursor = PlantedCursor;

    fn connect(
        _: &mut VTabConnection,
        _: Option<&()>,
        _: &[u8],
        _: &[u8],
        _: &[u8],
        arguments: &[&[u8]],
    ) -> rusqlite::Result<(Cow<'static, CStr>, Self)> {
        Ok(guard::catch(|| {
            let at = String::from_utf8_lossy(arguments.first().unwrap_or(&&[][..])).into_owned();
            plant("connect", &at)?;
            Ok((c"create table x(n integer, at text hidden)".into(), Self { base: ffi::sqlite3_vtab::default(), at }))
        })?)
    }

    fn best_index(&self, info: &mut IndexInfo) -> rusqlite::Result<bool> {
        Ok(guard::catch(|| {
            plant("best_index", &self.at)?;
            let given = info.constraints().position(|c| c.column() == 1 && c.is_usable());
            if let Some(given) = given {
                info.constraint_usage(given).set_argv_index(1);
                info.constraint_usage(given).set_omit(true);
            }
            Ok(true)
        })?)
    }

    fn open(&mut self) -> rusqlite::Result<PlantedCursor> {
        Ok(guard::catch(|| {
            plant("open", &self.at)?;
            Ok(PlantedCursor { base: ffi::sqlite3_vtab_cursor::default(), at: self.at.clone(), row: 0 })
        })?)
    }
}

impl CreateVTab<'_> for Planted {
    const KIND: VTabKind = VTabKind::Eponymous;
}

#[repr(C)]
struct PlantedCursor {
    base: ffi::sqlite3_vtab_cursor,
    at: String,
    row: i64,
}

// SAFETY: repr(C) with the base first.
unsafe impl VTabCursor for PlantedCursor {
    fn filter(&mut self, _: c_int, _: Option<&str>, values: &Filters<'_>) -> rusqlite::Result<()> {
        Ok(guard::catch(|| {
            if let Some(value) = values.iter().next() {
                self.at = value.as_str().unwrap_or_default().to_owned();
            }
            self.row = 0;
            plant("filter", &self.at)
        })?)
    }

    fn next(&mut self) -> rusqlite::Result<()> {
        Ok(guard::catch(|| {
            self.row += 1;
            plant("next", &self.at)
        })?)
    }

    fn eof(&self) -> bool {
        guard::catch_or(true, || plant("eof", &self.at).is_err() || self.row > 2)
    }

    fn column(&self, context: &mut Context, _: c_int) -> rusqlite::Result<()> {
        Ok(guard::catch(|| {
            plant("column", &self.at)?;
            context.set_result(&self.row).map_err(Failure::from)
        })?)
    }

    fn rowid(&self) -> rusqlite::Result<i64> {
        Ok(self.row)
    }
}

#[repr(C)]
struct Planted2 {
    base: prelude::sqlite3_vtab,
}

fn message(failure: Failure) -> sqlite_loadable::Error {
    sqlite_loadable::Error::new_message(&failure.message)
}

impl table::VTab<'_> for Planted2 {
    type Aux = ();
    type Cursor = Planted2Cursor;

    fn connect(_: Db, _: Option<&()>, _: table::VTabArguments) -> sqlite_loadable::Result<(String, Self)> {
        // SAFETY: a C struct of pointers and integers.
        Ok(("create table x(n integer, at text hidden)".to_owned(), Self { base: unsafe { std::mem::zeroed() } }))
    }

    fn best_index(&self, info: table::IndexInfo) -> std::result::Result<(), sqlite_loadable::BestIndexError> {
        if let Some(given) = info.constraints().iter_mut().find(|c| c.column_idx() == 1 && c.usable()) {
            given.set_argv_index(1);
            given.set_omit(true);
        }
        Ok(())
    }

    fn open(&mut self) -> sqlite_loadable::Result<Planted2Cursor> {
        // SAFETY: as above.
        Ok(Planted2Cursor { base: unsafe { std::mem::zeroed() }, at: String::new(), row: 0 })
    }
}

#[repr(C)]
struct Planted2Cursor {
    base: prelude::sqlite3_vtab_cursor,
    at: String,
    row: i64,
}

impl table::VTabCursor for Planted2Cursor {
    fn filter(
        &mut self,
        _: c_int,
        _: Option<&str>,
        values: &[*mut prelude::sqlite3_value],
    ) -> sqlite_loadable::Result<()> {
        guard::catch(|| {
            // SAFETY: the values of this call.
            let args = unsafe { Args::new(&*(std::ptr::from_ref(values) as *const _)) };
            self.at = String::from_utf8_lossy(args.bytes(0)?).into_owned();
            plant("filter", &self.at)
        })
        .map_err(message)
    }

    fn next(&mut self) -> sqlite_loadable::Result<()> {
        self.row += 1;
        guard::catch(|| plant("next", &self.at)).map_err(message)
    }

    fn eof(&self) -> bool {
        self.row > 2
    }

    fn column(&self, context: *mut prelude::sqlite3_context, _: c_int) -> sqlite_loadable::Result<()> {
        guard::catch(|| {
            plant("column", &self.at)?;
            sqlite_loadable::api::result_int64(context, self.row);
            Ok(())
        })
        .map_err(message)
    }

    fn rowid(&self) -> sqlite_loadable::Result<i64> {
        Ok(self.row)
    }
}
