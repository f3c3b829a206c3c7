//! How similar users with events that are not folded yet can be at most, all of them at once and by numbers alone: the
//! sizes of the folded tastes, how much they share with the probe, and which contents wait for the fold. No taste is
//! read. Whoever of them may still be among the k best is bounded again by [`similarity_at_most`], which reads one.
//!
//! A pair that waits may be in the user's taste now or not, and may have been before. Where its content is also in the
//! probe it adds at most one to what is shared; otherwise it takes at most one from what is not. The cosine is at most 1.
//!
//! [`similarity_at_most`]: super::similarity_at_most

use crate::{similarity, taste, Error, Result};
use std::collections::BTreeMap;

/// Bytes of a user in a value of [`Waiting::bounds`].
const ROW: usize = 12;
/// More than rounding can move a bound.
const MARGIN: f64 = 1e-9;

/// The users for whom something waits.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The probe's contents, ascending.
    mine: Vec<i64>,
    users: BTreeMap<u32, User>,
}

#[derive(Debug, Clone, Copy, Default)]
struct User {
    size: u32,
    gained: u32,
    lost: u32,
    everything: bool,
}

impl Waiting {
    /// Nobody yet; `me` is the probe's taste. `CORRUPT_STATE` when it is not one.
    pub fn new(me: &[u8]) -> Result<Self> {
        Ok(Self { mine: taste::contents(me)?, users: BTreeMap::new() })
    }

    /// One pair of the user with this ordinal, whose folded taste has `size` contents; no content stands for all pairs
    /// of the user. The same pair again does no harm.
    pub fn add(&mut self, ordinal: u32, size: u32, content: Option<i64>) {
        let user = self.users.entry(ordinal).or_default();
        user.size = size;
        match content {
            None => user.everything = true,
            Some(content) if self.mine.binary_search(&content).is_ok() => user.gained = user.gained.saturating_add(1),
            Some(_) => user.lost = user.lost.saturating_add(1),
        }
    }

    /// The bounds, the highest first, as a value for [`ordinals`] and [`reaching`]: for each user a little-endian f64, at
    /// least the similarity once everything is folded but for rounding by less than 1e-9, and the ordinal, a u32.
    ///
    /// `counters` are little-endian u16, the contents shared with the probe by every ordinal from 0, as folded; 65,535
    /// means that many or more. Weights are those of [`similarity::weighted`].
    pub fn bounds(&self, counters: &[u8], weights: (f64, f64)) -> Result<Vec<u8>> {
        let own = self.mine.len();
        let mut bounds: Vec<(f64, u32)> = Vec::new();
        bounds.try_reserve_exact(self.users.len())?;
        for (ordinal, user) in &self.users {
            let jaccard = if user.everything { 1.0 } else { user.jaccard_at_most(own, shared(counters, *ordinal)) };
            bounds.push((similarity::weighted(jaccard, 1.0, weights.0, weights.1)?, *ordinal));
        }
        bounds.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let mut value = Vec::new();
        value.try_reserve_exact(bounds.len() * ROW)?;
        for (bound, ordinal) in bounds {
            value.extend_from_slice(&bound.to_le_bytes());
            value.extend_from_slice(&ordinal.to_le_bytes());
        }
        Ok(value)
    }
}

impl User {
    fn jaccard_at_most(&self, own: usize, shared: u16) -> f64 {
        let size = self.size as usize;
        let most = own.min(size);
        let shared = if shared == u16::MAX { most } else { most.min(shared.into()) };
        let others = (size - shared).saturating_sub(self.lost as usize);
        let shared = own.min(shared + self.gained as usize);
        similarity::ratio(shared, own, shared + others)
    }
}

fn shared(counters: &[u8], ordinal: u32) -> u16 {
    i32::try_from(ordinal).map_or(u16::MAX, |ordinal| super::counted(counters, ordinal))
}

