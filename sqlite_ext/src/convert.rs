//! Values in and out. Texts and blobs are borrowed from SQLite, never copied; what SQLite's types leave open (a number
//! bound as a string, an integer bound as a double) is read the way Postgres reads a parameter.

use crate::failure::{Failure, Result};
use cotaste_core::{embedding, time, Error};
use rusqlite::ffi::{self, sqlite3_context, sqlite3_value};
use rusqlite::types::ValueRef;
use std::borrow::Cow;
use std::ffi::{c_char, c_int};

/// The arguments of one call.
#[derive(Clone, Copy)]
pub struct Args<'a>(&'a [*mut sqlite3_value]);

impl<'a> Args<'a> {
    /// # Safety
    /// The pointers are the valid, protected values of the running call, which outlives `'a`.
    pub unsafe fn new(values: &'a [*mut sqlite3_value]) -> Self {
        Self(values)
    }

    pub fn len(self) -> usize {
        self.0.len()
    }

    pub fn any_null(self) -> bool {
        (0..self.len()).any(|i| self.is_null(i))
    }

    /// Absent counts as NULL: an optional argument.
    pub fn is_null(self, i: usize) -> bool {
        self.kind(i) == ffi::SQLITE_NULL
    }

    fn kind(self, i: usize) -> c_int {
        // SAFETY: see `new`.
        self.0.get(i).map_or(ffi::SQLITE_NULL, |&value| unsafe { ffi::sqlite3_value_type(value) })
    }

    /// Text, or the digits of an integer.
    pub fn text(self, i: usize, name: &'static str) -> Result<&'a str> {
        match self.kind(i) {
            ffi::SQLITE_TEXT | ffi::SQLITE_INTEGER => {
                std::str::from_utf8(self.bytes(i)?).map_err(|_| Error::invalid(name, "is not valid UTF-8").into())
            }
            other => Err(wrong_type(name, other, "text")),
        }
    }

    /// The bytes of a value of any type, as text: for functions that never fail.
    pub fn bytes(self, i: usize) -> Result<&'a [u8]> {
        let Some(&value) = self.0.get(i) else { return Ok(&[]) };
        // SAFETY: see `new`. The pointer is asked for before the length, which belongs to that representation, and it is
        // null for a value of zero bytes or when memory ran out.
        unsafe {
            let text = if ffi::sqlite3_value_type(value) == ffi::SQLITE_BLOB {
                ffi::sqlite3_value_blob(value).cast::<u8>()
            } else {
                ffi::sqlite3_value_text(value).cast::<u8>()
            };
            slice(text, ffi::sqlite3_value_bytes(value))
        }
    }

