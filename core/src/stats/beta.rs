//! Two rates with uniform priors: who is ahead, and what a wrong choice costs. Posteriors are
//! `Beta(x + 1, n - x + 1)`; all parameters are whole, so the sums are finite (Miller 2015).

use super::incomplete::ln_beta;
use super::Arms;

/// The probability that the treatment's rate is above the control's.
pub fn chance_to_win(arms: Arms) -> f64 {
    let Posteriors { a0, b0, a1, b1 } = arms.into();
    above(a0, b0, a1, b1)
}

/// What shipping the treatment is expected to lose: the mean of `max(p0 - p1, 0)`.
pub fn expected_loss(arms: Arms) -> f64 {
    let Posteriors { a0, b0, a1, b1 } = arms.into();
    let (mean0, mean1) = (a0 / (a0 + b0), a1 / (a1 + b1));
    // The mean of (p0 - p1) where p0 is above: each mean times the probability under its size-biased posterior.
    (mean0 * above(a1, b1, a0 + 1.0, b0) - mean1 * above(a1 + 1.0, b1, a0, b0)).max(0.0)
}

struct Posteriors {
    a0: f64,
    b0: f64,
    a1: f64,
    b1: f64,
}

impl From<Arms> for Posteriors {
    fn from(Arms { x0, n0, x1, n1 }: Arms) -> Self {
        Self { a0: x0 + 1.0, b0: n0 - x0 + 1.0, a1: x1 + 1.0, b1: n1 - x1 + 1.0 }
    }
}

/// P(Beta(a1, b1) > Beta(a0, b0)): the sum over i below a1 of
/// `B(a0 + i, b0 + b1) / ((b1 + i) B(1 + i, b1) B(a0, b0))`, outwards from its largest term, which is taken by its
/// logarithm.
fn above(a0: f64, b0: f64, a1: f64, b1: f64) -> f64 {
    let up = |i: f64| (a0 + i) * (b1 + i) / ((a0 + b0 + b1 + i) * (1.0 + i));
    let top = ((a0 * b1 - a0 - b0 - b1) / (b0 + 1.0)).ceil().clamp(0.0, a1 - 1.0);
    let largest =
        libm::exp(ln_beta(a0 + top, b0 + b1) - libm::log(b1 + top) - ln_beta(1.0 + top, b1) - ln_beta(a0, b0));
    let mut sum = 1.0;
    let (mut weight, mut i) = (1.0, top);
    while i < a1 - 1.0 && weight > 1e-18 {
        weight *= up(i);
        i += 1.0;
        sum += weight;
    }
    (weight, i) = (1.0, top);
    while i > 0.0 && weight > 1e-18 {
        i -= 1.0;
        weight /= up(i);
        sum += weight;
    }
    (largest * sum).clamp(0.0, 1.0)
}
