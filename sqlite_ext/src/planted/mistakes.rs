//! Mistakes that the tests must notice: a panic without a guard, a loop that cannot be interrupted, a length that is trusted.

use crate::convert::Answer;
use crate::failure::Result;
use crate::scalar::{pure, Db};
use cotaste_core::Error;
use rusqlite::{ffi, Connection};
use std::ffi::c_int;
use std::time::Instant;

pub fn with_rusqlite(db: &Connection) -> rusqlite::Result<()> {
    // SAFETY: the handle of an open connection; the name ends with NUL.
    let code = unsafe {
        ffi::sqlite3_create_function_v2(
            db.handle(),
            c"planted_unguarded".as_ptr(),
            1,
            ffi::SQLITE_UTF8,
            std::ptr::null_mut(),
            Some(unguarded),
            None,
            None,
            None,
        )
    };
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }
}

/// No guard stands between the panic and the host.
unsafe extern "C" fn unguarded(_: *mut ffi::sqlite3_context, _: c_int, _: *mut *mut ffi::sqlite3_value) {
    panic!("planted: unguarded")
}

pub fn with_loadable(db: Db) -> Result<()> {
    // Nothing looks for an interrupt.
    pure(db, "planted_busy", 1, |args| {
        let (start, seconds) = (Instant::now(), args.real(0, "seconds")?);
        while start.elapsed().as_secs_f64() < seconds {
            std::hint::spin_loop();
        }
        Ok(Answer::Real(seconds))
    })?;
    // The checksum of a taste is tested, and then the number of genres in it is trusted.
    pure(db, "planted_length", 1, |args| {
        const HEAD: usize = 6;
        let taste = args.blob(0, "taste")?;
        if taste.len() <= HEAD || taste[0] != b'C' || taste[2..HEAD] != sum(&taste[HEAD..]).to_le_bytes() {
            return Err(Error::corrupt("taste", "is not a taste").into());
        }
        let weights = &taste[HEAD + 4..HEAD + 4 + usize::from(taste[HEAD]) * HEAD];
        Ok(Answer::Integer(weights.iter().map(|byte| i64::from(*byte)).sum()))
    })
}

/// CRC-32.
fn sum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
