//! Several tests at once: p values adjusted so that a family of them can be read like one. NULL is no test: it stays NULL
//! and does not count.

use crate::{Error, Result};

/// Holm's step-down (1979): no false discovery in the family, with probability 1 - alpha.
///
/// ```
/// use cotaste_core::stats::holm;
/// assert_eq!(holm(&[Some(0.01), None, Some(0.03)]), [Some(0.02), None, Some(0.03)]);
/// ```
pub fn holm(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut largest = 0.0f64;
    adjust(p_values, false, |p, rank, m| {
        largest = largest.max((p * (m - rank + 1.0)).min(1.0));
        largest
    })
}

/// Benjamini and Hochberg's step-up (1995): of what is discovered, alpha is false on average.
pub fn benjamini_hochberg(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut least = 1.0f64;
    adjust(p_values, true, |p, rank, m| {
        least = least.min(p * m / rank);
        least
    })
}

/// Calls `step(p, rank from 1, how many)` in ascending or descending order.
fn adjust(p_values: &[Option<f64>], down: bool, mut step: impl FnMut(f64, f64, f64) -> f64) -> Vec<Option<f64>> {
    let mut order: Vec<(f64, usize)> = p_values.iter().enumerate().filter_map(|(i, p)| Some(((*p)?, i))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let m = order.len() as f64;
    let mut ranked: Vec<_> = order.into_iter().zip(1u32..).collect();
    if down {
        ranked.reverse();
    }
    let mut adjusted = p_values.to_vec();
    for ((p, i), rank) in ranked {
        if let Some(to) = adjusted.get_mut(i) {
            *to = Some(step(p, rank.into(), m));
        }
    }
    adjusted
}

/// The state of the aggregates `holm_adjust(p, position)` and `bh_adjust(p, position)`: a sequence of records, so that
/// merging is concatenation.
pub mod state {
    use super::{Error, Result};

    /// How many bytes [`write_row`] fills.
    pub const ROW: usize = 16;

    /// Writes one row into exactly [`ROW`] bytes.
    pub fn write_row(out: &mut [u8], p: Option<f64>, position: i64) -> Result<()> {
        if p.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Err(Error::invalid("p", format!("{} is not between 0 and 1", p.unwrap_or_default())));
        }
        // NULL is a NaN, which no p value is.
        let words = position.to_le_bytes().into_iter().chain(p.unwrap_or(f64::NAN).to_le_bytes());
        for (to, byte) in out.iter_mut().zip(words) {
            *to = byte;
        }
        Ok(())
    }

    /// The adjusted values as a JSON array by position, then by p.
    pub fn finish(state: &[u8], adjust: fn(&[Option<f64>]) -> Vec<Option<f64>>) -> Result<String> {
        let mut rows: Vec<(i64, f64)> = Vec::new();
        rows.try_reserve_exact(state.len() / ROW)?;
        let (records, rest) = state.as_chunks::<ROW>();
        const CORRUPT: Error = Error::corrupt("p values", "is not the state of an adjustment");
        if !rest.is_empty() {
            return Err(CORRUPT);
        }
        for record in records {
            let word =
                |at: usize| record.iter().skip(at).take(8).rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
            let p = f64::from_bits(word(8));
            if !(p.is_nan() || (0.0..=1.0).contains(&p)) {
                return Err(CORRUPT);
            }
            rows.push((word(0) as i64, p));
        }
        rows.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let p_values: Vec<Option<f64>> = rows.into_iter().map(|(_, p)| Some(p).filter(|p| !p.is_nan())).collect();
        crate::stats::to_json(&adjust(&p_values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p_values() -> impl Strategy<Value = Vec<Option<f64>>> {
        prop::collection::vec(prop::option::of(0.0..=1.0f64), 0..12)
    }

    proptest! {
        #[test]
        fn an_adjustment_keeps_the_order_and_lies_between_p_and_bonferroni(p_values in p_values()) {
            let m = p_values.iter().flatten().count() as f64;
            let (holm, bh) = (holm(&p_values), benjamini_hochberg(&p_values));
            for (i, p) in p_values.iter().enumerate() {
                prop_assert_eq!(p.is_none(), holm[i].is_none());
                let Some(p) = p else { continue };
                let (h, b) = (holm[i].unwrap(), bh[i].unwrap());
                prop_assert!(*p <= b + 1e-15 && b <= h + 1e-15 && h <= (p * m).min(1.0) + 1e-15);
                for (j, other) in p_values.iter().enumerate() {
                    if other.is_some_and(|other| other <= *p) {
                        prop_assert!(holm[j].unwrap() <= h && bh[j].unwrap() <= b);
                    }
                }
            }
        }

        #[test]
        fn the_order_of_rows_does_not_matter(p_values in p_values()) {
            let write = |rows: &mut dyn Iterator<Item = (usize, &Option<f64>)>| {
                rows.flat_map(|(i, p)| { let mut row = [0; state::ROW]; state::write_row(&mut row, *p, i as i64).unwrap(); row }).collect::<Vec<u8>>()
            };
            let forward = write(&mut p_values.iter().enumerate());
            let backward = write(&mut p_values.iter().enumerate().rev());
            let want = crate::stats::to_json(&holm(&p_values)).unwrap();
            prop_assert_eq!(state::finish(&forward, holm).unwrap(), want.clone());
            prop_assert_eq!(state::finish(&backward, holm).unwrap(), want);
        }
    }

    #[test]
    fn what_is_no_p_value_is_told() {
        let mut row = [0; state::ROW];
        for p in [-0.1, 1.1, f64::NAN] {
            assert!(state::write_row(&mut row, Some(p), 0).is_err());
        }
        assert_eq!(state::finish(&[0; 17], holm).map_err(|e| e.code()), Err("CORRUPT_STATE"));
        assert_eq!(state::finish(&[], holm).unwrap(), "[]");
    }

    #[test]
    fn a_state_with_what_is_no_p_value_is_told() {
        let row = |p: f64| [1i64.to_le_bytes(), p.to_le_bytes()].concat();
        assert!(state::finish(&row(0.5), holm).is_ok());
        for p in [-1e-9, 1.5, f64::INFINITY] {
            assert_eq!(state::finish(&row(p), holm).map_err(|e| e.code()), Err("CORRUPT_STATE"));
        }
    }
}
