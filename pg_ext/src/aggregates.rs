//! The aggregates: for each a step a row, a combination of two states and the final value. What a state means is the
//! core's; a combination is a concatenation. Steps and finals get NULLs, combinations are STRICT.

use crate::convert::OrReport;
use crate::state::{append, data, update, InAggregate, State};
use cotaste_core::latest::Latest;
use cotaste_core::sum::ReproducibleSum;
use cotaste_core::{list, taste, Error, Result};
use pgrx::prelude::*;

#[pg_extern]
fn taste_agg_step(
    call: InAggregate,
    state: Option<State>,
    content: Option<i64>,
    genres: Option<&str>,
    weight: Option<f64>,
) -> State {
    taste_row(&call, state, content, genres, weight, 0.0)
}

#[pg_extern]
fn taste_agg_decayed_step(
    call: InAggregate,
    state: Option<State>,
    content: Option<i64>,
    genres: Option<&str>,
    weight: Option<f64>,
    half_lives: Option<f64>,
) -> State {
    taste_row(&call, state, content, genres, weight, half_lives.unwrap_or(0.0))
}

fn taste_row(
    call: &InAggregate,
    state: Option<State>,
    content: Option<i64>,
    genres: Option<&str>,
    weight: Option<f64>,
    half_lives: f64,
) -> State {
    let length = taste::state::row_len(genres).or_report();
    append(call, state, length, Some(taste::state::compact), |row| {
        taste::state::write_row(row, content, genres, weight, half_lives)
    })
}

#[pg_extern]
fn taste_rollup_step(call: InAggregate, state: Option<State>, taste: Option<&[u8]>) -> Option<State> {
    let Some(taste) = taste else { return state };
    let length = taste::state::taste_len(taste).or_report();
    Some(append(&call, state, length, Some(taste::state::compact), |row| taste::state::write_taste(row, taste)))
}

#[pg_extern]
fn taste_combine(call: InAggregate, state: State, other: &[u8]) -> State {
    let other = data(other).or_report();
    append(&call, Some(state), other.len(), Some(taste::state::compact), |room| concatenate(room, other))
}

#[pg_extern]
fn taste_final(state: &[u8]) -> Vec<u8> {
    data(state).and_then(taste::state::finish).or_report()
}

#[pg_extern]
fn ordered_json_array_step(
    call: InAggregate,
    state: Option<State>,
    value: Option<&str>,
    position: Option<i64>,
) -> Option<State> {
    let Some(value) = value else { return state };
    let length = list::state::row_len(value).or_report();
    let position = position.ok_or_else(|| Error::invalid("position", "is NULL")).or_report();
    Some(append(&call, state, length, None, |row| list::state::write_row(row, value, position)))
}

#[pg_extern]
fn ordered_json_array_combine(call: InAggregate, state: State, other: &[u8]) -> State {
    let other = data(other).or_report();
    append(&call, Some(state), other.len(), None, |room| concatenate(room, other))
}

#[pg_extern]
fn ordered_json_array_final(state: Option<&[u8]>) -> String {
    state.map_or(Ok(&[][..]), data).and_then(list::state::finish).or_report()
}

fn concatenate(room: &mut [u8], other: &[u8]) -> Result<()> {
    room.copy_from_slice(other);
    Ok(())
}

#[pg_extern]
fn reproducible_sum_step(call: InAggregate, state: Option<State>, value: Option<f64>) -> Option<State> {
    let Some(value) = value else { return state };
    Some(update(&call, state, |bytes| {
        let mut sum = bytes.map_or_else(|| Ok(ReproducibleSum::default()), ReproducibleSum::from_bytes)?;
        sum.add(value)?;
        Ok(sum.to_bytes())
    }))
}

#[pg_extern]
fn reproducible_sum_combine(call: InAggregate, state: State, other: &[u8]) -> State {
    update(&call, Some(state), |bytes| {
        let mut sum = ReproducibleSum::from_bytes(bytes.unwrap_or_default())?;
        sum.merge(&ReproducibleSum::from_bytes(other)?)?;
        Ok(sum.to_bytes())
    })
}

#[pg_extern]
fn reproducible_sum_final(state: &[u8]) -> f64 {
    ReproducibleSum::from_bytes(state).and_then(|sum| sum.value()).or_report()
}

#[pg_extern]
fn latest_value_step(
    call: InAggregate,
    state: Option<State>,
    value: Option<f64>,
    at: Option<i64>,
    id: Option<i64>,
) -> Option<State> {
    let (Some(value), Some(at), Some(id)) = (value, at, id) else { return state };
    Some(update(&call, state, |bytes| {
        let row = Latest::new(value, at, id);
        let last = bytes.map_or(Ok(row), Latest::from_bytes)?;
        Ok(last.later(row).to_bytes())
    }))
}

#[pg_extern]
fn latest_value_combine(call: InAggregate, state: State, other: &[u8]) -> State {
    update(&call, Some(state), |bytes| {
        let last = Latest::from_bytes(bytes.unwrap_or_default())?;
        Ok(last.later(Latest::from_bytes(other)?).to_bytes())
    })
}

#[pg_extern]
fn latest_value_final(state: &[u8]) -> f64 {
    Latest::from_bytes(state).or_report().value()
}
