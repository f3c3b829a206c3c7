//! Statistics of proportions: intervals, tests and what a test may be watched with. Formulas and degenerate cases:
//! DESIGN.md, "Statistics". A comparison is of `treatment - control`, each `x` successes in `n` trials.

mod assign;
mod barnard;
mod beta;
mod exact;
mod goal;
mod incomplete;
mod interval;
mod means;
mod moments;
pub mod multiple;
mod posterior;
mod power;
mod sequence;
mod several;
#[cfg(test)]
mod simulation;
mod tail;

use crate::{Error, Result};
pub use assign::{assign, assign_point, DEFAULT_VARIANTS};
pub use barnard::barnard_exact;
pub use beta::{chance_to_win, expected_loss};
pub use exact::fisher_exact;
pub use goal::{check_dimension, rating_goal};
pub use incomplete::{student_critical, student_p};
pub use interval::{
    json, lift_intervals, look, msprt_p, to_json, two_proportion_test, wilson_interval, Estimate, Interval, Lifts,
    Look, TwoProportions,
};
pub use means::{cuped_test, ratio_test, result_number, welch_test, Adjusted, Comparison};
pub use moments::{moments_count, moments_json, Moments, Summary};
pub use multiple::{benjamini_hochberg, holm};
pub use posterior::{clopper_pearson, posterior, posterior_difference, prob_best};
pub use power::{achieved_power, required_sample_size, sample_sizes, Plan, SampleSizes};
pub use sequence::{always_valid_p, confidence_sequence};
pub use several::{arms_json, omnibus_test, prob_best_json, srm_test, srm_test_json, ChiSquare, SampleRatio};
pub use tail::{chi_square_p, critical_z, normal_p};

/// The two arms of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arms {
    /// Successes of the control.
    pub x0: f64,
    /// Trials of the control.
    pub n0: f64,
    /// Successes of the treatment.
    pub x1: f64,
    /// Trials of the treatment.
    pub n1: f64,
}

impl Arms {
    /// Checks that both arms are counts. An arm may have no trials: then only what starts from a prior is defined.
    pub fn counts(x0: f64, n0: f64, x1: f64, n1: f64) -> Result<Self> {
        for (x, n) in [(x0, n0), (x1, n1)] {
            check(x, n)?;
            if x.fract() != 0.0 || n.fract() != 0.0 {
                return Err(Error::invalid("successes, trials", format!("{x} of {n} are not whole numbers")));
            }
        }
        Ok(Self { x0, n0, x1, n1 })
    }

    /// The same; none when an arm has no trials, for then nothing can be compared.
    pub fn new(x0: f64, n0: f64, x1: f64, n1: f64) -> Result<Option<Self>> {
        let arms = Self::counts(x0, n0, x1, n1)?;
        Ok((n0 > 0.0 && n1 > 0.0).then_some(arms))
    }

    fn p0(self) -> f64 {
        self.x0 / self.n0
    }

    fn p1(self) -> f64 {
        self.x1 / self.n1
    }

    /// The difference of the rates.
    pub fn difference(self) -> f64 {
        self.p1() - self.p0()
    }

    /// The unpooled standard error of the difference.
    pub fn standard_error(self) -> f64 {
        let part = |p: f64, n: f64| p * (1.0 - p) / n;
        (part(self.p0(), self.n0) + part(self.p1(), self.n1)).sqrt()
    }

    /// The pooled z statistic; 0 when the pooled variance is 0, which is no evidence.
    pub fn pooled_z(self) -> f64 {
        let pooled = (self.x0 + self.x1) / (self.n0 + self.n1);
        let variance = pooled * (1.0 - pooled) * (1.0 / self.n0 + 1.0 / self.n1);
        if variance > 0.0 {
            return self.difference() / variance.sqrt();
        }
        0.0
    }

