//! Embeddings, and the states of what is computed from them.

use super::{number, tastes};
use crate::mutate::Parts;
use crate::{law, Target, Verdict};
use cotaste_core::embedding::learn::{Interactions, Learned, View};
use cotaste_core::embedding::mean::Mean;
use cotaste_core::embedding::nearest::Nearest;
use cotaste_core::embedding::{check, check_model, dim, from_json, similarity, to_json, MAX_DIM};

pub const TARGETS: &[Target] = &[
    Target {
        name: "embedding_json",
        corpus: || super::texts(&["[1,-0.5,2.5e-3]", "[0]", "[3.4e38,1e-46,-0.0]", "[]", "[1e39]", "[16777217]"]),
        run: json,
    },
    Target { name: "embedding", corpus: embeddings, run: embedding },
    Target { name: "embedding_mean", corpus: means, run: mean },
    Target { name: "nearest", corpus: searches, run: nearest },
    Target { name: "learned", corpus: learned, run: learned_values },
];

fn of(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn json(input: &[Vec<u8>]) -> Verdict {
    let Ok(text) = std::str::from_utf8(&input[0]) else { return Ok(false) };
    let got = from_json("embedding", text);
    let numbers =
        serde_json::from_str::<Vec<f64>>(text).ok().map(|all| all.iter().map(|x| *x as f32).collect::<Vec<_>>());
    let usable = |all: &Vec<f32>| (1..=MAX_DIM).contains(&all.len()) && all.iter().all(|x| x.is_finite());
    let expected = numbers.filter(usable).map(|numbers| of(&numbers));
    law!(got.as_ref().ok() == expected.as_ref(), "{got:?}, expected {expected:?}");
    let _ = check_model(text);
    let Ok(bytes) = got else { return Ok(false) };
    let written = to_json(&bytes).map_err(|e| e.to_string())?;
    law!(from_json("embedding", &written) == Ok(bytes), "{written} is read back differently");
    Ok(true)
}

fn embeddings() -> Vec<Parts> {
    let many: Vec<f32> = (0..67).map(|i| (i as f32 - 30.0) / 7.0).collect();
    let vectors = [of(&[1.0, -0.5, 0.25]), of(&[0.0, 0.0, 0.0]), of(&many), of(&[f32::MAX, f32::MIN_POSITIVE, 1e-45])];
    let said = |bytes: &[u8]| (bytes.len() as i64 / 4).to_le_bytes().to_vec();
    vectors.iter().map(|bytes| vec![bytes.clone(), bytes.iter().rev().copied().collect(), said(bytes)]).collect()
}

fn embedding(input: &[Vec<u8>]) -> Verdict {
    let (a, b, said) = (&input[0], &input[1], number(&input[2]));
    let of_a = dim("a", a);
    let sound = !a.is_empty()
        && a.len().is_multiple_of(4)
        && a.len() <= 4 * MAX_DIM
        && a.chunks(4).all(|x| x.try_into().is_ok_and(|x| f32::from_le_bytes(x).is_finite()));
    law!(of_a.is_ok() == sound && to_json(a).is_ok() == sound, "{of_a:?}");
    law!(
        check(a, said).is_ok() == (sound && said == a.len() as i64 / 4),
        "said to be of {said} numbers: {:?}",
        check(a, said)
    );
    let both = similarity(a, b);
    law!(both == similarity(b, a) || both.is_err(), "it depends on the order");
    law!(both.as_ref().map_or(true, |s| s.is_none_or(|s| (-1.0..=1.0).contains(&s))), "{both:?}");
    if sound {
        law!(similarity(a, a).is_ok_and(|s| s.is_none_or(|s| s == 1.0)), "with itself it is {:?}", similarity(a, a));
    }
    Ok(both.is_ok())
}

fn means() -> Vec<Parts> {
    let mut mean = Mean::default();
    let mut all = vec![vec![mean.to_bytes().unwrap(), of(&[1.0])]];
    for embedding in [[1.0, -0.5, 0.25], [0.0, 0.0, 0.0], [3.0, 4.0, f32::MAX]] {
        mean.add(&of(&embedding)).unwrap();
        all.push(vec![mean.to_bytes().unwrap(), of(&embedding)]);
    }
    all
}

fn mean(input: &[Vec<u8>]) -> Verdict {
    let Ok(mean) = Mean::from_bytes(&input[0]) else { return Ok(false) };
    let bytes = mean.to_bytes().map_err(|e| e.to_string())?;
    law!(bytes == input[0], "it is written differently");
    let direction = mean.finish().map_err(|e| e.to_string())?;
    law!(direction.is_none_or(|d| dim("mean", &d).is_ok()), "its direction is no embedding");
    let (mut more, mut other) = (mean.clone(), Mean::default());
    if more.add(&input[1]).is_ok() && other.add(&input[1]).is_ok() {
        // Sums that only forged bytes hold end at the ends of the range.
        other.merge(&mean).map_err(|e| e.to_string())?;
        law!(more.finish() == other.finish(), "adding and merging differ");
    }
    Ok(true)
}

fn searches() -> Vec<Parts> {
    let rows = [[1.0, 0.5, -1.0], [0.0, 1.0, 0.0], [1.0, 0.5, -0.9], [0.0; 3], [-1.0, -0.5, 1.0]];
    let of_k = |k: usize| {
        let mut nearest = Nearest::new(&of(&rows[0]), k).unwrap();
        rows.iter().zip(-1..).for_each(|(numbers, id)| nearest.add(id, &of(numbers)).unwrap());
        vec![nearest.to_bytes().unwrap(), of(&rows[2])]
    };
    [0, 1, 3, 9].map(of_k).to_vec()
}

fn nearest(input: &[Vec<u8>]) -> Verdict {
    let Ok(mut nearest) = Nearest::from_bytes(&input[0]) else { return Ok(false) };
    let bytes = nearest.to_bytes().map_err(|e| e.to_string())?;
    let again = Nearest::from_bytes(&bytes).map_err(|e| format!("its own bytes: {e}"))?;
    let found = nearest.finish();
    law!(again.finish() == found, "it is read back differently");
    law!(found.is_sorted_by(|a, b| a <= b), "{found:?} is not in order");
    law!(nearest.ids_json().is_ok_and(|json| serde_json::from_str::<Vec<i64>>(&json).is_ok()), "its ids are no array");
    let _ = nearest.add(7, &input[1]);
    law!(nearest.merge(&again).is_ok(), "it does not merge");
    Ok(true)
}

fn learned() -> Vec<Parts> {
    let interactions = || {
        let mut all = Interactions::default();
        for (i, taste) in tastes().iter().take(4).enumerate() {
            all.add(&format!("u{i}"), taste).unwrap();
            all.add(&format!("v{i}"), taste).unwrap();
        }
        all
    };
    let of_dim = |dim| interactions().learn(dim, &mut || Ok(())).unwrap().unwrap();
    let (two, five) = (of_dim(2), of_dim(5));
    let folded = interactions().fold_in(&two, &mut || Ok(())).unwrap();
    [two, five, folded].iter().map(|learned| vec![learned.to_bytes().unwrap(), 550i64.to_le_bytes().to_vec()]).collect()
}

fn learned_values(input: &[Vec<u8>]) -> Verdict {
    let (bytes, content) = (&input[0], number(&input[1]));
    let view = View::read(bytes);
    let whole = Learned::from_bytes(bytes);
    law!(whole.is_err() || view.is_ok(), "read whole and not in place");
    let Ok(view) = view else { return Ok(false) };
    for content in view.contents().take(20).chain([content]) {
        let embedding = view.embedding(content);
        law!(embedding.is_none_or(|embedding| embedding.len() == view.dim() * 4), "an embedding of another length");
        law!(embedding.is_none() || view.fingerprint(content).is_some(), "an embedding without users");
    }
    let Ok(whole) = whole else { return Ok(false) };
    law!(whole.to_bytes().as_ref() == Ok(bytes), "it is written differently");
    let mut interactions = Interactions::default();
    interactions.add("u", &tastes_once()).map_err(|e| e.to_string())?;
    law!(interactions.fold_in(&whole, &mut || Ok(())).is_ok(), "nothing can be folded into it");
    Ok(true)
}

fn tastes_once() -> Vec<u8> {
    thread_local!(static TASTE: Vec<u8> = super::taste(&[1, 550, -5], &[]));
    TASTE.with(Clone::clone)
}
