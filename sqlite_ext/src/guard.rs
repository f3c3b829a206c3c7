//! The one place a panic ends. Every callback SQLite makes into this library runs inside [`catch`]: a panic becomes
//! INTERNAL_ERROR, and never unwinds into C, which would end the host.

use crate::failure::{Failure, Result};
use cotaste_core::Error;
use rusqlite::ffi;
use std::cell::Cell;
use std::io::Write;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// Runs `f`; a panic inside is an [`Error::Internal`].
pub fn catch<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => result,
        Err(payload) => {
            // Dropping a payload may panic again, here outside the guard: leak it, it is a rare and small thing.
            std::mem::forget(payload);
            Err(Error::internal().into())
        }
    }
}

/// A panic also leaves one line on stderr, for the report. Rust's own hook would print a backtrace when the host's
/// environment asks for one. The hook is this library's: another one in the process has its own.
pub fn set_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(std::io::stderr(), "cotaste: {panic}");
    }));
}

/// [`catch`] for a callback that cannot report: a panic gives `otherwise`.
pub fn catch_or<T>(otherwise: T, f: impl FnOnce() -> T) -> T {
    catch(|| Ok(f())).unwrap_or(otherwise)
}

/// How deep statements of ours may run inside statements of ours. The relations need three; a hostile file whose
/// views call our functions in a circle would need the whole stack.
const DEEPEST: u32 = 12;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Runs `f`, which steps a statement of ours, unless too many are running inside each other already.
pub fn nested<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    struct Leave(u32);
    impl Drop for Leave {
        fn drop(&mut self) {
            DEPTH.set(self.0);
        }
    }
    let depth = DEPTH.get();
    if depth >= DEEPEST {
        return Err(Failure::of_host(
            ffi::SQLITE_ERROR,
            "INVALID_ARGUMENT: views of this file call each other in a circle",
        ));
    }
    DEPTH.set(depth + 1);
    let _leave = Leave(depth);
    f()
}
