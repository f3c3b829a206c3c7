//! Intervals and whole comparisons as values: what a SQL function returns as one JSON object. Undefined is null.

use super::{always_valid_p, chance_to_win, confidence_sequence, critical_z, expected_loss};
use super::{two_proportion_method, two_proportion_p, wilson, Arms};
use crate::{Error, Result};
use serde::Serialize;

/// Two ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Interval {
    pub lower: f64,
    pub upper: f64,
}

impl From<(f64, f64)> for Interval {
    fn from((lower, upper): (f64, f64)) -> Self {
        Self { lower, upper }
    }
}

/// A value with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Estimate {
    pub mean: f64,
    pub lower: f64,
    pub upper: f64,
}

/// A result as a JSON object with its keys in the order of the type's fields.
pub fn to_json(result: &impl Serialize) -> Result<String> {
    serde_json::to_string(result).map_err(|_| Error::Internal)
}

/// The same for what may be none or an error.
pub fn json(result: Result<Option<impl Serialize>>) -> Result<Option<String>> {
    result?.as_ref().map(to_json).transpose()
}

/// The Wilson interval; none at 0 trials.
pub fn wilson_interval(successes: f64, trials: f64, z: f64) -> Result<Option<Interval>> {
    Ok(wilson(successes, trials, z)?.map(Interval::from))
}

/// The always valid interval and p value of this look; none when the standard error is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Look {
    pub lower: f64,
    pub upper: f64,
    pub p_value: f64,
}

/// The confidence sequence's interval with its p value.
pub fn look(arms: Arms, alpha: f64) -> Result<Option<Look>> {
    let Some((lower, upper)) = confidence_sequence(arms, alpha)? else { return Ok(None) };
    Ok(always_valid_p(arms, alpha)?.map(|p_value| Look { lower, upper, p_value }))
}

/// All of a comparison of two rates that is looked at once.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct TwoProportions {
    pub diff: f64,
    pub diff_lower: f64,
    pub diff_upper: f64,
    pub lift: Option<f64>,
    pub lift_lower: Option<f64>,
    pub lift_upper: Option<f64>,
    pub z: f64,
    pub p_value: f64,
    pub method: &'static str,
    pub chance_to_win: f64,
    pub expected_loss: f64,
    /// Wald's interval of the difference, for reference: it is a point at rates of 0 and 1.
    pub wald_lower: f64,
    pub wald_upper: f64,
}

/// Newcombe's interval of the difference, the lift by the delta method, the p value of pooled z or Fisher, and the
/// posterior with uniform priors.
pub fn two_proportion_test(arms: Arms, alpha: f64) -> Result<TwoProportions> {
    let z = critical_z(alpha)?;
    let diff = arms.difference();
    let (diff_lower, diff_upper) = arms.newcombe(z)?;
    let lift = arms.lift_interval(z);
    let half = z * arms.standard_error();
    Ok(TwoProportions {
        diff,
        diff_lower,
        diff_upper,
        lift: arms.lift(),
        lift_lower: lift.map(|(lower, _)| lower),
        lift_upper: lift.map(|(_, upper)| upper),
        z: arms.pooled_z(),
        p_value: two_proportion_p(arms),
        method: two_proportion_method(arms),
        chance_to_win: chance_to_win(arms),
        expected_loss: expected_loss(arms),
        wald_lower: diff - half,
        wald_upper: diff + half,
    })
}

/// The lift's interval by four methods.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Lifts {
    pub lift: Option<f64>,
    /// The delta method, what `lift_lower` and `lift_upper` give.
    pub delta_lower: Option<f64>,
    pub delta_upper: Option<f64>,
    /// Katz and others 1978, on the logarithm.
    pub katz_lower: Option<f64>,
    pub katz_upper: Option<f64>,
    /// The same with 0.5 added to each count (Walter 1975), defined for all counts.
    pub walter_lower: f64,
    pub walter_upper: f64,
    /// Fieller 1954.
    pub fieller_lower: Option<f64>,
    pub fieller_upper: Option<f64>,
    /// `bounded`; `unbounded` when the control's rate is not significantly above 0; `undefined` when it is 0.
    pub fieller_kind: &'static str,
}

