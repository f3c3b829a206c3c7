//! `moments`: what the means of two columns and how they vary together can be computed from. One value a group; values
//! of parts of a group merge to the group's, in any order and with the same bits.
//!
//! The sums of values and of products are [`ReproducibleSum`]s, each product with its rounding error, so the sums are
//! exact over at least 96 bits and a variance does not cancel away when the mean is large.

use super::interval::to_json;
use crate::sum::ReproducibleSum;
use crate::{Error, Result};
use serde::Serialize;

const SUMS: usize = 5;

/// The state of `moments(y)` and `moments(y, x)`; without `x`, it is 0 throughout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moments {
    /// Of y, x, y², x² and xy.
    sums: [ReproducibleSum; SUMS],
}

impl Moments {
    /// Length of [`Self::to_state`].
    pub const STATE: usize = SUMS * ReproducibleSum::BYTES;
    /// Length of [`Self::to_bytes`].
    pub const BYTES: usize = 2 + Self::STATE + 4;
    const HEAD: [u8; 2] = [b'M', 1];

    /// Adds a row.
    ///
    /// ```
    /// use cotaste_core::stats::Moments;
    /// let mut moments = Moments::default();
    /// for y in [1.0, 2.0, 6.0] { moments.add(y, 0.0).unwrap(); }
    /// let got = moments.summary().unwrap();
    /// assert_eq!((got.n, got.mean_y, got.variance_y), (3, Some(3.0), Some(7.0)));
    /// ```
    pub fn add(&mut self, y: f64, x: f64) -> Result<()> {
        let products = [(y, 1.0), (x, 1.0), (y, y), (x, x), (y, x)];
        for (sum, (a, b)) in self.sums.iter_mut().zip(products) {
            let product = a * b;
            sum.add(product)?;
            sum.add(a.mul_add(b, -product))?;
        }
        Ok(())
    }

    /// Adds what another part of the group adds up to.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.sums.iter_mut().zip(&other.sums).try_for_each(|(sum, other)| sum.merge(other))
    }

    /// Rows.
    pub fn n(&self) -> u64 {
        let [y, ..] = &self.sums;
        y.terms() / 2
    }

    /// Means, variances and the covariance (divisor n - 1).
    pub fn summary(&self) -> Result<Summary> {
        let n = self.n() as f64;
        let mut exact = [Exact::default(); SUMS];
        for (exact, sum) in exact.iter_mut().zip(&self.sums) {
            *exact = Exact::of(sum)?;
        }
        let [y, x, yy, xx, xy] = exact;
        let mean = |sum: Exact| (n > 0.0).then_some(sum.high / n);
        let spread = |product: Exact, a: Exact, b: Exact| {
            let value = product.times(n).minus(a.product(b)).high / (n * (n - 1.0));
            (n > 1.0).then_some(value)
        };
        Ok(Summary {
            n: self.n(),
            mean_y: mean(y),
            mean_x: mean(x),
            variance_y: spread(yy, y, y).map(|v| v.max(0.0)),
            variance_x: spread(xx, x, x).map(|v| v.max(0.0)),
            covariance: spread(xy, y, x),
            sum_y: y.high,
            sum_x: x.high,
        })
    }

    /// An aggregate's state as bytes.
    pub fn to_state(&self) -> [u8; Self::STATE] {
        let mut out = [0; Self::STATE];
        for (to, byte) in out.iter_mut().zip(self.sums.iter().flat_map(ReproducibleSum::to_bytes)) {
            *to = byte;
        }
        out
    }

    /// Reads what [`Self::to_state`] wrote.
    pub fn from_state(bytes: &[u8]) -> Result<Self> {
        if bytes.len() != Self::STATE {
            return Err(CORRUPT);
        }
        let mut moments = Self::default();
        for (sum, bytes) in moments.sums.iter_mut().zip(bytes.chunks_exact(ReproducibleSum::BYTES)) {
            *sum = ReproducibleSum::from_bytes(bytes)?;
        }
        Ok(moments)
    }

    /// The value as SQL sees it: a mark, the version, the sums, a checksum.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        out.try_reserve_exact(Self::BYTES)?;
        out.extend(Self::HEAD);
        out.extend(self.to_state());
        out.extend(crc32fast::hash(&out).to_le_bytes());
        Ok(out)
    }

    /// Reads what [`Self::to_bytes`] wrote; CORRUPT_STATE for any other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or(CORRUPT)?;
        let state = body.strip_prefix(&Self::HEAD).ok_or(CORRUPT)?;
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return Err(CORRUPT);
        }
        Self::from_state(state)
    }
}

