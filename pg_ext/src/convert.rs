//! Between Postgres values and the core's: errors and instants.

use cotaste_core::{time, Error};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Postgres counts from 2000-01-01, the core from 1970-01-01.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// A core result as the value of a SQL function.
pub trait OrReport<T> {
    /// The value, or the end of the statement with the error's code, SQLSTATE, DETAIL and HINT.
    fn or_report(self) -> T;
}

impl<T> OrReport<T> for cotaste_core::Result<T> {
    fn or_report(self) -> T {
        self.unwrap_or_else(|error| report(&error))
    }
}

/// Ends the statement with an ERROR: unwinds to the guard around every entry point, which knows this payload.
#[cold]
pub fn report(error: &Error) -> ! {
    let mut report = ErrorReport::new(sqlstate(error.sqlstate()), error.to_string(), "cotaste").set_hint(error.hint());
    if let Some(detail) = error.detail() {
        report = report.set_detail(detail);
    }
    std::panic::resume_unwind(Box::new(report))
}

/// Five characters of six bits each, the first one lowest.
fn sqlstate(code: &str) -> PgSqlErrorCode {
    let packed = code.bytes().rev().fold(0i32, |packed, c| packed << 6 | i32::from(c.wrapping_sub(b'0') & 0x3f));
    PgSqlErrorCode::from(packed)
}

/// Microseconds since 1970; infinities become the extremes, which the core refuses.
pub fn epoch_us(at: TimestampWithTimeZone) -> i64 {
    at.into_inner().saturating_add(POSTGRES_EPOCH_US)
}

/// The instant of microseconds since 1970, when it lies in the core's range.
pub fn instant(us: i64) -> cotaste_core::Result<TimestampWithTimeZone> {
    let us = time::check_epoch_us(us)?;
    TimestampWithTimeZone::try_from(us.saturating_sub(POSTGRES_EPOCH_US)).map_err(|_| Error::internal())
}
