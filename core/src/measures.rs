//! What the pairs of one content come to: counts and exact sums, so that a pair's facts can be added and taken out again
//! and the result is what all pairs together would give. First and last activity cannot be taken out: when the pair that
//! had one goes, it is unknown until somebody says what it is.
//!
//! Layout of measures and of changes, version 1; *s* is a signed integer of seven bits a byte (zigzag):
//!
//! | bytes | what |
//! |---|---|
//! | 2 | `M`, version 1; changes: `m`, version 1 |
//! | 4 | CRC-32 of all that follows |
//! | 1 | which of the following times there are |
//! | s | the counts in the order of [`COUNTS`] |
//! | | the sums of ratings, of last ratings and of trends, as in `taste::ledger` |
//! | s | measures: first, last; changes: first and last that were added, first and last that were taken out |

use crate::bytes::{put_head, put_signed, seal, sealed, Reader};
use crate::exact::{put_sum, read_sum, ExactSum};
use crate::facts::Facts;
use crate::taste::ledger::weight;
use crate::{trend, Error, Result};

const MAGIC: [u8; 2] = [b'M', 1];
const MAGIC_CHANGES: [u8; 2] = [b'm', 1];
const CORRUPT: Error = Error::corrupt("measures", "are not a value of follow_content");
const CORRUPT_CHANGES: Error = Error::corrupt("content_changes", "is not the state of changes");

/// The counts by their names, users first: those with an event.
pub const COUNTS: [&str; 12] = [
    "users",
    "events",
    "views",
    "completes",
    "skips",
    "orphans",
    "starters",
    "completers",
    "skippers",
    "viewers",
    "ratings",
    "rating_users",
];
const USERS: usize = 0;
const RATING_USERS: usize = 11;

/// What measures and their changes have in common.
#[derive(Debug, Clone, Default)]
struct Totals {
    counts: [i64; COUNTS.len()],
    ratings: ExactSum,
    last_ratings: ExactSum,
    trend: ExactSum,
}

impl Totals {
    /// Adds a pair, or takes it out.
    fn add(&mut self, facts: &Facts, sign: i64) -> Result<()> {
        let is = |condition: bool| i64::from(condition);
        let of_pair = [
            1,
            facts.events,
            facts.views,
            facts.completes,
            facts.skips,
            if facts.views == 0 { facts.completes } else { 0 },
            is(facts.views > 0 || facts.completes > 0 || facts.skips > 0),
            is(facts.completes > 0),
            is(facts.skips > 0),
            is(facts.views > 0),
            facts.ratings,
            is(facts.ratings > 0),
        ];
        for (count, of_pair) in self.counts.iter_mut().zip(of_pair) {
            *count = count.saturating_add(sign * of_pair);
        }
        let signed = |value: f64| if sign < 0 { -value } else { value };
        if facts.ratings > 0 {
            self.ratings.add(signed(facts.rating_sum), 0)?;
            self.last_ratings.add(signed(facts.last_rating), 0)?;
        }
        self.trend.add(signed(facts.trend.0), facts.trend.1)
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
        self.ratings.merge(&other.ratings)?;
        self.last_ratings.merge(&other.last_ratings)?;
        self.trend.merge(&other.trend)
    }

    fn put(self, out: &mut Vec<u8>) -> Result<()> {
        self.counts.iter().try_for_each(|count| put_signed(out, *count))?;
        [self.ratings, self.last_ratings, self.trend].into_iter().try_for_each(|sum| put_sum(out, sum))
    }

    fn read(at: &mut Reader<'_>) -> Result<Self> {
        let mut counts = [0; COUNTS.len()];
        for count in &mut counts {
            *count = at.signed()?;
        }
        Ok(Self { counts, ratings: read_sum(at)?, last_ratings: read_sum(at)?, trend: read_sum(at)? })
    }
}

/// Times that may be unknown, first or least of all, as one flag each and the known ones in order.
fn put_times<const N: usize>(out: &mut Vec<u8>, times: [Option<i64>; N]) -> Result<()> {
    times.into_iter().flatten().try_for_each(|time| put_signed(out, time))
}

