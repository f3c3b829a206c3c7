//! Tastes, the state they are collected in, and the sums that follow them.

use super::{row, taste, tastes, text};
use crate::mutate::Parts;
use crate::{law, Target, Verdict};
use cotaste_core::genre_order::{extend, Dimensions, GenreOrder};
use cotaste_core::taste::ledger::{self, changes, weight};
use cotaste_core::taste::{contents, genre_shares_json, has, items, similarity, state, to_json, unit_json};
use serde_json::Value;

pub const TARGETS: &[Target] = &[
    Target {
        name: "taste",
        corpus: || {
            let all = tastes();
            let order = br#"["noir","drama","war"]"#.to_vec();
            all.iter().zip(all.iter().rev()).map(|(a, b)| vec![a.clone(), b.clone(), order.clone()]).collect()
        },
        run: taste_values,
    },
    Target { name: "taste_state", corpus: states, run: taste_state },
    Target { name: "taste_ledger", corpus: ledgers, run: taste_ledger },
    Target { name: "taste_packed", corpus: packed, run: taste_packed },
];

fn taste_values(input: &[Vec<u8>]) -> Verdict {
    let (a, b, order) = (&input[0], &input[1], text(&input[2]));
    let of_b = items(b);
    let both = similarity(a, b);
    law!(both.is_ok() == (items(a).is_ok() && of_b.is_ok()), "{both:?} of {:?} and {of_b:?}", items(a));
    if let Ok(parts) = both {
        let fraction = |x: f64| (0.0..=1.0).contains(&x);
        let shared = parts.shared_items <= parts.items_a.min(parts.items_b);
        law!(fraction(parts.jaccard) && fraction(parts.genre_cosine) && shared, "{parts:?}");
    }
    let Ok(count) = items(a) else {
        let told = (contents(a).is_err(), has(a, 1).is_err(), to_json(a).is_err(), genre_shares_json(a).is_err());
        law!(told == (true, true, true, true) && state::taste_len(a).is_err(), "some readers take it: {told:?}");
        return Ok(false);
    };
    let all = contents(a).map_err(|e| e.to_string())?;
    law!(all.len() == count as usize, "{} contents, said to be {count}", all.len());
    let json: Option<Value> = to_json(a).ok().map(|json| serde_json::from_str(&json).unwrap_or_default());
    law!(json.as_ref().is_none_or(|json| json["items"].as_array().is_some_and(|i| i.len() == all.len())), "{json:?}");
    let _ =
        (genre_shares_json(a), unit_json(a, order), extend(order, a), Dimensions::default().add(Some(order), Some(a)));
    let _ = GenreOrder::read(order).map(|order| order.covers(a));
    let mut rows = Vec::new();
    row(&mut rows, state::taste_len(a).map_err(|e| e.to_string())?, |out| state::write_taste(out, a));
    if let Ok(again) = state::finish(&rows) {
        // Bytes with a forged checksum may hold contents in any order; what cotaste writes is what it collects to.
        if again == *a {
            law!(all.iter().all(|content| has(a, *content) == Ok(true)), "a content is not found");
            law!(similarity(a, a).is_ok_and(|same| same.shared_items == count), "it does not share all with itself");
        }
        let mut distinct = all;
        distinct.sort_unstable();
        distinct.dedup();
        law!(contents(&again).as_ref() == Ok(&distinct), "its contents change when it is collected");
        rows.clear();
        row(&mut rows, state::taste_len(&again).map_err(|e| e.to_string())?, |out| state::write_taste(out, &again));
        // Weights are rounded once more, so that only the contents are what they were.
        let last = state::finish(&rows).and_then(|last| contents(&last));
        law!(last.as_ref() == Ok(&distinct), "its contents change when it is collected twice");
    }
    Ok(true)
}

