//! A prepared statement of ours on the host's connection. It never outlives the host's own statement that runs it: a
//! cursor or the function context's auxiliary data owns it, so closing the connection is never BUSY because of us.

use crate::convert::slice;
use crate::failure::{Failure, Result};
use cotaste_core::Error;
use rusqlite::ffi::{self, sqlite3, sqlite3_stmt};
use rusqlite::types::ValueRef;
use std::ffi::{c_char, c_int, c_void, CStr};
use std::ptr;

#[derive(Debug)]
pub struct Statement {
    db: *mut sqlite3,
    raw: *mut sqlite3_stmt,
}

impl Statement {
    /// Prepares one statement; without a space it is NOT_INITIALIZED.
    ///
    /// # Safety
    /// `db` is an open connection, used by this thread, and outlives the statement.
    pub unsafe fn prepare(db: *mut sqlite3, sql: &str) -> Result<Self> {
        let length = c_int::try_from(sql.len()).map_err(|_| Error::internal())?;
        let mut raw = ptr::null_mut();
        // SAFETY: the text is `length` bytes long; SQLite copies it.
        let code =
            unsafe { ffi::sqlite3_prepare_v2(db, sql.as_ptr().cast::<c_char>(), length, &mut raw, ptr::null_mut()) };
        if code == ffi::SQLITE_OK && !raw.is_null() {
            return Ok(Self { db, raw });
        }
        // SAFETY: the connection is open.
        let failure = unsafe { Failure::last(db, code) };
        if failure.code == ffi::SQLITE_ERROR {
            // SAFETY: the connection is open, here and below.
            if unsafe { is_interrupted(db) } {
                return Err(Failure::of_host(ffi::SQLITE_INTERRUPT, "interrupted"));
            }
            if !unsafe { has_space(db) } {
                return Err(Error::not_initialized().into());
            }
        }
        Err(failure)
    }

    /// Binds the parameter called `name`, if the statement has it.
    pub fn bind(&mut self, name: &CStr, value: ValueRef<'_>) -> Result<()> {
        // SAFETY: the statement is prepared; the name is a C string.
        let index = unsafe { ffi::sqlite3_bind_parameter_index(self.raw, name.as_ptr()) };
        if index == 0 {
            return Ok(());
        }
        self.bind_at(index, value)
    }

    /// Binds the parameter of that number, from 1.
    pub fn bind_at(&mut self, index: c_int, value: ValueRef<'_>) -> Result<()> {
        // SAFETY: each pointer is valid for its length, and SQLite copies the bytes (TRANSIENT).
        let code = unsafe {
            match value {
                ValueRef::Null => ffi::sqlite3_bind_null(self.raw, index),
                ValueRef::Integer(integer) => ffi::sqlite3_bind_int64(self.raw, index, integer),
                ValueRef::Real(real) => ffi::sqlite3_bind_double(self.raw, index, real),
                ValueRef::Text(text) => {
                    let (start, length) = (text.as_ptr().cast::<c_char>(), text.len() as u64);
                    ffi::sqlite3_bind_text64(
                        self.raw,
                        index,
                        start,
                        length,
                        ffi::SQLITE_TRANSIENT(),
                        ffi::SQLITE_UTF8 as u8,
                    )
                }
                ValueRef::Blob([]) => ffi::sqlite3_bind_zeroblob(self.raw, index, 0),
                ValueRef::Blob(blob) => {
                    let (start, length) = (blob.as_ptr().cast::<c_void>(), blob.len() as u64);
                    ffi::sqlite3_bind_blob64(self.raw, index, start, length, ffi::SQLITE_TRANSIENT())
                }
            }
        };
        self.check(code)
    }

    /// The next row; `false` at the end. An interrupt of the host arrives here as an error.
    pub fn step(&mut self) -> Result<bool> {
        // SAFETY: the statement is prepared.
        match unsafe { ffi::sqlite3_step(self.raw) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => Err(self.failure(code)),
        }
    }

    /// Ends a run, so that the statement holds no lock; its error, if any, was told by [`Self::step`].
    pub fn reset(&mut self) {
        // SAFETY: the statement is prepared.
        unsafe { ffi::sqlite3_reset(self.raw) };
    }

    /// A value of the current row, valid until the next step.
    pub fn column(&self, i: c_int) -> Result<ValueRef<'_>> {
        // SAFETY: the statement is on a row, and SQLite gives NULL for a column it does not have. Each pointer is asked for
        // before its length.
        unsafe {
            Ok(match ffi::sqlite3_column_type(self.raw, i) {
                ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_column_int64(self.raw, i)),
                ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_column_double(self.raw, i)),
                ffi::SQLITE_TEXT => {
                    let start = ffi::sqlite3_column_text(self.raw, i);
                    ValueRef::Text(slice(start, ffi::sqlite3_column_bytes(self.raw, i))?)
                }
                ffi::SQLITE_BLOB => {
                    let start = ffi::sqlite3_column_blob(self.raw, i).cast::<u8>();
                    ValueRef::Blob(slice(start, ffi::sqlite3_column_bytes(self.raw, i))?)
                }
                _ => ValueRef::Null,
            })
        }
    }

    fn check(&self, code: c_int) -> Result<()> {
        if code == ffi::SQLITE_OK {
            return Ok(());
        }
        Err(self.failure(code))
    }

    fn failure(&self, code: c_int) -> Failure {
        // SAFETY: the connection outlives the statement.
        unsafe { Failure::last(self.db, code) }
    }
}

// SAFETY: SQLite's connections may move between threads, and what is used of one is used by one thread at a time.
unsafe impl Send for Statement {}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: prepared once, finalized once.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}

/// Whether the host's running statement has been interrupted. SQLite from 3.41 on may look while it prepares, and then now and
/// then says of an interrupted view that its columns are not as many as expected.
unsafe fn is_interrupted(db: *mut sqlite3) -> bool {
    let mut raw = ptr::null_mut();
    // SAFETY: a C string; finalizing NULL does nothing.
    unsafe {
        let code = ffi::sqlite3_prepare_v2(db, c"select 1".as_ptr(), -1, &mut raw, ptr::null_mut());
        ffi::sqlite3_finalize(raw);
        code & 0xff == ffi::SQLITE_INTERRUPT
    }
}

/// Whether `cotaste_init()` has made a space here.
///
/// # Safety
/// `db` is an open connection, used by this thread.
pub unsafe fn has_space(db: *mut sqlite3) -> bool {
    let (table, column) = (c"cotaste_meta".as_ptr(), c"value".as_ptr());
    let none = ptr::null_mut();
    // SAFETY: C strings; no output is asked for.
    let code = unsafe {
        ffi::sqlite3_table_column_metadata(
            db,
            ptr::null(),
            table,
            column,
            ptr::null_mut(),
            ptr::null_mut(),
            none,
            none,
            none,
        )
    };
    code == ffi::SQLITE_OK
}
