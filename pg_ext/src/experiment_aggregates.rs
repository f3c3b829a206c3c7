//! The aggregates of experiments: moments of users, p values adjusted together, and what the kept events of users say.

use crate::aggregates::concatenate;
use crate::convert::OrReport;
use crate::state::{append, data, update, InAggregate, Kept, State};
use crate::text::Text;
use cotaste_core::events::changes::{self, Event};
use cotaste_core::events::{ArmCounts, Question};
use cotaste_core::stats::{self, multiple, Moments};
use cotaste_core::{Error, Result};
use pgrx::prelude::*;

#[pg_extern]
fn moments_step(call: InAggregate, state: Option<State>, y: Option<f64>) -> Option<State> {
    add(&call, state, y, Some(0.0))
}

#[pg_extern]
fn moments_of_two_step(call: InAggregate, state: Option<State>, y: Option<f64>, x: Option<f64>) -> Option<State> {
    add(&call, state, y, x)
}

fn add(call: &InAggregate, state: Option<State>, y: Option<f64>, x: Option<f64>) -> Option<State> {
    let (Some(y), Some(x)) = (y, x) else { return state };
    Some(change(call, state, |moments| moments.add(y, x)))
}

#[pg_extern]
fn moments_merge_step(call: InAggregate, state: Option<State>, moments: Option<&[u8]>) -> Option<State> {
    let Some(part) = moments else { return state };
    Some(change(&call, state, |moments| moments.merge(&Moments::from_bytes(part)?)))
}

#[pg_extern]
fn moments_combine(call: InAggregate, state: State, other: &[u8]) -> State {
    change(&call, Some(state), |moments| moments.merge(&Moments::from_state(other)?))
}

fn change(call: &InAggregate, state: Option<State>, change: impl FnOnce(&mut Moments) -> Result<()>) -> State {
    update(call, state, |bytes| {
        let mut moments = bytes.map_or_else(|| Ok(Moments::default()), Moments::from_state)?;
        change(&mut moments)?;
        Ok(moments.to_state())
    })
}

#[pg_extern]
fn moments_final(state: &[u8]) -> Vec<u8> {
    Moments::from_state(state).and_then(|moments| moments.to_bytes()).or_report()
}

#[pg_extern]
fn adjust_step(call: InAggregate, state: Option<State>, p: Option<f64>, position: Option<i64>) -> State {
    let position = position.ok_or_else(|| Error::invalid("position", "is NULL")).or_report();
    append(&call, state, multiple::state::ROW, None, |row| multiple::state::write_row(row, p, position))
}

#[pg_extern]
fn adjust_combine(call: InAggregate, state: State, other: &[u8]) -> State {
    let other = data(other).or_report();
    append(&call, Some(state), other.len(), None, |room| concatenate(room, other))
}

#[pg_extern]
fn holm_adjust_final(state: Option<&[u8]>) -> String {
    state.map_or(Ok(&[][..]), data).and_then(|rows| multiple::state::finish(rows, stats::holm)).or_report()
}

#[pg_extern]
fn bh_adjust_final(state: Option<&[u8]>) -> String {
    state
        .map_or(Ok(&[][..]), data)
        .and_then(|rows| multiple::state::finish(rows, stats::benjamini_hochberg))
        .or_report()
}

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn event_changes_step(
    call: InAggregate,
    state: Option<State>,
    content: i64,
    occurred_us: Option<i64>,
    action: Option<Text<'_>>,
    rating: Option<f64>,
    experiment: Option<Text<'_>>,
    variant: Option<Text<'_>>,
) -> State {
    let event = occurred_us.zip(action).map(|(occurred_us, action)| Event {
        occurred_us,
        action: action.get(),
        rating,
        arm: experiment.map(Text::get).zip(variant.map(Text::get)),
    });
    let length = changes::row_len(event).or_report();
    append(&call, state, length, None, |row| changes::write_row(row, content, event))
}

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn experiment_arms_step(
    call: InAggregate,
    state: Option<Kept<ArmCounts>>,
    events: Option<&[u8]>,
    experiment: Text<'_>,
    from_us: i64,
    to_us: i64,
    goal: Text<'_>,
    window_us: Option<i64>,
    now_us: i64,
) -> Option<Kept<ArmCounts>> {
    let Some(events) = events else { return state };
    let mut state = state.unwrap_or_else(|| Kept::keep(&call, ArmCounts::default()));
    let question = Question { experiment: experiment.get(), from_us, to_us, goal: goal.get(), window_us, now_us };
    state.get().add(events, &question).or_report();
    Some(state)
}

#[pg_extern]
fn experiment_arms_combine(
    call: InAggregate,
    state: Option<Kept<ArmCounts>>,
    other: Option<Kept<ArmCounts>>,
) -> Option<Kept<ArmCounts>> {
    let Some(mut other) = other else { return state };
    let mut state = state.unwrap_or_else(|| Kept::keep(&call, ArmCounts::default()));
    state.get().merge(other.get());
    Some(state)
}

#[pg_extern]
fn experiment_arms_serial(mut state: Kept<ArmCounts>) -> Vec<u8> {
    state.get().to_bytes().or_report()
}

#[pg_extern]
fn experiment_arms_deserial(call: InAggregate, state: &[u8]) -> Kept<ArmCounts> {
    Kept::keep(&call, ArmCounts::from_bytes(state).or_report())
}

#[pg_extern]
fn experiment_arms_final(state: Option<Kept<ArmCounts>>) -> Option<String> {
    state.and_then(|mut state| state.get().finish().or_report())
}
