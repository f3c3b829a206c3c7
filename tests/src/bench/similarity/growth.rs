//! How the cost of a top-10 grows with the number of users: `COTASTE_BENCH_GROWTH=10000,30000,100000`.

use super::super::data::Data;
use super::super::figures::Figures;
use super::super::Spaces;
use super::space::Space;
use super::{runs, top};
use crate::Options;
use anyhow::{Context, Result};

pub fn run(fresh: Spaces<'_>, engine: &str, items: u32, options: &Options, figures: &mut Figures) -> Result<()> {
    let asked = std::env::var("COTASTE_BENCH_GROWTH").unwrap_or_default();
    for users in asked.split(',').filter(|users| !users.is_empty()) {
        let users = users.trim().parse().with_context(|| format!("COTASTE_BENCH_GROWTH={asked}"))?;
        let Some(data) = Data::synthetic(&options.target, users, items)? else { return Ok(()) };
        let space = Space::load(fresh()?, engine, &data, options, figures)?;
        let mut contenders = [
            top::helper("THE FLOOR: postings in RAM, counted", &space, space.files.floor(&options.target)?),
            space.over_users("similar_users(u, 10)", top::OURS),
        ];
        figures.compare(space.subject("growth of top-10", "ms"), runs()?, &mut contenders)?;
    }
    Ok(())
}
