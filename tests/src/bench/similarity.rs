//! Pairs per second: `user_similarity` a pair and `taste_similarity` over a join of stored tastes, against the same
//! formula in plain SQL over the log and against the kernel called from Rust without an engine.

use super::figures::{Contender, Figures};
use super::{data, Spaces, RUNS};
use crate::engine::{Engine, Kind};
use crate::Options;
use anyhow::{ensure, Context, Result};
use std::cell::RefCell;
use std::process::Command;

/// Pairs for what runs a pair at a time, and for plain SQL.
const PAIRS: u64 = 2000;
/// Tastes on each side of the join.
const SIDE: u64 = 600;

pub fn run(space: Spaces<'_>, engine: &str, options: &Options, figures: &mut Figures) -> Result<()> {
    let mut movielens = space()?;
    if data::load_movielens(movielens.as_mut())? {
        measure(movielens, engine, "MovieLens small", options, figures)?;
    }
    if let Some(directory) = data::synthetic(&options.target, 20_000, 5_000)? {
        let mut synthetic = space()?;
        data::load_synthetic(synthetic.as_mut(), &directory)?;
        measure(synthetic, engine, "synthetic 20k x 5k", options, figures)?;
    }
    Ok(())
}

fn measure(
    mut engine: Box<dyn Engine>,
    name: &str,
    data: &str,
    options: &Options,
    figures: &mut Figures,
) -> Result<()> {
    prepare(engine.as_mut())?;
    let plain = match engine.kind() {
        Kind::Postgres => include_str!("../../bench/similarity-plain-postgres.sql"),
        Kind::Sqlite => include_str!("../../bench/similarity-plain-sqlite.sql"),
    };
    let tastes = engine.query("select taste from probe order by user_id")?;
    let file = options.target.join("bench/tastes.hex");
    std::fs::write(&file, tastes.iter().map(|row| row[0].clone() + "\n").collect::<String>())?;
    let kernel = options.target.join("release/examples/kernels");
    let joined: u64 = engine.value("select count(*) from probe")?.parse::<u64>()?.pow(2);

    let ours: f64 = engine.value("select sum(user_similarity(a, b)) from pairs")?.parse()?;
    let theirs: f64 = engine.value(plain)?.parse()?;
    ensure!((ours - theirs).abs() < 1e-6 * theirs, "plain SQL gives {theirs}, user_similarity {ours}");

    let engine = RefCell::new(engine);
    let each = "select sum(user_similarity(a, b)) from pairs";
    let join = "select sum(taste_similarity(a.taste, b.taste)) from probe a, probe b";
    let join_alone = "select sum(length(a.taste) + length(b.taste)) from probe a, probe b";
    let in_rust = || {
        let status = Command::new(&kernel).arg(&file).status().context("the kernels example is not built")?;
        ensure!(status.success(), "the kernel failed");
        Ok(joined)
    };
    let mut contenders = [
        sql(&engine, "plain SQL over the log", plain, PAIRS),
        sql(&engine, "user_similarity(a, b) a pair", each, PAIRS),
        sql(&engine, "taste_similarity, stored tastes", join, joined),
        sql(&engine, "that join without similarity", join_alone, joined),
        Contender { name: "the kernel from Rust", work: Box::new(in_rust) },
    ];
    figures.compare("similarity", name, data, "pairs/s", RUNS, &mut contenders)
}

fn sql<'a>(engine: &'a RefCell<Box<dyn Engine>>, name: &'a str, text: &'a str, units: u64) -> Contender<'a> {
    let work = move || {
        engine.borrow_mut().query(text)?;
        Ok(units)
    };
    Contender { name, work: Box::new(work) }
}

/// Random pairs, and stored tastes as a user would store them: whole in the row where the engine would move them out.
fn prepare(engine: &mut dyn Engine) -> Result<()> {
    let (key, table) = match engine.kind() {
        Kind::Sqlite => ("random()", "create table probe (user_id text primary key, taste blob)"),
        Kind::Postgres => (
            "md5(user_id)",
            "create table probe (user_id text collate \"C\" primary key, taste bytea) with (toast_tuple_target = 8160); \
             alter table probe alter column taste set storage external",
        ),
    };
    engine.exec(table)?;
    engine.exec("create table pairs (a text, b text)")?;
    engine.exec(&format!(
        "insert into probe select user_id, taste from cotaste_tastes where user_id in \
         (select user_id from (select distinct user_id from user_behaviors) u order by {key} limit {SIDE})"
    ))?;
    engine.exec(&format!(
        "insert into pairs select a.user_id, b.user_id from probe a cross join probe b where a.user_id <> b.user_id \
         order by {} limit {PAIRS}",
        if engine.kind() == Kind::Sqlite { "random()" } else { "md5(a.user_id || ',' || b.user_id)" }
    ))?;
    Ok(engine.exec("analyze")?)
}
