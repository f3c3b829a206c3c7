//! Exponential decay in half-lives since 1970. A weight that halves with its age becomes one that doubles with its date,
//! so a sum of weights does not change as time passes, and its logarithm ranks contents at any time.

use crate::sum::{scale, ReproducibleSum};
use crate::taste::ledger::weight;
use crate::{time, Error, Result};

/// A half-life, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HalfLife(f64);

impl HalfLife {
    /// Of so many hours, at least 0.001.
    pub fn hours(hours: f64) -> Result<Self> {
        time::half_lives(0, hours)?;
        Ok(Self(hours * 3.6e9))
    }

    /// An instant as whole half-lives since 1970 and a rest between -1 and 1. The remainder is exact, so the rest is too,
    /// however short the half-life.
    pub fn split(self, us: i64) -> (i64, f64) {
        let us = us as f64;
        let rest = libm::fmod(us, self.0);
        (libm::round((us - rest) / self.0) as i64, rest / self.0)
    }

    /// A weight at an instant as `mantissa * 2^exponent`, as of 1970.
    pub fn grown(self, weight: f64, us: i64) -> (f64, i64) {
        let (whole, rest) = self.split(us);
        (weight * libm::exp2(rest), whole)
    }
}

/// A sum of weights grown by date as another half-life has it: what it comes to at an instant stays.
pub(crate) fn regrown(sum: &ReproducibleSum, at_us: i64, from: HalfLife, to: HalfLife) -> Result<ReproducibleSum> {
    if from == to {
        return Ok(sum.clone());
    }
    let ((was, was_rest), (is, is_rest)) = (from.split(at_us), to.split(at_us));
    let (mantissa, exponent) = sum.scaled();
    let mut regrown = ReproducibleSum::default();
    regrown.add_scaled(mantissa * libm::exp2(is_rest - was_rest), exponent.saturating_sub(was).saturating_add(is))?;
    Ok(regrown)
}

/// What a sum of weights grown by date comes to at an instant: `trend` is a value of [`weight::of`].
///
/// ```
/// use cotaste_core::{sum::ReproducibleSum, taste::ledger::weight, trend::{score, HalfLife}};
/// let day = 86_400_000_000;
/// let (mantissa, exponent) = HalfLife::hours(24.0).unwrap().grown(3.0, 20_000 * day);
/// let mut sum = ReproducibleSum::default();
/// sum.add_scaled(mantissa, exponent).unwrap();
/// assert_eq!(score(&weight::of(&sum), 20_001 * day, 24.0), Ok(1.5));
/// ```
pub fn score(trend: &[u8], as_of_us: i64, half_life_hours: f64) -> Result<f64> {
    let (mantissa, exponent) = weight::read(trend)?;
    let (whole, rest) = HalfLife::hours(half_life_hours)?.split(as_of_us);
    let score = scale(mantissa * libm::exp2(-rest), exponent.saturating_sub(whole));
    if score.is_finite() {
        return Ok(score);
    }
    Err(Error::invalid("trend", "decays to a value outside the range of a double"))
}

/// The base-two logarithm of a sum of weights: whoever has the higher one has the higher score at any time. `None` when
/// the sum is not above 0.
pub fn rank_key((mantissa, exponent): (f64, i64)) -> Option<f64> {
    (mantissa > 0.0).then(|| libm::log2(mantissa) + exponent as f64)
}

/// How far the current period lies above those before it: `(current - mean) / sqrt(max(sd^2, mean, 1))`, so that a quiet
/// content counts as a Poisson process of one event a period at least. `None` with fewer than two periods before.
///
/// ```
/// use cotaste_core::trend::z_score;
/// assert_eq!(z_score(4.0, 0, 0.0, 0.0).unwrap(), None);
/// let z = z_score(7.0, 7, 28.0, 140.0).unwrap().unwrap();
/// assert!((z - 1.3887301496588271).abs() < 1e-12);
/// ```
pub fn z_score(current: f64, periods: i64, sum: f64, sum_of_squares: f64) -> Result<Option<f64>> {
    for (name, value) in [("current", current), ("sum", sum), ("sum_of_squares", sum_of_squares)] {
        if !value.is_finite() {
            return Err(Error::invalid(name, format!("{value} is not a number")));
        }
    }
    if periods < 2 {
        return Ok(None);
    }
    let mean = sum / periods as f64;
    Ok(Some((current - mean) / variance(periods, sum, sum_of_squares).max(mean).max(1.0).sqrt()))
}

/// The sample standard deviation of so many values, from their sum and the sum of their squares; `None` of fewer than two.
pub fn sample_sd(count: i64, sum: f64, sum_of_squares: f64) -> Option<f64> {
    let variance = variance(count, sum, sum_of_squares);
    (count > 1 && variance.is_finite()).then(|| variance.sqrt())
}

/// Of n - 1 degrees of freedom.
fn variance(count: i64, sum: f64, sum_of_squares: f64) -> f64 {
    let count = count as f64;
    ((sum_of_squares - sum * (sum / count)) / (count - 1.0)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_instant_is_its_half_lives(us in time::MIN_US..time::MAX_US, hours in prop_oneof![0.001..1.0f64, 1.0..1e6f64]) {
            let half_life = HalfLife::hours(hours).unwrap();
            let (whole, rest) = half_life.split(us);
            prop_assert!(rest.abs() < 1.0);
            let back = (whole as f64).mul_add(half_life.0, rest * half_life.0);
            prop_assert!((back - us as f64).abs() <= 64.0, "{back} {us}");
        }

        #[test]
        fn a_higher_key_never_has_a_lower_score(
            a in (0.5..1.0f64, -40i64..40), b in (0.5..1.0f64, -40i64..40), as_of in 0i64..86_400_000_000 * 40, hours in 1.0..200.0f64
        ) {
            let value = |(mantissa, exponent): (f64, i64)| [mantissa.to_le_bytes(), exponent.to_le_bytes()].concat();
            let score = |side| score(&value(side), as_of, hours).unwrap();
            if rank_key(a) > rank_key(b) {
                prop_assert!(score(a) >= score(b));
            }
        }

        #[test]
        fn a_weight_decays_as_by_its_age(weight in -9.0..9.0f64, at in -1_000_000i64..1_000_000, age in 0i64..1_000_000, hours in 0.1..1000.0f64) {
            let (at, as_of) = (at * 1_000_003, (at + age) * 1_000_003);
            let (mantissa, exponent) = HalfLife::hours(hours).unwrap().grown(weight, at);
            let mut sum = crate::sum::ReproducibleSum::default();
            sum.add_scaled(mantissa, exponent).unwrap();
            let expected = time::decay(weight, as_of - at, hours).unwrap();
            let got = score(&weight::of(&sum), as_of, hours).unwrap();
            prop_assert!((got - expected).abs() <= 1e-12 * expected.abs() + 1e-300, "{got} {expected}");
        }
    }

    #[test]
    fn hostile_values_are_told() {
        assert_eq!(score(&[1; 3], 0, 24.0).map_err(|e| e.code()), Err("CORRUPT_STATE"));
        assert_eq!(score(&[0; 16], 0, 0.0).map_err(|e| e.code()), Err("INVALID_ARGUMENT"));
        assert_eq!(z_score(f64::NAN, 3, 1.0, 1.0).map_err(|e| e.code()), Err("INVALID_ARGUMENT"));
    }
}
