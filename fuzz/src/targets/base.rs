//! What is kept of a pair's purged events.

use crate::mutate::Parts;
use crate::{law, Target, Verdict};
use cotaste_core::base::Base;
use cotaste_core::facts::{Builder, Event, Scale};

pub const TARGETS: &[Target] = &[Target { name: "base", corpus: bases, run: read }];

/// An event of each kind, long ago, at one time and in order.
const EVENTS: [(&str, Option<f64>, f64, i64); 6] = [
    ("view", None, 1.0, 5),
    ("skip", None, -1.0, -1_000_000_000_000),
    ("rate", Some(8.5), 1.4, 1_767_614_399_123_000),
    ("complete", None, 1e300, 1_767_614_399_123_000),
    ("like", None, 5e-324, 1_767_614_400_000_000),
    ("search in Кино", None, 0.0, 7),
];

fn bases() -> Vec<Parts> {
    let of = |events: &[usize], hours: f64, cap: i64| {
        let scale = Scale::new(hours, cap).unwrap();
        let mut base = Base::new(720.0, hours).unwrap();
        for (id, (action, rating, weight, at_us)) in events.iter().map(|place| EVENTS[*place]).enumerate() {
            base.add(&Event { action, rating, weight, at_us, id: id as i64 }, &scale).unwrap();
        }
        base.to_bytes(&scale).unwrap().unwrap()
    };
    let values =
        [of(&[0], 24.0, 0), of(&[1], 6.0, 2), of(&[0, 1, 2, 3, 4, 5], 24.0, 0), of(&[2, 2, 4, 0, 3, 1], 0.5, 2)];
    (0..values.len()).map(|i| vec![values[i].clone(), values[(i + 1) % values.len()].clone()]).collect()
}

/// A value that was read is written the same, tells its numbers, and two of them are kept as one.
fn read(input: &[Vec<u8>]) -> Verdict {
    let Ok(base) = Base::read(&input[0]) else { return Ok(false) };
    let error = |e: cotaste_core::Error| e.to_string();
    for name in ["events", "touches", "first_us", "last_us", "last_id"] {
        law!(matches!(base.number(name), Ok(Some(_))), "{name} is not there");
    }
    law!(base.number("touched_us").is_ok(), "touched_us is refused");
    let _ = (base.last_action(), base.weight(720.0), base.weight(0.001));
    for (hours, cap) in [(24.0, 0), (24.0, 2), (0.5, 1)] {
        let scale = Scale::new(hours, cap).map_err(error)?;
        let mut facts = Builder::default();
        if base.add_to(&mut facts, &scale).is_err() {
            continue;
        }
        let _ = facts.finish(&scale);
        let Ok(mut both) = Base::new(720.0, hours) else { continue };
        let others = Base::read(&input[1]);
        if both.merge(&base, &scale).is_err() || others.is_ok_and(|other| both.merge(&other, &scale).is_err()) {
            continue;
        }
        let Ok(Some(bytes)) = both.to_bytes(&scale) else { continue };
        let again = Base::read(&bytes).and_then(|base| base.to_bytes(&scale));
        law!(again == Ok(Some(bytes)), "a base that was read is written differently");
    }
    Ok(true)
}
