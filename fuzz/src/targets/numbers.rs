//! Sums and what is made of them.

use super::{number, row};
use crate::mutate::Parts;
use crate::{law, Target, Verdict};
use cotaste_core::exact::ExactSum;
use cotaste_core::latest::Latest;
use cotaste_core::stats::multiple;
use cotaste_core::stats::{
    benjamini_hochberg, cuped_test, holm, moments_count, moments_json, ratio_test, welch_test, Moments,
};
use cotaste_core::sum::ReproducibleSum;
use cotaste_core::taste::ledger::weight;
use cotaste_core::trend::{rank_key, score};
use serde_json::Value;

pub const TARGETS: &[Target] = &[
    Target { name: "latest", corpus: latests, run: latest },
    Target { name: "sum", corpus: sums, run: sum },
    Target { name: "exact_sum", corpus: terms, run: exact_sum },
    Target { name: "moments", corpus: moments, run: moment_values },
    Target { name: "weight", corpus: weights, run: weight_values },
    Target { name: "p_values", corpus: p_values, run: adjusted },
];

fn latests() -> Vec<Parts> {
    let all = [Latest::new(8.0, 5, 1), Latest::new(-0.0, 5, 1), Latest::new(f64::NAN, i64::MAX, i64::MIN)];
    all.iter().map(|a| vec![a.to_bytes().to_vec(), all[0].to_bytes().to_vec()]).collect()
}

fn latest(input: &[Vec<u8>]) -> Verdict {
    let (Ok(a), Ok(b)) = (Latest::from_bytes(&input[0]), Latest::from_bytes(&input[1])) else { return Ok(false) };
    law!(a.to_bytes() == input[0][..], "it is written differently");
    law!(a.later(b).to_bytes() == b.later(a).to_bytes(), "which is later depends on the order");
    Ok(true)
}

fn of(terms: &[(f64, i64)]) -> ReproducibleSum {
    let mut sum = ReproducibleSum::default();
    terms.iter().for_each(|(term, exponent)| sum.add_scaled(*term, *exponent).unwrap());
    sum
}

fn sums() -> Vec<Parts> {
    let all = [
        of(&[]),
        of(&[(1e16, 0), (1.0, 0), (-1e16, 0)]),
        of(&[(-0.1, 3), (5e-324, 0)]),
        of(&[(1.0, 1 << 40), (-1.5, -9)]),
    ];
    all.iter().map(|a| vec![a.to_bytes().to_vec(), all[1].to_bytes().to_vec()]).collect()
}

fn sum(input: &[Vec<u8>]) -> Verdict {
    let (Ok(mut a), Ok(mut b)) = (ReproducibleSum::from_bytes(&input[0]), ReproducibleSum::from_bytes(&input[1]))
    else {
        return Ok(false);
    };
    law!(a.to_bytes() == input[0][..], "it is written differently");
    let (mantissa, _) = a.scaled();
    law!(mantissa == 0.0 || (0.5..1.0).contains(&mantissa.abs()), "its mantissa is {mantissa}");
    let _ = a.value();
    let first = a.clone();
    if let (Ok(()), Ok(())) = (a.merge(&b), b.merge(&first)) {
        law!(a.terms() == b.terms() && a.scaled() == b.scaled(), "merging depends on the order");
    }
    Ok(true)
}

/// Terms of nine bytes each: a double and a power of two.
fn terms() -> Vec<Parts> {
    let of = |terms: &[(f64, i8)]| -> Parts {
        vec![terms.iter().flat_map(|(term, power)| [&term.to_le_bytes()[..], &power.to_le_bytes()].concat()).collect()]
    };
    vec![
        of(&[(1.0, 0), (-1.0, 0)]),
        of(&[(1e300, 0), (1.0, 5), (-1e300, 0)]),
        of(&[(0.1, 3), (0.2, -3), (-0.3, 0)]),
        of(&[(-2_147_483_648.0, 0), (-1.0, -31), (-1.0, 32)]),
        of(&[(-4_294_967_295.0, 32), (5e-324, 127)]),
    ]
}

