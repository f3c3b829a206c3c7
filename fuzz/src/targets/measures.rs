//! Facts of pairs, and the measures of contents that follow them.

use crate::mutate::Parts;
use crate::{law, Target, Verdict};
use cotaste_core::facts::Facts;
use cotaste_core::measures::{follow, Changes, Measures, COUNTS};

pub const TARGETS: &[Target] = &[
    Target {
        name: "facts",
        corpus: || pairs().iter().map(|facts| vec![facts.to_bytes().unwrap()]).collect(),
        run: |input| {
            let Ok(facts) = Facts::read(&input[0]) else { return Ok(false) };
            let again = facts.to_bytes().and_then(|bytes| Facts::read(&bytes)).map_err(|e| e.to_string())?;
            law!(facts == again, "{facts:?} becomes {again:?}");
            Ok(true)
        },
    },
    Target { name: "measures", corpus: measures, run: followed },
    Target { name: "measures_pairs", corpus: of_pairs, run: changed_pairs },
];

fn pairs() -> [Facts; 4] {
    let rated = Facts {
        events: 9,
        views: 3,
        completes: 1,
        skips: 2,
        ratings: 2,
        rating_sum: 15.5,
        last_rating: 8.0,
        ..Facts::default()
    };
    [
        Facts::default(),
        Facts { trend: (1.75, 40), first_us: -7, last_us: 1_767_614_399_123_000, ..rated },
        Facts { events: 1, views: 1, trend: (-0.5, -3000), first_us: 5, last_us: 5, ..Facts::default() },
        Facts {
            events: 4_000_000_000,
            trend: (1e300, 1 << 40),
            first_us: -1 << 60,
            last_us: i64::MAX,
            ..Facts::default()
        },
    ]
}

fn changes(of: &[(Option<usize>, Option<usize>)]) -> Changes {
    let (pairs, mut changes) = (pairs(), Changes::default());
    of.iter().for_each(|(was, is)| changes.add(was.map(|i| &pairs[i]), is.map(|i| &pairs[i])).unwrap());
    changes
}

fn measures() -> Vec<Parts> {
    let before =
        Measures::follow(None, &changes(&[(None, Some(1)), (None, Some(2)), (None, Some(3))])).unwrap().unwrap();
    let of = [vec![(None, Some(1))], vec![(Some(1), None), (Some(2), Some(1))], vec![(Some(3), None)], vec![]];
    of.iter().map(|of| vec![before.clone().to_bytes().unwrap(), changes(of).to_bytes().unwrap()]).collect()
}

fn followed(input: &[Vec<u8>]) -> Verdict {
    let (before, changes) = (&input[0], &input[1]);
    if let Ok(changes) = Changes::read(changes) {
        let bytes = changes.clone().to_bytes().map_err(|e| e.to_string())?;
        let again = Changes::read(&bytes).and_then(Changes::to_bytes);
        law!(again == Ok(bytes), "changes that were read are written differently");
        let _ = changes.into_ratings().to_bytes();
    }
    let Ok(measures) = Measures::read(before) else { return Ok(false) };
    for name in COUNTS {
        law!(matches!(measures.count(name), Ok(Some(_))), "{name} is not there");
    }
    law!(measures.number("rank_key").is_ok_and(|key| key.is_none_or(|key| !key.is_nan())), "the rank key is no number");
    let _ = (measures.number("rating_sum"), measures.number("last_rating_sum"), measures.trend());
    let bytes = measures.to_bytes().map_err(|e| e.to_string())?;
    let again = Measures::read(&bytes).and_then(Measures::to_bytes);
    law!(again.as_ref() == Ok(&bytes), "measures that were read are written differently");
    let Ok(Some(now)) = follow(Some(before), Some(changes)) else { return Ok(Changes::read(changes).is_ok()) };
    law!(follow(Some(&now), None) == Ok(Some(now.clone())), "no changes change it");
    Ok(true)
}

fn of_pairs() -> Vec<Parts> {
    let facts = pairs().map(|facts| facts.to_bytes().unwrap());
    (0..4).map(|i| [0, 1, 2].map(|more| facts[(i + more) % 4].clone()).to_vec()).collect()
}

/// What was added and is taken out again leaves the measures as they were, to the bit.
fn changed_pairs(input: &[Vec<u8>]) -> Verdict {
    let facts: Result<Vec<Facts>, _> = input.iter().map(|bytes| Facts::read(bytes)).collect();
    let Ok([a, b, c]) = facts.as_deref() else { return Ok(false) };
    // No time is as low as numbers go.
    if [a, b, c].iter().any(|facts| facts.first_us == i64::MIN) {
        return Ok(false);
    }
    let of = |pairs: &[(Option<&Facts>, Option<&Facts>)]| {
        let mut changes = Changes::default();
        pairs.iter().try_for_each(|(was, is)| changes.add(*was, *is)).and_then(|()| changes.to_bytes())
    };
    let error = |e: cotaste_core::Error| e.to_string();
    let two = follow(None, Some(&of(&[(None, Some(a)), (None, Some(b))]).map_err(error)?)).map_err(error)?;
    let turned = follow(two.as_deref(), Some(&of(&[(Some(b), Some(c))]).map_err(error)?)).map_err(error)?;
    let expected = follow(None, Some(&of(&[(None, Some(c)), (None, Some(a))]).map_err(error)?)).map_err(error)?;
    let whole = |bytes: Option<Vec<u8>>| -> Result<_, String> {
        let measures = Measures::read(&bytes.unwrap_or_default()).map_err(error)?;
        let (first, last) = (a.first_us.min(c.first_us), a.last_us.max(c.last_us));
        measures.with_extent(Some(first), Some(last)).to_bytes().map_err(error)
    };
    law!(whole(turned)? == whole(expected)?, "{b:?} in the place of {c:?} leaves something behind");
    Ok(true)
}
