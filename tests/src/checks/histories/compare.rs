//! The answers of the database beside those of the model.

use super::experiments::{self, Asked};
use super::measures;
use super::model::{clock, Likeness, Model};
use super::recommend;
use crate::engine::{print_double, quote, Engine, Kind, NULL};
use anyhow::{ensure, Context, Result};
use std::collections::BTreeMap;
use std::time::Duration;

const TOLERANCE: f64 = 1e-9;
/// A similarity as small as this may be none at all.
const NOTHING: f64 = 1e-12;
const KS: [usize; 3] = [1, 3, 10];

/// Everyone is in the table `probe`, and somebody who never did anything.
pub const NOBODY: &str = "nobody";

/// What the database answers, all of it read between two looks at its clock.
struct Answers {
    pairs: Vec<Vec<String>>,
    top: Vec<Vec<String>>,
    view: Vec<Vec<String>>,
    detail: Vec<Vec<String>>,
    shared_content: String,
    experiments: [Asked; 2],
    also_watched: Vec<Vec<String>>,
    embeddings: Vec<Vec<String>>,
    recommended: Vec<Vec<String>>,
}

/// Compares everything; `turn` chooses the user and the pair that are asked in more ways. Returns the model.
pub fn compare(engine: &mut dyn Engine, users: &[&str], turn: usize) -> Result<Model> {
    let asked = users[turn % users.len()];
    let pair = (asked, users[(turn / users.len() + 1) % users.len()]);
    for _ in 0..500 {
        let model = Model::read(engine)?;
        let contents = model.contents();
        let content = contents.iter().nth(turn % contents.len().max(1)).copied().unwrap_or(1);
        let answers = ask(engine, &model, turn, (asked, content), pair)?;
        let measured = measures::ask(engine, turn, model.now)?;
        if model.crossed(clock(engine)?) {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        }
        pairs(&model, &answers.pairs)?;
        lists(&model, &answers.top)?;
        view(&answers, asked)?;
        detail(&model, &answers, pair)?;
        measures::compare(&model, &measured)?;
        answers.experiments.iter().try_for_each(|asked| asked.check(&model))?;
        also_watched(&model, &answers.also_watched, content)?;
        embeddings(&model, &answers.embeddings)?;
        recommend::check(&model, asked, &answers.recommended)
            .with_context(|| format!("recommend({asked}) is {:?}", answers.recommended))?;
        return Ok(model);
    }
    anyhow::bail!("events became due all the time")
}

fn ask(
    engine: &mut dyn Engine,
    model: &Model,
    turn: usize,
    (asked, content): (&str, i64),
    (a, b): (&str, &str),
) -> Result<Answers> {
    let experiments = experiments::ask(engine, model, turn)?;
    let (a, b, of, asked) = (quote(a), quote(b), asked, quote(asked));
    let columns = "s.user_id, s.similarity, s.jaccard, s.genre_cosine, s.shared_items, s.rank";
    let ks = KS.map(|k| format!("select cast({k} as bigint) as k")).join(" union all ");
    let lateral = if engine.kind() == Kind::Postgres { "lateral " } else { "" };
    Ok(Answers {
        pairs: engine.query(
            "select a.user_id, b.user_id, user_similarity(a.user_id, b.user_id) from probe a cross join probe b",
        )?,
        top: engine.query(&format!(
            "select p.user_id, k.k, {columns} from probe p cross join ({ks}) k
             cross join {lateral}similar_users(p.user_id, k.k) s order by p.user_id, k.k, s.rank"
        ))?,
        view: engine
            .query(&format!("select {columns} from similar_users s where s.for_user_id = {asked} order by s.rank"))?,
        detail: engine.query(&format!(
            "select similarity, jaccard, genre_cosine, shared_items from user_similarity_detail({a}, {b})"
        ))?,
        also_watched: engine.query(&format!(
            "select w.content_id, w.shared_users, w.users, w.support, w.confidence, w.lift, w.rank, s.similarity
             from also_watched({content}, 1000) w
             left join similar_content({content}, 1000) s on s.content_id = w.content_id order by w.rank"
        ))?,
        embeddings: engine
            .query("select user_id, genres, dim, embedding from user_genre_embeddings order by user_id")?,
        shared_content: engine.value(&format!("select count(*) from shared_content({a}, {b})"))?,
        experiments,
        recommended: recommend::ask(engine, of)?,
    })
}

fn pairs(model: &Model, rows: &[Vec<String>]) -> Result<()> {
    for row in rows {
        let likeness = model.compare(&row[0], &row[1]);
        within(&row[2], likeness.similarity)
            .with_context(|| format!("user_similarity({}, {}), {likeness:?}", row[0], row[1]))?;
    }
    Ok(())
}

/// All that share a user with one content, in their order, with what follows from the counts.
fn also_watched(model: &Model, rows: &[Vec<String>], content: i64) -> Result<()> {
    let expected: Vec<Vec<String>> = (1..)
        .zip(model.watched_with(content))
        .map(|(rank, (other, counts))| {
            let [both, users, of, all] = counts.map(|count| count as f64);
            let lift = (both + 10.0) / (of * users / all + 10.0);
            let similarity = both / (users * of).sqrt() * (both / (both + 10.0));
            let numbers = [both / all, both / of, lift].map(print_double);
            let ids = [other.to_string(), counts[0].to_string(), counts[1].to_string()];
            ids.into_iter().chain(numbers).chain([rank.to_string(), print_double(similarity)]).collect()
        })
        .collect();
    ensure!(rows == expected, "also_watched({content}) is {rows:?}, {expected:?} expected");
    Ok(())
}

