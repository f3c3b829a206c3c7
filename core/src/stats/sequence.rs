//! What may be watched daily: the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
//! (arXiv 2103.06476), tuned to be tightest at 5,000 users.

use super::Arms;
use crate::{Error, Result};

const TUNED_FOR: f64 = 5000.0;

/// The sequence's interval of the difference at this look; none when the standard error is 0.
pub fn confidence_sequence(arms: Arms, alpha: f64) -> Result<Option<(f64, f64)>> {
    let rho2 = rho2(alpha)?;
    let (n, variance) = spread(arms);
    if variance == 0.0 {
        return Ok(None);
    }
    let scaled = n * rho2 + 1.0;
    let half = (n * variance).sqrt() * (2.0 * scaled / (n * n * rho2) * libm::log(scaled.sqrt() / alpha)).sqrt();
    let d = arms.difference();
    Ok(Some((d - half, d + half)))
}

/// The p value that stays valid however often it is looked at; none when the standard error is 0.
pub fn always_valid_p(arms: Arms, alpha: f64) -> Result<Option<f64>> {
    let rho2 = rho2(alpha)?;
    let (n, variance) = spread(arms);
    if variance == 0.0 {
        return Ok(None);
    }
    let scaled = n * rho2 + 1.0;
    let d = arms.difference();
    let ln_e = rho2 * d * d * n / (2.0 * variance * scaled) - libm::log(scaled) / 2.0;
    Ok(Some(libm::exp(-ln_e).min(1.0)))
}

fn rho2(alpha: f64) -> Result<f64> {
    if !(alpha > 0.0 && alpha < 1.0) {
        return Err(Error::invalid("alpha", format!("{alpha} is not between 0 and 1")));
    }
    let two_ln = -2.0 * libm::log(alpha);
    Ok((two_ln + libm::log(two_ln + 1.0)) / TUNED_FOR)
}

/// All users, and the squared standard error of the difference.
fn spread(arms: Arms) -> (f64, f64) {
    let part = |p: f64, n: f64| p * (1.0 - p) / n;
    (arms.n0 + arms.n1, part(arms.p0(), arms.n0) + part(arms.p1(), arms.n1))
}
