//! `user_similarity(a, b)` a row.

use super::super::figures::{Contender, Figures, Sample};
use super::super::helper::node_pairs;
use super::runs;
use super::space::{fitting, Space};
use crate::engine::{Kind, Value};
use anyhow::{ensure, Result};
use std::cell::RefCell;
use std::time::Duration;

const OURS: &str = "select sum(user_similarity(a, b)) from pairs where n <= $1";
const PLAIN: &str = include_str!("../../../bench/similarity/pairs-plain.sql");
const PACKED: &str = "select sum(packed_similarity(a, b)) from pairs where n <= $1";

pub fn run(space: &mut Space<'_>, figures: &mut Figures) -> Result<()> {
    let space = &*space;
    same(space)?;
    let mut contenders = vec![space.over_pairs("plain SQL, materialised", PLAIN)?];
    if space.kind == Kind::Postgres {
        contenders.push(space.over_pairs(packed(space)?, PACKED)?);
    } else {
        let file = space.engine.borrow_mut().value("select file from pragma_database_list where name = 'main'")?;
        if let Some(helper) = node_pairs(&space.options.target, &file) {
            let helper = RefCell::new(helper);
            let took = move |pairs: usize| Ok(helper.borrow_mut().ask(&pairs.to_string())?[1]);
            let pairs = fitting(&took)?;
            contenders.push(Contender::measured("Node with better-sqlite3, materialised", move || {
                Ok(Sample::Rate { units: pairs as u64, seconds: took(pairs)? })
            }));
        }
    }
    contenders.push(space.over_pairs("user_similarity(a, b)", OURS)?);
    figures.compare(space.subject("user_similarity a row", "pairs/s"), runs()?, &mut contenders)
}

/// What the packed contender is made of.
pub fn packed(space: &Space<'_>) -> Result<&'static str> {
    let vector = space.engine.borrow_mut().value("select count(*) from pg_extension where extname = 'vector'")?;
    Ok(if vector == "1" { "intarray + pgvector, plpgsql" } else { "intarray + real[], plpgsql" })
}

/// The contenders compute the same, as far as their single precision allows.
fn same(space: &Space<'_>) -> Result<()> {
    let mut engine = space.engine.borrow_mut();
    let mut sum = |sql: &str| -> Result<f64> { Ok(engine.value(&sql.replace("$1", "100"))?.parse()?) };
    let (ours, plain) = (sum(OURS)?, sum(PLAIN)?);
    ensure!((ours - plain).abs() < 1e-5 * plain, "plain SQL gives {plain}, user_similarity {ours}");
    engine.each(OURS, &[vec![Value::Int(100)]], Duration::ZERO)?;
    Ok(())
}
