//! Statistics of proportions.

use crate::{Error, Result};

/// The 97.5 % quantile of the normal distribution: 95 % two-sided.
pub const Z95: f64 = 1.959963984540054;

/// The lower end of the Wilson score interval (Wilson 1927) of `successes` in `trials`; none at 0 trials.
///
/// ```
/// use cotaste_core::stats::{wilson_lower, Z95};
/// assert!((wilson_lower(1.0, 10.0, Z95).unwrap().unwrap() - 0.017876213095072903).abs() < 1e-12);
/// assert_eq!(wilson_lower(0.0, 0.0, Z95), Ok(None));
/// ```
pub fn wilson_lower(successes: f64, trials: f64, z: f64) -> Result<Option<f64>> {
    Ok(wilson(successes, trials, z)?.map(|(low, _)| low))
}

/// The upper end of the Wilson score interval.
pub fn wilson_upper(successes: f64, trials: f64, z: f64) -> Result<Option<f64>> {
    Ok(wilson(successes, trials, z)?.map(|(_, high)| high))
}

/// `(x + z²/2 ± z sqrt(x (n - x) / n + z²/4)) / (n + z²)`, exactly 0 at x = 0 and exactly 1 at x = n.
fn wilson(x: f64, n: f64, z: f64) -> Result<Option<(f64, f64)>> {
    if !(x >= 0.0 && x <= n && n.is_finite()) {
        return Err(Error::invalid("successes", format!("{x} is not between 0 and the {n} trials")));
    }
    if !(z.is_finite() && z > 0.0) {
        return Err(Error::invalid("z", format!("{z} is not a number above 0")));
    }
    if n == 0.0 {
        return Ok(None);
    }
    let z2 = z * z;
    let center = (x + z2 / 2.0) / (n + z2);
    let half = z * (x * (n - x) / n + z2 / 4.0).sqrt() / (n + z2);
    let low = if x == 0.0 { 0.0 } else { (center - half).clamp(0.0, 1.0) };
    let high = if x == n { 1.0 } else { (center + half).clamp(0.0, 1.0) };
    Ok(Some((low, high)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_interval_holds_the_rate_and_shrinks_as_trials_grow(x in 0u32..1000, more in 0u32..1000) {
            let n = x + more;
            prop_assume!(n > 0);
            let (low, high) = wilson(x.into(), n.into(), Z95).unwrap().unwrap();
            let rate = f64::from(x) / f64::from(n);
            prop_assert!(low <= rate && rate <= high && low >= 0.0 && high <= 1.0);
            let (low10, high10) = wilson(f64::from(x) * 10.0, f64::from(n) * 10.0, Z95).unwrap().unwrap();
            prop_assert!(high10 - low10 < high - low);
        }
    }

    #[test]
    fn more_successes_than_trials_is_an_error_not_a_nan() {
        assert!(wilson_upper(2.0, 1.0, Z95).is_err() && wilson_upper(f64::NAN, 1.0, Z95).is_err());
    }
}
