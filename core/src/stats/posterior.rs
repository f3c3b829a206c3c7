//! Posteriors with uniform priors as intervals, and several arms at once. Integrals over a beta density are taken over
//! `s = ln(x / (1 - x))` by the trapezoid rule: there the density is analytic and falls off exponentially at both ends,
//! so the rule converges exponentially.

use super::incomplete::{beta_quantile, incomplete_beta, ln_beta};
use super::interval::{check_alpha, Estimate, Interval};
use super::{chance_to_win, check, Arms};
use crate::{Error, Result};

/// The exact interval of Clopper and Pearson (1934); none at 0 trials.
///
/// ```
/// use cotaste_core::stats::clopper_pearson;
/// let interval = clopper_pearson(1.0, 10.0, 0.05).unwrap().unwrap();
/// assert!((interval.lower - 0.0025285785444617848).abs() < 1e-9);
/// ```
pub fn clopper_pearson(successes: f64, trials: f64, alpha: f64) -> Result<Option<Interval>> {
    check(successes, trials)?;
    check_alpha(alpha)?;
    if trials == 0.0 {
        return Ok(None);
    }
    let failures = trials - successes;
    let lower = if successes == 0.0 { 0.0 } else { beta_quantile(alpha / 2.0, successes, failures + 1.0) };
    let upper = if failures == 0.0 { 1.0 } else { beta_quantile(1.0 - alpha / 2.0, successes + 1.0, failures) };
    Ok(Some(Interval { lower, upper }))
}

/// The mean and the equal-tailed interval of a rate's posterior `Beta(x + 1, n - x + 1)`; the prior's at 0 trials.
pub fn posterior(successes: f64, trials: f64, alpha: f64) -> Result<Estimate> {
    check(successes, trials)?;
    check_alpha(alpha)?;
    let (a, b) = (successes + 1.0, trials - successes + 1.0);
    let [lower, upper] = [alpha / 2.0, 1.0 - alpha / 2.0].map(|p| beta_quantile(p, a, b));
    Ok(Estimate { mean: a / (a + b), lower, upper })
}

/// Beyond so many trials an integral over a posterior takes longer than a caller who cannot cancel it should wait.
const MOST_INTEGRATED: f64 = 1e10;

fn check_integrated(trials: f64) -> Result<()> {
    if trials > MOST_INTEGRATED {
        return Err(Error::invalid("trials", format!("{trials} is more than {MOST_INTEGRATED}")));
    }
    Ok(())
}

/// The mean and the equal-tailed interval of the posterior of `p1 - p0`.
pub fn posterior_difference(arms: Arms, alpha: f64) -> Result<Estimate> {
    check_alpha(alpha)?;
    check_integrated(arms.n0.max(arms.n1))?;
    let (control, treatment) = (Beta::of(arms.x0, arms.n0), Beta::of(arms.x1, arms.n1));
    // P(p1 - p0 <= d), over the narrower of the two, so that the other is smooth at its scale. Only where the other is
    // neither certain nor impossible: at those points it has a kink.
    let below = |d: f64| {
        if control.variance() < treatment.variance() {
            let (from, to) = ((-d).max(0.0), (1.0 - d).min(1.0));
            control.mean_within(from, to, |x| treatment.below(x + d)) + 1.0 - control.below(to)
        } else {
            let (from, to) = (d.max(0.0), (1.0 + d).min(1.0));
            treatment.mean_within(from, to, |x| 1.0 - control.below(x - d)) + treatment.below(from)
        }
    };
    let quantile = |p: f64| {
        let (mut low, mut high) = (-1.0, 1.0);
        while high - low > 1e-12 {
            let middle = (low + high) / 2.0;
            if below(middle) < p {
                low = middle;
            } else {
                high = middle;
            }
        }
        (low + high) / 2.0
    };
    let mean = treatment.mean() - control.mean();
    Ok(Estimate { mean, lower: quantile(alpha / 2.0), upper: quantile(1.0 - alpha / 2.0) })
}

