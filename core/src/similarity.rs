//! Jaccard, cosine and their weighted sum (CONVENTIONS S1 to S6).

use crate::{genre, Error, Result};
use ndarray::{Array1, ArrayView1};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The weights of Jaccard and of the genre cosine: 0.7 and 0.3.
pub const DEFAULT_WEIGHTS: (f64, f64) = (0.7, 0.3);

/// `|a ∩ b| / |a ∪ b|` of two sets given with or without repeats; 0 when both are empty.
pub fn jaccard<T: Ord>(mut a: Vec<T>, mut b: Vec<T>) -> f64 {
    for side in [&mut a, &mut b] {
        side.sort_unstable();
        side.dedup();
    }
    let shared = a.iter().filter(|item| b.binary_search(item).is_ok()).count();
    ratio(shared, a.len(), b.len())
}

/// The Jaccard index from counts.
pub(crate) fn ratio(shared: usize, a: usize, b: usize) -> f64 {
    let union = a + b - shared.min(a + b);
    if union == 0 {
        return 0.0;
    }
    shared as f64 / union as f64
}

/// [`jaccard`] of two JSON arrays of ids. Texts and numbers are ids, a number by its text; null is left out.
///
/// ```
/// assert_eq!(cotaste_core::similarity::jaccard_json("[1, 2, null]", r#"["2", 3]"#).unwrap(), 1.0 / 3.0);
/// ```
pub fn jaccard_json(a: &str, b: &str) -> Result<f64> {
    Ok(jaccard(ids("a", a)?, ids("b", b)?))
}

/// An id in a JSON array; null is none.
struct Id<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Id<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        match raw.as_bytes().first() {
            Some(b'n') => Ok(Self(None)),
            Some(b'"') => {
                let text: BorrowedText = serde_json::from_str(raw).map_err(D::Error::custom)?;
                Ok(Self(Some(text.0)))
            }
            Some(b'-' | b'0'..=b'9') => Ok(Self(Some(Cow::Borrowed(raw)))),
            _ => Err(D::Error::custom("an id is a text or a number")),
        }
    }
}

#[derive(serde::Deserialize)]
struct BorrowedText<'a>(#[serde(borrow)] Cow<'a, str>);

fn ids<'a>(argument: &'static str, json: &'a str) -> Result<Vec<Cow<'a, str>>> {
    let ids: Vec<Id<'a>> = serde_json::from_str(json)
        .map_err(|_| Error::invalid(argument, "is not a JSON array of ids (texts or numbers)"))?;
    Ok(ids.into_iter().filter_map(|id| id.0).collect())
}

/// The cosine of two vectors in JSON: both objects of name to weight (names folded as genres are, negative weights 0),
/// or both arrays of numbers of one length. 0 when one of them has no positive length.
///
/// ```
/// let cosine = cotaste_core::similarity::cosine_json(r#"{"Drama": 2}"#, r#"{"drama": 1e200}"#).unwrap();
/// assert_eq!(cosine, 1.0);
/// ```
pub fn cosine_json(a: &str, b: &str) -> Result<f64> {
    let is_array = |json: &str| json.trim_start().starts_with('[');
    if is_array(a) && is_array(b) {
        return cosine_dense(&numbers("a", a)?, &numbers("b", b)?);
    }
    let (a, b) = (genre::read_vector("a", a)?, genre::read_vector("b", b)?);
    let (a, b) = align(&a, &b);
    Ok(cosine(a.view(), b.view()))
}

fn numbers(argument: &'static str, json: &str) -> Result<Vec<f64>> {
    serde_json::from_str(json).map_err(|_| Error::invalid(argument, "is not a JSON array of numbers"))
}

/// Both vectors over the union of their names, in the order of the names.
fn align(a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>) -> (Array1<f64>, Array1<f64>) {
    let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let over = |vector: &BTreeMap<String, f64>| {
        names.iter().map(|name| vector.get(*name).copied().unwrap_or(0.0).max(0.0)).collect::<Array1<f64>>()
    };
    (over(a), over(b))
}

/// The cosine of two dense vectors of one length, clamped to [-1, 1]; 0 when one is zero.
pub fn cosine_dense(a: &[f64], b: &[f64]) -> Result<f64> {
    if a.len() != b.len() {
        return Err(Error::invalid("b", format!("has {} numbers, a has {}", b.len(), a.len())));
    }
    if !a.iter().chain(b).all(|x| x.is_finite()) {
        return Err(Error::invalid("a, b", "hold a number that is not finite"));
    }
    Ok(cosine(ArrayView1::from(a), ArrayView1::from(b)))
}

/// Scaled by the largest entry first, so that nothing overflows; equal vectors give exactly 1.
fn cosine(a: ArrayView1<f64>, b: ArrayView1<f64>) -> f64 {
    let unit = |v: ArrayView1<f64>| {
        let largest = v.fold(0.0, |m: f64, x| m.max(x.abs()));
        (largest > 0.0).then(|| v.mapv(|x| x / largest))
    };
    let (Some(a), Some(b)) = (unit(a), unit(b)) else { return 0.0 };
    (a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()).clamp(-1.0, 1.0)
}

/// `jaccard_weight * jaccard + cosine_weight * cosine`, clamped to [0, 1], never re-normalised.
pub fn weighted(jaccard: f64, cosine: f64, jaccard_weight: f64, cosine_weight: f64) -> Result<f64> {
    let in_range = |x: f64| (0.0..=1.0).contains(&x);
    if !(in_range(jaccard_weight) && in_range(cosine_weight)) {
        return Err(Error::invalid(
            "weights",
            format!("{jaccard_weight} and {cosine_weight} are not both between 0 and 1"),
        ));
    }
    if jaccard.is_nan() || cosine.is_nan() {
        return Err(Error::invalid("jaccard, cosine", "are not both numbers"));
    }
    Ok((jaccard_weight * jaccard + cosine_weight * cosine).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn jaccard_is_symmetric_bounded_and_one_only_for_equal_sets(a in prop::collection::vec(0i64..20, 0..30), b in prop::collection::vec(0i64..20, 0..30)) {
            let j = jaccard(a.clone(), b.clone());
            prop_assert_eq!(j, jaccard(b.clone(), a.clone()));
            let set = |v: &[i64]| v.iter().copied().collect::<std::collections::BTreeSet<_>>();
            prop_assert_eq!(j == 1.0, set(&a) == set(&b) && !a.is_empty());
            prop_assert!((0.0..=1.0).contains(&j));
        }

        #[test]
        fn cosine_ignores_scale_and_order(v in prop::collection::vec(0.01..1e3f64, 1..8), power in -200i32..200) {
            let scaled: Vec<f64> = v.iter().map(|x| x * 2f64.powi(power)).collect();
            prop_assert_eq!(cosine_dense(&v, &scaled).unwrap(), 1.0);
        }
    }

    #[test]
    fn a_zero_vector_has_cosine_zero_and_a_wrong_one_is_told() {
        assert_eq!(cosine_json("{}", r#"{"a":1}"#), Ok(0.0));
        assert_eq!(cosine_json("[0,0]", "[1,2]"), Ok(0.0));
        assert_eq!(cosine_json("[1]", "[1,2]").map_err(|e| e.code()), Err("INVALID_ARGUMENT"));
        assert_eq!(jaccard_json("{}", "[]").map_err(|e| e.code()), Err("INVALID_ARGUMENT"));
        assert_eq!(jaccard_json("[[1]]", "[]").map_err(|e| e.code()), Err("INVALID_ARGUMENT"));
        assert_eq!(weighted(1.0, 1.0, 0.7, 0.3), Ok(1.0));
    }
}
