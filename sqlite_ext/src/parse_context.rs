//! `parse_context(text)`: a context's members as one row. A table function of sqlite-loadable.

use crate::convert::{give_failure, Answer, Args};
use crate::failure::{Failure, Result};
use crate::guard;
use crate::scalar::Db;
use cotaste_core::context;
use rusqlite::ffi;
use sqlite_loadable::prelude::{sqlite3_context, sqlite3_value, sqlite3_vtab, sqlite3_vtab_cursor};
use sqlite_loadable::table::{ConstraintOperator, IndexInfo, VTab, VTabArguments, VTabCursor};
use sqlite_loadable::{define_table_function, BestIndexError};
use std::ffi::c_int;

const DECLARATION: &str = "create table x(time_of_day text, day_of_week text, device text, location text, \
                           experiment text, variant text, context_status text, context hidden)";
const CONTEXT: c_int = 7;

pub fn register(db: Db) -> Result<()> {
    define_table_function::<ParseContext>(db, "parse_context", None)
        .map_err(|_| Failure::of_host(ffi::SQLITE_ERROR, "INIT_ERROR: parse_context could not be registered"))
}

#[repr(C)]
struct ParseContext {
    base: sqlite3_vtab,
}

impl VTab<'_> for ParseContext {
    type Aux = ();
    type Cursor = Row;

    fn connect(db: Db, _: Option<&()>, _: VTabArguments) -> sqlite_loadable::Result<(String, Self)> {
        guard::catch(|| {
            // SAFETY: `db` is being connected to.
            unsafe { ffi::sqlite3_vtab_config(db.cast(), ffi::SQLITE_VTAB_INNOCUOUS) };
            // SAFETY: a C struct of pointers and integers, which SQLite fills.
            Ok((DECLARATION.to_owned(), Self { base: unsafe { std::mem::zeroed() } }))
        })
        .map_err(message)
    }

    fn best_index(&self, mut info: IndexInfo) -> std::result::Result<(), BestIndexError> {
        let usable = guard::catch(|| {
            let mut given = false;
            for mut constraint in info.constraints() {
                if constraint.column_idx() != CONTEXT || constraint.op() != Some(ConstraintOperator::EQ) || given {
                    continue;
                }
                if !constraint.usable() {
                    return Ok(false);
                }
                constraint.set_argv_index(1);
                constraint.set_omit(true);
                given = true;
            }
            info.set_estimated_rows(1);
            info.set_estimated_cost(1.0);
            Ok(true)
        });
        match usable {
            Ok(true) => Ok(()),
            Ok(false) => Err(BestIndexError::Constraint),
            Err(_) => Err(BestIndexError::Error),
        }
    }

    fn open(&mut self) -> sqlite_loadable::Result<Row> {
        // SAFETY: as in `connect`.
        Ok(Row { base: unsafe { std::mem::zeroed() }, columns: [const { None }; 7], given: None, done: true })
    }
}

/// The one row.
#[repr(C)]
struct Row {
    base: sqlite3_vtab_cursor,
    columns: [Option<String>; 7],
    given: Option<Vec<u8>>,
    done: bool,
}

impl Row {
    fn read(&mut self, args: Args<'_>) -> Result<()> {
        let bytes = args.bytes(0)?;
        let parsed = context::parse_bytes(bytes);
        let fixed = |label: Option<&str>| label.map(str::to_owned);
        self.columns = [
            fixed(parsed.time_of_day),
            fixed(parsed.day_of_week),
            parsed.device.map(Into::into),
            parsed.location.map(Into::into),
            parsed.experiment.map(Into::into),
            parsed.variant.map(Into::into),
            fixed(Some(parsed.status.as_str())),
        ];
        self.given = (!args.is_null(0)).then(|| bytes.to_vec());
        self.done = false;
        Ok(())
    }
}

impl VTabCursor for Row {
    fn filter(&mut self, _: c_int, _: Option<&str>, values: &[*mut sqlite3_value]) -> sqlite_loadable::Result<()> {
        guard::catch(|| {
            // SAFETY: the values of this call; both crates name the same C type.
            self.read(unsafe { Args::new(&*(std::ptr::from_ref(values) as *const _)) })
        })
        .map_err(message)
    }

    fn next(&mut self) -> sqlite_loadable::Result<()> {
        self.done = true;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.done
    }

    fn column(&self, context: *mut sqlite3_context, i: c_int) -> sqlite_loadable::Result<()> {
        let context = context.cast();
        let given = guard::catch(|| {
            let text = match usize::try_from(i).ok().and_then(|i| self.columns.get(i)) {
                Some(column) => column.as_deref(),
                None => self.given.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok()),
            };
            // SAFETY: `context` is that of the running call.
            unsafe { text.map_or(Answer::Null, |text| Answer::Text(text.into())).give(context) };
            Ok(())
        });
        if let Err(failure) = given {
            // SAFETY: as above.
            unsafe { give_failure(context, &failure) };
        }
        Ok(())
    }

    fn rowid(&self) -> sqlite_loadable::Result<i64> {
        Ok(1)
    }
}

fn message(failure: Failure) -> sqlite_loadable::Error {
    sqlite_loadable::Error::new_message(&failure.message.replace('\0', " "))
}
