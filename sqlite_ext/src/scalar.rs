//! One way in for every scalar function: it is registered here, [`guard`] runs it, [`Answer`] takes the result out.

use crate::calls;
use crate::convert::{give_failure, Answer, Args};
use crate::failure::{Failure, Result};
use crate::guard;
use rusqlite::ffi;
use sqlite_loadable::FunctionFlags;
use std::ffi::{c_int, c_void, CString};

/// The connection as sqlite-loadable names it.
pub type Db = *mut sqlite_loadable::prelude::sqlite3;

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

/// sqlite-loadable would register it as well, and never give back what the closure holds when the connection ends.
fn define<F>(db: Db, name: &str, arguments: c_int, flags: FunctionFlags, body: F) -> Result<()>
where
    F: Fn(*mut ffi::sqlite3_context, &[*mut ffi::sqlite3_value]) + 'static,
{
    let failed =
        || Failure::of_host(ffi::SQLITE_ERROR, format!("INIT_ERROR: the function {name} could not be registered"));
    let c_name = CString::new(name).map_err(|_| failed())?;
    let body = Box::into_raw(Box::new(body));
    // SAFETY: an open connection; SQLite calls `call` with what is registered here, and `forget` once, also when this fails.
    let code = unsafe {
        ffi::sqlite3_create_function_v2(
            db.cast(),
            c_name.as_ptr(),
            arguments,
            flags.bits(),
            body.cast(),
            Some(call::<F>),
            None,
            None,
            Some(forget::<F>),
        )
    };
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(failed())
    }
}

unsafe extern "C" fn call<F>(context: *mut ffi::sqlite3_context, count: c_int, values: *mut *mut ffi::sqlite3_value)
where
    F: Fn(*mut ffi::sqlite3_context, &[*mut ffi::sqlite3_value]),
{
    // SAFETY: the body registered with this function, and the values of this call; without any there may be no pointer.
    unsafe {
        let body = &*ffi::sqlite3_user_data(context).cast::<F>();
        let count = if values.is_null() { 0 } else { usize::try_from(count).unwrap_or(0) };
        let values = if count == 0 { &[] } else { std::slice::from_raw_parts(values, count) };
        body(context, values);
    }
}

unsafe extern "C" fn forget<F>(body: *mut c_void) {
    // SAFETY: made by `Box::into_raw` in `define`, given back once.
    guard::catch_or((), || drop(unsafe { Box::from_raw(body.cast::<F>()) }));
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