/// One vector a user, all over the same genres.
fn embeddings(model: &Model, rows: &[Vec<String>]) -> Result<()> {
    let users: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    ensure!(users == model.users().collect::<Vec<_>>(), "user_genre_embeddings has {users:?}");
    for row in rows {
        let genres: Vec<String> = serde_json::from_str(&row[1])?;
        ensure!(row[1] == rows[0][1] && row[2] == genres.len().to_string(), "{row:?} has other dimensions");
        if row[3] != NULL {
            let vector: Vec<f64> = serde_json::from_str(&row[3])?;
            let length: f64 = vector.iter().map(|x| x * x).sum();
            ensure!(vector.len() == genres.len() && (length - 1.0).abs() < 1e-6, "{row:?} is not of length 1");
        }
    }
    Ok(())
}

fn within(got: &str, (low, high): (f64, f64)) -> Result<f64> {
    let value: f64 = got.parse().with_context(|| format!("a number expected, got {got}"))?;
    ensure!(value >= low - TOLERANCE && value <= high + TOLERANCE, "{low} to {high} expected, got {got}");
    Ok(value)
}

/// Every list of every user and k.
fn lists(model: &Model, rows: &[Vec<String>]) -> Result<()> {
    let mut lists: BTreeMap<(&str, usize), Vec<&[String]>> = BTreeMap::new();
    for row in rows {
        lists.entry((&row[0], row[1].parse()?)).or_default().push(&row[2..]);
    }
    let mut askers: Vec<&str> = model.users().collect();
    askers.push(NOBODY);
    for user in askers {
        let whole = lists.get(&(user, KS[KS.len() - 1])).map_or(&[][..], Vec::as_slice);
        list(model, user, whole).with_context(|| format!("similar_users({user}, 10) is {whole:?}"))?;
        for k in KS {
            let short = lists.get(&(user, k)).map_or(&[][..], Vec::as_slice);
            ensure!(
                short == &whole[..k.min(whole.len())],
                "similar_users({user}, {k}) is {short:?}, of 10 the first are {whole:?}"
            );
        }
    }
    let known: Vec<&str> = model.users().collect();
    let stranger = lists.keys().find(|(user, _)| !known.contains(user));
    ensure!(stranger.is_none(), "somebody unknown has similar users: {stranger:?}");
    Ok(())
}

/// The complete list of one user: the right users with the right numbers, best first, ties by the bytes of the id.
fn list(model: &Model, user: &str, rows: &[&[String]]) -> Result<()> {
    let mut expected: Vec<(&str, Likeness)> =
        model.users().filter(|other| *other != user).map(|other| (other, model.compare(user, other))).collect();
    for (other, likeness) in &expected {
        let listed = rows.iter().any(|row| row[0] == *other);
        ensure!(listed || likeness.similarity.0 <= NOTHING, "{other} is missing: {likeness:?}");
        ensure!(!listed || likeness.similarity.1 > 0.0, "{other} is nothing like {user}");
    }
    let mut last: Option<(f64, &str)> = None;
    for (position, row) in rows.iter().enumerate() {
        let id = row[0].as_str();
        let found = expected.iter().position(|(other, _)| *other == id);
        let (_, likeness) = expected.swap_remove(found.with_context(|| format!("{id} should not be there"))?);
        let similarity = numbers(&row[1..5], &likeness).with_context(|| format!("{id}: {likeness:?}"))?;
        ensure!(row[5] == (position + 1).to_string(), "{id} has rank {}", row[5]);
        if let Some((before, above)) = last {
            ensure!(before > similarity || before == similarity && above < id, "{id} comes after {above}");
        }
        last = Some((similarity, id));
    }
    Ok(())
}

/// `similarity, jaccard, genre_cosine, shared_items`.
fn numbers(row: &[String], likeness: &Likeness) -> Result<f64> {
    within(&row[1], (likeness.jaccard, likeness.jaccard)).context("jaccard")?;
    within(&row[2], likeness.cosine).context("genre_cosine")?;
    ensure!(row[3] == likeness.shared.to_string(), "{} shared items", row[3]);
    within(&row[0], likeness.similarity).context("similarity")
}

/// The view, asked for one user, has the rows of the function.
fn view(answers: &Answers, asked: &str) -> Result<()> {
    let function: Vec<&[String]> =
        answers.top.iter().filter(|row| row[0] == asked && row[1] == "10").map(|row| &row[2..]).collect();
    ensure!(function == answers.view, "of {asked} the view has {:?}, the function {function:?}", answers.view);
    Ok(())
}

fn detail(model: &Model, answers: &Answers, (a, b): (&str, &str)) -> Result<()> {
    let likeness = model.compare(a, b);
    let asked = || format!("of {a} and {b}, {likeness:?}");
    ensure!(answers.detail.len() == 1, "user_similarity_detail: {:?}, {}", answers.detail, asked());
    numbers(&answers.detail[0], &likeness).with_context(|| format!("user_similarity_detail {}", asked()))?;
    ensure!(
        answers.shared_content == likeness.shared.to_string(),
        "{} shared_content {}",
        answers.shared_content,
        asked()
    );
    Ok(())
}
