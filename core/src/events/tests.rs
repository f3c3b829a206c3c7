use super::changes::{row_len, write_row, Event};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Content and event.
type Log = Vec<(i64, Event<'static>)>;

fn put(out: &mut Vec<u8>, content: i64, event: Option<Event<'_>>) {
    let at = out.len();
    out.resize(at + row_len(event).unwrap(), 0);
    write_row(&mut out[at..], content, event).unwrap();
}

/// The changes of some contents, or of all.
fn changes_of(log: &Log, contents: Option<&[i64]>) -> Vec<u8> {
    let mut out = Vec::new();
    contents.unwrap_or_default().iter().for_each(|content| put(&mut out, *content, None));
    for (content, event) in log.iter().filter(|(c, _)| contents.is_none_or(|contents| contents.contains(c))) {
        put(&mut out, *content, Some(*event));
    }
    out
}

fn event() -> impl Strategy<Value = (i64, Event<'static>)> {
    let content = prop_oneof![4 => 1..6i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    let time = prop_oneof![8 => 0..30i64, 1 => any::<i64>()];
    let action = prop::sample::select(vec!["view", "complete", "rate", "", "\u{e9}"]);
    let rating = prop::option::of(prop::sample::select(vec![0.0, 2.5, 8.0, 10.0]));
    let arm =
        prop::option::of((prop::sample::select(vec!["x", "y", ""]), prop::sample::select(vec!["a", "b", "\"c\n"])));
    (content, (time, action, rating, arm))
        .prop_map(|(content, (occurred_us, action, rating, arm))| (content, Event { occurred_us, action, rating, arm }))
}

fn log() -> impl Strategy<Value = Log> {
    prop::collection::vec(event(), 0..40)
}

/// What `experiment_users.sql` says, in plain Rust over one user's events: the variant or none for several, and counts.
type Naive = Option<(Option<&'static str>, [u64; 4], i64, i64)>;

fn naive(log: &Log, q: &Question<'_>) -> Naive {
    let exposures: Vec<(i64, &'static str)> = log
        .iter()
        .filter(|(_, e)| e.occurred_us >= q.from_us && e.occurred_us < q.to_us)
        .filter_map(|(_, e)| {
            e.arm.filter(|(experiment, _)| *experiment == q.experiment).map(|arm| (e.occurred_us, arm.1))
        })
        .collect();
    let first = exposures.iter().map(|(at, _)| *at).min()?;
    let end = q.window_us.map_or(q.to_us, |window| first + window);
    if q.window_us.is_some() && end > q.to_us.min(q.now_us) {
        return None;
    }
    if exposures.iter().any(|(_, variant)| *variant != exposures[0].1) {
        return Some((None, [0; 4], 0, 0));
    }
    let counted: Vec<&Event<'_>> =
        log.iter().map(|(_, e)| e).filter(|e| e.occurred_us >= first && e.occurred_us < end).collect();
    let last = counted.iter().map(|e| e.occurred_us).max()?;
    let views = counted.iter().filter(|e| e.action == "view").count() as u64;
    let goals = match q.goal.strip_prefix("rating >= ") {
        Some(least) => counted.iter().filter(|e| e.rating.is_some_and(|r| r >= least.parse::<f64>().unwrap())).count(),
        None => counted.iter().filter(|e| e.action == q.goal).count(),
    } as u64;
    Some((Some(exposures[0].1), [counted.len() as u64, views, goals, u64::from(goals > 0)], first, last))
}

proptest! {
    #[test]
    fn changes_lead_to_what_all_events_give(before in log(), after in log(), changed in prop::collection::vec(1..6i64, 0..4)) {
        // The log after: other contents keep their events.
        let kept = before.iter().filter(|(content, _)| !changed.contains(content));
        let now: Log = kept.chain(after.iter().filter(|(content, _)| changed.contains(content))).copied().collect();
        let expected = follow(None, &changes_of(&now, None)).unwrap();
        if let Some(was) = follow(None, &changes_of(&before, None)).unwrap() {
            prop_assert_eq!(&follow(Some(&was), &changes_of(&now, Some(&changed))).unwrap(), &expected);
        }
        let mut turned = now.clone();
        turned.reverse();
        prop_assert_eq!(&follow(None, &changes_of(&turned, None)).unwrap(), &expected);
        prop_assert_eq!(expected.is_some(), now.iter().any(|(_, event)| event.arm.is_some()));
    }

    #[test]
    fn arms_are_those_of_a_naive_count(
        logs in prop::collection::vec(log(), 0..6), from in -2..20i64, length in 0..40i64, window in prop::option::of(0..20i64),
        now in 0..40i64, goal in prop::sample::select(vec!["complete", "rating >= 8", "rating >= 0", "none"]), cut in 0..6usize,
    ) {
        let question = Question { experiment: "x", from_us: from, to_us: from + length, goal, window_us: window, now_us: now };
        let mut expected: BTreeMap<Option<&str>, (u64, [u64; 4], i64, i64)> = BTreeMap::new();
        let mut halves = [ArmCounts::default(), ArmCounts::default()];
        for (i, log) in logs.iter().enumerate() {
            if let Some((variant, counts, first, last)) = naive(log, &question) {
                let sum = expected.entry(variant).or_insert((0, [0; 4], first, last));
                sum.0 += 1;
                (0..4).for_each(|i| sum.1[i] += counts[i]);
                (sum.2, sum.3) = (sum.2.min(first), sum.3.max(last));
            }
            if let Some(events) = follow(None, &changes_of(log, None)).unwrap() {
                halves[usize::from(i >= cut)].add(&events, &question).unwrap();
            }
        }
        let [mut arms, other] = halves;
        arms.merge(&ArmCounts::from_bytes(&other.to_bytes().unwrap()).unwrap());
        let mut got: BTreeMap<Option<String>, (u64, [u64; 4], i64, i64)> = BTreeMap::new();
        let json = arms.finish().unwrap().unwrap_or("{}".into());
        for member in serde_json::from_str::<serde_json::Value>(&json).unwrap().as_object().unwrap().values() {
            let number = |name: &str| member[name].as_i64().unwrap_or_default();
            let count = |name: &str| number(name) as u64;
            let counts = [count("events"), count("views"), count("goals"), count("converted_users")];
            let users = count("users") + count("crossover_users");
            got.insert(member["variant"].as_str().map(str::to_owned), (users, counts, number("first_us"), number("last_us")));
        }
        let expected: BTreeMap<Option<String>, _> = expected.into_iter().map(|(v, sums)| (v.map(str::to_owned), sums)).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn a_user_is_that_of_a_naive_count(
        log in log(), from in -2..20i64, length in 0..40i64, window in prop::option::of(0..20i64), now in 0..40i64,
        goal in prop::sample::select(vec!["complete", "rating >= 8", "none"]),
    ) {
        let question = Question { experiment: "x", from_us: from, to_us: from + length, goal, window_us: window, now_us: now };
        let expected = match naive(&log, &question) {
            Some((Some(variant), [_, _, goals, _], first, _)) => {
                let end = window.map_or(question.to_us, |window| first + window);
                let is_goal = |e: &Event<'_>| match goal.strip_prefix("rating >= ") {
                    Some(least) => e.rating.is_some_and(|rating| rating >= least.parse::<f64>().unwrap()),
                    None => e.action == goal,
                };
                let times = log.iter().filter(|(_, e)| is_goal(e)).map(|(_, e)| e.occurred_us);
                let first_goal = times.filter(|at| *at >= first && *at < end).min();
                Some(serde_json::json!({ "variant": variant, "first_us": first, "goals": goals, "first_goal_us": first_goal }))
            }
            _ => None,
        };
        let events = follow(None, &changes_of(&log, None)).unwrap();
        let got = events.and_then(|events| user(&events, &question).unwrap());
        prop_assert_eq!(got.map(|json| serde_json::from_str::<serde_json::Value>(&json).unwrap()), expected);
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..60), log in log(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let question = Question { experiment: "x", from_us: i64::MIN, to_us: i64::MAX, goal: "view", window_us: None, now_us: 0 };
        let _ = (follow(Some(&bytes), &[]), follow(None, &bytes), ArmCounts::from_bytes(&bytes), ArmCounts::default().add(&bytes, &question));
        if let Some(events) = follow(None, &changes_of(&log, None)).unwrap() {
            bytes = events;
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = (follow(Some(&bytes), &[]), ArmCounts::default().add(&bytes, &question), user(&bytes, &question));
        }
    }
}

#[test]
fn more_than_the_most_are_left_to_the_log() {
    let event = Event { occurred_us: 5, action: "view", rating: None, arm: Some(("x", "a")) };
    let changes = changes_of(&vec![(1, event); MOST], None);
    let most = follow(None, &changes).unwrap().unwrap();
    assert!(!most.is_empty());
    let one_more = changes_of(&vec![(2, event)], None);
    assert_eq!(follow(Some(&most), &one_more).unwrap(), Some(Vec::new()));
}

#[test]
fn a_value_of_more_events_than_bytes_is_told_at_once() {
    let mut value = Vec::new();
    crate::bytes::put_head(&mut value, MAGIC);
    // Four columns without width, and 2^62 events in them.
    value.extend([0, 0, 0, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0, 0]);
    let lists = b"\x01\x01x\x01\x01a\x01\x08view";
    value.push(lists.len() as u8);
    value.extend(lists);
    value.extend([0; PAD]);
    crate::bytes::seal(&mut value).unwrap();
    let question = Question { experiment: "x", from_us: 0, to_us: i64::MAX, goal: "view", window_us: None, now_us: 0 };
    assert_eq!(ArmCounts::default().add(&value, &question).map_err(|e| e.code()), Err("CORRUPT_STATE"));
    assert_eq!(follow(Some(&value), &[]).map_err(|e| e.code()), Err("CORRUPT_STATE"));
}

#[test]
fn counts_end_at_the_end_of_the_range() {
    let most = [&[0xff; 9][..], &[1]].concat();
    let state = [&most[..], b"\x01a", &most, &most, &most, &most, &most, &[0, 0]].concat();
    let mut arms = ArmCounts::from_bytes(&state).unwrap();
    arms.merge(&arms.clone());
    assert_eq!(arms.to_bytes(), Ok(state));
}