/// Of each of several arms, the probability that its rate is the highest; they add up to 1.
///
/// ```
/// use cotaste_core::stats::prob_best;
/// let best = prob_best(&[(1.0, 10.0), (3.0, 10.0)]).unwrap();
/// assert!((best[1] - 0.8446115288220551).abs() < 1e-9);
/// ```
pub fn prob_best(arms: &[(f64, f64)]) -> Result<Vec<f64>> {
    let mut best = Vec::new();
    best.try_reserve_exact(arms.len())?;
    if let &[(x0, n0), (x1, n1)] = arms {
        let wins = chance_to_win(Arms::counts(x0, n0, x1, n1)?);
        best.extend([1.0 - wins, wins]);
        return Ok(best);
    }
    if arms.len() > 100 {
        return Err(Error::invalid("arms", format!("{} are more than 100", arms.len())));
    }
    for &(x, n) in arms {
        check(x, n)?;
        check_integrated(n)?;
    }
    let step = arms.iter().map(|&(x, n)| Beta::of(x, n).step()).fold(f64::INFINITY, f64::min);
    for (i, &(x, n)) in arms.iter().enumerate() {
        let others = || arms.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, &(x, n))| Beta::of(x, n));
        best.push(Beta::of(x, n).mean_of(step, |p| others().map(|other| other.below(p)).product()).clamp(0.0, 1.0));
    }
    Ok(best)
}

#[derive(Clone, Copy)]
struct Beta {
    a: f64,
    b: f64,
}

impl Beta {
    fn of(x: f64, n: f64) -> Self {
        Self { a: x + 1.0, b: n - x + 1.0 }
    }

    fn mean(self) -> f64 {
        self.a / (self.a + self.b)
    }

    fn variance(self) -> f64 {
        self.mean() * (1.0 - self.mean()) / (self.a + self.b + 1.0)
    }

    fn below(self, x: f64) -> f64 {
        incomplete_beta(self.a, self.b, x, 1.0 - x)
    }

    /// The mean of `f(x)` where `x` is within `(from, to)`, and 0 elsewhere.
    fn mean_within(self, from: f64, to: f64, f: impl Fn(f64) -> f64) -> f64 {
        let Self { a, b } = self;
        let length = to - from;
        if length <= 0.0 {
            return 0.0;
        }
        let at = |s: f64| (from + length * logistic(s), (1.0 - to) + length * logistic(-s));
        // ln of the density over s, up to a constant; it has one mode.
        let ln_weight = |s: f64| {
            let (x, y) = at(s);
            (a - 1.0) * libm::log(x) + (b - 1.0) * libm::log(y) + ln_logistic(s) + ln_logistic(-s)
        };
        let (mut low, mut high) = (-60.0, 60.0);
        while high - low > 1e-6 {
            let (left, right) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
            if ln_weight(left) < ln_weight(right) {
                low = left;
            } else {
                high = right;
            }
        }
        let (mode, delta) = ((low + high) / 2.0, 1e-3);
        let top = ln_weight(mode);
        let curvature = (2.0 * top - ln_weight(mode - delta) - ln_weight(mode + delta)) / (delta * delta);
        let step = (1.0 / curvature.max(1e-9).sqrt() / 3.0).min(0.2);
        let sum = outwards(mode, step, |s| (libm::exp(ln_weight(s) - top), at(s).0), f);
        sum * step * length * libm::exp(top - ln_beta(a, b))
    }

    /// A third of the deviation of `s`: a trapezoid rule of a normal density is exact to the last bit at half of one.
    fn step(self) -> f64 {
        ((1.0 / self.a + 1.0 / self.b).sqrt() / 3.0).min(0.25)
    }

    /// The mean of `f(x)`.
    fn mean_of(self, step: f64, f: impl Fn(f64) -> f64) -> f64 {
        let Self { a, b } = self;
        let mode = libm::log(a / b);
        // ln of x^a (1 - x)^b
        let ln_weight = |s: f64| a * ln_logistic(s) + b * ln_logistic(-s);
        let top = ln_weight(mode);
        let sum = outwards(mode, step, |s| (libm::exp(ln_weight(s) - top), logistic(s)), f);
        sum * step * libm::exp(top - ln_beta(a, b))
    }
}

