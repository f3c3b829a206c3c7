//! Which variant a user gets: a hash, so that every place that asks gets the same answer and none has to be stored first.
//!
//! The hash is 64-bit FNV-1a over the bytes of the experiment, one byte 0x1f and the bytes of the user, then the
//! finaliser of MurmurHash3 (`x ^= x >> 33; x *= 0xff51afd7ed558ccd; x ^= x >> 33; x *= 0xc4ceb9fe1a85ec53; x ^= x >>
//! 33`). Its upper 53 bits over 2^53 are the user's place in [0, 1). The variants, in the order of their names' bytes,
//! each take a part of it as long as their share of the weights. It will not change.

use crate::{Error, Result};
use serde_json::Value;

/// Two variants of equal weight.
pub const DEFAULT_VARIANTS: &str = r#"["control","treatment"]"#;

/// The user's place in [0, 1): uniform over users, independent between experiments.
pub fn assign_point(experiment: &str, user: &str) -> f64 {
    let bytes = experiment.bytes().chain([0x1f]).chain(user.bytes());
    let mut hash =
        bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^= hash >> 33;
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

/// The variant of a user. The weights are a JSON object of variant and weight, or a JSON array of variants of equal
/// weight; the order they are written in does not matter, nor does their sum.
///
/// ```
/// use cotaste_core::stats::{assign, DEFAULT_VARIANTS};
/// assert_eq!(assign("ranker", "ann", r#"{"a":0,"b":1}"#), Ok("b".to_string()));
/// assert_eq!(assign("ranker", "ann", DEFAULT_VARIANTS), assign("ranker", "ann", r#"{"treatment":5,"control":5}"#));
/// ```
pub fn assign(experiment: &str, user: &str, weights: &str) -> Result<String> {
    let mut variants = read(weights)?;
    variants.sort_by(|a, b| a.0.cmp(&b.0));
    if variants.windows(2).any(|pair| matches!(pair, [a, b] if a.0 == b.0)) {
        return Err(Error::invalid("weights", "name a variant twice"));
    }
    let total: f64 = variants.iter().map(|(_, weight)| weight).sum();
    if !(total > 0.0 && total.is_finite()) {
        return Err(Error::invalid("weights", "add up to nothing"));
    }
    let point = assign_point(experiment, user) * total;
    let mut end = 0.0;
    let mut last = String::new();
    for (variant, weight) in variants.into_iter().filter(|(_, weight)| *weight > 0.0) {
        end += weight;
        last = variant;
        if point < end {
            break;
        }
    }
    Ok(last)
}

fn read(weights: &str) -> Result<Vec<(String, f64)>> {
    let wrong = || Error::invalid("weights", "is not a JSON object of variant and weight, or an array of variants");
    match serde_json::from_str(weights).map_err(|_| wrong())? {
        Value::Array(names) => names
            .into_iter()
            .map(|name| match name {
                Value::String(name) => Ok((name, 1.0)),
                _ => Err(wrong()),
            })
            .collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, weight)| {
                let weight = weight.as_f64().ok_or_else(wrong)?;
                if weight < 0.0 {
                    return Err(Error::invalid("weights", format!("{weight} is below 0")));
                }
                Ok((name, weight))
            })
            .collect(),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::chi_square_p;

    const USERS: u32 = 100_000;

    #[test]
    fn users_are_spread_evenly() {
        for experiment in ["ranker", "", "実験"] {
            for cells in [2usize, 3, 100] {
                let mut counts = vec![0.0f64; cells];
                for user in 0..USERS {
                    counts[(assign_point(experiment, &format!("user-{user}")) * cells as f64) as usize] += 1.0;
                }
                let expected = f64::from(USERS) / cells as f64;
                let chi: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
                let p = chi_square_p(chi, cells as i64 - 1).unwrap();
                assert!(p > 1e-3, "{experiment} {cells}: {p}");
            }
        }
    }

    #[test]
    fn experiments_are_independent_of_each_other() {
        for (one, other) in [("ranker", "ranker2"), ("a", "b"), ("exp1", "exp2"), ("x", "x\u{1f}")] {
            let mut counts = [0.0f64; 16];
            for user in 0..USERS {
                let user = user.to_string();
                let cell = |experiment| (assign_point(experiment, &user) * 4.0) as usize;
                counts[cell(one) * 4 + cell(other)] += 1.0;
            }
            let expected = f64::from(USERS) / 16.0;
            let chi: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
            assert!(chi_square_p(chi, 15).unwrap() > 1e-3, "{one} {other}: {chi}");
        }
    }

    #[test]
    fn shares_follow_the_weights_and_growing_one_moves_few() {
        let share = |weights: &str, variant: &str| {
            let hits = (0..USERS).filter(|user| assign("e", &user.to_string(), weights).unwrap() == variant).count();
            hits as f64 / f64::from(USERS)
        };
        assert!((share(r#"{"a":9,"b":1}"#, "b") - 0.1).abs() < 0.005);
        assert_eq!(share(r#"{"a":1,"b":0,"c":1}"#, "b"), 0.0);
        let moved = (0..USERS).filter(|user| {
            let at = |weights: &str| assign("e", &user.to_string(), weights).unwrap();
            at(r#"{"a":0.9,"b":0.1}"#) != at(r#"{"a":0.8,"b":0.2}"#)
        });
        assert!((moved.count() as f64 / f64::from(USERS) - 0.1).abs() < 0.005);
    }

    /// Computed apart from this code.
    const KNOWN: [f64; 4] = [0.5258693804627393, 0.3364152192438883, 0.21241832130157112, 0.6034261440968777];

    #[test]
    fn the_hash_never_changes() {
        let points = [("ranker", "ann"), ("ranker", "bob"), ("", ""), ("実験", "7")].map(|(e, u)| assign_point(e, u));
        assert_eq!(points, KNOWN);
    }

    #[test]
    fn weights_that_are_none_are_told() {
        for weights in ["", "1", "[]", "{}", "[1]", r#"{"a":-1}"#, r#"{"a":"1"}"#, r#"{"a":0}"#, r#"["a","a"]"#] {
            assert_eq!(assign("e", "u", weights).map_err(|e| e.code()), Err("INVALID_ARGUMENT"), "{weights}");
        }
    }
}
