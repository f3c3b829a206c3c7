//! Tests of two arms of users, each a value of [`Moments`]: of means, of ratios, and of means with a covariate.

use super::incomplete::{student_critical, student_p};
use super::moments::{Moments, Summary};
use crate::{Error, Result};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// A comparison of two arms; `control` and `treatment` are the means or ratios, the variances those of one user.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Comparison {
    pub control: f64,
    pub treatment: f64,
    pub control_users: u64,
    pub treatment_users: u64,
    pub control_variance: f64,
    pub treatment_variance: f64,
    pub diff: f64,
    pub diff_lower: Option<f64>,
    pub diff_upper: Option<f64>,
    pub lift: Option<f64>,
    pub lift_lower: Option<f64>,
    pub lift_upper: Option<f64>,
    pub t: Option<f64>,
    pub df: Option<f64>,
    pub p_value: Option<f64>,
}

/// [`Comparison`] with what the covariate explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Adjusted {
    #[serde(flatten)]
    pub comparison: Comparison,
    pub theta: f64,
    /// By which part the covariate makes the squared standard error of the difference smaller, at most 1.
    pub variance_reduction: Option<f64>,
}

#[derive(Clone, Copy)]
struct Arm {
    n: f64,
    mean: f64,
    variance: f64,
}

impl Arm {
    fn of_mean(of: &Summary) -> Option<Self> {
        Some(Self { n: of.n as f64, mean: of.mean_y?, variance: of.variance_y? })
    }

    /// `sum y / sum x` with the delta method's variance over users.
    fn of_ratio(of: &Summary) -> Option<Self> {
        let mean_x = of.mean_x.filter(|mean| *mean != 0.0)?;
        let ratio = of.sum_y / of.sum_x;
        let spread = of.variance_y? - 2.0 * ratio * of.covariance? + ratio * ratio * of.variance_x?;
        Some(Self { n: of.n as f64, mean: ratio, variance: spread.max(0.0) / (mean_x * mean_x) })
    }

    /// `y - theta (x - mean of x over all)`
    fn adjusted(of: &Summary, theta: f64, mean_of_all: f64) -> Option<Self> {
        let variance = of.variance_y? - 2.0 * theta * of.covariance? + theta * theta * of.variance_x?;
        let mean = of.mean_y? - theta * (of.mean_x? - mean_of_all);
        Some(Self { n: of.n as f64, mean, variance: variance.max(0.0) })
    }

    fn error(self) -> f64 {
        self.variance / self.n
    }
}

/// Welch's unequal-variances t test (1947) of the users' means of `y`; none when an arm has fewer than two users. A
/// standard error of 0 leaves the interval and the p value undefined.
pub fn welch_test(control: &[u8], treatment: &[u8], alpha: f64) -> Result<Option<Comparison>> {
    let (control, treatment) = read(control, treatment)?;
    compare(Arm::of_mean(&control.summary()?), Arm::of_mean(&treatment.summary()?), alpha)
}

/// The same of the ratio `sum y / sum x`, with the delta method's variance over users (Deng, Knoblich and Lu 2018).
pub fn ratio_test(control: &[u8], treatment: &[u8], alpha: f64) -> Result<Option<Comparison>> {
    let (control, treatment) = read(control, treatment)?;
    compare(Arm::of_ratio(&control.summary()?), Arm::of_ratio(&treatment.summary()?), alpha)
}

/// CUPED (Deng, Xu, Kohavi and Walker 2013): Welch's test of `y - theta (x - mean x)`, where `x` was measured before the
/// experiment and theta is the regression of `y` on `x` over both arms. None too when `x` does not vary.
pub fn cuped_test(control: &[u8], treatment: &[u8], alpha: f64) -> Result<Option<Adjusted>> {
    let (control, treatment) = read(control, treatment)?;
    let mut all = control.clone();
    all.merge(&treatment)?;
    let (control, treatment, all) = (control.summary()?, treatment.summary()?, all.summary()?);
    let (Some(covariance), Some(variance), Some(mean)) = (all.covariance, all.variance_x, all.mean_x) else {
        return Ok(None);
    };
    if variance == 0.0 {
        return Ok(None);
    }
    let theta = covariance / variance;
    let arm = |of: &Summary| Arm::adjusted(of, theta, mean);
    let Some(comparison) = compare(arm(&control), arm(&treatment), alpha)? else { return Ok(None) };
    let error = |arm: fn(&Summary, f64, f64) -> Option<Arm>| {
        Some(arm(&control, theta, mean)?.error() + arm(&treatment, theta, mean)?.error())
    };
    let before = error(|of, _, _| Arm::of_mean(of)).filter(|error| *error > 0.0);
    let variance_reduction = before.and_then(|before| Some(1.0 - error(Arm::adjusted)? / before));
    Ok(Some(Adjusted { comparison, theta, variance_reduction }))
}

fn read(control: &[u8], treatment: &[u8]) -> Result<(Moments, Moments)> {
    Ok((Moments::from_bytes(control)?, Moments::from_bytes(treatment)?))
}

