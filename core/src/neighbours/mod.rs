//! The users most like one, without their tastes: from the number of shared contents and a [block](crate::block) of
//! sizes and sketches, each user's similarity is bounded from both sides; whoever's upper bound reaches the k-th best
//! lower bound is a finalist. The k best of the finalists, scored exactly, are the k best of all, ties included.
//!
//! Why nobody is missed. Let T be the k-th best of the computed lower bounds, and let e be how far a computed bound or
//! a computed similarity may be from the true one. Bounds are a few operations in doubles on exact integers, a sketch
//! is within 1e-10 before it is rounded up, and a cosine in doubles over the 65,535 genres a taste can have is within
//! 1e-10 as well, so e is below 1e-9; an upper bound kept as a single adds at most 6e-8. k users have a similarity of at
//! least T - 2e. So one of the k best, or tied with the last of them, has at least that too, and an upper bound of at
//! least T - 3e - 6e-8. Everybody down to T - [`MARGIN`], 1e-6, is kept.

mod coarse;
mod gathered;
mod pending;
mod probe;

pub use coarse::{ordinals, reaching, Waiting};
pub use gathered::finalists;
pub use pending::{similarity_at_most, Changed};
pub use probe::Probe;

use crate::block::{self, Quantised, Sketches, GROUP, SCALE, SLOTS, VACANT};
use crate::{similarity, Error, Result};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// More than rounding can move a bound.
const MARGIN: f64 = 1e-6;
/// More, relatively, than the four roundings to a single in [`Ranking::filter`] can move its product.
const ROUGHLY: f64 = 1.0 - 1e-6;
/// Users of a group worth bounding together.
const MANY: usize = 2;
/// The least number of candidates worth looking through for those that have fallen behind.
const FEW: usize = 1024;

/// A search for the k users most like a probe, fed block by block.
#[derive(Debug, Clone)]
pub struct Ranking {
    probe: Probe,
    jaccard_weight: f64,
    cosine_weight: f64,
    k: usize,
    /// The k best lower bounds, the least on top; as bits, whose order is theirs since none is below 0.
    best: BinaryHeap<Reverse<u64>>,
    /// The upper bound to reach: that on top less [`MARGIN`], 0 while there are fewer than k.
    needed: f64,
    /// Who shares fewer contents than this times the sum of both sizes cannot reach it, whatever the cosine.
    filter: f32,
    candidates: Vec<Candidate>,
    prune_at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    upper: f32,
    ordinal: u32,
}

/// One user of a block.
struct User {
    shared: u16,
    size: u32,
    sketch: Quantised,
    ordinal: u32,
}

impl Ranking {
    /// Similarity is `jaccard_weight * jaccard + cosine_weight * cosine`, at most 1, as in [`similarity::weighted`];
    /// `INVALID_ARGUMENT` unless both weights are between 0 and 1. With k 0 nobody is found.
    pub fn new(probe: Probe, jaccard_weight: f64, cosine_weight: f64, k: usize) -> Result<Self> {
        similarity::weighted(0.0, 0.0, jaccard_weight, cosine_weight)?;
        Ok(Self {
            probe,
            // A weight may be -0, and then so would bounds be.
            jaccard_weight: jaccard_weight.abs(),
            cosine_weight: cosine_weight.abs(),
            k,
            best: BinaryHeap::new(),
            needed: 0.0,
            filter: 0.0,
            candidates: Vec::new(),
            prune_at: FEW,
        })
    }

    /// Takes the users of one block, each block once, in any order.
    ///
    /// `first` is the ordinal of slot 0. `counters` are little-endian u16, the contents shared with the probe by every
    /// ordinal from 0; ordinals after its end share none, and 65,535 means that many or more. `excluded` are the
    /// ordinals never to return, ascending. `CORRUPT_STATE` when it is not a block; its checksum is not looked at, so a
    /// damaged block can give wrong users.
    pub fn block(&mut self, first: u32, counters: &[u8], block: &[u8], excluded: &[u32]) -> Result<()> {
        self.block_of(first, counters, 0, block, excluded)
    }

    /// The same with counters from ordinal `begin`, which is not above `first`.
    fn block_of(&mut self, first: u32, counters: &[u8], begin: u32, block: &[u8], excluded: &[u32]) -> Result<()> {
        let (sizes, sketches) = block::read(block)?;
        let Some(end) = first.checked_add(SLOTS as u32 - 1) else {
            return Err(Error::invalid("first", "the ordinals of the block do not fit 32 bits"));
        };
        if self.k == 0 {
            return Ok(());
        }
        let within = excluded.partition_point(|ordinal| *ordinal < first)..excluded.partition_point(|o| *o <= end);
        let excluded = excluded.get(within).unwrap_or_default();
        let shared = shared_from(first.saturating_sub(begin), counters);
        let groups = sizes.as_chunks::<GROUP>().0.iter().zip(shared.as_chunks::<GROUP>().0);
        for (group, (sizes, shared)) in groups.enumerate() {
            let sizes = sizes.map(u32::from_le_bytes);
            let mut passing = self.by_jaccard(&sizes, shared);
            let count: usize = passing.iter().map(|passes| usize::from(*passes)).sum();
            if count == 0 {
                continue;
            }
            if count >= MANY {
                self.by_cosine(&sizes, shared, sketches, group, &mut passing);
            }
            let users = sizes.iter().zip(shared).zip(group * GROUP..).zip(passing);
            for (((size, shared), slot), _) in users.filter(|(_, passes)| *passes) {
                let (sketch, ordinal) = (sketches.slot(slot as u8), first + slot as u32);
                self.consider(&User { shared: *shared, size: *size, sketch, ordinal }, excluded)?;
            }
        }
        Ok(())
    }

