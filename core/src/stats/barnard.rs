//! Barnard's unconditional exact test.

use super::Arms;
use crate::Result;

/// Statistics as extreme as the observed one count as ties up to this.
const TIE: f64 = 1.0 - 1e-12;
/// Where `n0 * n1` is above this the test costs too much, and the others agree with it.
const MOST: f64 = 2500.0;

/// The two-sided p value of Barnard's test (1945) with the pooled z statistic: the largest probability, over all common
/// rates, of a table at least as extreme. None when `n0 * n1` is above 2500.
///
/// ```
/// use cotaste_core::stats::{barnard_exact, Arms};
/// let arms = Arms::new(1.0, 10.0, 3.0, 10.0).unwrap().unwrap();
/// assert!((barnard_exact(arms).unwrap().unwrap() - 0.32955173074117594).abs() < 1e-6);
/// ```
pub fn barnard_exact(arms: Arms) -> Result<Option<f64>> {
    let Arms { n0, n1, .. } = arms;
    if n0 * n1 > MOST {
        return Ok(None);
    }
    let observed = arms.pooled_z().abs() * TIE;
    let mut extreme: Vec<(usize, usize)> = Vec::new();
    for i in 0..=n0 as usize {
        for j in 0..=n1 as usize {
            if (Arms { x0: i as f64, n0, x1: j as f64, n1 }).pooled_z().abs() >= observed {
                extreme.try_reserve(1)?;
                extreme.push((i, j));
            }
        }
    }
    let (choose0, choose1) = (ln_choose(n0)?, ln_choose(n1)?);
    let probability = |rate: f64| {
        let (hit, miss) = (libm::log(rate), libm::log1p(-rate));
        let term = |choose: &[f64], n: f64, k: usize| {
            choose.get(k).map_or(0.0, |ln| libm::exp(ln + k as f64 * hit + (n - k as f64) * miss))
        };
        extreme.iter().map(|&(i, j)| term(&choose0, n0, i) * term(&choose1, n1, j)).sum::<f64>()
    };
    Ok(Some(largest(probability).min(1.0)))
}

/// The largest value over (0, 1): a grid, then golden sections around its highest points.
fn largest(f: impl Fn(f64) -> f64) -> f64 {
    const CELLS: u32 = 400;
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let at = |k: u32| f64::from(k) / f64::from(CELLS);
    let values: Vec<f64> = (1..CELLS).map(|k| f(at(k))).collect();
    let top = values.iter().copied().fold(0.0, f64::max);
    let mut best = top;
    for (k, value) in (1..CELLS).zip(&values) {
        if *value < 0.98 * top {
            continue;
        }
        let (mut low, mut high) = (at(k - 1).max(1e-12), at(k + 1).min(1.0 - 1e-12));
        while high - low > 1e-8 {
            let (left, right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
            let (l, r) = (f(left), f(right));
            best = best.max(l).max(r);
            if l > r {
                high = right;
            } else {
                low = left;
            }
        }
    }
    best
}

fn ln_choose(n: f64) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    all.try_reserve_exact(n as usize + 1)?;
    all.extend((0..=n as usize).map(|k| {
        let k = k as f64;
        libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0)
    }));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fisher_exact;

    #[test]
    fn it_rejects_no_less_than_fisher_where_the_arms_are_of_one_size() {
        for x1 in 0..=12 {
            let arms = Arms::new(3.0, 12.0, x1.into(), 12.0).unwrap().unwrap();
            assert!(barnard_exact(arms).unwrap().unwrap() <= fisher_exact(arms) + 1e-9);
        }
        let large = Arms::new(3.0, 51.0, 3.0, 50.0).unwrap().unwrap();
        assert_eq!(barnard_exact(large), Ok(None));
    }
}
