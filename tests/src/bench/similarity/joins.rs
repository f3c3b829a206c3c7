//! `taste_similarity` over joins of stored tastes: one against all, random pairs, and a small cross join beside the
//! kernel called from Rust.

use super::super::data::succeed;
use super::super::figures::{Contender, Figures, Sample};
use super::space::{Space, RUN};
use super::{pairs, runs};
use crate::engine::{Engine, Kind, Value};
use anyhow::Result;
use std::process::Command;
use std::time::Duration;

/// Tastes on each side of the cross join.
const SIDE: usize = 600;

const ONE: &str = "select sum(taste_similarity(m.taste, o.taste)) from cotaste_users m cross join cotaste_users o where m.user_id = cast($1 as text)";
const ONE_ALONE: &str = "select sum(length(m.taste) + length(o.taste)) from cotaste_users m cross join cotaste_users o where m.user_id = cast($1 as text)";
const PAIRS: &str = "select sum(taste_similarity(x.taste, y.taste)) from pairs p join cotaste_users x on x.user_id = p.a join cotaste_users y on y.user_id = p.b where p.n <= $1";
const PAIRS_ALONE: &str = "select sum(length(x.taste) + length(y.taste)) from pairs p join cotaste_users x on x.user_id = p.a join cotaste_users y on y.user_id = p.b where p.n <= $1";
const CROSS: &str = "select sum(taste_similarity(a.taste, b.taste)) from probe a cross join probe b";
const CROSS_ALONE: &str = "select sum(length(a.taste) + length(b.taste)) from probe a cross join probe b";

pub fn run(space: &mut Space<'_>, figures: &mut Figures) -> Result<()> {
    let space = &*space;
    one_against_all(space, figures)?;
    random_pairs(space, figures)?;
    cross_join(space, figures)
}

fn one_against_all(space: &Space<'_>, figures: &mut Figures) -> Result<()> {
    let contender = |name: &str, sql: &'static str| {
        let mut turns = 0;
        Contender::measured(name, move || {
            // A user a call, until a second or all of them are over.
            let users = space.turned(&mut turns);
            let times = space.engine.borrow_mut().each(sql, &users, Duration::from_secs(1))?;
            let seconds = times.iter().sum::<Duration>().as_secs_f64();
            Ok(Sample::Rate { units: (times.len() * space.sets.users.len()) as u64, seconds })
        })
    };
    let mut contenders = Vec::new();
    if space.kind == Kind::Postgres {
        contenders.push(contender(pairs::packed(space)?, include_str!("../../../bench/similarity/packed-one.sql")));
    }
    contenders.push(contender("taste_similarity, stored tastes", ONE));
    contenders.push(contender("that join without similarity", ONE_ALONE));
    figures.compare(space.subject("one taste against all", "pairs/s"), runs()?, &mut contenders)
}

fn random_pairs(space: &Space<'_>, figures: &mut Figures) -> Result<()> {
    let mut contenders = Vec::new();
    if space.kind == Kind::Postgres {
        let sql = include_str!("../../../bench/similarity/packed-join.sql");
        contenders.push(space.over_pairs(pairs::packed(space)?, sql)?);
    }
    contenders.push(space.over_pairs("taste_similarity, stored tastes", PAIRS)?);
    contenders.push(space.over_pairs("that join without similarity", PAIRS_ALONE)?);
    figures.compare(space.subject("random pairs of tastes", "pairs/s"), runs()?, &mut contenders)
}

fn cross_join(space: &Space<'_>, figures: &mut Figures) -> Result<()> {
    probe(space.engine.borrow_mut().as_mut())?;
    let tastes = space.engine.borrow_mut().query("select taste from probe")?;
    let joined = tastes.len().pow(2) as u64;
    let file = space.options.target.join("bench/tastes.hex");
    std::fs::write(&file, tastes.iter().map(|row| row[0].clone() + "\n").collect::<String>())?;
    let kernel = space.options.target.join("release/examples/kernels");
    let sql = |name: &str, text: &'static str| {
        Contender::measured(name, move || {
            let times = space.engine.borrow_mut().each(text, &[Vec::<Value>::new()], RUN)?;
            Ok(Sample::Rate { units: joined, seconds: times.iter().sum::<Duration>().as_secs_f64() })
        })
    };
    let mut contenders = vec![
        Contender::new("the kernel from Rust", move || succeed(Command::new(&kernel).arg(&file)).map(|()| joined)),
        sql("taste_similarity, stored tastes", CROSS),
        sql("that join without similarity", CROSS_ALONE),
    ];
    figures.compare(space.subject("a cross join of 600 tastes", "pairs/s"), runs()?, &mut contenders)
}

/// Some of the tastes, as a user would store them: whole in the row where the engine would move them out.
fn probe(engine: &mut dyn Engine) -> Result<()> {
    let (some, table) = match engine.kind() {
        Kind::Sqlite => ("random()", "create table probe (user_id text primary key, taste blob)"),
        Kind::Postgres => (
            "md5(user_id)",
            "create table probe (user_id text collate \"C\" primary key, taste bytea) with (toast_tuple_target = 8160); \
             alter table probe alter column taste set storage external",
        ),
    };
    engine.exec(table)?;
    engine.exec(&format!("insert into probe select user_id, taste from cotaste_users order by {some} limit {SIDE}"))?;
    Ok(engine.exec("analyze probe")?)
}
