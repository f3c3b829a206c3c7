//! Fisher's exact test.

use super::tail::normal_p;
use super::Arms;

/// Beyond so many trials the tables that matter are too many to add up while a caller waits.
const MOST_SUMMED: f64 = 1e9;
/// From so many expected in each cell on, the normal approximation stands in for them.
const ENOUGH_EXPECTED: f64 = 1e4;

/// Tables as unlikely as the observed one count as ties up to this.
const TIE: f64 = 1.0 + 1e-9;

/// The two-sided p value: the probability of all tables of the same margins that are at most as likely as the observed
/// one. Probabilities relative to the likeliest table, by recurrence outwards from it, so nothing over- or underflows
/// that matters. Beyond 1e9 trials with 10,000 expected in each cell it is the pooled z test, whose p value
/// there differs by a few per cent, as it lacks a correction for continuity.
pub fn fisher_exact(arms: Arms) -> f64 {
    let Arms { x0, n0, x1, n1 } = arms;
    if n0 + n1 > MOST_SUMMED && arms.least_expected() > ENOUGH_EXPECTED {
        return normal_p(arms.pooled_z());
    }
    let successes = x0 + x1;
    let (least, most) = ((successes - n0).max(0.0), successes.min(n1));
    let mode = (((successes + 1.0) * (n1 + 1.0)) / (n0 + n1 + 2.0)).floor().clamp(least, most);
    let up = |k: f64| (successes - k) * (n1 - k) / ((k + 1.0) * (n0 - successes + k + 1.0));
    let walk = |mut k: f64, step: f64, seen: &mut dyn FnMut(f64, f64)| {
        let mut weight = 1.0;
        while weight > 0.0 {
            seen(k, weight);
            if (step > 0.0 && k >= most) || (step < 0.0 && k <= least) {
                break;
            }
            weight = if step > 0.0 { weight * up(k) } else { weight / up(k - 1.0) };
            k += step;
        }
    };
    let mut observed = 0.0;
    let mut find = |k: f64, weight: f64| observed = if k == x1 { weight } else { observed };
    walk(mode, if x1 < mode { -1.0 } else { 1.0 }, &mut find);
    let (mut all, mut extreme) = (-1.0, if 1.0 <= observed * TIE { -1.0 } else { 0.0 });
    for step in [-1.0, 1.0] {
        walk(mode, step, &mut |_, weight| {
            all += weight;
            extreme += if weight <= observed * TIE { weight } else { 0.0 };
        });
    }
    (extreme / all).clamp(0.0, 1.0)
}
