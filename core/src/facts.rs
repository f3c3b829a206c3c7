//! What a user's events with one content come to for the measures of contents, as one compact value.
//!
//! Layout, version 1; *n* is an integer of seven bits a byte, *s* a signed one (zigzag):
//!
//! | bytes | what |
//! |---|---|
//! | 2 | `F`, version 1 |
//! | 4 | CRC-32 of all that follows |
//! | n | events, views, completes, skips, ratings: one *n* each |
//! | 16 | with ratings only: their sum, the last one (f64) |
//! | 8, s | trend: mantissa (f64) and exponent |
//! | s, n | the first event, in microseconds since 1970, and how much later the last one was |

use crate::bytes::{put_head, put_signed, put_unsigned, seal, sealed, Reader};
use crate::latest::Latest;
use crate::sum::ReproducibleSum;
use crate::trend::{regrown, HalfLife};
use crate::{Error, Result};
use std::cmp::Reverse;

const MAGIC: [u8; 2] = [b'F', 1];
const CORRUPT: Error = Error::corrupt("facts", "are not a value of pair_facts");
/// Exponents beyond this cannot come from [`HalfLife`].
const FURTHEST: u64 = 1 << 50;

/// One pair of user and content.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[allow(missing_docs)]
pub struct Facts {
    pub events: i64,
    pub views: i64,
    pub completes: i64,
    pub skips: i64,
    pub ratings: i64,
    pub rating_sum: f64,
    /// Meaningless without ratings.
    pub last_rating: f64,
    /// The weights of the events that count, as of 1970: mantissa and exponent.
    pub trend: (f64, i64),
    pub first_us: i64,
    pub last_us: i64,
}

impl Facts {
    /// The value.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        out.try_reserve(64)?;
        put_head(&mut out, MAGIC);
        for count in [self.events, self.views, self.completes, self.skips, self.ratings] {
            put_unsigned(&mut out, count.unsigned_abs())?;
        }
        if self.ratings > 0 {
            out.extend(self.rating_sum.to_le_bytes());
            out.extend(self.last_rating.to_le_bytes());
        }
        out.extend(self.trend.0.to_le_bytes());
        put_signed(&mut out, self.trend.1)?;
        put_signed(&mut out, self.first_us)?;
        put_unsigned(&mut out, self.last_us.abs_diff(self.first_us))?;
        seal(&mut out)?;
        Ok(out)
    }

    /// Reads what [`Self::to_bytes`] wrote; `CORRUPT_STATE` for anything else.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut at = Reader::new(sealed(bytes, MAGIC, CORRUPT)?, CORRUPT);
        let mut count = || at.unsigned().and_then(|count| u32::try_from(count).map(i64::from).map_err(|_| CORRUPT));
        let (events, views, completes, skips, ratings) = (count()?, count()?, count()?, count()?, count()?);
        let number = |at: &mut Reader<'_>| at.array().map(f64::from_le_bytes);
        let (rating_sum, last_rating) = if ratings > 0 { (number(&mut at)?, number(&mut at)?) } else { (0.0, 0.0) };
        let trend = (number(&mut at)?, at.signed()?);
        let first_us = at.signed()?;
        let last_us = first_us.checked_add_unsigned(at.unsigned()?).ok_or(CORRUPT)?;
        let finite = rating_sum.is_finite() && last_rating.is_finite() && trend.0.is_finite();
        if !finite || trend.1.unsigned_abs() > FURTHEST || !at.is_empty() {
            return Err(CORRUPT);
        }
        Ok(Self { events, views, completes, skips, ratings, rating_sum, last_rating, trend, first_us, last_us })
    }
}

/// How events are weighed.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    pub(crate) half_life: HalfLife,
    user_cap: usize,
}

impl Scale {
    /// A half-life in hours, and how many of a user's latest events with a content count in its trend: all when it is not
    /// above 0.
    pub fn new(half_life_hours: f64, user_cap: i64) -> Result<Self> {
        let user_cap = usize::try_from(user_cap).ok().filter(|cap| *cap > 0).unwrap_or(usize::MAX);
        Ok(Self { half_life: HalfLife::hours(half_life_hours)?, user_cap })
    }
}