    /// The smallest expected cell of the 2 x 2 table: below 5 the z test is not to be trusted.
    pub fn least_expected(self) -> f64 {
        let (n, x) = (self.n0 + self.n1, self.x0 + self.x1);
        self.n0.min(self.n1) * x.min(n - x) / n
    }

    /// Newcombe's interval of the difference (1998, method 10).
    pub fn newcombe(self, z: f64) -> Result<(f64, f64)> {
        let ends = |x, n| Ok::<_, Error>(wilson(x, n, z)?.unwrap_or((0.0, 1.0)));
        let ((l0, u0), (l1, u1)) = (ends(self.x0, self.n0)?, ends(self.x1, self.n1)?);
        let (p0, p1, d) = (self.p0(), self.p1(), self.difference());
        Ok((d - libm::hypot(p1 - l1, u0 - p0), d + libm::hypot(u1 - p1, p0 - l0)))
    }

    /// The same as a value.
    pub fn newcombe_interval(self, z: f64) -> Result<Interval> {
        self.newcombe(z).map(Interval::from)
    }

    /// The lift `p1 / p0 - 1`; none when the control has no success.
    pub fn lift(self) -> Option<f64> {
        (self.x0 > 0.0).then(|| self.p1() / self.p0() - 1.0)
    }

    /// The lift's interval by the delta method.
    pub fn lift_interval(self, z: f64) -> Option<(f64, f64)> {
        let (p0, p1) = (self.p0(), self.p1());
        let (v0, v1) = (p0 * (1.0 - p0), p1 * (1.0 - p1));
        let half = z * (v1 / (p0 * p0 * self.n1) + v0 * p1 * p1 / (p0 * p0 * p0 * p0 * self.n0)).sqrt();
        self.lift().map(|lift| (lift - half, lift + half))
    }
}

/// Which test [`two_proportion_p`] is: `fisher` when an expected cell is below 5, else `pooled_z`.
pub fn two_proportion_method(arms: Arms) -> &'static str {
    if arms.least_expected() < 5.0 {
        return "fisher";
    }
    "pooled_z"
}

/// The two-sided p value of no difference between two rates.
///
/// ```
/// use cotaste_core::stats::{two_proportion_p, Arms};
/// let arms = Arms::new(100.0, 1000.0, 140.0, 1000.0).unwrap().unwrap();
/// assert!((two_proportion_p(arms) - 0.0059).abs() < 1e-4);
/// ```
pub fn two_proportion_p(arms: Arms) -> f64 {
    match two_proportion_method(arms) {
        "fisher" => fisher_exact(arms),
        _ => normal_p(arms.pooled_z()),
    }
}

/// More trials than anybody has. Beyond them doubles do not count exactly, and what sums over a distribution takes seconds.
const MOST_TRIALS: f64 = 1e12;

