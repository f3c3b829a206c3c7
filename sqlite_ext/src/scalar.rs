//! One way in for every scalar function: sqlite-loadable registers it, [`guard`] runs it, [`Answer`] takes the result out.

use crate::calls;
use crate::convert::{give_failure, Answer, Args};
use crate::failure::{Failure, Result};
use crate::guard;
use rusqlite::ffi;
use sqlite_loadable::{define_scalar_function, FunctionFlags};
use std::ffi::c_int;

/// The connection as sqlite-loadable names it.
pub type Db = *mut sqlite_loadable::prelude::sqlite3;
type Context = *mut sqlite_loadable::prelude::sqlite3_context;
type Value = *mut sqlite_loadable::prelude::sqlite3_value;

/// A pure function of its arguments.
pub type Pure = fn(Args<'_>) -> Result<Answer<'_>>;

/// Same arguments, same result, no side effect: usable in indexes, views, triggers, and by an untrusted schema.
pub const PURE: FunctionFlags =
    FunctionFlags::from_bits_truncate(FunctionFlags::UTF8.bits() | FunctionFlags::DETERMINISTIC.bits() | READS.bits());
/// Reads what the same statement could read.
pub const READS: FunctionFlags =
    FunctionFlags::from_bits_truncate(FunctionFlags::UTF8.bits() | FunctionFlags::INNOCUOUS.bits());
/// Writes: only from a statement of the application itself, never from a view or trigger a file brought along.
pub const WRITES: FunctionFlags =
    FunctionFlags::from_bits_truncate(FunctionFlags::UTF8.bits() | FunctionFlags::DIRECTONLY.bits());

/// A NULL argument gives NULL without calling the function, as STRICT does in Postgres.
pub fn pure(db: Db, name: &str, arguments: c_int, body: Pure) -> Result<()> {
    define(db, name, arguments, PURE, move |context, values| {
        // SAFETY: SQLite passes the values of this call.
        let args = unsafe { Args::new(values) };
        run(context, || if args.any_null() { Ok(Answer::Null) } else { body(args) });
    })
}

/// A pure function that NULL arguments reach.
pub fn pure_of_nulls(db: Db, name: &str, arguments: c_int, body: Pure) -> Result<()> {
    define(db, name, arguments, PURE, move |context, values| {
        // SAFETY: as above.
        let args = unsafe { Args::new(values) };
        run(context, || body(args));
    })
}

/// A function that also reads or writes the database it is called in; NULL arguments reach it, and its calls are counted.
pub fn reader<F>(db: Db, name: &str, arguments: c_int, flags: FunctionFlags, body: F) -> Result<()>
where
    F: Fn(*mut ffi::sqlite3_context, Args<'_>) -> Result<Answer<'static>> + 'static,
{
    let calls = calls::of(name);
    define(db, name, arguments, flags, move |context, values| {
        // SAFETY: as above.
        let args = unsafe { Args::new(values) };
        run(context, || calls.count(|| body(context, args)));
    })
}

fn define<F>(db: Db, name: &str, arguments: c_int, flags: FunctionFlags, body: F) -> Result<()>
where
    F: Fn(*mut ffi::sqlite3_context, &[*mut ffi::sqlite3_value]),
{
    let callback = move |context: Context, values: &[Value]| {
        // SAFETY: both crates name the same C types.
        let values: &[*mut ffi::sqlite3_value] = unsafe { &*(std::ptr::from_ref(values) as *const _) };
        body(context.cast(), values);
        Ok(()) // errors were given by us: sqlite-loadable would lose their code
    };
    define_scalar_function(db, name, arguments, callback, flags).map_err(|_| {
        Failure::of_host(ffi::SQLITE_ERROR, format!("INIT_ERROR: the function {name} could not be registered"))
    })
}

fn run<'a>(context: *mut ffi::sqlite3_context, body: impl FnOnce() -> Result<Answer<'a>>) {
    let outcome = guard::catch(|| {
        let answer = body()?;
        // SAFETY: `context` is that of the running call, given by SQLite.
        unsafe { answer.give(context) };
        Ok(())
    });
    if let Err(failure) = outcome {
        // SAFETY: as above.
        unsafe { give_failure(context, &failure) };
    }
}