/// All ordinals of a value of [`Waiting::bounds`]. `CORRUPT_STATE` when it is not one.
pub fn ordinals(bounds: &[u8]) -> Result<Vec<u32>> {
    reaching(bounds, f64::NEG_INFINITY)
}

/// The ordinals of a value of [`Waiting::bounds`] whose bound reaches `least`, the highest first. `CORRUPT_STATE` when it
/// is not such a value.
pub fn reaching(bounds: &[u8], least: f64) -> Result<Vec<u32>> {
    let (rows, []) = bounds.as_chunks::<ROW>() else {
        return Err(Error::corrupt("bounds", "has a length that is not a multiple of 12 bytes"));
    };
    let mut found = Vec::new();
    for [b0, b1, b2, b3, b4, b5, b6, b7, ordinal @ ..] in rows {
        // Whatever is not a number reaches everything.
        if f64::from_le_bytes([*b0, *b1, *b2, *b3, *b4, *b5, *b6, *b7]) + MARGIN < least {
            continue;
        }
        found.try_reserve(1)?;
        found.push(u32::from_le_bytes(*ordinal));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taste::ledger::{self, changes, weight};

    fn taste_of(contents: &[i64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for content in contents {
            let start = bytes.len();
            bytes.resize(start + changes::row_len(None).unwrap(), 0);
            let one = weight::write((1.0, 0));
            changes::write_row(&mut bytes[start..], *content, None, None, Some((true, &one))).unwrap();
        }
        ledger::apply(None, None, &bytes).unwrap().unwrap().taste
    }

    /// The bound of one user, number 1.
    fn bound(size: u32, shared: u16, contents: &[Option<i64>], weights: (f64, f64)) -> f64 {
        let mut waiting = Waiting::new(&taste_of(&[1, 2, 3, 4])).unwrap();
        contents.iter().for_each(|content| waiting.add(1, size, *content));
        let counters = [[0; 2], shared.to_le_bytes()].concat();
        let value = waiting.bounds(&counters, weights).unwrap();
        f64::from_le_bytes(*value.first_chunk().unwrap())
    }

    #[test]
    fn the_bound_is_met() {
        // Of four contents I have, they share two and have three more.
        assert_eq!(bound(5, 2, &[Some(4)], (1.0, 0.0)), 3.0 / 7.0);
        assert_eq!(bound(5, 2, &[Some(9)], (1.0, 0.0)), 2.0 / 6.0);
        assert_eq!(bound(5, 2, &[Some(4), Some(9)], (0.5, 0.25)), 0.5 * (3.0 / 6.0) + 0.25);
        assert_eq!(bound(5, 2, &[None], (0.7, 0.3)), 1.0);
        // No more than all of mine, and no less than nothing of theirs.
        assert_eq!(bound(2, 2, &[Some(1), Some(2), Some(3), Some(9)], (1.0, 0.0)), 1.0);
        // So many that it is not known how many.
        assert_eq!(bound(70_000, u16::MAX, &[Some(9)], (1.0, 0.0)), 4.0 / 69_999.0);
    }

    #[test]
    fn who_reaches_it_comes_first_who_is_most_alike() {
        let mut waiting = Waiting::new(&taste_of(&[1, 2])).unwrap();
        waiting.add(7, 2, Some(1));
        waiting.add(3, 2, None);
        waiting.add(5, 9, Some(8));
        let value = waiting.bounds(&[], (1.0, 0.0)).unwrap();
        assert_eq!(ordinals(&value).unwrap(), [3, 7, 5]);
        // Number 7 shares one of four at most.
        assert_eq!(reaching(&value, 0.25).unwrap(), [3, 7]);
        assert_eq!(reaching(&value, 0.25 + MARGIN * 2.0).unwrap(), [3]);
        assert!(reaching(&value, 2.0).unwrap().is_empty());
        assert!(reaching(&value[1..], 0.0).is_err());
        assert!(reaching(&[], 0.0).unwrap().is_empty());
    }
}