/// The lift with its interval by each method.
pub fn lift_intervals(arms: Arms, z: f64) -> Result<Lifts> {
    if !(z > 0.0 && z.is_finite()) {
        return Err(Error::invalid("z", format!("{z} is not a number above 0")));
    }
    let Arms { x0, n0, x1, n1 } = arms;
    let delta = arms.lift_interval(z);
    let katz = (x0 > 0.0 && x1 > 0.0).then(|| log_ratio(x0, n0, x1, n1, z));
    let (walter_lower, walter_upper) = log_ratio(x0 + 0.5, n0 + 0.5, x1 + 0.5, n1 + 0.5, z);
    let (fieller, fieller_kind) = fieller(arms, z);
    let (lower, upper) = (|i: (f64, f64)| i.0, |i: (f64, f64)| i.1);
    Ok(Lifts {
        lift: arms.lift(),
        delta_lower: delta.map(lower),
        delta_upper: delta.map(upper),
        katz_lower: katz.map(lower),
        katz_upper: katz.map(upper),
        walter_lower,
        walter_upper,
        fieller_lower: fieller.map(lower),
        fieller_upper: fieller.map(upper),
        fieller_kind,
    })
}

/// `exp(ln ratio ± z se) - 1` of `x1/n1` over `x0/n0`.
fn log_ratio(x0: f64, n0: f64, x1: f64, n1: f64, z: f64) -> (f64, f64) {
    let ln = libm::log(x1 / n1 / (x0 / n0));
    let half = z * (1.0 / x1 - 1.0 / n1 + 1.0 / x0 - 1.0 / n0).max(0.0).sqrt();
    (libm::expm1(ln - half), libm::expm1(ln + half))
}

/// The ratios `r` for which `p1 - r p0` is within `z` standard errors of 0, less 1.
fn fieller(arms: Arms, z: f64) -> (Option<(f64, f64)>, &'static str) {
    let (p0, p1) = (arms.p0(), arms.p1());
    if arms.x0 == 0.0 {
        return (None, "undefined");
    }
    let (v0, v1) = (p0 * (1.0 - p0) / arms.n0, p1 * (1.0 - p1) / arms.n1);
    let square = p0 * p0 - z * z * v0;
    if square <= 0.0 {
        return (None, "unbounded");
    }
    let constant = p1 * p1 - z * z * v1;
    let root = (p0 * p1 * p0 * p1 - square * constant).max(0.0).sqrt();
    (Some(((p0 * p1 - root) / square - 1.0, (p0 * p1 + root) / square - 1.0)), "bounded")
}

/// The p value of the mixture sequential probability ratio test (Johari, Koomen, Pekelis and Walsh 2017) with a normal
/// mixture of deviation `tau` over the difference; none when the standard error is 0.
pub fn msprt_p(arms: Arms, tau: f64) -> Result<Option<f64>> {
    if !(tau > 0.0 && tau.is_finite()) {
        return Err(Error::invalid("tau", format!("{tau} is not a number above 0")));
    }
    let variance = arms.standard_error().powi(2);
    if variance == 0.0 {
        return Ok(None);
    }
    let (d, mixed) = (arms.difference(), variance + tau * tau);
    let ln_ratio = libm::log(variance / mixed) / 2.0 + tau * tau * d * d / (2.0 * variance * mixed);
    Ok(Some(libm::exp(-ln_ratio).min(1.0)))
}

pub(super) fn check_alpha(alpha: f64) -> Result<()> {
    if alpha > 0.0 && alpha < 1.0 {
        return Ok(());
    }
    Err(Error::invalid("alpha", format!("{alpha} is not between 0 and 1")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Z95;

    #[test]
    fn an_undefined_number_is_null_in_json() {
        let arms = Arms::new(0.0, 10.0, 3.0, 10.0).unwrap().unwrap();
        let json = to_json(&two_proportion_test(arms, 0.05).unwrap()).unwrap();
        assert!(json.contains(r#""lift":null,"lift_lower":null"#), "{json}");
        assert_eq!(lift_intervals(arms, Z95).unwrap().fieller_kind, "undefined");
    }

    #[test]
    fn every_interval_of_the_lift_holds_it() {
        let arms = Arms::new(100.0, 1000.0, 120.0, 1000.0).unwrap().unwrap();
        let got = lift_intervals(arms, Z95).unwrap();
        for (lower, upper) in [
            (got.delta_lower, got.delta_upper),
            (got.katz_lower, got.katz_upper),
            (got.fieller_lower, got.fieller_upper),
            (Some(got.walter_lower), Some(got.walter_upper)),
        ] {
            assert!(lower.unwrap() < 0.2 && upper.unwrap() > 0.2);
        }
    }
}
