//! What a user's events with a content come to. The view cotaste_log_pairs says it for both engines; it is said here once
//! more, because SQLite does not push a user through two groupings, and because the fold is many times faster so.
//! cotaste_verify() compares the two.

use crate::failure::Result;
use cotaste_core::base::Base;
use cotaste_core::facts;
use cotaste_core::taste::ledger::{changes, weight};
use cotaste_core::{sum::ReproducibleSum, time, Error};

/// A user's events with a content up to now.
#[derive(Default)]
pub struct Pair {
    pub events: i64,
    /// Events that are not skips.
    pub touches: i64,
    pub weight: ReproducibleSum,
    /// What measures take from it, where they are asked for.
    pub facts: facts::Builder,
    /// The time of the first event still to come.
    pub next_us: Option<i64>,
}

/// How events are weighed.
pub struct Scale {
    pub half_life_hours: f64,
    pub now_us: i64,
    /// For measures.
    pub trend: Option<facts::Scale>,
}

/// What a pair takes from an event.
pub struct Event<'a> {
    pub action: &'a str,
    pub rating: Option<f64>,
    pub occurred_at: &'a str,
    pub id: i64,
}

impl Pair {
    /// Adds an event.
    pub fn add(&mut self, event: &Event<'_>, weight_of: impl FnOnce(&str) -> Option<f64>, scale: &Scale) -> Result<()> {
        let &Event { action, rating, occurred_at, id } = event;
        let occurred_us = time::parse_timestamp(occurred_at)?;
        if occurred_us > scale.now_us {
            self.next_us = Some(self.next_us.map_or(occurred_us, |next| next.min(occurred_us)));
            return Ok(());
        }
        let times = if action == "rate" { rating.map_or(0.0, |rating| (rating - 5.0) / 2.5) } else { 1.0 };
        let value = weight_of(action).unwrap_or(0.0) * times;
        weight::add(&mut self.weight, value, time::half_lives(occurred_us, scale.half_life_hours)?)?;
        self.events += 1;
        self.touches += i64::from(action != "skip");
        let event = facts::Event { action, rating, weight: value, at_us: occurred_us, id };
        scale.trend.as_ref().map_or(Ok(()), |scale| Ok(self.facts.add(&event, scale)?))
    }

    /// Adds what is kept of purged events.
    pub fn add_base(&mut self, base: &[u8], scale: &Scale) -> Result<()> {
        let base = Base::read(base)?;
        self.weight.merge(&base.weight(scale.half_life_hours)?)?;
        self.events += base.number("events")?.unwrap_or(0);
        self.touches += base.number("touches")?.unwrap_or(0);
        scale.trend.as_ref().map_or(Ok(()), |scale| Ok(base.add_to(&mut self.facts, scale)?))
    }
}

/// Appends what a pair was and what it is now to changes for `ledger::apply`.
pub fn change(
    out: &mut Vec<u8>,
    content: i64,
    genres: Option<&str>,
    was: changes::Side<'_>,
    pair: &Pair,
) -> Result<()> {
    let weight = weight::of(&pair.weight);
    let is = (pair.events > 0).then_some((pair.touches > 0, &weight[..]));
    let row = grow(out, changes::row_len(genres)?)?;
    Ok(changes::write_row(row, content, genres, was, is)?)
}

/// `length` more bytes at the end; memory that is refused is an error, not the end of the host.
pub fn grow(bytes: &mut Vec<u8>, length: usize) -> Result<&mut [u8]> {
    let start = bytes.len();
    bytes.try_reserve(length).map_err(Error::from)?;
    bytes.resize(start + length, 0);
    Ok(bytes.get_mut(start..).unwrap_or_default())
}
