//! Entry points that panic on purpose: no SQL call may end the server. Declared by `sql/postgres/planted.sql`.
#![allow(clippy::panic)]

use crate::state::{append, data, InAggregate, State};
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
