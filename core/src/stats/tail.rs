//! Upper tails, accurate far out: no `1 - cdf`.

use crate::{Error, Result};

/// The two-sided p value of a standard normal statistic.
pub fn normal_p(z: f64) -> f64 {
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The `z` beyond which `alpha` of a standard normal lies, both sides together: 1.96 for 0.05. By bisection on the
/// upper tail, to the last bit that changes it.
pub fn critical_z(alpha: f64) -> Result<f64> {
    if !(alpha > 0.0 && alpha < 1.0) {
        return Err(Error::invalid("alpha", format!("{alpha} is not between 0 and 1")));
    }
    let (mut low, mut high) = (0.0, 40.0);
    loop {
        let middle = (low + high) / 2.0;
        if middle <= low || middle >= high {
            return Ok(middle);
        }
        if normal_p(middle) > alpha {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// The upper tail of the chi-square distribution with so many degrees of freedom: a finite sum of positive terms,
/// from `Q(1/2, x) = erfc(sqrt x)` or `Q(1, x) = exp(-x)` by `Q(a + 1, x) = Q(a, x) + x^a exp(-x) / Gamma(a + 1)`.
///
/// ```
/// let p = cotaste_core::stats::chi_square_p(25.0, 1).unwrap();
/// assert!((p / 5.733031437583878e-7 - 1.0).abs() < 1e-12);
/// ```
pub fn chi_square_p(chi_square: f64, degrees: i64) -> Result<f64> {
    if !(chi_square.is_finite() && chi_square >= 0.0) {
        return Err(Error::invalid("chi_square", format!("{chi_square} is not a number of at least 0")));
    }
    if !(1..=10_000).contains(&degrees) {
        return Err(Error::invalid("degrees", format!("{degrees} is not between 1 and 10000")));
    }
    let x = chi_square / 2.0;
    if x == 0.0 {
        return Ok(1.0);
    }
    let (mut a, mut q) = if degrees % 2 == 0 { (1.0, libm::exp(-x)) } else { (0.5, libm::erfc(x.sqrt())) };
    let end = degrees as f64 / 2.0;
    while a < end {
        q += libm::exp(a * libm::log(x) - x - libm::lgamma(a + 1.0));
        a += 1.0;
    }
    Ok(q.min(1.0))
}
