//! The two functions the linker puts in place of those sqlite-loadable would call in its own SQLite (see `build.rs`).

use rusqlite::ffi;
use std::ffi::{c_char, c_void, CStr};
use std::ptr;

/// # Safety
/// As `sqlite3_user_data`.
#[no_mangle]
unsafe extern "C" fn __wrap_sqlite3_user_data(context: *mut ffi::sqlite3_context) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { ffi::sqlite3_user_data(context) }
}

/// Its one caller passes a message as the format: take it as the text it is.
///
/// # Safety
/// `text` is a C string.
#[no_mangle]
unsafe extern "C" fn __wrap_sqlite3_mprintf(text: *const c_char) -> *mut c_char {
    // SAFETY: the caller's promise; the copy is as long as the original with its NUL.
    unsafe {
        let text = CStr::from_ptr(text).to_bytes_with_nul();
        let copy = ffi::sqlite3_malloc64(text.len() as u64).cast::<u8>();
        if !copy.is_null() {
            ptr::copy_nonoverlapping(text.as_ptr(), copy, text.len());
        }
        copy.cast()
    }
}
