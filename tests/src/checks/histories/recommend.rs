//! What recommend should answer, from the rows of the log alone: EASE by solving its dense equations, and the rest by its
//! definition in docs/recommendations.md.

use super::measures::trends;
use super::model::Model;
use crate::engine::{quote, Engine};
use anyhow::{ensure, Context, Result};
use std::collections::{BTreeMap, BTreeSet};

const TOLERANCE: f64 = 1e-9;
const LAMBDA: f64 = 600.0;
const GENRE: f64 = 4.0;

/// The answer for one user: content, score and method.
pub fn ask(engine: &mut dyn Engine, user: &str) -> Result<Vec<Vec<String>>> {
    Ok(engine.query(&format!(
        "select content_id, score, method, rank from recommend({}, 1000, 1.0) order by rank",
        quote(user)
    ))?)
}

/// All of the catalogue the user has not seen, with the right scores, best first, ties by id.
pub fn check(model: &Model, user: &str, rows: &[Vec<String>]) -> Result<()> {
    let expected = scores(model, user, &trends(model)?);
    let listed: BTreeSet<i64> = rows.iter().map(|row| Ok(row[0].parse()?)).collect::<Result<_>>()?;
    let missing: Vec<_> = expected.keys().filter(|content| !listed.contains(content)).collect();
    ensure!(missing.is_empty() && listed.len() == rows.len(), "missing {missing:?}");
    let mut last: Option<(f64, i64)> = None;
    for (position, row) in rows.iter().enumerate() {
        let content: i64 = row[0].parse()?;
        let (score, method) = expected.get(&content).with_context(|| format!("{content} should not be there"))?;
        let got: f64 = row[1].parse()?;
        // The engine's time is a little later than the model's.
        let tolerance = if *method == "trending" { 1e-3 } else { TOLERANCE };
        ensure!(
            (got - score).abs() <= tolerance * (1.0 + score.abs()) && row[2] == *method,
            "{content}: {score} by {method} expected, got {got} by {}",
            row[2]
        );
        ensure!(row[3] == (position + 1).to_string(), "{content} has rank {}", row[3]);
        if let Some((before, above)) = last {
            ensure!(before > got || before == got && above < content, "{content} comes after {above}");
        }
        last = Some((got, content));
    }
    Ok(())
}

fn scores(model: &Model, user: &str, trends: &BTreeMap<i64, f64>) -> BTreeMap<i64, (f64, &'static str)> {
    let touched: BTreeMap<&str, BTreeSet<i64>> = model
        .histories
        .iter()
        .map(|(user, history)| {
            let own = history.iter().filter(|(_, pair)| pair.touched.is_some()).map(|(content, _)| *content);
            (user.as_str(), own.collect::<BTreeSet<i64>>())
        })
        .filter(|(_, own)| !own.is_empty())
        .collect();
    let everything: BTreeSet<i64> = touched.values().flatten().chain(model.catalogue.keys()).copied().collect();
    let contents: Vec<i64> = everything.into_iter().collect();
    let place = |content: &i64| contents.binary_search(content).unwrap_or_default();
    let genres: Vec<BTreeSet<&str>> = contents
        .iter()
        .map(|content| model.catalogue.get(content).into_iter().flatten().map(String::as_str).collect())
        .collect();
    let n = contents.len();
    let all: f64 = touched.values().map(|own| own.len() as f64).sum();
    let raw = |own: &BTreeSet<i64>| (own.len() as f64).powf(-0.4);
    let scale = all / touched.values().map(|own| raw(own) * own.len() as f64).sum::<f64>();
    let (mut counts, mut weighted) = (vec![0.0; n], vec![0.0; n]);
    let mut m = vec![vec![0.0; n]; n];
    for own in touched.values() {
        for a in own {
            counts[place(a)] += 1.0;
            weighted[place(a)] += raw(own) * scale;
            for b in own {
                m[place(a)][place(b)] += raw(own) * scale;
            }
        }
    }
    for i in 0..n {
        m[i][i] += LAMBDA;
        for j in 0..n {
            m[i][j] += GENRE * genres[i].intersection(&genres[j]).count() as f64;
        }
    }
    let nothing = BTreeMap::new();
    let history = model.histories.get(user).unwrap_or(&nothing);
    let own: Vec<(i64, i64)> = history
        .iter()
        .filter(|(_, pair)| !pair.disliked)
        .filter_map(|(content, pair)| Some((*content, pair.touched?)))
        .collect();
    let mut x = vec![0.0; n];
    for (content, at) in &own {
        let age = own.iter().filter(|(_, other)| other > at).count();
        x[place(content)] = 1.0 / (1.0 + age as f64);
    }
    let y = solve(m, x.clone());
    let known = own.len() as f64;
    let gain = 0.06 * (6.0 / (6.0 + known)).powi(2);
    let users = touched.len().max(1) as f64;
    let ease = |j: usize| {
        (x[j] - y[j] * (LAMBDA + 0.4 * weighted[j])) * (1.0 + weighted[j]).powf(-0.1) + gain * counts[j] / users
    };
    let catalogue = model.catalogue.len() as f64;
    let fit = |j: usize| -> f64 {
        let of = |genre: &&str| {
            let has = |content: &i64| genres[place(content)].contains(*genre);
            let part = contents.iter().filter(|content| has(content)).count() as f64 / catalogue;
            let touches: f64 = (0..n).filter(|j| genres[*j].contains(*genre)).map(|j| counts[j]).sum();
            let share = (touches + part) / (all + 1.0);
            let mine = own.iter().filter(|(content, _)| has(content)).count() as f64;
            ((mine + 20.0 * share) / (known + 20.0) / share).ln() + 0.5 * (share / part).ln()
        };
        genres[j].iter().map(of).sum()
    };
    let candidates: Vec<usize> = model.catalogue.keys().map(place).collect();
    let seen = |j: usize| history.contains_key(&contents[j]);
    let best = candidates.iter().filter(|j| counts[**j] > 0.0 && !seen(**j)).map(|j| ease(*j)).fold(0.0, f64::max);
    let top = if best > 0.0 { 0.2 * best } else { 1.0 };
    let new = candidates.iter().filter(|j| counts[**j] == 0.0);
    let best_fit = new.map(|j| fit(*j)).fold(f64::NEG_INFINITY, f64::max);
    let unseen = candidates.iter().filter(|j| !seen(**j));
    unseen
        .map(|&j| {
            let score = match (own.is_empty(), counts[j] == 0.0) {
                (true, _) => match trends.get(&contents[j]) {
                    Some(trend) if *trend >= 0.5 => (1.0 + trend, "trending"),
                    _ => (counts[j] / users, "popular"),
                },
                (_, true) => (top * (fit(j) - best_fit).exp(), "genres"),
                _ => (ease(j), "ease"),
            };
            (contents[j], score)
        })
        .collect()
}

/// Gaussian elimination; the matrix is positive definite.
fn solve(mut m: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        for j in i + 1..n {
            let factor = m[j][i] / m[i][i];
            let (above, below) = m.split_at_mut(j);
            above[i].iter().zip(&mut below[0]).skip(i).for_each(|(a, b)| *b -= factor * a);
            b[j] -= factor * b[i];
        }
    }
    for i in (0..n).rev() {
        for k in i + 1..n {
            b[i] -= m[i][k] * b[k];
        }
        b[i] /= m[i][i];
    }
    b
}
