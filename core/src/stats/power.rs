//! How many users an experiment needs, and what it can find with those it has.

use super::interval::check_alpha;
use super::tail::{critical_z, normal_p};
use crate::{Error, Result};
use serde::Serialize;

/// What a comparison is planned for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// The control's rate.
    pub p0: f64,
    /// The treatment's rate.
    pub p1: f64,
    /// The probability to find the difference, 0 to 1.
    pub power: f64,
    /// The two-sided level.
    pub alpha: f64,
    /// Users of the treatment for each of the control.
    pub ratio: f64,
}

/// Users of the control by three formulas; `control` and `treatment` are `pooled` rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct SampleSizes {
    pub control: f64,
    pub treatment: f64,
    /// Fleiss 1981, without continuity correction.
    pub pooled: f64,
    pub unpooled: f64,
    /// By the variance-stabilised difference (Cohen's h).
    pub arcsine: f64,
}

/// The users a two-proportion z test needs; none when the rates are equal.
///
/// ```
/// use cotaste_core::stats::{sample_sizes, Plan};
/// let plan = Plan { p0: 0.05, p1: 0.06, power: 0.8, alpha: 0.05, ratio: 1.0 };
/// assert_eq!(sample_sizes(plan).unwrap().unwrap().control, 8158.0);
/// ```
pub fn sample_sizes(plan: Plan) -> Result<Option<SampleSizes>> {
    let Plan { p0, p1, power, alpha, ratio: k } = plan;
    check_rate("p0", p0)?;
    check_rate("p1", p1)?;
    if !(power > 0.0 && power < 1.0) {
        return Err(Error::invalid("power", format!("{power} is not between 0 and 1")));
    }
    if !(k > 0.0 && k.is_finite()) {
        return Err(Error::invalid("ratio", format!("{k} is not a number above 0")));
    }
    let (za, zb) = (critical_z(alpha)?, quantile(power)?);
    let d = p1 - p0;
    if d == 0.0 {
        return Ok(None);
    }
    let (v0, v1) = (p0 * (1.0 - p0), p1 * (1.0 - p1));
    let mean = (p0 + k * p1) / (1.0 + k);
    let root = za * (mean * (1.0 - mean) * (1.0 + 1.0 / k)).sqrt() + zb * (v0 + v1 / k).sqrt();
    // A power below the level itself is reached with no users.
    let pooled = root.max(0.0).powi(2) / (d * d);
    let angle = 2.0 * (libm::asin(p1.sqrt()) - libm::asin(p0.sqrt()));
    let both = (za + zb).max(0.0).powi(2);
    let sizes = SampleSizes {
        control: pooled.ceil(),
        treatment: (pooled * k).ceil(),
        pooled,
        unpooled: both * (v0 + v1 / k) / (d * d),
        arcsine: both * (1.0 + 1.0 / k) / (angle * angle),
    };
    Ok(Some(sizes).filter(|sizes| sizes.treatment.is_finite() && sizes.pooled < 9e15))
}

/// The control's users that [`sample_sizes`] gives.
pub fn required_sample_size(plan: Plan) -> Result<Option<i64>> {
    Ok(sample_sizes(plan)?.map(|sizes| sizes.control as i64))
}

/// The probability that a two-sided pooled z test of `n0` and `n1` users finds the difference between `p0` and `p1`, in
/// its direction: what [`sample_sizes`] turns around.
pub fn achieved_power(p0: f64, p1: f64, n0: f64, n1: f64, alpha: f64) -> Result<Option<f64>> {
    check_rate("p0", p0)?;
    check_rate("p1", p1)?;
    check_alpha(alpha)?;
    for (name, n) in [("n0", n0), ("n1", n1)] {
        if !(n >= 0.0 && n.is_finite()) {
            return Err(Error::invalid(name, format!("{n} is not a number of users")));
        }
    }
    let mean = (n0 * p0 + n1 * p1) / (n0 + n1);
    let null = critical_z(alpha)? * (mean * (1.0 - mean) * (1.0 / n0 + 1.0 / n1)).sqrt();
    let error = (p0 * (1.0 - p0) / n0 + p1 * (1.0 - p1) / n1).sqrt();
    if n0 == 0.0 || n1 == 0.0 || error == 0.0 {
        return Ok(None);
    }
    let z = ((p1 - p0).abs() - null) / error;
    let tail = normal_p(z) / 2.0;
    Ok(Some(if z > 0.0 { 1.0 - tail } else { tail }))
}

/// The `z` below which `p` of a standard normal lies.
fn quantile(p: f64) -> Result<f64> {
    match p {
        0.5 => Ok(0.0),
        p if p > 0.5 => critical_z(2.0 * (1.0 - p)),
        p => Ok(-critical_z(2.0 * p)?),
    }
}

fn check_rate(name: &'static str, rate: f64) -> Result<()> {
    if (0.0..=1.0).contains(&rate) {
        return Ok(());
    }
    Err(Error::invalid(name, format!("{rate} is not between 0 and 1")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_required_users_achieve_the_power(p0 in 0.01..0.9f64, lift in 0.02..0.5f64, power in 0.3..0.99f64, ratio in 0.1..5.0f64) {
            let plan = Plan { p0, p1: (p0 * (1.0 + lift)).min(0.99), power, alpha: 0.05, ratio };
            let n0 = sample_sizes(plan).unwrap().unwrap().pooled;
            let got = achieved_power(plan.p0, plan.p1, n0, n0 * ratio, 0.05).unwrap().unwrap();
            prop_assert!((got - power).abs() < 1e-9, "{} {}", got, power);
        }
    }

    #[test]
    fn no_difference_needs_no_number_and_bad_values_are_told() {
        let plan = Plan { p0: 0.1, p1: 0.1, power: 0.8, alpha: 0.05, ratio: 1.0 };
        assert_eq!(required_sample_size(plan), Ok(None));
        assert!(required_sample_size(Plan { p1: 1.2, ..plan }).is_err());
        assert!(required_sample_size(Plan { power: 1.0, ..plan }).is_err());
        assert!(required_sample_size(Plan { ratio: 0.0, ..plan }).is_err());
        assert_eq!(achieved_power(0.1, 0.2, 0.0, 10.0, 0.05), Ok(None));
    }
}