fn flags<const N: usize>(times: [Option<i64>; N]) -> u8 {
    times.iter().rev().fold(0, |flags, time| flags << 1 | u8::from(time.is_some()))
}

fn read_times<const N: usize>(at: &mut Reader<'_>, flags: u8) -> Result<[Option<i64>; N]> {
    let mut times = [None; N];
    for (bit, time) in times.iter_mut().enumerate() {
        if flags >> bit & 1 == 1 {
            *time = Some(at.signed()?);
        }
    }
    Ok(times)
}

fn least(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.into_iter().chain(b).min()
}

/// Changes of pairs of one content, or of all.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    totals: Totals,
    /// Of the pairs as they are now.
    first_added: Option<i64>,
    last_added: Option<i64>,
    /// Of the pairs as they were.
    first_removed: Option<i64>,
    last_removed: Option<i64>,
}

impl Changes {
    /// Adds a pair's change: what its facts were and what they are.
    pub fn add(&mut self, was: Option<&Facts>, is: Option<&Facts>) -> Result<()> {
        if let Some(was) = was {
            self.totals.add(was, -1)?;
            self.first_removed = least(self.first_removed, Some(was.first_us));
            self.last_removed = self.last_removed.max(Some(was.last_us));
        }
        if let Some(is) = is {
            self.totals.add(is, 1)?;
            self.first_added = least(self.first_added, Some(is.first_us));
            self.last_added = self.last_added.max(Some(is.last_us));
        }
        Ok(())
    }

    /// What of it is of users' last ratings: these have a total over all contents.
    pub fn into_ratings(self) -> Self {
        let mut counts = [0; COUNTS.len()];
        for (of, count) in counts.iter_mut().enumerate() {
            if of == USERS || of == RATING_USERS {
                *count = self.totals.counts.last().copied().unwrap_or_default();
            }
        }
        Self {
            totals: Totals { counts, last_ratings: self.totals.last_ratings, ..Totals::default() },
            ..Self::default()
        }
    }

    fn times(&self) -> [Option<i64>; 4] {
        [self.first_added, self.last_added, self.first_removed, self.last_removed]
    }

    /// The changes as bytes.
    pub fn to_bytes(self) -> Result<Vec<u8>> {
        let times = self.times();
        let mut out = Vec::new();
        out.try_reserve(128)?;
        put_head(&mut out, MAGIC_CHANGES);
        out.push(flags(times));
        self.totals.put(&mut out)?;
        put_times(&mut out, times)?;
        seal(&mut out)?;
        Ok(out)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut at = Reader::new(sealed(bytes, MAGIC_CHANGES, CORRUPT_CHANGES)?, CORRUPT_CHANGES);
        let [flags] = at.array()?;
        if flags > 0b1111 {
            return Err(CORRUPT_CHANGES);
        }
        let totals = Totals::read(&mut at)?;
        let [first_added, last_added, first_removed, last_removed] = read_times(&mut at, flags)?;
        if !at.is_empty() {
            return Err(CORRUPT_CHANGES);
        }
        Ok(Self { totals, first_added, last_added, first_removed, last_removed })
    }
}

/// The measures of one content.
#[derive(Debug, Clone, Default)]
pub struct Measures {
    totals: Totals,
    /// When its first event was; `None` when that is unknown.
    pub first_us: Option<i64>,
    /// When its last event was; `None` when that is unknown.
    pub last_us: Option<i64>,
}

