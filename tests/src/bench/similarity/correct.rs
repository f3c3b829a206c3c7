//! Correctness beside speed: similar_users equals brute force over all stored tastes, to the last bit.

use super::super::figures::Figures;
use super::{space::Space, top};
use crate::engine::quote;
use anyhow::{ensure, Result};

const BRUTE_FORCE: &str = include_str!("../../../bench/similarity/brute-force.sql");
/// Of so few users all are asked.
const FEW: usize = 1000;

pub fn run(space: &mut Space<'_>, figures: &mut Figures) -> Result<()> {
    let users = if space.sets.users.len() <= FEW { &space.sets.users } else { &space.sample };
    let mut engine = space.engine.borrow_mut();
    let mut wrong = Vec::new();
    for user in users {
        let mut ask = |sql: &str| engine.query(&sql.replace("$1", &quote(user)));
        let (ours, all) = (ask(top::OURS)?, ask(BRUTE_FORCE)?);
        if ours != all {
            wrong.push(format!("{user}: {ours:?} instead of {all:?}"));
        }
    }
    let equal = (users.len() - wrong.len()) as f64;
    figures.once(
        space.subject("similar_users is brute force", "users"),
        &format!("equal, of {}", users.len()),
        equal,
    )?;
    ensure!(wrong.is_empty(), "{} of {} differ, {}", wrong.len(), users.len(), wrong[0]);
    Ok(())
}
