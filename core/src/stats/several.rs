//! Several arms at once: whether any rate differs, and whether the users came in the planned ratio.

use super::tail::chi_square_p;
use super::{check, prob_best};
use crate::{Error, Result};
use serde::Serialize;

/// Below this a sample ratio is a mismatch.
const MISMATCH: f64 = 0.001;
/// An expected count below this is too few for a chi-square test.
const LEAST_EXPECTED: f64 = 5.0;

/// A chi-square test.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct ChiSquare {
    pub chi_square: f64,
    pub df: i64,
    pub p_value: f64,
}

/// Pearson's test that all arms have one rate; none when an arm has no trials or there are fewer than two.
///
/// ```
/// use cotaste_core::stats::omnibus_test;
/// let test = omnibus_test(&[(100.0, 1000.0), (120.0, 1000.0), (90.0, 1000.0)]).unwrap().unwrap();
/// assert!((test.p_value - 0.0805975066786444).abs() < 1e-12);
/// ```
pub fn omnibus_test(arms: &[(f64, f64)]) -> Result<Option<ChiSquare>> {
    let (mut successes, mut trials) = (0.0, 0.0);
    for &(x, n) in arms {
        check(x, n)?;
        successes += x;
        trials += n;
    }
    if arms.len() < 2 || arms.iter().any(|&(_, n)| n == 0.0) {
        return Ok(None);
    }
    let rate = successes / trials;
    let variance = rate * (1.0 - rate);
    // No arm has a success, or every trial is one: no evidence.
    let chi_square = if variance > 0.0 {
        arms.iter().map(|&(x, n)| (x - n * rate) * (x - n * rate) / (n * variance)).sum()
    } else {
        0.0
    };
    let df = arms.len() as i64 - 1;
    Ok(Some(ChiSquare { chi_square, df, p_value: chi_square_p(chi_square, df)? }))
}

/// What [`srm_test`] found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct SampleRatio {
    pub chi_square: Option<f64>,
    pub df: i64,
    pub p_value: Option<f64>,
    /// Users in variants of weight 0, which the test leaves out.
    pub unplanned_users: f64,
    /// `ok`, `mismatch` (p below 0.001), `too_few` (an expected count below 5), `unplanned_variant` or `no_data`.
    pub status: &'static str,
}

/// Pearson's chi-square test of the users of each variant against the planned weights, which need not add up to 1.
/// A planned variant without users stays in the test.
///
/// ```
/// use cotaste_core::stats::srm_test;
/// let test = srm_test(&[5250.0, 4750.0], &[1.0, 1.0]).unwrap();
/// assert_eq!((test.chi_square, test.status), (Some(25.0), "mismatch"));
/// ```
pub fn srm_test(users: &[f64], weights: &[f64]) -> Result<SampleRatio> {
    if users.len() != weights.len() {
        let problem = format!("{} weights for {} variants", weights.len(), users.len());
        return Err(Error::invalid("weights", problem));
    }
    for (name, values) in [("users", users), ("weights", weights)] {
        if let Some(wrong) = values.iter().find(|v| !(**v >= 0.0 && v.is_finite())) {
            return Err(Error::invalid(name, format!("{wrong} is not a number of at least 0")));
        }
    }
    let planned = || users.iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
    let (total, weight): (f64, f64) = planned().fold((0.0, 0.0), |(u, w), (users, weight)| (u + users, w + weight));
    let unplanned_users =
        users.iter().zip(weights).filter(|(_, w)| **w == 0.0).fold(0.0, |sum, (users, _)| sum + users);
    let df = planned().count() as i64 - 1;
    let mut test = SampleRatio { chi_square: None, df: df.max(0), p_value: None, unplanned_users, status: "no_data" };
    if total > 0.0 {
        let expected = |w: &f64| total * w / weight;
        let chi_square: f64 = planned().fold(0.0, |sum, (o, w)| sum + (o - expected(w)).powi(2) / expected(w));
        test.chi_square = Some(chi_square);
        test.p_value = if df > 0 { Some(chi_square_p(chi_square, df)?) } else { None };
        test.status = match test.p_value {
            _ if planned().any(|(_, w)| expected(w) < LEAST_EXPECTED) => "too_few",
            Some(p) if p < MISMATCH => "mismatch",
            _ => "ok",
        };
    }
    if unplanned_users > 0.0 {
        test.status = "unplanned_variant";
    }
    Ok(test)
}

/// The same from two JSON arrays of numbers.
pub fn srm_test_json(users: &str, weights: &str) -> Result<SampleRatio> {
    let numbers = |text: &str, name| {
        serde_json::from_str::<Vec<f64>>(text).map_err(|_| Error::invalid(name, "is not a JSON array of numbers"))
    };
    srm_test(&numbers(users, "users")?, &numbers(weights, "weights")?)
}

/// Arms as JSON: `[[successes, trials], ...]`.
pub fn arms_json(arms: &str) -> Result<Vec<(f64, f64)>> {
    serde_json::from_str(arms).map_err(|_| Error::invalid("arms", "is not a JSON array of [successes, trials]"))
}

/// [`prob_best`] as a JSON array.
pub fn prob_best_json(arms: &str) -> Result<String> {
    super::to_json(&prob_best(&arms_json(arms)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_arms_are_the_pooled_z_test() {
        let arms = super::super::Arms::new(100.0, 1000.0, 140.0, 1000.0).unwrap().unwrap();
        let test = omnibus_test(&[(100.0, 1000.0), (140.0, 1000.0)]).unwrap().unwrap();
        assert!((test.p_value / super::super::normal_p(arms.pooled_z()) - 1.0).abs() < 1e-9);
        assert_eq!(omnibus_test(&[(0.0, 5.0), (0.0, 5.0)]).unwrap().unwrap().p_value, 1.0);
        assert_eq!(omnibus_test(&[(0.0, 0.0), (1.0, 5.0)]), Ok(None));
    }

    #[test]
    fn each_status_of_the_sample_ratio() {
        let status = |users: &[f64], weights: &[f64]| srm_test(users, weights).unwrap().status;
        assert_eq!(status(&[1000.0, 1010.0, 3.0], &[1.0, 1.0, 0.0]), "unplanned_variant");
        assert_eq!(status(&[0.0, 0.0, 3.0], &[1.0, 1.0, 0.0]), "unplanned_variant");
        assert_eq!(status(&[4.0, 5.0], &[1.0, 1.0]), "too_few");
        assert_eq!(status(&[1000.0, 1000.0, 0.0], &[1.0, 1.0, 1.0]), "mismatch");
        assert_eq!(status(&[0.0, 0.0], &[1.0, 1.0]), "no_data");
        let single = srm_test(&[100.0], &[1.0]).unwrap();
        assert_eq!((single.df, single.p_value, single.status), (0, None, "ok"));
        assert!(srm_test(&[1.0], &[1.0, 1.0]).is_err() && srm_test(&[-1.0], &[1.0]).is_err());
        assert!(srm_test_json("[1", "[1]").is_err() && srm_test_json(r#"["1"]"#, "[1]").is_err());
    }
}
