//! The C entry points. SQLite derives the first one's name from the file's: `cotaste0.so` -> `sqlite3_cotaste_init`.

use crate::failure::{Failure, Result};
use crate::kept::Kept;
use crate::scalar::Db;
use crate::{
    aggregates, calls, embeddings, experiment_aggregates, experiment_functions, functions, guard, measures, neighbours,
    parse_context, recommend, relation, space,
};
use rusqlite::{ffi, Connection};
use sqlite_loadable::prelude::register_entrypoint;
use std::ffi::{c_char, c_int, CStr};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Arc;

/// SQLite 3.40.1, that of Debian 12, is what everything is tested from.
const OLDEST: c_int = 3_040_001;

/// The first host's API. A second SQLite library in the process would be called through it and crash.
static HOST: AtomicPtr<ffi::sqlite3_api_routines> = AtomicPtr::new(ptr::null_mut());

/// Everything.
///
/// # Safety
/// Called by SQLite, as any loadable extension's entry point.
#[no_mangle]
pub unsafe extern "C" fn sqlite3_cotaste_init(
    db: *mut ffi::sqlite3,
    message: *mut *mut c_char,
    api: *mut ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: passed on.
    unsafe { load(db, message, api, true) }
}

/// Everything but the functions that write: for hosts that show a database to others.
///
/// # Safety
/// As above.
#[no_mangle]
pub unsafe extern "C" fn sqlite3_cotaste_readonly_init(
    db: *mut ffi::sqlite3,
    message: *mut *mut c_char,
    api: *mut ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: passed on.
    unsafe { load(db, message, api, false) }
}

unsafe fn load(
    db: *mut ffi::sqlite3,
    message: *mut *mut c_char,
    api: *mut ffi::sqlite3_api_routines,
    writers: bool,
) -> c_int {
    // SAFETY: SQLite's promise to an entry point.
    match guard::catch(|| unsafe { register(db, api, writers) }) {
        Ok(()) => ffi::SQLITE_OK_LOAD_PERMANENTLY,
        Err(failure) => {
            // SAFETY: as above.
            unsafe { tell(&failure.text(), message, api) };
            ffi::SQLITE_ERROR
        }
    }
}

unsafe fn register(db: *mut ffi::sqlite3, api: *mut ffi::sqlite3_api_routines, writers: bool) -> Result<()> {
    // SAFETY: SQLite's promise. Nothing of the host may be called before its version is known: the API struct of an
    // older one is shorter.
    unsafe { check_host(api)? };
    guard::set_hook();
    let mut text = ptr::null_mut();
    // SAFETY: as above.
    let code = unsafe { Connection::extension_init2(db, &mut text, api, with_rusqlite) };
    if code != ffi::SQLITE_OK {
        // SAFETY: the message, if any, is SQLite's and ours to free.
        return Err(unsafe { taken(text, code) });
    }
    let kept = Arc::new(Kept::default());
    // SAFETY: an open connection; it is borrowed: dropping this one does not close it.
    let connection = unsafe { Connection::from_handle(db)? };
    neighbours::register(&connection, &kept)?;
    recommend::register(&connection, &kept)?;
    let failed = std::cell::Cell::new(None);
    register_entrypoint(db.cast(), ptr::null_mut(), api.cast(), |db| {
        failed.set(with_loadable(db, writers, &kept).err());
        Ok(())
    });
    failed.take().map_or(Ok(()), Err)
}

unsafe fn check_host(api: *mut ffi::sqlite3_api_routines) -> Result<()> {
    // SAFETY: the pointer is valid for the fields of every SQLite 3, of which this is an early one.
    let version = unsafe { api.as_ref() }.and_then(|api| api.libversion_number);
    // SAFETY: a function of the host without arguments.
    let version = version.map_or(0, |version| unsafe { version() });
    if version < OLDEST {
        let (major, minor, patch) = (version / 1_000_000, version / 1000 % 1000, version % 1000);
        return refused(format!("cotaste needs SQLite 3.40.1 or newer, this is {major}.{minor}.{patch}"));
    }
    match HOST.compare_exchange(ptr::null_mut(), api, Ordering::AcqRel, Ordering::Acquire) {
        Err(first) if first != api => refused("another SQLite library of this process has loaded cotaste".to_owned()),
        _ => Ok(()),
    }
}

fn refused(problem: String) -> Result<()> {
    Err(cotaste_core::Error::init(problem).into())
}

fn with_rusqlite(db: Connection) -> rusqlite::Result<bool> {
    aggregates::register(&db)?;
    experiment_aggregates::register(&db)?;
    measures::register_aggregates(&db)?;
    embeddings::register_aggregates(&db)?;
    relation::register(&db)?;
    #[cfg(feature = "planted")]
    crate::planted::with_rusqlite(&db)?;
    Ok(false)
}

fn with_loadable(db: Db, writers: bool, kept: &Arc<Kept>) -> Result<()> {
    functions::register(db)?;
    experiment_functions::register(db)?;
    measures::register(db)?;
    embeddings::register(db, writers, kept)?;
    parse_context::register(db)?;
    calls::register(db)?;
    space::register(db, writers, kept)?;
    #[cfg(feature = "planted")]
    crate::planted::with_loadable(db)?;
    Ok(())
}

/// Hands the message over in the host's memory, which the host frees.
unsafe fn tell(text: &CStr, message: *mut *mut c_char, api: *mut ffi::sqlite3_api_routines) {
    // SAFETY: as in `check_host`; the copy has the length of the text with its NUL.
    unsafe {
        let Some(malloc) = api.as_ref().and_then(|api| api.malloc) else { return };
        let bytes = text.to_bytes_with_nul();
        let copy = malloc(c_int::try_from(bytes.len()).unwrap_or(0)).cast::<u8>();
        if !copy.is_null() && !message.is_null() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
            *message = copy.cast();
        }
    }
}

unsafe fn taken(text: *mut c_char, code: c_int) -> Failure {
    if text.is_null() {
        return Failure::of_host(code, "INIT_ERROR: cotaste could not be registered");
    }
    // SAFETY: a C string of SQLite's, freed once.
    unsafe {
        let message = CStr::from_ptr(text).to_string_lossy().into_owned();
        ffi::sqlite3_free(text.cast());
        Failure::of_host(code, message)
    }
}
