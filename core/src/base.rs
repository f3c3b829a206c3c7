//! What is kept of a pair's purged events: enough for level 1 to be, bit by bit, what all its events together give. So
//! sums are kept as they are collected and not as they are rounded.
//!
//! Weights are those the events had when they were purged. Another half-life later moves the sum as a whole: it comes to
//! the same at the pair's last purged event, and decays from there on by the new one.
//!
//! Layout, version 1; *n* is an integer of seven bits a byte, *s* a signed one (zigzag), *sum* a `ReproducibleSum`:
//!
//! | bytes | what |
//! |---|---|
//! | 2 | `B`, version 1 |
//! | 4 | CRC-32 of all that follows |
//! | 8, 8 | the half-lives the sums were made with, of tastes and of trends, in hours (f64) |
//! | n | touches, and with one: s, the time of the last |
//! | s, n, ... | the last event of all: its id, its action |
//! | sum | the decayed weight |
//! | n | events, views, completes, skips, ratings: one *n* each |
//! | s, n | the first event, in microseconds since 1970, and how much later the last one was |
//! | sum, 25 | ratings; with one: the last (`latest_value`) |
//! | sum | trend, of events that are not among the following |
//! | n, ... | the latest events that a cap of trends counts: s time, s id, weight (f64) each |

use crate::bytes::{put_head, put_signed, put_unsigned, seal, sealed, Reader};
use crate::facts::{Builder, Event, Scale};
use crate::sum::ReproducibleSum;
use crate::taste::ledger::weight;
use crate::trend::{regrown, HalfLife};
use crate::{time, Error, Result};

const MAGIC: [u8; 2] = [b'B', 1];
const CORRUPT: Error = Error::corrupt("base", "is not a value of pair_base");

/// The purged events of one pair.
#[derive(Debug, Clone)]
pub struct Base {
    taste_hours: f64,
    trend_hours: f64,
    touches: u64,
    touched_us: i64,
    /// Time, id and action of the last event.
    last: (i64, i64, String),
    weight: ReproducibleSum,
    facts: Builder,
}

impl Base {
    /// Of no event yet; the half-lives in hours.
    pub fn new(taste_hours: f64, trend_hours: f64) -> Result<Self> {
        HalfLife::hours(taste_hours)?;
        HalfLife::hours(trend_hours)?;
        let last = (i64::MIN, i64::MIN, String::new());
        let (weight, facts) = Default::default();
        Ok(Self { taste_hours, trend_hours, touches: 0, touched_us: i64::MIN, last, weight, facts })
    }

    /// Adds an event; `scale` has the half-life of trends.
    pub fn add(&mut self, event: &Event<'_>, scale: &Scale) -> Result<()> {
        weight::add(&mut self.weight, event.weight, time::half_lives(event.at_us, self.taste_hours)?)?;
        self.facts.add(event, scale)?;
        if event.action != "skip" {
            self.touches = self.touches.saturating_add(1);
            self.touched_us = self.touched_us.max(event.at_us);
        }
        if (event.at_us, event.id) >= (self.last.0, self.last.1) {
            self.last = (event.at_us, event.id, event.action.to_owned());
        }
        Ok(())
    }

    /// Adds what was kept before.
    pub fn merge(&mut self, other: &Self, scale: &Scale) -> Result<()> {
        self.weight.merge(&other.weight(self.taste_hours)?)?;
        other.add_to(&mut self.facts, scale)?;
        self.touches = self.touches.saturating_add(other.touches);
        self.touched_us = self.touched_us.max(other.touched_us);
        if (other.last.0, other.last.1) > (self.last.0, self.last.1) {
            self.last.clone_from(&other.last);
        }
        Ok(())
    }

    /// The sum of the decayed weights as of 1970, with a half-life in hours.
    pub fn weight(&self, taste_hours: f64) -> Result<ReproducibleSum> {
        regrown(
            &self.weight,
            self.facts.facts().last_us,
            HalfLife::hours(self.taste_hours)?,
            HalfLife::hours(taste_hours)?,
        )
    }

    /// Adds the events to those of the log.
    pub fn add_to(&self, facts: &mut Builder, scale: &Scale) -> Result<()> {
        facts.merge(&self.facts, HalfLife::hours(self.trend_hours)?, scale)
    }

    /// A number by its name: `events`, `touches`, `first_us`, `last_us`, `last_id`, `touched_us` (`None` without touches).
    pub fn number(&self, name: &str) -> Result<Option<i64>> {
        let facts = self.facts.facts();
        Ok(match name {
            "events" => Some(facts.events),
            "touches" => Some(i64::try_from(self.touches).unwrap_or(i64::MAX)),
            "first_us" => Some(facts.first_us),
            "last_us" => Some(facts.last_us),
            "last_id" => Some(self.last.1),
            "touched_us" => (self.touches > 0).then_some(self.touched_us),
            _ => return Err(Error::invalid("name", format!("{name} is not a number of a base"))),
        })
    }

    /// The action of the last event.
    pub fn last_action(&self) -> &str {
        &self.last.2
    }

    /// The value; `None` without events.
    pub fn to_bytes(self, scale: &Scale) -> Result<Option<Vec<u8>>> {
        if self.facts.facts().events == 0 {
            return Ok(None);
        }
        let mut out = Vec::new();
        out.try_reserve(192)?;
        put_head(&mut out, MAGIC);
        out.extend(self.taste_hours.to_le_bytes());
        out.extend(self.trend_hours.to_le_bytes());
        put_unsigned(&mut out, self.touches)?;
        if self.touches > 0 {
            put_signed(&mut out, self.touched_us)?;
        }
        put_signed(&mut out, self.last.1)?;
        put_unsigned(&mut out, self.last.2.len() as u64)?;
        out.extend(self.last.2.bytes());
        self.weight.put(&mut out)?;
        self.facts.put(&mut out, scale)?;
        seal(&mut out)?;
        Ok(Some(out))
    }