fn check(x: f64, n: f64) -> Result<()> {
    if n > MOST_TRIALS {
        return Err(Error::invalid("trials", format!("{n} is more than {MOST_TRIALS}")));
    }
    if x >= 0.0 && x <= n {
        return Ok(());
    }
    Err(Error::invalid("successes", format!("{x} is not between 0 and the {n} trials")))
}

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
    check(x, n)?;
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

    fn arms() -> impl Strategy<Value = Arms> {
        (0u32..60, 0u32..60, 0u32..60, 0u32..60).prop_filter_map("no trials", |(x0, y0, x1, y1)| {
            let n = |x, y| f64::from(x + y);
            Arms::new(x0.into(), n(x0, y0), x1.into(), n(x1, y1)).unwrap()
        })
    }

    fn swapped(Arms { x0, n0, x1, n1 }: Arms) -> Arms {
        Arms { x0: x1, n0: n1, x1: x0, n1: n0 }
    }

    proptest! {
        #[test]
        fn swapping_the_arms_mirrors_every_answer(arms in arms()) {
            let other = swapped(arms);
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-9;
            prop_assert!(close(two_proportion_p(arms), two_proportion_p(other)));
            prop_assert!(close(fisher_exact(arms), fisher_exact(other)));
            prop_assert!(close(chance_to_win(arms) + chance_to_win(other), 1.0));
            // The loss of one choice less the loss of the other is the difference of the posterior means.
            let mean = |x: f64, n: f64| (x + 1.0) / (n + 2.0);
            let means = mean(arms.x0, arms.n0) - mean(arms.x1, arms.n1);
            prop_assert!(close(expected_loss(arms) - expected_loss(other), means));
            let (low, high) = arms.newcombe(Z95).unwrap();
            prop_assert!(low <= arms.difference() && arms.difference() <= high && low >= -1.0 && high <= 1.0);
        }

        #[test]
        fn a_sequence_is_wider_than_one_look_and_excludes_0_when_its_p_is_below_alpha(arms in arms()) {
            if let (Some((low, high)), Some(p)) = (confidence_sequence(arms, 0.05).unwrap(), always_valid_p(arms, 0.05).unwrap()) {
                prop_assert_eq!(p < 0.05, low > 0.0 || high < 0.0);
                let rates = [(arms.x0 / arms.n0, arms.n0), (arms.x1 / arms.n1, arms.n1)];
                let once = Z95 * rates.iter().map(|(p, n)| p * (1.0 - p) / n).sum::<f64>().sqrt();
                prop_assert!((high - low) / 2.0 > once);
            }
        }
    }

    #[test]
    fn the_critical_value_turns_the_tail_around() {
        assert!((critical_z(0.05).unwrap() - Z95).abs() < 1e-14);
        for alpha in [0.5, 0.1, 1e-3, 1e-12, 1e-100] {
            assert!((normal_p(critical_z(alpha).unwrap()) / alpha - 1.0).abs() < 1e-9);
        }
        assert!(critical_z(0.0).is_err() && critical_z(f64::NAN).is_err());
    }

    #[test]
    fn large_counts_neither_overflow_nor_lose_their_sum() {
        let arms = Arms::new(1e6, 2e7, 1.01e6, 2e7).unwrap().unwrap();
        assert!(chance_to_win(arms) > 1.0 - 1e-9 && fisher_exact(arms) < 1e-9 && expected_loss(arms) < 1e-9);
        let even = Arms::new(1e6, 2e7, 1e6, 2e7).unwrap().unwrap();
        assert!((chance_to_win(even) - 0.5).abs() < 1e-6 && (fisher_exact(even) - 1.0).abs() < 1e-9);
        assert!(chi_square_p(1400.0, 3).unwrap() > 0.0 && chi_square_p(1e9, 2).unwrap() == 0.0);
    }

    #[test]
    fn no_count_takes_long() {
        let begun = std::time::Instant::now();
        for n in [1e9, 1e10, MOST_TRIALS] {
            for rate in [1e-9, 0.001, 0.5] {
                let x = (n * rate).floor();
                let arms = Arms::new(x, n, x + 1.0, n).unwrap().unwrap();
                assert!((0.0..=1.0).contains(&fisher_exact(arms)));
                assert!((0.0..=1.0).contains(&chance_to_win(arms)));
                clopper_pearson(x, n, 0.05).unwrap();
            }
        }
        // Nine rounds; unoptimised and on a busy machine they take a second or two, without limits minutes.
        assert!(begun.elapsed().as_secs() < 60);
        assert!(clopper_pearson(1.0, 1e300, 0.05).is_err() && Arms::counts(1.0, 1e13, 1.0, 2.0).is_err());
        assert!(wilson_upper(1.0, f64::INFINITY, Z95).is_err());
    }

    #[test]
    fn more_successes_than_trials_is_an_error_not_a_nan() {
        assert!(wilson_upper(2.0, 1.0, Z95).is_err() && wilson_upper(f64::NAN, 1.0, Z95).is_err());
    }
}