/// The sum in steps of 2^-40 in integers, where it fits.
fn exact_sum(input: &[Vec<u8>]) -> Verdict {
    let (mut sum, mut out, mut expected) = (ExactSum::default(), ExactSum::default(), Some(0i128));
    for term in input[0].chunks_exact(9) {
        let (number, power) = (f64::from_bits(number(&term[..8]) as u64), i64::from(term[8] as i8));
        if sum.add(number, power).is_err() {
            return Ok(false);
        }
        out.add(-number, power).map_err(|e| e.to_string())?;
        let whole = number * 2f64.powi(power as i32 + 40);
        let fits = whole.fract() == 0.0
            && whole.abs() < 1e36
            && (whole == 0.0 || whole.abs() >= f64::MIN_POSITIVE)
            && (number == 0.0) == (whole == 0.0);
        expected = expected.filter(|_| fits).and_then(|sum| sum.checked_add(whole as i128));
    }
    let (mantissa, exponent) = sum.scaled();
    law!(mantissa == 0.0 || (0.5..1.0).contains(&mantissa.abs()), "its mantissa is {mantissa}");
    law!(out.scaled() == (-mantissa, exponent) || mantissa == 0.0, "the sum of the negatives is {:?}", out.scaled());
    if let Some(expected) = expected {
        let got = mantissa * 2f64.powi(exponent as i32 + 40);
        law!(got == expected as f64, "{got}, expected {expected}, in steps of 2^-40");
    }
    out.merge(&sum).map_err(|e| e.to_string())?;
    law!(out.digits().is_ok_and(|digits| digits.is_empty()), "taken out again something is left");
    Ok(true)
}

fn moments() -> Vec<Parts> {
    let of = |rows: &[(f64, f64)]| {
        let mut moments = Moments::default();
        rows.iter().for_each(|(y, x)| moments.add(*y, *x).unwrap());
        moments
    };
    let all = [
        of(&[]),
        of(&[(1.0, 0.5), (2.0, 0.25), (6.0, -3.0)]),
        of(&[(1e9, 1.0), (1e9 + 1.0, 2.0)]),
        of(&[(3.0, 3.0)]),
        of(&[(1e150, 1e-150), (-1e150, 2.0)]),
    ];
    all.iter().map(|a| vec![a.to_bytes().unwrap(), all[1].to_bytes().unwrap(), a.to_state().to_vec()]).collect()
}

fn moment_values(input: &[Vec<u8>]) -> Verdict {
    if let Ok(state) = Moments::from_state(&input[2]) {
        law!(state.to_state() == input[2][..], "a state is written differently");
    }
    let Ok(a) = Moments::from_bytes(&input[0]) else {
        law!(moments_count(&input[0]).is_err() && moments_json(&input[0]).is_err(), "some readers take it");
        return Ok(false);
    };
    law!(a.to_bytes().as_ref() == Ok(&input[0]), "it is written differently");
    let json = moments_json(&input[0]);
    law!(json.map_or(true, |json| serde_json::from_str::<Value>(&json).is_ok()), "it is no JSON");
    let _ = moments_count(&input[0]);
    let _ = (
        welch_test(&input[0], &input[1], 0.05),
        ratio_test(&input[1], &input[0], 0.05),
        cuped_test(&input[0], &input[1], 0.05),
    );
    if let Ok(mut b) = Moments::from_bytes(&input[1]) {
        let _ = b.merge(&a).and_then(|()| b.summary());
    }
    Ok(true)
}

fn weights() -> Vec<Parts> {
    let all = [(1.5, 0), (0.0, 0), (-0.75, -(1 << 50)), (f64::MAX, 1 << 50)];
    all.iter().map(|value| vec![weight::write(*value).to_vec(), 86_400_000_000i64.to_le_bytes().to_vec()]).collect()
}

fn weight_values(input: &[Vec<u8>]) -> Verdict {
    let read = weight::read(&input[0]);
    let score = score(&input[0], number(&input[1]), 24.0);
    let Ok(value) = read else {
        law!(score.is_err(), "a score of what is no weight");
        return Ok(false);
    };
    law!(weight::write(value) == input[0][..], "it is written differently");
    law!(score.as_ref().map_or(true, |score| score.is_finite()), "the score is {score:?}");
    law!(rank_key(value).is_some() == (value.0 > 0.0), "{value:?} ranks as {:?}", rank_key(value));
    let mut sum = ReproducibleSum::default();
    law!(sum.add_scaled(value.0, value.1).is_ok(), "it cannot be summed");
    law!(value.0 == 0.0 || sum.scaled().0 != 0.0, "it is lost in a sum");
    Ok(true)
}

fn p_values() -> Vec<Parts> {
    let mut rows = Vec::new();
    for (p, position) in [(Some(0.01), 1), (None, 2), (Some(1.0), 3), (Some(0.04), -4)] {
        row(&mut rows, multiple::state::ROW, |out| multiple::state::write_row(out, p, position));
    }
    vec![vec![rows], vec![vec![]]]
}

fn adjusted(input: &[Vec<u8>]) -> Verdict {
    let mut told = Vec::new();
    for adjust in [holm, benjamini_hochberg] {
        let json = multiple::state::finish(&input[0], adjust).ok();
        let values: Option<Vec<Option<f64>>> = json.as_ref().and_then(|json| serde_json::from_str(json).ok());
        law!(values.is_some() == json.is_some(), "{json:?} is no array");
        law!(values.into_iter().flatten().flatten().all(|p| (0.0..=1.0).contains(&p)), "{json:?}");
        told.push(json.is_some());
    }
    law!(told[0] == told[1], "one of two readers takes it");
    Ok(told[0])
}
