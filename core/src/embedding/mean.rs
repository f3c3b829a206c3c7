//! The mean direction of embeddings: what stands for a group of contents, a genre or what a user watched.

use super::{dim, numbers};
use crate::bytes::Reader;
use crate::{Error, Result};

/// Components of unit embeddings are counted in multiples of 2^-36, in integers, so that the order of the rows does not
/// matter: up to 2^26 rows.
const UNIT: f64 = (1u64 << 36) as f64;
const MOST_ROWS: u64 = 1 << 26;

/// The sum of the rows' directions. `add` and `merge` commute and associate exactly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mean {
    rows: u64,
    sums: Vec<i64>,
}

impl Mean {
    /// Adds the direction of an embedding; one of zeros has none and adds nothing.
    pub fn add(&mut self, embedding: &[u8]) -> Result<()> {
        let dim = dim("embedding", embedding)?;
        self.fit(dim)?;
        let length = numbers(embedding).fold(0.0, |sum, x| sum + f64::from(x) * f64::from(x)).sqrt();
        if length > 0.0 {
            self.count(1)?;
            for (sum, x) in self.sums.iter_mut().zip(numbers(embedding)) {
                *sum += (f64::from(x) / length * UNIT).round() as i64;
            }
        }
        Ok(())
    }

    fn count(&mut self, rows: u64) -> Result<()> {
        self.rows = self.rows.saturating_add(rows);
        if self.rows > MOST_ROWS {
            return Err(Error::invalid("embedding", format!("more than {MOST_ROWS} rows")));
        }
        Ok(())
    }

    fn fit(&mut self, dim: usize) -> Result<()> {
        if self.sums.is_empty() {
            self.sums.try_reserve_exact(dim)?;
            self.sums.resize(dim, 0);
        }
        if self.sums.len() != dim {
            let problem = format!("has {dim} numbers, another row has {}", self.sums.len());
            return Err(Error::invalid("embedding", problem));
        }
        Ok(())
    }

    /// Adds all rows of another one.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if other.sums.is_empty() {
            return Ok(());
        }
        self.fit(other.sums.len())?;
        self.count(other.rows)?;
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, more)| *sum = sum.saturating_add(*more));
        Ok(())
    }

    /// The mean direction, of length 1; none without rows, or when they cancel out.
    pub fn finish(&self) -> Result<Option<Vec<u8>>> {
        let squares = self.sums.iter().fold(0.0, |sum, x| sum + (*x as f64) * (*x as f64));
        if squares <= 0.0 {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(self.sums.len() * 4)?;
        bytes.extend(self.sums.iter().flat_map(|x| ((*x as f64 / squares.sqrt()) as f32).to_le_bytes()));
        Ok(Some(bytes))
    }

    /// On the way between two processes: the rows, then the sums.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        out.try_reserve_exact(8 + 8 * self.sums.len())?;
        out.extend(self.rows.to_le_bytes());
        out.extend(self.sums.iter().flat_map(|x| x.to_le_bytes()));
        Ok(out)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = Error::corrupt("embedding_mean", "is not the state of a mean");
        let mut at = Reader::new(bytes, wrong.clone());
        let rows = u64::from_le_bytes(at.array()?);
        let (sums, rest) = at.rest().as_chunks::<8>();
        if !rest.is_empty() || sums.len() > super::MAX_DIM || rows > MOST_ROWS {
            return Err(wrong);
        }
        let mut mean = Self { rows, sums: Vec::new() };
        mean.sums.try_reserve_exact(sums.len())?;
        mean.sums.extend(sums.iter().map(|x| i64::from_le_bytes(*x)));
        // Nothing a row adds is above 1.
        if mean.sums.iter().any(|sum| sum.unsigned_abs() > rows << 36) {
            return Err(wrong);
        }
        Ok(mean)
    }
}