const CORRUPT: Error = Error::corrupt("moments", "is not a value of moments");

/// What [`Moments`] say, none where there are too few rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Summary {
    pub n: u64,
    pub mean_y: Option<f64>,
    pub mean_x: Option<f64>,
    pub variance_y: Option<f64>,
    pub variance_x: Option<f64>,
    pub covariance: Option<f64>,
    pub sum_y: f64,
    pub sum_x: f64,
}

/// The rows of a value of moments.
pub fn moments_count(bytes: &[u8]) -> Result<i64> {
    Ok(i64::try_from(Moments::from_bytes(bytes)?.n()).unwrap_or(i64::MAX))
}

/// A value of moments as JSON.
pub fn moments_json(bytes: &[u8]) -> Result<String> {
    to_json(&Moments::from_bytes(bytes)?.summary()?)
}

/// A number as the sum of two doubles, twice as precise as one (Dekker 1971).
#[derive(Debug, Clone, Copy, Default)]
struct Exact {
    high: f64,
    low: f64,
}

impl Exact {
    fn of(sum: &ReproducibleSum) -> Result<Self> {
        let high = sum.value()?;
        let mut rest = sum.clone();
        rest.add(-high)?;
        Ok(Self { high, low: rest.value()? })
    }

    fn times(self, factor: f64) -> Self {
        self.product(Self { high: factor, low: 0.0 })
    }

    fn product(self, other: Self) -> Self {
        let high = self.high * other.high;
        let low = self.high.mul_add(other.high, -high) + (self.high * other.low + self.low * other.high);
        Self { high, low }
    }

    fn minus(self, other: Self) -> Self {
        let high = self.high - other.high;
        let back = high - self.high;
        let error = (self.high - (high - back)) + (-other.high - back);
        let low = error + (self.low - other.low);
        Self { high: high + low, low: 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(rows: &[(f64, f64)]) -> Moments {
        let mut moments = Moments::default();
        rows.iter().for_each(|(y, x)| moments.add(*y, *x).unwrap());
        moments
    }

    proptest! {
        #[test]
        fn parts_merge_to_the_whole_in_any_order(rows in prop::collection::vec((-1e6..1e6f64, -1e3..1e3f64), 0..40), cut in 0usize..40) {
            let whole = of(&rows);
            let cut = cut.min(rows.len());
            let mut merged = of(&rows[cut..]);
            merged.merge(&of(&rows[..cut])).unwrap();
            prop_assert_eq!(merged.to_bytes().unwrap(), whole.to_bytes().unwrap());
            prop_assert_eq!(merged.n(), rows.len() as u64);
            prop_assert_eq!(Moments::from_bytes(&whole.to_bytes().unwrap()).unwrap(), whole);
        }

        #[test]
        fn a_variance_does_not_depend_on_the_mean(rows in prop::collection::vec((-1000i32..1000, -1000i32..1000), 2..40), shift in 0i64..1_000_000_000_000) {
            let shifted = |by: f64| of(&rows.iter().map(|(y, x)| (f64::from(*y) + by, f64::from(*x))).collect::<Vec<_>>()).summary().unwrap();
            let (near, far) = (shifted(0.0), shifted(shift as f64));
            prop_assert_eq!(near.variance_y, far.variance_y);
            prop_assert_eq!(near.covariance, far.covariance);
        }

        #[test]
        fn hostile_bytes_end_in_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..300, bit in 0u8..8) {
            prop_assert_eq!(Moments::from_bytes(&bytes).map_err(|e| e.code()), Err("CORRUPT_STATE"));
            bytes = of(&[(1.0, 2.0), (3.0, 4.0)]).to_bytes().unwrap();
            let at = at.min(bytes.len() - 1);
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(Moments::from_bytes(&bytes).map_err(|e| e.code()), Err("CORRUPT_STATE"));
        }
    }

    #[test]
    fn too_few_rows_have_no_variance_and_none_no_mean() {
        let none = Moments::default().summary().unwrap();
        assert_eq!((none.n, none.mean_y, none.variance_y), (0, None, None));
        let one = of(&[(5.0, 1.0)]).summary().unwrap();
        assert_eq!((one.n, one.mean_y, one.variance_y), (1, Some(5.0), None));
        assert!(Moments::default().add(f64::NAN, 0.0).is_err() && Moments::default().add(1e200, 0.0).is_err());
    }
}
