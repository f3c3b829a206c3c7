//! Times, genres, and JSON arguments.

use super::{number, text, texts};
use crate::{law, Target, Verdict};
use cotaste_core::genre_order::GenreOrder;
use cotaste_core::time::{day_of_week, day_start_us, format_timestamp, parse_timestamp, time_slot, MAX_US, MIN_US};
use cotaste_core::{genre, list, similarity, stats};
use serde_json::Value;

pub const TARGETS: &[Target] = &[
    Target {
        name: "timestamp",
        corpus: || {
            texts(&[
                "2026-01-05T11:59:59.123Z",
                "2026-01-05 11:59:59.123456789+01:00",
                " 1969-12-31t23:59-0530 ",
                "2024-02-29",
                "0001-01-01T00:00:00,5+23",
                "9999-12-31 23:59:59",
            ])
        },
        run: timestamp,
    },
    Target {
        name: "zone",
        corpus: || {
            let zones = ["UTC", "Asia/Kathmandu", "America/Sao_Paulo", "europe/berlin", "+05:00", "Pacific/Apia"];
            let times = [0, MIN_US, MAX_US, 1_767_614_399_123_000, 1_541_300_400_000_000, -1];
            zones
                .iter()
                .zip(times)
                .map(|(zone, us)| vec![zone.as_bytes().to_vec(), us.to_le_bytes().to_vec()])
                .collect()
        },
        run: zone,
    },
    Target {
        name: "genre",
        corpus: || {
            texts(&[
                r#"["Drama","Thriller"]"#,
                r#"[" Drama ", 7, "", null, "Кино", ["x"]]"#,
                r#" [ "a" , "\u0041\n", "e\u0301" ] "#,
                r#"{"Drama":1,"drama":0.5,"x":-2,"y":null}"#,
                "Drama|Thriller",
                "[]",
            ])
        },
        run: genres,
    },
    Target {
        name: "genre_order",
        corpus: || texts(&[r#"["war","drama","noir"]"#, "[]", r#"["a","\u0061"]"#, r#"["Кино"]"#]),
        run: genre_order,
    },
    Target {
        name: "similarity",
        corpus: || {
            let pairs = [
                ("[1,2,null]", r#"["2",3]"#),
                (r#"{"Drama":2,"x":-1}"#, r#"{"drama":1e200}"#),
                ("[0.5,-1e300,3]", "[1,2,3]"),
                ("[]", "{}"),
            ];
            pairs.iter().map(|(a, b)| vec![a.as_bytes().to_vec(), b.as_bytes().to_vec()]).collect()
        },
        run: similarity,
    },
    Target {
        name: "stats_text",
        corpus: || {
            let inputs = [
                ("[[10,100],[14,100]]", "[1,1]", "rating >= 8.5"),
                ("[100,120,80]", "[0.5,0.25,0.25]", "complete"),
                (r#"{"control":0.5,"b":0.5}"#, "user", "device"),
                ("[[0,0]]", "[]", ">="),
            ];
            let bytes = |text: &str| text.as_bytes().to_vec();
            inputs.iter().map(|(a, b, c)| vec![bytes(a), bytes(b), bytes(c)]).collect()
        },
        run: stats_text,
    },
    Target {
        name: "list",
        corpus: || {
            let mut rows = Vec::new();
            for (value, position) in [("Thriller", 2), ("Drama", 1), ("", i64::MIN), ("é\"\n", 2)] {
                let length = list::state::row_len(value).unwrap();
                super::row(&mut rows, length, |out| list::state::write_row(out, value, position));
            }
            vec![vec![rows], vec![vec![]]]
        },
        run: |input| {
            let Ok(json) = list::state::finish(&input[0]) else { return Ok(false) };
            law!(serde_json::from_str::<Vec<String>>(&json).is_ok(), "{json} is no array of texts");
            Ok(true)
        },
    },
];

fn timestamp(input: &[Vec<u8>]) -> Verdict {
    let Ok(text) = std::str::from_utf8(&input[0]) else { return Ok(false) };
    let got = parse_timestamp(text).ok();
    let expected = naive(text.trim()).filter(|us| (MIN_US..=MAX_US).contains(us));
    law!(got == expected, "{text:?}: {got:?}, expected {expected:?}");
    let Some(us) = got else { return Ok(false) };
    let written = format_timestamp(us).map_err(|e| e.to_string())?;
    law!(parse_timestamp(&written) == Ok(us) && written.len() == 27, "{us} is written as {written}");
    Ok(true)
}

/// `YYYY-MM-DD[(T| )HH:MM[:SS[.f...]][Z|(+|-)HH[[:]MM]]]` by cutting at the separators, the days counted year by year.
fn naive(text: &str) -> Option<i64> {
    let whole = |text: &str, digits: usize| {
        (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<i64>().ok())?
    };
    let (date, clock) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let [year, month, day] = date.split('-').collect::<Vec<_>>().try_into().ok()?;
    let (year, month, day) = (whole(year, 4)?, whole(month, 2)?, whole(day, 2)?);
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let months = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *months.get(usize::try_from(month - 1).ok()?)?;
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years of 400 have 146,097 days; the rest are counted.
    let (cycles, rest) = (year / 400, year % 400);
    let of_years: i64 = (0..rest).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let of_months: i64 = months[..month as usize - 1].iter().sum();
    let days = cycles * 146_097 + of_years + of_months + day - 1 - 719_528;
    let mut us = days * 86_400_000_000;
    if let Some(clock) = clock {
        let (clock, ahead) = match clock.find(['Z', 'z', '+', '-']) {
            Some(at) => (&clock[..at], offset(&clock[at..])?),
            None => (clock, 0),
        };
        let (clock, fraction) = match clock.find(['.', ',']) {
            Some(at) => (&clock[..at], Some(&clock[at + 1..])),
            None => (clock, None),
        };
        let parts: Vec<i64> = clock.split(':').map(|part| whole(part, 2)).collect::<Option<_>>()?;
        let (hour, minute, second) = match (&parts[..], fraction) {
            ([hour, minute], None) => (*hour, *minute, 0),
            ([hour, minute, second], _) => (*hour, *minute, *second),
            _ => return None,
        };
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        us += (hour * 3600 + minute * 60 + second) * 1_000_000 - ahead * 60_000_000;
        if let Some(fraction) = fraction {
            if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            us += format!("{fraction:0<6}")[..6].parse::<i64>().ok()?;
        }
    }
    Some(us)
}

/// Minutes ahead of UTC.
fn offset(text: &str) -> Option<i64> {
    let (sign, rest) = (text.get(..1)?, text.get(1..)?);
    if sign.eq_ignore_ascii_case("z") {
        return rest.is_empty().then_some(0);
    }
    let digits: String = match rest.len() {
        5 if rest.as_bytes()[2] == b':' => rest.chars().filter(|c| *c != ':').collect(),
        2 | 4 => rest.to_owned(),
        _ => return None,
    };
    if !(digits.len() == 2 || digits.len() == 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (digits[..2].parse().ok()?, digits[2..].parse().unwrap_or(0));
    let minutes = if hours > 23 || minutes > 59 { return None } else { hours * 60 + minutes };
    Some(if sign == "-" { -minutes } else { minutes })
}

fn zone(input: &[Vec<u8>]) -> Verdict {
    let (zone, us) = (text(&input[0]), number(&input[1]));
    let answers = (time_slot(us, zone), day_of_week(us, zone), day_start_us(us, zone));
    let told = [answers.0.is_ok(), answers.1.is_ok(), answers.2.is_ok()];
    law!(told == [told[0]; 3], "some of {answers:?} fail");
    let (Ok(_), Ok(day), Ok(start)) = answers else { return Ok(false) };
    law!(start <= us.max(MIN_US) && us - start < 2 * 86_400_000_000, "{us} is in the day from {start}");
    if zone == "UTC" {
        let days = ["thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"];
        law!(day == days[us.div_euclid(86_400_000_000).rem_euclid(7) as usize], "{us} is a {day}");
    }
    Ok(true)
}

fn genres(input: &[Vec<u8>]) -> Verdict {
    let Ok(text) = std::str::from_utf8(&input[0]) else { return Ok(false) };
    let json = genre::list_json(text).map_err(|e| e.to_string())?;
    let value = serde_json::from_str::<Value>(text).ok();
    let usable = |name: &str| !name.is_empty() && name.len() <= genre::MAX_NAME && !name.contains('\0');
    let array = value.as_ref().and_then(Value::as_array);
    let names = array.into_iter().flatten().filter_map(Value::as_str).map(str::trim);
    let expected: Vec<&str> = names.filter(|name| usable(name)).collect();
    law!(serde_json::from_str::<Vec<String>>(&json).is_ok_and(|got| got == expected), "{json}, expected {expected:?}");
    for name in &expected {
        let key = genre::key(name);
        law!(genre::key(&key) == key, "{name:?} has the key {key:?}, and that another");
    }
    let vector = genre::vector_json(text, 0.5);
    if let Ok(vector) = &vector {
        let entries: Option<std::collections::BTreeMap<String, f64>> = serde_json::from_str(vector).ok();
        law!(entries.is_some_and(|e| e.values().all(|w| *w >= 0.0)), "{vector} is no vector");
    }
    Ok(!expected.is_empty() || (vector.is_ok() && value.is_some_and(|value| value.is_object())))
}

fn genre_order(input: &[Vec<u8>]) -> Verdict {
    let Ok(text) = std::str::from_utf8(&input[0]) else { return Ok(false) };
    let expected = serde_json::from_str::<Value>(text).ok().and_then(|value| {
        let names =
            value.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?;
        let distinct: std::collections::HashSet<&String> = names.iter().collect();
        (distinct.len() == names.len()).then(|| names.clone())
    });
    let Ok(order) = GenreOrder::read(text) else {
        law!(expected.is_none(), "an order is refused");
        return Ok(false);
    };
    let names = expected.ok_or("what is no order is taken")?;
    law!(names.iter().enumerate().all(|(i, name)| order.position(name.as_bytes()) == Some(i)), "a place is lost");
    Ok(true)
}

fn similarity(input: &[Vec<u8>]) -> Verdict {
    let (a, b) = (text(&input[0]), text(&input[1]));
    let (jaccard, cosine) = (similarity::jaccard_json(a, b), similarity::cosine_json(a, b));
    law!(jaccard == similarity::jaccard_json(b, a) || jaccard.is_err(), "jaccard depends on the order");
    law!(jaccard.as_ref().map_or(true, |j| (0.0..=1.0).contains(j)), "jaccard is {jaccard:?}");
    law!(cosine.as_ref().map_or(true, |c| (-1.0..=1.0).contains(c)), "cosine is {cosine:?}");
    Ok(jaccard.is_ok() || cosine.is_ok())
}

fn stats_text(input: &[Vec<u8>]) -> Verdict {
    let [a, b, c] = [0, 1, 2].map(|i| text(&input[i]));
    let arms = stats::arms_json(a);
    let omnibus = arms.as_ref().map(|arms| stats::omnibus_test(arms));
    let chance = |p: f64| (0.0..=1.0).contains(&p);
    if let Ok(Ok(Some(test))) = &omnibus {
        law!(chance(test.p_value), "{test:?}");
    }
    let ratio = stats::srm_test_json(a, b);
    if let Ok(ratio) = &ratio {
        law!(ratio.p_value.is_none_or(chance), "{ratio:?}");
    }
    let assigned = stats::assign(b, c, a);
    law!(assigned == stats::assign(b, c, a) && (0.0..1.0).contains(&stats::assign_point(b, c)), "no fixed variant");
    let goal = stats::rating_goal(c);
    law!(!matches!(goal, Ok(Some(least)) if !(0.0..=10.0).contains(&least)), "{goal:?} is a goal");
    let _ = (stats::check_dimension(c), stats::result_number(a, c));
    Ok(arms.is_ok() || ratio.is_ok() || assigned.is_ok())
}