    /// A value to store as it came: a text or blob byte for byte, a number as its text.
    pub fn raw(self, i: usize) -> Result<ValueRef<'a>> {
        match self.kind(i) {
            ffi::SQLITE_NULL => Ok(ValueRef::Null),
            ffi::SQLITE_BLOB => self.bytes(i).map(ValueRef::Blob),
            _ => self.bytes(i).map(ValueRef::Text),
        }
    }

    pub fn blob(self, i: usize, name: &'static str) -> Result<&'a [u8]> {
        match self.kind(i) {
            ffi::SQLITE_BLOB => self.bytes(i),
            other => Err(wrong_type(name, other, "a blob")),
        }
    }

    /// A blob, or none where it is NULL or absent.
    pub fn optional_blob(self, i: usize, name: &'static str) -> Result<Option<&'a [u8]>> {
        (!self.is_null(i)).then(|| self.blob(i, name)).transpose()
    }

    /// An embedding: a blob of its numbers, or a JSON array of them.
    pub fn embedding(self, i: usize, name: &'static str) -> Result<Cow<'a, [u8]>> {
        match self.kind(i) {
            ffi::SQLITE_BLOB => {
                let bytes = self.bytes(i)?;
                embedding::dim(name, bytes)?;
                Ok(Cow::Borrowed(bytes))
            }
            ffi::SQLITE_TEXT => Ok(Cow::Owned(embedding::from_json(name, self.text(i, name)?)?)),
            other => Err(wrong_type(name, other, "a blob or a JSON array")),
        }
    }

    /// An id: text, or a number without a fraction, which some drivers send as a double.
    pub fn id(self, i: usize, name: &'static str) -> Result<Cow<'a, str>> {
        if self.kind(i) == ffi::SQLITE_FLOAT {
            return Ok(Cow::Owned(self.integer(i, name)?.to_string()));
        }
        self.text(i, name).map(Cow::Borrowed)
    }

    /// An integer, a double without a fraction, or a text of one of them.
    pub fn integer(self, i: usize, name: &'static str) -> Result<i64> {
        match self.number(i) {
            // SAFETY: see `new`.
            (ffi::SQLITE_INTEGER, value) => Ok(unsafe { ffi::sqlite3_value_int64(value) }),
            (ffi::SQLITE_FLOAT, value) => {
                // SAFETY: see `new`.
                let real = unsafe { ffi::sqlite3_value_double(value) };
                exact_integer(real).ok_or_else(|| Error::invalid(name, format!("{real} is not an integer")).into())
            }
            (other, _) => Err(wrong_type(name, other, "an integer")),
        }
    }

    /// A number, or a text of one.
    pub fn real(self, i: usize, name: &'static str) -> Result<f64> {
        match self.number(i) {
            // SAFETY: see `new`.
            (ffi::SQLITE_INTEGER | ffi::SQLITE_FLOAT, value) => Ok(unsafe { ffi::sqlite3_value_double(value) }),
            (other, _) => Err(wrong_type(name, other, "a number")),
        }
    }

    fn number(self, i: usize) -> (c_int, *mut sqlite3_value) {
        match self.0.get(i) {
            // SAFETY: see `new`.
            Some(&value) => (unsafe { ffi::sqlite3_value_numeric_type(value) }, value),
            None => (ffi::SQLITE_NULL, std::ptr::null_mut()),
        }
    }

    /// An instant, from ISO 8601 text.
    pub fn timestamp(self, i: usize, name: &'static str) -> Result<i64> {
        match self.kind(i) {
            ffi::SQLITE_TEXT => Ok(time::parse_timestamp(self.text(i, name)?)?),
            other => Err(wrong_type(name, other, "ISO 8601 text")),
        }
    }
}

fn wrong_type(name: &'static str, kind: c_int, wanted: &str) -> Failure {
    let got = match kind {
        ffi::SQLITE_NULL => "NULL",
        ffi::SQLITE_INTEGER => "an integer",
        ffi::SQLITE_FLOAT => "a real number",
        ffi::SQLITE_TEXT => "text",
        _ => "a blob",
    };
    Error::invalid(name, format!("is {got}, not {wanted}")).into()
}

/// The integer a double stands for, if it has no fraction and fits.
pub fn exact_integer(real: f64) -> Option<i64> {
    // Both bounds are powers of two, so the comparison and the cast are exact.
    let fits = real.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&real);
    fits.then_some(real as i64)
}

/// What SQLite says is `length` bytes at `start`.
///
/// # Safety
/// When `start` is not null it points to `length` bytes that live as long as `'a`.
pub unsafe fn slice<'a>(start: *const u8, length: c_int) -> Result<&'a [u8]> {
    match (start.is_null(), usize::try_from(length)) {
        (_, Err(_) | Ok(0)) => Ok(&[]),
        (true, Ok(_)) => Err(Error::OutOfMemory.into()),
        // SAFETY: the caller's promise.
        (false, Ok(length)) => Ok(unsafe { std::slice::from_raw_parts(start, length) }),
    }
}

/// The result of one call.
pub enum Answer<'a> {
    Null,
    Integer(i64),
    Real(f64),
    /// A text that lives as long as the library.
    Static(&'static str),
    Text(Cow<'a, str>),
    Blob(Cow<'a, [u8]>),
}

impl From<Option<&'static str>> for Answer<'_> {
    fn from(text: Option<&'static str>) -> Self {
        text.map_or(Self::Null, Self::Static)
    }
}

impl<'a> From<Option<Cow<'a, str>>> for Answer<'a> {
    fn from(text: Option<Cow<'a, str>>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

impl From<Option<f64>> for Answer<'_> {
    fn from(real: Option<f64>) -> Self {
        real.map_or(Self::Null, Self::Real)
    }
}

impl From<Option<Vec<u8>>> for Answer<'_> {
    fn from(blob: Option<Vec<u8>>) -> Self {
        blob.map_or(Self::Null, |blob| Self::Blob(Cow::Owned(blob)))
    }
}

impl From<String> for Answer<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl Answer<'_> {
    /// # Safety
    /// `context` is that of the running call.
    pub unsafe fn give(&self, context: *mut sqlite3_context) {
        // SAFETY: the caller's promise; the bytes are copied by SQLite (TRANSIENT) or live for ever.
        unsafe {
            match self {
                Self::Null => ffi::sqlite3_result_null(context),
                Self::Integer(integer) => ffi::sqlite3_result_int64(context, *integer),
                Self::Real(real) => ffi::sqlite3_result_double(context, *real),
                Self::Static(text) => give_text(context, text, ffi::SQLITE_STATIC()),
                Self::Text(text) => give_text(context, text, ffi::SQLITE_TRANSIENT()),
                Self::Blob(blob) => {
                    let (start, length) = (blob.as_ptr().cast(), blob.len() as u64);
                    ffi::sqlite3_result_blob64(context, start, length, ffi::SQLITE_TRANSIENT());
                }
            }
        }
    }
}

/// # Safety
/// As for [`Answer::give`]; with SQLITE_STATIC the text lives for ever.
unsafe fn give_text(context: *mut sqlite3_context, text: &str, destructor: ffi::sqlite3_destructor_type) {
    let (start, length) = (text.as_ptr().cast::<c_char>(), text.len() as u64);
    // SAFETY: the caller's promise.
    unsafe { ffi::sqlite3_result_text64(context, start, length, destructor, ffi::SQLITE_UTF8 as u8) }
}

/// # Safety
/// `context` is that of the running call.
pub unsafe fn give_failure(context: *mut sqlite3_context, failure: &Failure) {
    let text = failure.text();
    // SAFETY: the caller's promise; SQLite copies the text. The code is set second, because setting the text resets it.
    unsafe {
        ffi::sqlite3_result_error(context, text.as_ptr(), -1);
        ffi::sqlite3_result_error_code(context, failure.code);
    }
}
