//! A user's events as one value, and what is counted over them.

use super::{number, row, text};
use crate::mutate::Parts;
use crate::{law, Target, Verdict};
use cotaste_core::events::changes::{row_len, write_row, Event};
use cotaste_core::events::{follow, ArmCounts, Question};
use serde_json::Value;

pub const TARGETS: &[Target] = &[
    Target { name: "events", corpus: events, run: followed },
    Target { name: "arm_counts", corpus: counts, run: arm_counts },
];

fn changes(of: &[i64]) -> Vec<u8> {
    let mut rows = Vec::new();
    for (at, content) in (0..).zip(of) {
        let arm = [Some(("x", "a")), Some(("x", "b")), Some(("y", "a")), None][at as usize % 4];
        let rating = (at % 3 == 1).then_some(2.5 * at as f64 % 10.0);
        let action = ["view", "rate", "complete", "é"][at as usize % 4];
        let event = (at % 5 != 4).then_some(Event { occurred_us: at * 1_000_003, action, rating, arm });
        row(&mut rows, row_len(event).unwrap(), |out| write_row(out, *content, event));
    }
    rows
}

fn events() -> Vec<Parts> {
    let logs: [&[i64]; 4] = [&[1], &[1, 2, 3, 2, 1, 9], &[i64::MIN, 5, 5, i64::MAX], &[4; 40]];
    let names = [("x", "view"), ("x", "rating >= 5"), ("y", "complete"), ("", "é")];
    let of = |(i, log): (usize, &&[i64])| {
        let value = follow(None, &changes(log)).unwrap().unwrap();
        let (experiment, goal) = names[i];
        let window = [0, 30_000_000i64][i % 2].to_le_bytes().to_vec();
        vec![value, changes(logs[(i + 1) % 4]), experiment.into(), goal.into(), vec![0; 8], window]
    };
    logs.iter().enumerate().map(of).collect()
}

fn followed(input: &[Vec<u8>]) -> Verdict {
    let (events, changes) = (&input[0], &input[1]);
    let window = number(&input[5]);
    let question = Question {
        experiment: text(&input[2]),
        goal: text(&input[3]),
        from_us: number(&input[4]),
        to_us: i64::MAX,
        window_us: (window > 0).then_some(window),
        now_us: i64::MAX,
    };
    let mut arms = ArmCounts::default();
    let counted = arms.add(events, &question).is_ok();
    if counted {
        same(&arms)?;
    }
    // Twice, as a state and row by row.
    if let Ok(Some(all)) = follow(None, changes) {
        law!(all.is_empty() || follow(Some(&all), &[]) == Ok(Some(all.clone())), "no changes change what changes made");
        law!(
            ArmCounts::default().add(&all, &question).is_ok()
                || all.is_empty()
                || question.goal.contains(['<', '=', '>']),
            "it is not counted"
        );
    }
    let Ok(now) = follow(Some(events), changes) else { return Ok(counted) };
    let Some(now) = now.filter(|now| !now.is_empty()) else { return Ok(true) };
    law!(follow(Some(&now), &[]) == Ok(Some(now.clone())), "no changes change it");
    law!(follow(Some(&now), changes) == Ok(Some(now)), "the same changes change it twice");
    Ok(true)
}

fn same(arms: &ArmCounts) -> Result<(), String> {
    let bytes = arms.to_bytes().map_err(|e| e.to_string())?;
    law!(ArmCounts::from_bytes(&bytes).as_ref() == Ok(arms), "{arms:?} is read back differently");
    let json = arms.finish().map_err(|e| e.to_string())?;
    law!(json.is_none_or(|json| serde_json::from_str::<Value>(&json).is_ok_and(|v| v.is_object())), "no object");
    Ok(())
}

fn counts() -> Vec<Parts> {
    let mut arms = ArmCounts::default();
    let mut states = vec![vec![arms.to_bytes().unwrap(), arms.to_bytes().unwrap()]];
    for parts in events() {
        for experiment in ["x", "y"] {
            let question =
                Question { experiment, from_us: 0, to_us: i64::MAX, goal: "view", window_us: None, now_us: 0 };
            arms.add(&parts[0], &question).unwrap();
        }
        let last = states.last().unwrap()[0].clone();
        states.push(vec![arms.to_bytes().unwrap(), last]);
    }
    states
}

fn arm_counts(input: &[Vec<u8>]) -> Verdict {
    let (a, b) = (ArmCounts::from_bytes(&input[0]), ArmCounts::from_bytes(&input[1]));
    let (Ok(mut a), Ok(mut b)) = (a, b) else { return Ok(false) };
    same(&a)?;
    let first = a.clone();
    a.merge(&b);
    b.merge(&first);
    law!(a == b, "merging depends on the order");
    same(&a)?;
    Ok(true)
}
