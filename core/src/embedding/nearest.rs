//! The k embeddings nearest to one by cosine, exactly: by the cosine as [`super::similarity`] has it, ties by id.
//!
//! Each row is compared in single precision first, whose error is bounded; only one that can be among the k best by that
//! is computed in double precision. So the answer depends neither on the order of the rows nor on how they are split.

use super::kernel::{Quick, Sums};
use super::{dim, MAX_DIM};
use crate::bytes::Reader;
use crate::{Error, Result};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A row that is among the best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Which row.
    pub id: i64,
    /// Its cosine.
    pub similarity: f64,
}

impl Eq for Found {}

/// The better one is less: higher similarity, then lower id.
impl Ord for Found {
    fn cmp(&self, other: &Self) -> Ordering {
        other.similarity.total_cmp(&self.similarity).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The best so far. `add` and `merge` commute and associate exactly.
#[derive(Debug, Clone)]
pub struct Nearest {
    probe: Vec<u8>,
    quick: Quick,
    k: usize,
    /// The worst of them on top.
    best: BinaryHeap<Found>,
    /// What a row must reach in single precision to be looked at.
    least: f32,
}

impl Nearest {
    /// Nothing seen yet.
    pub fn new(probe: &[u8], k: usize) -> Result<Self> {
        dim("probe", probe)?;
        let mut copy = Vec::new();
        copy.try_reserve_exact(probe.len())?;
        copy.extend_from_slice(probe);
        Ok(Self { quick: Quick::new(probe), probe: copy, k, best: BinaryHeap::new(), least: f32::NEG_INFINITY })
    }

    /// Looks at one row; an embedding of zeros is near to nothing.
    #[inline]
    pub fn add(&mut self, id: i64, embedding: &[u8]) -> Result<()> {
        if embedding.len() != self.probe.len() {
            let problem =
                format!("of {id} has {} bytes, the one compared with has {}", embedding.len(), self.probe.len());
            return Err(Error::invalid("embedding", problem));
        }
        match self.quick.cosine(embedding) {
            Some(quick) if quick < self.least => Ok(()),
            _ => self.exactly(id, embedding),
        }
    }

    #[cold]
    fn exactly(&mut self, id: i64, embedding: &[u8]) -> Result<()> {
        if dim("embedding", embedding).is_err() {
            return Err(Error::invalid("embedding", format!("of {id} holds a number that is not finite")));
        }
        let Some(similarity) = Sums::of(&self.probe, embedding).cosine() else { return Ok(()) };
        self.keep(Found { id, similarity })
    }

    fn keep(&mut self, found: Found) -> Result<()> {
        if self.best.len() < self.k {
            self.best.try_reserve(1)?;
            self.best.push(found);
        } else if let Some(mut worst) = self.best.peek_mut() {
            if found < *worst {
                *worst = found;
            }
        } else {
            self.least = f32::INFINITY;
        }
        if let (true, Some(worst)) = (self.best.len() == self.k, self.best.peek()) {
            // Rounded down once more by the cast to single precision.
            self.least = (worst.similarity - self.quick.error - 1e-7) as f32;
        }
        Ok(())
    }

    /// Looks at what another one, of the same embedding and k, has found.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        other.best.iter().try_for_each(|found| self.keep(*found))
    }

    /// The best, in their order.
    pub fn finish(&self) -> Vec<Found> {
        self.best.clone().into_sorted_vec()
    }

    /// The ids of the best as a JSON array, in their order.
    pub fn ids_json(&self) -> Result<String> {
        let ids: Vec<i64> = self.finish().into_iter().map(|found| found.id).collect();
        serde_json::to_string(&ids).map_err(|_| Error::Internal)
    }

    /// On the way between two processes: k, the length of the probe in bytes, the probe, and id and cosine of each found.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        out.try_reserve_exact(16 + self.probe.len() + 16 * self.best.len())?;
        out.extend((self.k as u64).to_le_bytes());
        out.extend((self.probe.len() as u64).to_le_bytes());
        out.extend(&self.probe);
        for found in &self.best {
            out.extend(found.id.to_le_bytes());
            out.extend(found.similarity.to_le_bytes());
        }
        Ok(out)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = Error::corrupt("nearest_contents", "is not the state of a search");
        let mut at = Reader::new(bytes, wrong.clone());
        let k = usize::try_from(u64::from_le_bytes(at.array()?)).map_err(|_| wrong.clone())?;
        let length = usize::try_from(u64::from_le_bytes(at.array()?)).map_err(|_| wrong.clone())?;
        if length > MAX_DIM * 4 {
            return Err(wrong);
        }
        let mut nearest = Self::new(at.bytes(length)?, k).map_err(|_| wrong.clone())?;
        while !at.is_empty() {
            let found = Found { id: i64::from_le_bytes(at.array()?), similarity: f64::from_le_bytes(at.array()?) };
            if !(-1.0..=1.0).contains(&found.similarity) {
                return Err(wrong);
            }
            nearest.keep(found)?;
        }
        Ok(nearest)
    }
}
