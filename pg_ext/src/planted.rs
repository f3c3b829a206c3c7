//! Mistakes on purpose: entry points that panic, and others that the tests must notice. Declared by `sql/postgres/planted.sql`.
#![allow(clippy::panic)]

use crate::convert::report;
use crate::state::{append, data, InAggregate, State};
use cotaste_core::Error;
use pgrx::prelude::*;

#[pg_extern]
fn planted_panic(message: &str) -> String {
    panic!("planted: {message}")
}

/// Panics in the phase the rows name: `step`, `combine` or `final`.
#[pg_extern]
fn planted_panic_agg_step(call: InAggregate, state: Option<State>, phase: Option<&str>) -> State {
    let phase = phase.unwrap_or_default();
    if phase == "step" {
        panic!("planted: step")
    }
    if phase == "combine" {
        // Slow rows, so that no worker takes them all before the others have started.
        std::thread::sleep(std::time::Duration::from_micros(10));
    }
    append(&call, state, phase.len(), None, |room| {
        room.copy_from_slice(phase.as_bytes());
        Ok(())
    })
}

#[pg_extern]
fn planted_panic_agg_combine(state: &[u8], other: &[u8]) -> Vec<u8> {
    if [state, other].iter().any(|s| s.windows(7).any(|window| window == b"combine")) {
        panic!("planted: combine")
    }
    state.to_vec()
}

#[pg_extern]
fn planted_panic_agg_final(state: &[u8]) -> String {
    match data(state) {
        Ok(data) if data.starts_with(b"final") => panic!("planted: final"),
        _ => "no panic".into(),
    }
}

/// Panics at once, or after a row when the message is `later`.
#[pg_extern]
fn planted_panic_rows(message: &str) -> SetOfIterator<'static, i64> {
    if message != "later" {
        panic!("planted: {message}")
    }
    SetOfIterator::new((0..).map(|row| if row == 0 { row } else { panic!("planted: later") }))
}

/// An index out of bounds, as a mistake in the core would be.
#[pg_extern]
fn planted_panic_index(at: i64) -> i64 {
    let few = [1i64, 2, 3];
    few[at as usize]
}

/// A mistake: no guard stands between the panic and the server.
///
/// # Safety
/// Called by the server alone.
#[no_mangle]
pub unsafe extern "C" fn planted_unguarded(_: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    panic!("planted: unguarded")
}

/// What the server asks about [`planted_unguarded`].
#[no_mangle]
pub extern "C" fn pg_finfo_planted_unguarded() -> &'static pg_sys::Pg_finfo_record {
    const VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &VERSION_1
}

/// A mistake: nothing lets a cancellation through.
#[pg_extern]
fn planted_busy(seconds: f64) -> f64 {
    let start = std::time::Instant::now();
    while start.elapsed().as_secs_f64() < seconds {
        std::hint::spin_loop();
    }
    seconds
}

/// A mistake: the checksum of a taste is tested, and then the number of genres in it is trusted.
#[pg_extern]
fn planted_length(taste: &[u8]) -> i64 {
    const HEAD: usize = 6;
    let sum = |bytes: &[u8]| {
        !bytes.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        })
    };
    if taste.len() <= HEAD || taste[0] != b'C' || taste[2..HEAD] != sum(&taste[HEAD..]).to_le_bytes() {
        report(&Error::corrupt("taste", "is not a taste"));
    }
    taste[HEAD + 4..HEAD + 4 + usize::from(taste[HEAD]) * HEAD].iter().map(|byte| i64::from(*byte)).sum()
}