/// One event of a pair.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Event<'a> {
    pub action: &'a str,
    pub rating: Option<f64>,
    pub weight: f64,
    pub at_us: i64,
    pub id: i64,
}

/// Collects the events of one pair, in any order.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    facts: Facts,
    rating_sum: ReproducibleSum,
    last: Option<Latest>,
    trend: ReproducibleSum,
    /// With a cap: time, id and weight of the events that may be among the latest.
    latest: Vec<(i64, i64, f64)>,
}

impl Builder {
    /// Adds an event.
    pub fn add(&mut self, event: &Event<'_>, scale: &Scale) -> Result<()> {
        let facts = &mut self.facts;
        (facts.first_us, facts.last_us) = match facts.events {
            0 => (event.at_us, event.at_us),
            _ => (facts.first_us.min(event.at_us), facts.last_us.max(event.at_us)),
        };
        facts.events = facts.events.saturating_add(1);
        match (event.action, event.rating) {
            ("view", _) => facts.views += 1,
            ("complete", _) => facts.completes += 1,
            ("skip", _) => facts.skips += 1,
            ("rate", Some(rating)) => {
                facts.ratings += 1;
                self.rating_sum.add(rating)?;
                let row = Latest::new(rating, event.at_us, event.id);
                self.last = Some(self.last.map_or(row, |last| last.later(row)));
            }
            _ => {}
        }
        if scale.user_cap == usize::MAX {
            return self.weigh(event.weight, event.at_us, scale);
        }
        self.latest.try_reserve(1)?;
        self.latest.push((event.at_us, event.id, event.weight));
        if self.latest.len() >= scale.user_cap.saturating_mul(2).max(64) {
            self.cap(scale);
        }
        Ok(())
    }

    fn weigh(&mut self, weight: f64, at_us: i64, scale: &Scale) -> Result<()> {
        let (mantissa, exponent) = scale.half_life.grown(weight, at_us);
        self.trend.add_scaled(mantissa, exponent)
    }

    /// Keeps the latest; ties by id.
    fn cap(&mut self, scale: &Scale) {
        self.latest.sort_unstable_by_key(|(at_us, id, _)| Reverse((*at_us, *id)));
        self.latest.truncate(scale.user_cap);
    }

    /// Adds the events of another one, whose sum of weights was grown with the half-life `from`.
    pub(crate) fn merge(&mut self, other: &Self, from: HalfLife, scale: &Scale) -> Result<()> {
        let (facts, more) = (&mut self.facts, &other.facts);
        if more.events == 0 {
            return Ok(());
        }
        (facts.first_us, facts.last_us) = match facts.events {
            0 => (more.first_us, more.last_us),
            _ => (facts.first_us.min(more.first_us), facts.last_us.max(more.last_us)),
        };
        let counts = [&mut facts.events, &mut facts.views, &mut facts.completes, &mut facts.skips, &mut facts.ratings];
        for (count, more) in counts.into_iter().zip([more.events, more.views, more.completes, more.skips, more.ratings])
        {
            *count = count.saturating_add(more);
        }
        self.rating_sum.merge(&other.rating_sum)?;
        self.last = self.last.into_iter().chain(other.last).reduce(Latest::later);
        self.trend.merge(&regrown(&other.trend, more.last_us, from, scale.half_life)?)?;
        self.latest.try_reserve(other.latest.len())?;
        self.latest.extend(&other.latest);
        Ok(())
    }

    pub(crate) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What was collected, to be read back by [`Self::read`]: see the layout in `base`.
    pub(crate) fn put(mut self, out: &mut Vec<u8>, scale: &Scale) -> Result<()> {
        self.cap(scale);
        let facts = self.facts;
        for count in [facts.events, facts.views, facts.completes, facts.skips, facts.ratings] {
            put_unsigned(out, count.unsigned_abs())?;
        }
        put_signed(out, facts.first_us)?;
        put_unsigned(out, facts.last_us.abs_diff(facts.first_us))?;
        self.rating_sum.put(out)?;
        out.extend(self.last.iter().flat_map(Latest::to_bytes));
        self.trend.put(out)?;
        put_unsigned(out, self.latest.len() as u64)?;
        for (at_us, id, weight) in self.latest {
            put_signed(out, at_us)?;
            put_signed(out, id)?;
            out.extend(weight.to_le_bytes());
        }
        Ok(())
    }