impl Measures {
    /// Reads what [`Self::to_bytes`] wrote; `CORRUPT_STATE` for anything else.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut at = Reader::new(sealed(bytes, MAGIC, CORRUPT)?, CORRUPT);
        let [flags] = at.array()?;
        if flags > 0b11 {
            return Err(CORRUPT);
        }
        let totals = Totals::read(&mut at)?;
        let [first_us, last_us] = read_times(&mut at, flags)?;
        if !at.is_empty() {
            return Err(CORRUPT);
        }
        Ok(Self { totals, first_us, last_us })
    }

    /// The measures as bytes; equal for equal pairs, whatever changes led there.
    pub fn to_bytes(self) -> Result<Vec<u8>> {
        let times = [self.first_us, self.last_us];
        let mut out = Vec::new();
        out.try_reserve(256)?;
        put_head(&mut out, MAGIC);
        out.push(flags(times));
        self.totals.put(&mut out)?;
        put_times(&mut out, times)?;
        seal(&mut out)?;
        Ok(out)
    }

    /// These with changes, or the changes alone; `None` when no pair is left.
    pub fn follow(before: Option<Self>, changes: &Changes) -> Result<Option<Self>> {
        let is_new = before.is_none();
        let mut now = before.unwrap_or_default();
        now.totals.merge(&changes.totals)?;
        match now.totals.counts.first() {
            Some(0) => return Ok(None),
            Some(1..) => {}
            _ => return Err(Error::corrupt("measures", "do not hold the pairs that are taken out of them")),
        }
        let known = |known: Option<i64>, added: Option<i64>, removed: Option<i64>| match (known, added) {
            (None, added) if is_new => added,
            (None, _) => None,
            (Some(_), Some(added)) if Some(added) >= known => Some(added),
            (Some(known), _) if removed.is_some_and(|removed| removed >= known) => None,
            (known, _) => known,
        };
        // The earlier a first one, the greater its negative; no time is as low as i64 goes.
        let turned = |time: Option<i64>| time.map(|time| time.saturating_neg());
        now.first_us = turned(known(turned(now.first_us), turned(changes.first_added), turned(changes.first_removed)));
        now.last_us = known(now.last_us, changes.last_added, changes.last_removed);
        Ok(Some(now))
    }

    /// These and those of other users' pairs with the content; an unknown time stays unknown.
    pub fn merge(mut self, others: &Self) -> Result<Self> {
        self.totals.merge(&others.totals)?;
        self.first_us = self.first_us.zip(others.first_us).map(|(a, b)| a.min(b));
        self.last_us = self.last_us.zip(others.last_us).map(|(a, b)| a.max(b));
        Ok(self)
    }

    /// Says what is unknown.
    pub fn with_extent(mut self, first_us: Option<i64>, last_us: Option<i64>) -> Self {
        self.first_us = self.first_us.or(first_us);
        self.last_us = self.last_us.or(last_us);
        self
    }

    /// A count by its name, or `first_us` or `last_us`, `None` when these are unknown.
    pub fn count(&self, name: &str) -> Result<Option<i64>> {
        match name {
            "first_us" => Ok(self.first_us),
            "last_us" => Ok(self.last_us),
            _ => match COUNTS.iter().zip(self.totals.counts).find(|(of, _)| **of == name) {
                Some((_, count)) => Ok(Some(count)),
                None => Err(unknown(name)),
            },
        }
    }

    /// `rating_sum`, `last_rating_sum`, or `rank_key`, which is `None` when the trend is not above 0.
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        let value = |sum: &ExactSum| {
            let (mantissa, exponent) = sum.scaled();
            Some(crate::sum::scale(mantissa, exponent))
        };
        match name {
            "rating_sum" => Ok(value(&self.totals.ratings)),
            "last_rating_sum" => Ok(value(&self.totals.last_ratings)),
            "rank_key" => Ok(trend::rank_key(self.totals.trend.scaled())),
            _ => Err(unknown(name)),
        }
    }

    /// The sum of the trends, a value of [`weight::of`].
    pub fn trend(&self) -> [u8; weight::BYTES] {
        weight::write(self.totals.trend.scaled())
    }
}

fn unknown(name: &str) -> Error {
    Error::invalid("name", format!("\"{}\" is no measure", name.chars().take(40).collect::<String>()))
}