/// The sum of `weight * f(x)` over the points `mode + k step`, until the weight has fallen to nothing on both sides.
fn outwards(mode: f64, step: f64, point: impl Fn(f64) -> (f64, f64), f: impl Fn(f64) -> f64) -> f64 {
    let mut sum = 0.0;
    for direction in [-1.0, 1.0] {
        for k in 0..200_000 {
            let (weight, x) = point(mode + direction * step * f64::from(k));
            if weight < 1e-19 {
                break;
            }
            sum += if k == 0 { weight * f(x) / 2.0 } else { weight * f(x) };
        }
    }
    sum
}

fn logistic(s: f64) -> f64 {
    libm::exp(ln_logistic(s))
}

/// `ln(1 / (1 + exp(-s)))`
fn ln_logistic(s: f64) -> f64 {
    if s > 0.0 {
        return -libm::log1p(libm::exp(-s));
    }
    s - libm::log1p(libm::exp(s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn the_chances_to_be_best_add_up_to_1(arms in prop::collection::vec((0u32..30, 0u32..300), 3..6)) {
            let arms: Vec<(f64, f64)> = arms.into_iter().map(|(x, more)| (x.into(), (x + more).into())).collect();
            let best = prob_best(&arms).unwrap();
            prop_assert!((best.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{:?}", best);
        }

        #[test]
        fn an_interval_of_the_difference_holds_its_mean(x0 in 0u32..30, m0 in 0u32..300, x1 in 0u32..30, m1 in 0u32..300) {
            let arms = Arms::counts(x0.into(), (x0 + m0).into(), x1.into(), (x1 + m1).into()).unwrap();
            let got = posterior_difference(arms, 0.05).unwrap();
            prop_assert!(-1.0 < got.lower && got.lower < got.mean && got.mean < got.upper && got.upper < 1.0);
        }
    }

    /// The control has 0 of 50 and the treatment 1 of 10,000, so both distributions have closed forms.
    #[test]
    fn a_quantile_of_the_difference_turns_a_plain_integral_around() {
        let arms = Arms::counts(0.0, 50.0, 1.0, 10_000.0).unwrap();
        let d = posterior_difference(arms, 0.05).unwrap().lower;
        let treatment = |y: f64| 1.0 - (1.0 - y).powi(10_000) * (1.0 + 10_000.0 * y);
        let f = |x: f64| 51.0 * (1.0 - x).powi(50) * treatment(x + d);
        let (cells, from) = (200_000, -d);
        let h = (1.0 - from) / f64::from(cells);
        let simpson: f64 = (0..cells)
            .map(|k| {
                let x = from + h * f64::from(k);
                (f(x) + 4.0 * f(x + h / 2.0) + f(x + h)) * h / 6.0
            })
            .sum();
        assert!((simpson - 0.025).abs() < 1e-9, "{simpson}");
    }

    #[test]
    fn the_integral_agrees_with_the_finite_sum() {
        for (x0, n0, x1, n1) in
            [(0.0, 0.0, 3.0, 10.0), (100.0, 1000.0, 120.0, 1000.0), (10.0, 100.0, 12_000.0, 100_000.0)]
        {
            let exact = chance_to_win(Arms::counts(x0, n0, x1, n1).unwrap());
            let (control, treatment) = (Beta::of(x0, n0), Beta::of(x1, n1));
            let integral = treatment.mean_of(treatment.step().min(control.step()), |x| control.below(x));
            assert!((integral - exact).abs() < 1e-9, "{integral} {exact}");
        }
        assert!(prob_best(&[(2.0, 1.0), (1.0, 1.0), (1.0, 1.0)]).is_err());
        assert_eq!(prob_best(&[]).unwrap(), Vec::<f64>::new());
    }
}