    pub(crate) fn read(at: &mut Reader<'_>) -> Result<Self> {
        let mut facts = Facts::default();
        let counts = [&mut facts.events, &mut facts.views, &mut facts.completes, &mut facts.skips, &mut facts.ratings];
        for count in counts {
            *count = u32::try_from(at.unsigned()?).map(i64::from).map_err(|_| at.wrong())?;
        }
        facts.first_us = at.signed()?;
        facts.last_us = facts.first_us.checked_add_unsigned(at.unsigned()?).ok_or_else(|| at.wrong())?;
        let rating_sum = ReproducibleSum::read(at)?;
        let last = match facts.ratings {
            0 => None,
            _ => Some(Latest::from_bytes(&at.array::<{ Latest::BYTES }>()?).map_err(|_| at.wrong())?),
        };
        let trend = ReproducibleSum::read(at)?;
        let mut latest = Vec::new();
        for _ in 0..at.unsigned()? {
            let event = (at.signed()?, at.signed()?, f64::from_le_bytes(at.array()?));
            latest.try_reserve(1)?;
            latest.push(event);
        }
        let finite = last.is_none_or(|last| last.value().is_finite()) && latest.iter().all(|event| event.2.is_finite());
        if !finite {
            return Err(at.wrong());
        }
        Ok(Self { facts, rating_sum, last, trend, latest })
    }

    /// The facts; `None` without events.
    pub fn finish(mut self, scale: &Scale) -> Result<Option<Facts>> {
        if self.facts.events == 0 {
            return Ok(None);
        }
        self.cap(scale);
        for (at_us, _, weight) in std::mem::take(&mut self.latest) {
            self.weigh(weight, at_us, scale)?;
        }
        Ok(Some(Facts {
            rating_sum: self.rating_sum.value()?,
            last_rating: self.last.map_or(0.0, |last| last.value()),
            trend: self.trend.scaled(),
            ..self.facts
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ACTIONS: [&str; 5] = ["view", "complete", "skip", "rate", "like"];
    type Row = (usize, Option<i32>, f64, i64, i64);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row =
            (0usize..5, prop::option::of(0..11), -3.0..3.0f64, -1_000_000_000_000i64..1_000_000_000_000, 0i64..90);
        prop::collection::vec(row, 0..100)
    }

    fn facts(rows: &[Row], cap: i64) -> Option<Facts> {
        let scale = Scale::new(24.0, cap).unwrap();
        let mut builder = Builder::default();
        for (action, rating, weight, at_us, id) in rows {
            let rating = rating.map(f64::from);
            let event = Event { action: ACTIONS[*action], rating, weight: *weight, at_us: *at_us, id: *id };
            builder.add(&event, &scale).unwrap();
        }
        builder.finish(&scale).unwrap()
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_facts_and_they_are_read_back(mut rows in rows(), cap in 0i64..4) {
            // Ids are unique in a log.
            for (id, row) in rows.iter_mut().enumerate() {
                row.4 = id as i64;
            }
            let forward = facts(&rows, cap);
            rows.reverse();
            prop_assert_eq!(facts(&rows, cap), forward);
            if let Some(facts) = forward {
                prop_assert_eq!(Facts::read(&facts.to_bytes().unwrap()).unwrap(), facts);
                prop_assert!(facts.to_bytes().unwrap().len() <= 64);
            }
        }

        #[test]
        fn with_a_cap_only_the_latest_are_weighed(mut rows in rows(), cap in 1usize..4) {
            for (id, row) in rows.iter_mut().enumerate() {
                row.4 = id as i64;
            }
            let capped = facts(&rows, cap as i64).map(|facts| facts.trend);
            rows.sort_by_key(|row| Reverse((row.3, row.4)));
            rows.truncate(cap);
            prop_assert_eq!(capped, facts(&rows, 0).map(|facts| facts.trend));
        }

        #[test]
        fn hostile_bytes_are_told(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(facts) = Facts::read(&bytes) {
                prop_assert_eq!(Facts::read(&facts.to_bytes().unwrap()).unwrap(), facts);
            }
        }
    }
}