/// The measures after changes, both as bytes; `None` when no pair is left.
pub fn follow(measures: Option<&[u8]>, changes: Option<&[u8]>) -> Result<Option<Vec<u8>>> {
    let before = measures.map(Measures::read).transpose()?;
    let Some(changes) = changes else { return before.map(Measures::to_bytes).transpose() };
    Measures::follow(before, &Changes::read(changes)?)?.map(Measures::to_bytes).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair() -> impl Strategy<Value = Facts> {
        let counts = (0i64..3, 0i64..3, 0i64..3, 0i64..3);
        (counts, -9.0..9.0f64, -2000i64..2000, 0i64..9, 0i64..9).prop_map(|(c, x, exponent, first, more)| Facts {
            events: 1 + c.0 + c.1 + c.2 + c.3,
            views: c.0,
            completes: c.1,
            skips: c.2,
            ratings: c.3,
            rating_sum: if c.3 > 0 { x.abs() * c.3 as f64 } else { 0.0 },
            last_rating: if c.3 > 0 { x.abs() } else { 0.0 },
            trend: (x, exponent),
            first_us: first,
            last_us: first + more,
        })
    }

    fn of(pairs: &[Facts]) -> Option<Vec<u8>> {
        let mut changes = Changes::default();
        pairs.iter().for_each(|pair| changes.add(None, Some(pair)).unwrap());
        Measures::follow(None, &changes).unwrap().map(|measures| measures.to_bytes().unwrap())
    }

    fn extent(pairs: &[Facts]) -> (Option<i64>, Option<i64>) {
        (pairs.iter().map(|pair| pair.first_us).min(), pairs.iter().map(|pair| pair.last_us).max())
    }

    proptest! {
        #[test]
        fn following_changes_gives_what_all_pairs_give(
            stay in prop::collection::vec(pair(), 0..6), go in prop::collection::vec(pair(), 0..6),
            come in prop::collection::vec(pair(), 0..6), turn in prop::collection::vec((pair(), pair()), 0..4)
        ) {
            let old: Vec<Facts> = stay.iter().chain(&go).chain(turn.iter().map(|(was, _)| was)).copied().collect();
            let new: Vec<Facts> = stay.iter().chain(&come).chain(turn.iter().map(|(_, is)| is)).copied().collect();
            let mut changes = Changes::default();
            go.iter().for_each(|pair| changes.add(Some(pair), None).unwrap());
            come.iter().for_each(|pair| changes.add(None, Some(pair)).unwrap());
            turn.iter().for_each(|(was, is)| changes.add(Some(was), Some(is)).unwrap());
            let changes = changes.to_bytes().unwrap();
            let followed = follow(of(&old).as_deref(), Some(&changes)).unwrap();
            let (first, last) = extent(&new);
            let followed = followed.map(|bytes| Measures::read(&bytes).unwrap().with_extent(first, last).to_bytes().unwrap());
            prop_assert_eq!(followed, of(&new));
        }

        #[test]
        fn merging_parts_gives_what_all_pairs_give(
            a in prop::collection::vec(pair(), 1..6), b in prop::collection::vec(pair(), 1..6)
        ) {
            let read = |pairs: &[Facts]| Measures::read(&of(pairs).unwrap()).unwrap();
            let merged = read(&a).merge(&read(&b)).unwrap().to_bytes().unwrap();
            prop_assert_eq!(Some(merged), of(&[a, b].concat()));
        }

        #[test]
        fn what_is_known_of_the_extent_is_right(old in prop::collection::vec(pair(), 1..6), is in pair()) {
            let mut changes = Changes::default();
            changes.add(old.first(), Some(&is)).unwrap();
            let before = Measures::read(&of(&old).unwrap()).unwrap();
            let after = Measures::follow(Some(before), &changes).unwrap().unwrap();
            let mut new = old.clone();
            new[0] = is;
            let (first, last) = extent(&new);
            prop_assert!(after.first_us.is_none() || after.first_us == first);
            prop_assert!(after.last_us.is_none() || after.last_us == last);
            // It is lost only with the pair that had it.
            prop_assert!(after.first_us.is_some() || old[0].first_us == extent(&old).0.unwrap());
        }

        #[test]
        fn hostile_bytes_are_told(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Measures::read(&bytes).map(|m| (m.number("rank_key"), m.count("users"), m.trend(), m.to_bytes().unwrap()));
            let _ = Changes::read(&bytes).map(|changes| follow(None, Some(&changes.to_bytes().unwrap())));
        }
    }

    #[test]
    fn what_was_never_added_cannot_be_taken_out() {
        let mut changes = Changes::default();
        changes.add(Some(&Facts::default()), None).unwrap();
        assert_eq!(Measures::follow(None, &changes).map(|_| ()).map_err(|e| e.code()), Err("CORRUPT_STATE"));
        assert_eq!(Measures::default().count("x").map_err(|e| e.code()), Err("INVALID_ARGUMENT"));
    }
}