fn compare(control: Option<Arm>, treatment: Option<Arm>, alpha: f64) -> Result<Option<Comparison>> {
    super::interval::check_alpha(alpha)?;
    let (Some(c), Some(t)) = (control, treatment) else { return Ok(None) };
    let diff = t.mean - c.mean;
    let (e0, e1) = (c.error(), t.error());
    let (error, df) = ((e0 + e1).sqrt(), (e0 + e1).powi(2) / (e0 * e0 / (c.n - 1.0) + e1 * e1 / (t.n - 1.0)));
    let lift = (c.mean != 0.0).then(|| t.mean / c.mean - 1.0);
    let mut result = Comparison {
        control: c.mean,
        treatment: t.mean,
        control_users: c.n as u64,
        treatment_users: t.n as u64,
        control_variance: c.variance,
        treatment_variance: t.variance,
        diff,
        diff_lower: None,
        diff_upper: None,
        lift,
        lift_lower: None,
        lift_upper: None,
        t: None,
        df: None,
        p_value: None,
    };
    if error > 0.0 && df.is_finite() && df > 0.0 {
        let quantile = student_critical(alpha, df)?;
        result.diff_lower = Some(diff - quantile * error);
        result.diff_upper = Some(diff + quantile * error);
        result.t = Some(diff / error);
        result.df = Some(df);
        result.p_value = Some(student_p(diff / error, df)?);
        if let Some(lift) = lift {
            let ratio = t.mean / c.mean;
            let half = quantile * (e1 / (c.mean * c.mean) + e0 * ratio * ratio / (c.mean * c.mean)).sqrt();
            result.lift_lower = Some(lift - half).filter(|end| end.is_finite());
            result.lift_upper = Some(lift + half).filter(|end| end.is_finite());
        }
    }
    Ok(Some(result))
}

/// The number called `name` of a result in JSON; none when it is null or there is no such number.
///
/// ```
/// use cotaste_core::stats::result_number;
/// assert_eq!(result_number(r#"{"lower":0.1,"upper":null}"#, "lower"), Ok(Some(0.1)));
/// assert_eq!(result_number(r#"{"lower":0.1,"upper":null}"#, "upper"), Ok(None));
/// ```
pub fn result_number(result: &str, name: &str) -> Result<Option<f64>> {
    // Each number is read by itself: serde_json reads a double only nearly.
    let members: HashMap<String, &RawValue> =
        serde_json::from_str(result).map_err(|_| Error::invalid("result", "is not a JSON object"))?;
    Ok(members.get(name).and_then(|value| value.get().parse().ok()).filter(|number: &f64| number.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(rows: &[(f64, f64)]) -> Vec<u8> {
        let mut moments = Moments::default();
        rows.iter().for_each(|(y, x)| moments.add(*y, *x).unwrap());
        moments.to_bytes().unwrap()
    }

    fn users() -> impl Strategy<Value = Vec<(f64, f64)>> {
        prop::collection::vec((0u32..20, 1u32..20).prop_map(|(y, x)| (y.into(), x.into())), 2..30)
    }

    proptest! {
        #[test]
        fn a_ratio_over_1_is_the_mean(a in users(), b in users()) {
            let ones = |rows: &[(f64, f64)]| value(&rows.iter().map(|(y, _)| (*y, 1.0)).collect::<Vec<_>>());
            prop_assert_eq!(ratio_test(&ones(&a), &ones(&b), 0.05).unwrap(), welch_test(&ones(&a), &ones(&b), 0.05).unwrap());
        }

        #[test]
        fn swapping_the_arms_mirrors_the_difference(a in users(), b in users()) {
            let (one, other) = (welch_test(&value(&a), &value(&b), 0.05).unwrap().unwrap(), welch_test(&value(&b), &value(&a), 0.05).unwrap().unwrap());
            prop_assert_eq!(one.p_value, other.p_value);
            prop_assert_eq!(one.diff_lower.map(|end| -end), other.diff_upper);
            if let (Some(p), Some(lower), Some(upper)) = (one.p_value, one.diff_lower, one.diff_upper) {
                prop_assert_eq!(p < 0.05, lower > 0.0 || upper < 0.0);
            }
        }

        #[test]
        fn a_result_reads_back_bit_by_bit(a in users(), b in users()) {
            let got = welch_test(&value(&a), &value(&b), 0.05).unwrap().unwrap();
            let json = super::super::to_json(&got).unwrap();
            prop_assert_eq!(result_number(&json, "p_value").unwrap(), got.p_value);
            prop_assert_eq!(result_number(&json, "diff").unwrap(), Some(got.diff));
        }
    }

    #[test]
    fn what_is_undefined_is_none() {
        let (one, flat, two) =
            (value(&[(1.0, 1.0)]), value(&[(1.0, 1.0), (1.0, 1.0)]), value(&[(1.0, 1.0), (2.0, 2.0)]));
        assert_eq!(welch_test(&one, &two, 0.05), Ok(None));
        let none = welch_test(&flat, &flat, 0.05).unwrap().unwrap();
        assert_eq!((none.diff, none.p_value, none.diff_lower), (0.0, None, None));
        assert_eq!(cuped_test(&flat, &flat, 0.05), Ok(None));
        assert!(welch_test(&two, &two, 0.0).is_err());
        assert_eq!(result_number("[]", "x").map_err(|e| e.code()), Err("INVALID_ARGUMENT"));
    }
}