    /// Who could be among the k best by the Jaccard index: `J < j` is `shared < j / (1 + j) * (a + b)`. Like the next,
    /// without branches or divisions, so that it becomes vector instructions. A size of 2^31 or more, and a vacant
    /// slot, comes out negative and passes.
    #[inline(always)]
    fn by_jaccard(&self, sizes: &[u32; GROUP], shared: &[u16; GROUP]) -> [bool; GROUP] {
        let own = self.probe.items as f32;
        let mut passing = [false; GROUP];
        for (passes, (size, shared)) in passing.iter_mut().zip(sizes.iter().zip(shared)) {
            let least = self.filter * (own + *size as i32 as f32);
            *passes = (f32::from(*shared) >= least) | (*shared == u16::MAX);
        }
        passing
    }

    /// Who of them still could by both: [`Self::consider`]'s first test in singles, with more than their rounding
    /// allowed for.
    #[inline(always)]
    fn by_cosine(
        &self,
        sizes: &[u32; GROUP],
        shared: &[u16; GROUP],
        sketches: Sketches<'_>,
        group: usize,
        passing: &mut [bool; GROUP],
    ) {
        let own = self.probe.items as f32;
        let needed = (self.needed - 2.0 * MARGIN) as f32;
        let (jaccard_weight, cosine_weight) =
            ((self.jaccard_weight / ROUGHLY) as f32, (self.cosine_weight / (SCALE * SCALE)) as f32);
        let cosines = self.probe.cosines_roughly_at_most(sketches, group);
        let users = sizes.iter().zip(shared).zip(cosines);
        for (passes, ((size, shared), cosine)) in passing.iter_mut().zip(users) {
            let union = (own + *size as i32 as f32 - f32::from(*shared)).max(0.0);
            let fails = jaccard_weight * f32::from(*shared) < (needed - cosine_weight * f32::from(cosine)) * union;
            *passes &= !fails | (*shared == u16::MAX);
        }
    }

    fn consider(&mut self, user: &User, excluded: &[u32]) -> Result<()> {
        if user.size == VACANT {
            return Ok(());
        }
        let both = u64::from(self.probe.items) + u64::from(user.size);
        let most = self.probe.items.min(user.size);
        let at_least = u32::from(user.shared).min(most);
        let at_most = if user.shared == u16::MAX { most } else { at_least };
        let cosine = self.cosine_weight * self.probe.cosine_at_most(&user.sketch);
        // The same as comparing the upper bound, but most go here, so the division waits.
        let union = (both - u64::from(at_most)) as f64;
        if self.jaccard_weight * f64::from(at_most) < (self.needed - cosine) * union {
            return Ok(());
        }
        let jaccard = |shared: u32| {
            let union = both - u64::from(shared);
            if union == 0 {
                0.0
            } else {
                self.jaccard_weight * f64::from(shared) / union as f64
            }
        };
        let upper = jaccard(at_most) + cosine;
        if upper <= 0.0 || excluded.binary_search(&user.ordinal).is_ok() {
            return Ok(());
        }
        let lower = jaccard(at_least) + self.cosine_weight * self.probe.cosine_at_least(&user.sketch);
        self.raise(lower.min(1.0))?;
        if self.candidates.len() >= self.prune_at {
            self.prune();
        }
        self.candidates.try_reserve(1)?;
        self.candidates.push(Candidate { upper: upper.min(1.0) as f32, ordinal: user.ordinal });
        Ok(())
    }

    /// Takes one more lower bound.
    fn raise(&mut self, lower: f64) -> Result<()> {
        let lower = Reverse(lower.to_bits());
        if self.best.len() < self.k {
            self.best.try_reserve(1)?;
            self.best.push(lower);
        } else if let Some(mut least) = self.best.peek_mut().filter(|least| lower < **least) {
            *least = lower;
        } else {
            return Ok(());
        }
        if let Some(Reverse(least)) = self.best.peek().filter(|_| self.best.len() == self.k) {
            self.needed = (f64::from_bits(*least) - MARGIN).max(0.0);
            let jaccard = (self.needed - self.cosine_weight) / self.jaccard_weight;
            // Not so for NaN either, which is what weights of 0 make.
            self.filter = if jaccard > 0.0 { (jaccard / (1.0 + jaccard) * ROUGHLY) as f32 } else { 0.0 };
        }
        Ok(())
    }

    fn prune(&mut self) {
        let needed = self.needed;
        self.candidates.retain(|candidate| f64::from(candidate.upper) >= needed);
        self.prune_at = FEW.max(self.candidates.len() * 2);
    }

    /// The finalists' ordinals, ascending: every user whose upper bound is above 0 and reaches the k-th best lower
    /// bound. Score them exactly and keep the k best.
    pub fn finish(mut self) -> Vec<u32> {
        self.prune();
        let mut ordinals: Vec<u32> = self.candidates.into_iter().map(|candidate| candidate.ordinal).collect();
        ordinals.sort_unstable();
        ordinals
    }
}

/// The counters of a block's slots, 0 where there are none.
fn shared_from(first: u32, counters: &[u8]) -> [u16; SLOTS] {
    let mut shared = [0; SLOTS];
    let own = (first as usize).checked_mul(2).and_then(|at| counters.get(at..)).unwrap_or_default();
    for (to, pair) in shared.iter_mut().zip(own.as_chunks::<2>().0) {
        *to = u16::from_le_bytes(*pair);
    }
    shared
}

/// The count of a user in little-endian u16 counters by ordinal; 0 beyond them.
pub fn counted(counters: &[u8], ord: i32) -> u16 {
    let at = usize::try_from(ord).unwrap_or(usize::MAX).saturating_mul(2);
    counters.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |count| u16::from_le_bytes(*count))
}

#[cfg(test)]
mod tests;
