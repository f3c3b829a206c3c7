//! What goes back to the host when a call fails: SQLite's result code and a text whose first word is our stable code.

use crate::statement::has_space;
use cotaste_core::Error;
use rusqlite::ffi;
use std::ffi::{c_int, CStr, CString};

pub type Result<T> = std::result::Result<T, Failure>;

#[derive(Debug)]
pub struct Failure {
    pub code: c_int,
    pub message: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = if error == Error::OutOfMemory { ffi::SQLITE_NOMEM } else { ffi::SQLITE_ERROR };
        Self { code, message: format!("{error}. {}", error.hint()) }
    }
}

impl Failure {
    /// The host's own error, its code kept: a client that retries on SQLITE_BUSY must still see it.
    pub fn of_host(code: c_int, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// What the connection says about the call that just failed with `code`.
    ///
    /// # Safety
    /// `db` is an open connection, used by this thread.
    pub unsafe fn last(db: *mut ffi::sqlite3, code: c_int) -> Self {
        // SAFETY: sqlite3_errmsg gives a valid string, copied before the next call on the connection.
        let (text, extended) = unsafe { (CStr::from_ptr(ffi::sqlite3_errmsg(db)), ffi::sqlite3_extended_errcode(db)) };
        let code = if extended & 0xff == code & 0xff { extended } else { code };
        Self::of_host(code, text.to_string_lossy())
    }

    /// Whether the text already starts with one of our codes, because a trigger or a function of ours raised it.
    pub fn is_ours(&self) -> bool {
        let code = self.message.split_once(": ").map_or("", |(code, _)| code);
        Error::CODES.contains(&code)
    }

    /// NOT_INITIALIZED where the cause is that there is no space.
    pub fn without_space(self, db: &rusqlite::Connection) -> Self {
        // SAFETY: the handle of an open connection, used by this thread.
        if self.code & 0xff == ffi::SQLITE_ERROR && !self.is_ours() && !unsafe { has_space(db.handle()) } {
            return Error::not_initialized().into();
        }
        self
    }

    /// Puts our code before the host's text, and keeps the host's result code.
    pub fn wrapped(self, wrap: fn(String) -> Error) -> Self {
        if self.is_ours() {
            return self;
        }
        Self { message: Failure::from(wrap(self.message)).message, ..self }
    }

    /// A C string of the message; a NUL inside would cut it, so it becomes a blank.
    pub fn text(&self) -> CString {
        CString::new(self.message.replace('\0', " ")).unwrap_or_default()
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(code, Some(message)) => Self::of_host(code.extended_code, message),
            rusqlite::Error::SqliteFailure(code, None) => Self::of_host(code.extended_code, code.to_string()),
            other => Self::of_host(ffi::SQLITE_ERROR, other.to_string()),
        }
    }
}

/// rusqlite passes both parts of this variant to SQLite unchanged.
impl From<Failure> for rusqlite::Error {
    fn from(failure: Failure) -> Self {
        Self::SqliteFailure(ffi::Error::new(failure.code), Some(failure.message.replace('\0', " ")))
    }
}