    /// Reads what [`Self::to_bytes`] wrote; `CORRUPT_STATE` for anything else.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut at = Reader::new(sealed(bytes, MAGIC, CORRUPT)?, CORRUPT);
        let (taste_hours, trend_hours) = (f64::from_le_bytes(at.array()?), f64::from_le_bytes(at.array()?));
        let mut base = Self::new(taste_hours, trend_hours).map_err(|_| CORRUPT)?;
        base.touches = at.unsigned()?;
        if base.touches > 0 {
            base.touched_us = at.signed()?;
        }
        let id = at.signed()?;
        let length = at.length()?;
        let action = at.text(length)?.to_owned();
        base.weight = ReproducibleSum::read(&mut at)?;
        base.facts = Builder::read(&mut at)?;
        base.last = (base.facts.facts().last_us, id, action);
        if base.facts.facts().events == 0 || !at.is_empty() {
            return Err(CORRUPT);
        }
        Ok(base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ACTIONS: [&str; 5] = ["view", "complete", "skip", "rate", "like"];
    type Row = (usize, Option<i32>, f64, i64);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (0usize..5, prop::option::of(0..11), -3.0..3.0f64, -1_000_000_000_000i64..1_000_000_000_000_000);
        prop::collection::vec(row, 1..60)
    }

    fn event(row: &Row, id: usize) -> Event<'static> {
        let rating = row.1.map(f64::from);
        Event { action: ACTIONS[row.0], rating, weight: row.2, at_us: row.3, id: id as i64 }
    }

    /// Weight and facts of some rows from their events and some from a base that was written and read back.
    fn level_1(rows: &[Row], purged: impl Fn(usize) -> usize, scale: &Scale) -> (Vec<u8>, Vec<u8>) {
        let mut base: Option<Base> = None;
        for round in 1..3 {
            let mut more = Base::new(720.0, 24.0).unwrap();
            if let Some(base) = &base {
                more.merge(base, scale).unwrap();
            }
            for (id, row) in rows.iter().enumerate().filter(|(id, _)| purged(*id) == round) {
                more.add(&event(row, id), scale).unwrap();
            }
            base = more.to_bytes(scale).unwrap().map(|bytes| Base::read(&bytes).unwrap());
        }
        let mut weight = ReproducibleSum::default();
        let mut facts = Builder::default();
        for (id, row) in rows.iter().enumerate().filter(|(id, _)| purged(*id) == 0) {
            weight::add(&mut weight, row.2, time::half_lives(row.3, 720.0).unwrap()).unwrap();
            facts.add(&event(row, id), scale).unwrap();
        }
        if let Some(base) = &base {
            weight.merge(&base.weight(720.0).unwrap()).unwrap();
            base.add_to(&mut facts, scale).unwrap();
        }
        (weight::of(&weight).to_vec(), facts.finish(scale).unwrap().unwrap().to_bytes().unwrap())
    }

    proptest! {
        #[test]
        fn base_and_log_give_what_all_events_give(
            rows in rows(), purged in prop::collection::vec(0usize..3, 60), cap in 0i64..4
        ) {
            let scale = Scale::new(24.0, cap).unwrap();
            prop_assert_eq!(level_1(&rows, |id| purged[id], &scale), level_1(&rows, |_| 0, &scale));
        }

        #[test]
        fn another_half_life_keeps_what_the_sum_comes_to_at_the_last_event(rows in rows(), hours in 1.0..5000.0f64) {
            let scale = Scale::new(24.0, 0).unwrap();
            let mut base = Base::new(720.0, 24.0).unwrap();
            rows.iter().enumerate().try_for_each(|(id, row)| base.add(&event(row, id), &scale)).unwrap();
            let last_us = base.number("last_us").unwrap().unwrap();
            let at_last = |hours| crate::trend::score(&weight::of(&base.weight(hours).unwrap()), last_us, hours).unwrap();
            prop_assert!((at_last(hours) - at_last(720.0)).abs() <= 1e-9 * at_last(720.0).abs() + 1e-300);
        }

        #[test]
        fn the_numbers_are_those_of_the_events(rows in rows()) {
            let scale = Scale::new(24.0, 0).unwrap();
            let mut base = Base::new(720.0, 24.0).unwrap();
            rows.iter().enumerate().try_for_each(|(id, row)| base.add(&event(row, id), &scale)).unwrap();
            let base = Base::read(&base.to_bytes(&scale).unwrap().unwrap()).unwrap();
            let (last, row) = rows.iter().enumerate().max_by_key(|(id, row)| (row.3, *id)).unwrap();
            let touched = rows.iter().filter(|row| ACTIONS[row.0] != "skip").map(|row| row.3).max();
            prop_assert_eq!(base.number("events").unwrap(), Some(rows.len() as i64));
            prop_assert_eq!((base.number("last_id").unwrap(), base.last_action()), (Some(last as i64), ACTIONS[row.0]));
            prop_assert_eq!(base.number("touched_us").unwrap(), touched);
            prop_assert_eq!(base.number("first_us").unwrap(), rows.iter().map(|row| row.3).min());
        }

        #[test]
        fn hostile_bytes_are_told(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut sealed = MAGIC.to_vec();
            sealed.extend([0; 4]);
            sealed.extend(bytes);
            seal(&mut sealed).unwrap();
            if let Ok(base) = Base::read(&sealed) {
                let _ = base.weight(1.0);
                let _ = base.add_to(&mut Builder::default(), &Scale::new(1.0, 2).unwrap());
            }
        }
    }
}
