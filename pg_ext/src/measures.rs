//! The measures of contents: aggregates over a pair's events and over pairs, and functions of their values.

use crate::convert::OrReport;
use crate::state::{InAggregate, Kept};
use cotaste_core::base::Base;
use cotaste_core::facts::{Builder, Event, Facts, Scale};
use cotaste_core::measures::{self, Changes, Measures};
use cotaste_core::trend;
use pgrx::prelude::*;

/// The state of `pair_facts`: how events are weighed is read once.
struct Pair {
    events: Builder,
    scale: Scale,
}

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn pair_facts_step(
    call: InAggregate,
    state: Option<Kept<Pair>>,
    action: Option<&str>,
    rating: Option<f64>,
    weight: Option<f64>,
    at_us: Option<i64>,
    id: Option<i64>,
    half_life_hours: f64,
    user_cap: i64,
    base: Option<&[u8]>,
) -> Option<Kept<Pair>> {
    let event = event(action, rating, weight, at_us, id);
    if event.is_none() && base.is_none() {
        return state;
    }
    let mut state = state.unwrap_or_else(|| {
        let scale = Scale::new(half_life_hours, user_cap).or_report();
        Kept::keep(&call, Pair { events: Builder::default(), scale })
    });
    let Pair { events, scale } = state.get();
    if let Some(event) = event {
        events.add(&event, scale).or_report();
    }
    if let Some(base) = base {
        Base::read(base).and_then(|base| base.add_to(events, scale)).or_report();
    }
    Some(state)
}

/// A row that is an event; one without an action, a time or an id is none.
fn event(
    action: Option<&str>,
    rating: Option<f64>,
    weight: Option<f64>,
    at_us: Option<i64>,
    id: Option<i64>,
) -> Option<Event<'_>> {
    Some(Event { action: action?, rating, weight: weight.unwrap_or(0.0), at_us: at_us?, id: id? })
}

#[pg_extern]
fn pair_facts_final(mut state: Kept<Pair>) -> Option<Vec<u8>> {
    let Pair { events, scale } = state.get();
    events.clone().finish(scale).or_report().map(|facts| facts.to_bytes().or_report())
}

/// The state of `pair_base`.
struct Purged {
    base: Base,
    scale: Scale,
}

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn pair_base_step(
    call: InAggregate,
    state: Option<Kept<Purged>>,
    base: Option<&[u8]>,
    action: Option<&str>,
    rating: Option<f64>,
    weight: Option<f64>,
    at_us: Option<i64>,
    id: Option<i64>,
    taste_half_life_hours: f64,
    trending_half_life_hours: f64,
    user_cap: i64,
) -> Kept<Purged> {
    let mut state = state.unwrap_or_else(|| {
        let base = Base::new(taste_half_life_hours, trending_half_life_hours).or_report();
        Kept::keep(&call, Purged { base, scale: Scale::new(trending_half_life_hours, user_cap).or_report() })
    });
    let purged = state.get();
    if let Some(event) = event(action, rating, weight, at_us, id) {
        purged.base.add(&event, &purged.scale).or_report();
    }
    if let Some(before) = base {
        Base::read(before).and_then(|before| purged.base.merge(&before, &purged.scale)).or_report();
    }
    state
}

#[pg_extern]
fn pair_base_final(mut state: Kept<Purged>) -> Option<Vec<u8>> {
    let Purged { base, scale } = state.get();
    base.clone().to_bytes(scale).or_report()
}

#[pg_extern]
fn base_number(base: &[u8], name: &str) -> Option<i64> {
    Base::read(base).and_then(|base| base.number(name)).or_report()
}

#[pg_extern]
fn base_action(base: &[u8]) -> String {
    Base::read(base).or_report().last_action().to_owned()
}

#[pg_extern]
fn content_changes_step(
    call: InAggregate,
    state: Option<Kept<Changes>>,
    was: Option<&[u8]>,
    facts: Option<&[u8]>,
) -> Kept<Changes> {
    let read = |facts: Option<&[u8]>| facts.map(|facts| Facts::read(facts).or_report());
    let mut state = state.unwrap_or_else(|| Kept::keep(&call, Changes::default()));
    state.get().add(read(was).as_ref(), read(facts).as_ref()).or_report();
    state
}

#[pg_extern]
fn content_changes_final(mut state: Kept<Changes>) -> Vec<u8> {
    state.get().clone().to_bytes().or_report()
}

#[pg_extern]
fn rating_changes_final(mut state: Kept<Changes>) -> Vec<u8> {
    state.get().clone().into_ratings().to_bytes().or_report()
}

#[pg_extern]
fn follow_content(measures: Option<&[u8]>, changes: Option<&[u8]>) -> Option<Vec<u8>> {
    measures::follow(measures, changes).or_report()
}

#[pg_extern]
fn content_merge_step(state: &[u8], measures: &[u8]) -> Vec<u8> {
    let merge = |a: Measures, b: Measures| a.merge(&b).and_then(Measures::to_bytes);
    merge(Measures::read(state).or_report(), Measures::read(measures).or_report()).or_report()
}

#[pg_extern]
fn set_content_extent(measures: &[u8], first_us: i64, last_us: i64) -> Vec<u8> {
    let known = Measures::read(measures).or_report().with_extent(Some(first_us), Some(last_us));
    known.to_bytes().or_report()
}

#[pg_extern]
fn content_count(measures: &[u8], name: &str) -> Option<i64> {
    Measures::read(measures).and_then(|measures| measures.count(name)).or_report()
}

#[pg_extern]
fn content_number(measures: &[u8], name: &str) -> Option<f64> {
    Measures::read(measures).and_then(|measures| measures.number(name)).or_report()
}

#[pg_extern]
fn content_trend(measures: &[u8]) -> Vec<u8> {
    Measures::read(measures).or_report().trend().to_vec()
}

#[pg_extern]
fn trend_score(trend: &[u8], as_of_us: i64, half_life_hours: f64) -> f64 {
    trend::score(trend, as_of_us, half_life_hours).or_report()
}

#[pg_extern]
fn z_score(current: f64, periods: i64, sum: f64, sum_of_squares: f64) -> Option<f64> {
    trend::z_score(current, periods, sum, sum_of_squares).or_report()
}

#[pg_extern]
fn sample_sd(count: i64, sum: f64, sum_of_squares: f64) -> Option<f64> {
    trend::sample_sd(count, sum, sum_of_squares)
}
