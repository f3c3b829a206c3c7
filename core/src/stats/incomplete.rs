//! The incomplete beta function, and what is made of it: Student's t and the quantiles of a beta distribution.

use super::tail::{critical_z, normal_p};
use crate::{Error, Result};

/// Beyond this many degrees of freedom t is turned into a normal statistic (Hill 1970, algorithm 395), with an error far
/// below that of the continued fraction there.
const NEARLY_NORMAL: f64 = 1e5;

/// The regularised incomplete beta function `I_x(a, b)`, with `y = 1 - x` given beside `x` so that neither end loses
/// digits. By the continued fraction (DLMF 8.17.22, modified Lentz), on the side where it converges fast.
pub(super) fn incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let power = libm::exp(a * ln_near_1(x, y) + b * ln_near_1(y, x) - ln_beta(a, b));
    if x <= (a + 1.0) / (a + b + 2.0) {
        return (power * fraction(a, b, x) / a).clamp(0.0, 1.0);
    }
    (1.0 - power * fraction(b, a, y) / b).clamp(0.0, 1.0)
}

/// `ln x` where `x` is `1 - y`.
fn ln_near_1(x: f64, y: f64) -> f64 {
    if y < 0.5 {
        return libm::log1p(-y);
    }
    libm::log(x)
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |v: f64| if v.abs() < TINY { TINY } else { v };
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut h = d;
    let mut m = 1.0;
    // It takes about the square root of the larger parameter.
    while m < 1e6 {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            change = c * d;
            h *= change;
        }
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
        m += 1.0;
    }
    h
}

/// `ln B(a, b)`, from Stirling's series where a parameter is large: the difference of two logarithms of gamma functions
/// would lose what the parameters have in digits.
pub(super) fn ln_beta(a: f64, b: f64) -> f64 {
    let (large, small) = (a.max(b), a.min(b));
    if large < 10.0 {
        return libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    }
    let sum = large + small;
    let corrections = stirling_rest(large) - stirling_rest(sum);
    if small < 10.0 {
        let gammas = small - (large - 0.5) * libm::log1p(small / large) - small * libm::log(sum);
        return libm::lgamma(small) + gammas + corrections;
    }
    let half_ln_2_pi = 0.918_938_533_204_672_8;
    small * libm::log(small / sum) - (large - 0.5) * libm::log1p(small / large) - libm::log(small) / 2.0
        + half_ln_2_pi
        + stirling_rest(small)
        + corrections
}

/// What Stirling's formula leaves of `ln Gamma(z)`, for `z` of at least 10.
fn stirling_rest(z: f64) -> f64 {
    let w = 1.0 / (z * z);
    let terms = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    terms.iter().rev().fold(0.0, |sum, term| sum * w + term) / z
}

/// The `x` below which `p` of `Beta(a, b)` lies, by bisection to the last bit that changes it.
pub(super) fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if p > 0.5 {
        return 1.0 - lower_quantile(1.0 - p, b, a);
    }
    lower_quantile(p, a, b)
}

fn lower_quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if incomplete_beta(a, b, middle, 1.0 - middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// The two-sided p value of a t statistic with `df` degrees of freedom, which need not be whole.
///
/// ```
/// use cotaste_core::stats::student_p;
/// assert!((student_p(1.0, 1.0).unwrap() - 0.5).abs() < 1e-14);
/// assert!((student_p(2.0, 1e12).unwrap() - 0.04550026389635842).abs() < 1e-12);
/// ```
pub fn student_p(t: f64, df: f64) -> Result<f64> {
    check(df)?;
    let square = t * t;
    if df > NEARLY_NORMAL {
        let a = df - 0.5;
        let b = 48.0 * a * a;
        let y2 = a * libm::log1p(square / df);
        let second = (((4.0 * y2 + 33.0) * y2 + 240.0) * y2 + 855.0) / (10.0 * b + 8.0 * y2 * y2 + 1000.0);
        return Ok(normal_p(y2.sqrt() * (1.0 + (y2 + 3.0 - second) / b)));
    }
    if !square.is_finite() {
        return Ok(0.0);
    }
    Ok(incomplete_beta(df / 2.0, 0.5, df / (df + square), square / (df + square)))
}

/// The `t` beyond which `alpha` lies, both sides together: [`critical_z`] for a finite number of degrees of freedom.
pub fn student_critical(alpha: f64, df: f64) -> Result<f64> {
    check(df)?;
    let z = critical_z(alpha)?;
    let (mut low, mut high) = (z, z);
    while student_p(high, df)? > alpha && high < 1e300 {
        high = high * 2.0 + 1.0;
    }
    loop {
        let middle = (low + high) / 2.0;
        if middle <= low || middle >= high {
            return Ok(middle);
        }
        if student_p(middle, df)? > alpha {
            low = middle;
        } else {
            high = middle;
        }
    }
}

fn check(df: f64) -> Result<()> {
    if df > 0.0 && df.is_finite() {
        return Ok(());
    }
    Err(Error::invalid("df", format!("{df} is not a number above 0")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_t_quantiles_are_those_of_the_tables() {
        for (alpha, df, t) in [
            (0.05, 1.0, 12.706204736174698),
            (0.05, 2.0, 4.302652729749464),
            (0.05, 10.0, 2.2281388519862735),
            (0.01, 30.0, 2.7499956535672246),
            (0.05, 1e6, 1.959966356814107),
        ] {
            let got = student_critical(alpha, df).unwrap();
            assert!((got / t - 1.0).abs() < 1e-11, "{alpha} {df}: {got}");
            assert!((student_p(got, df).unwrap() / alpha - 1.0).abs() < 1e-10);
        }
        let around = [NEARLY_NORMAL, NEARLY_NORMAL * (1.0 + 1e-12)].map(|df| student_p(3.0, df).unwrap());
        assert!((around[0] / around[1] - 1.0).abs() < 1e-10, "{around:?}");
        assert!(student_p(1.0, 0.0).is_err() && student_critical(0.05, f64::NAN).is_err());
    }

    #[test]
    fn the_logarithm_of_beta_agrees_with_the_gamma_functions_around_the_change() {
        for (a, b) in [(9.9, 0.5), (10.1, 0.5), (10.1, 9.9), (10.1, 10.1), (100.0, 3.0), (30.0, 400.0)] {
            let plain = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
            assert!((ln_beta(a, b) / plain - 1.0).abs() < 1e-13, "{a} {b}");
        }
    }

    #[test]
    fn the_beta_quantile_turns_the_function_around() {
        for (a, b) in [(1.0, 1.0), (1.0, 51.0), (2.0, 9.0), (50_001.0, 950_001.0), (0.5, 3.0)] {
            for p in [1e-6, 0.025, 0.5, 0.975] {
                let x = beta_quantile(p, a, b);
                assert!((incomplete_beta(a, b, x, 1.0 - x) - p).abs() < 1e-9, "{a} {b} {p}: {x}");
            }
        }
        assert!((beta_quantile(0.025, 1.0, 1.0) - 0.025).abs() < 1e-15);
    }
}