fn states() -> Vec<Parts> {
    let mut rows = Vec::new();
    let events = [
        (Some(550), Some(r#"["Drama","Thriller"]"#), Some(1.5), 0.25),
        (Some(-5), Some(r#"["Кино"]"#), Some(-3.0), -1e12),
        (None, Some("[\"a\",\"b\",\"c\"]"), Some(1e300), 700.5),
        (Some(i64::MAX), None, None, 0.0),
    ];
    for (content, genres, weight, half_lives) in events {
        let length = state::row_len(genres).unwrap();
        row(&mut rows, length, |out| state::write_row(out, content, genres, weight, half_lives));
    }
    let compact = state::compact(&rows).unwrap();
    let mut all = vec![vec![rows.clone()], vec![compact.clone()], vec![[rows, compact].concat()]];
    for taste in tastes() {
        let mut rows = Vec::new();
        row(&mut rows, state::taste_len(&taste).unwrap(), |out| state::write_taste(out, &taste));
        all.push(vec![rows]);
    }
    all
}

fn taste_state(input: &[Vec<u8>]) -> Verdict {
    let rows = &input[0];
    let whole = state::finish(rows);
    let compact = state::compact(rows);
    law!(compact.is_ok() || whole.is_err(), "it can be finished and not compacted");
    let Ok(whole) = whole else { return Ok(false) };
    let compact = compact.map_err(|e| e.to_string())?;
    law!(items(&whole).is_ok(), "what it gives is no taste");
    // The keys of a record of sums are taken as they are; those too long to be one are in no taste.
    law!(state::finish(&compact).as_ref() == Ok(&whole), "compacting changes the taste");
    law!(state::compact(&compact).as_ref() == Ok(&compact), "compacting twice changes the state");
    Ok(true)
}

/// A taste with its sums, changes that are true to it, and the pairs it is of.
fn ledgers() -> Vec<Parts> {
    let value = |mantissa: f64, exponent: i64| weight::write((mantissa, exponent)).to_vec();
    let genres = [Some(r#"["Drama","War"]"#), Some(r#"["Noir"]"#), None, Some(r#"["Drama"]"#)];
    let weights = [value(1.5, 0), value(-0.75, 20), value(0.5, -3000), value(0.0, 0)];
    let pairs = |was: bool, is: bool, many: usize| {
        let mut rows = Vec::new();
        for i in 0..many {
            let (genres, weight) = (genres[i % 4], &weights[i % 4][..]);
            let side = |there: bool| there.then_some((i % 3 != 2, weight));
            let length = changes::row_len(genres).unwrap();
            row(&mut rows, length, |out| changes::write_row(out, i as i64 * 40_000, genres, side(was), side(is)));
        }
        rows
    };
    let followed = ledger::apply(None, None, &pairs(false, true, 6)).unwrap().unwrap();
    let mut all = vec![vec![vec![], vec![], pairs(false, true, 6)]];
    for changes in [pairs(true, false, 2), pairs(true, true, 6), pairs(false, true, 8), pairs(true, false, 6), vec![]] {
        all.push(vec![followed.taste.clone(), followed.sums.clone(), changes]);
    }
    all
}

fn taste_ledger(input: &[Vec<u8>]) -> Verdict {
    let some = |i: usize| input.get(i).map(Vec::as_slice).filter(|bytes| !bytes.is_empty());
    let Ok(followed) = ledger::apply(some(0), some(1), &input[2]) else { return Ok(false) };
    let Some(followed) = followed else { return Ok(true) };
    let packed = followed.pack().map_err(|e| e.to_string())?;
    law!(ledger::unpack(&packed) == Ok((&followed.taste[..], &followed.sums[..])), "packing changes it");
    law!(items(&followed.taste).is_ok(), "what it gives is no taste");
    let again =
        ledger::apply(Some(&followed.taste), Some(&followed.sums), &[]).map_err(|e| format!("its own value: {e}"))?;
    let same = again.is_some_and(|again| again.taste == followed.taste && again.sums == followed.sums);
    law!(same, "no changes change it");
    Ok(true)
}

fn packed() -> Vec<Parts> {
    let mut all = vec![vec![ledger::Followed { taste: taste(&[1], &[]), sums: vec![] }.pack().unwrap()]];
    for parts in ledgers().into_iter().skip(1) {
        all.push(vec![ledger::Followed { taste: parts[0].clone(), sums: parts[1].clone() }.pack().unwrap()]);
    }
    all
}

fn taste_packed(input: &[Vec<u8>]) -> Verdict {
    let Ok((taste, sums)) = ledger::unpack(&input[0]) else { return Ok(false) };
    let (taste, sums) = (taste.to_vec(), sums.to_vec());
    law!(taste.len() + sums.len() < input[0].len(), "more comes out than went in");
    let read = ledger::apply(Some(&taste), Some(&sums), &[]).is_ok();
    let packed = ledger::Followed { taste, sums }.pack().map_err(|e| e.to_string())?;
    law!(ledger::unpack(&packed).is_ok_and(|(taste, sums)| input[0].ends_with(&[taste, sums].concat())), "it changes");
    Ok(read)
}
