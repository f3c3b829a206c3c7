//! The answers of the database beside those of the model.

use super::experiments::{self, Asked};
use super::measures;
use super::model::{clock, Likeness, Model};
use crate::engine::{quote, Engine, Kind};
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
}

/// Compares everything; `turn` chooses the user and the pair that are asked in more ways. Returns the model.
pub fn compare(engine: &mut dyn Engine, users: &[&str], turn: usize) -> Result<Model> {
    let asked = users[turn % users.len()];
    let pair = (asked, users[(turn / users.len() + 1) % users.len()]);
    for _ in 0..500 {
        let model = Model::read(engine)?;
        let answers = ask(engine, &model, turn, asked, pair)?;
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
        return Ok(model);
    }
    anyhow::bail!("events became due all the time")
}

fn ask(engine: &mut dyn Engine, model: &Model, turn: usize, asked: &str, (a, b): (&str, &str)) -> Result<Answers> {
    let experiments = experiments::ask(engine, model, turn)?;
    let (a, b, asked) = (quote(a), quote(b), quote(asked));
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
        shared_content: engine.value(&format!("select count(*) from shared_content({a}, {b})"))?,
        experiments,
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
