//! `make bench-similarity`: similarity, neighbours, fold and recording beside what else can be done, on MovieLens and
//! on the synthetic set (`COTASTE_BENCH_USERS`, `COTASTE_BENCH_ITEMS`: 100000 and 20000; `COTASTE_BENCH_RUNS`: 5;
//! `COTASTE_BENCH_GROWTH`: numbers of users, separated by commas). `--only` runs one part.

mod batch;
mod copy;
mod correct;
mod explain;
mod fold;
mod growth;
mod joins;
pub mod memory;
mod pairs;
mod record;
pub use record::plain;
mod space;
mod top;

use super::data::Data;
use super::figures::Figures;
use super::{runs, setting, Spaces};
use crate::Options;
use anyhow::{Context, Result};
use space::Space;

type Part = fn(&mut Space<'_>, &mut Figures) -> Result<()>;

/// In this order: what changes the data comes after what reads it.
const PARTS: [(&str, Part); 7] = [
    ("correct", correct::run),
    ("pairs", pairs::run),
    ("joins", joins::run),
    ("explain", explain::run),
    ("top", top::run),
    ("batch", batch::run),
    ("fold", fold::run),
];

pub fn run(fresh: Spaces<'_>, engine: &str, options: &Options, figures: &mut Figures) -> Result<()> {
    let wanted = |part: &str| options.only.as_deref().is_none_or(|only| part.contains(only));
    let (users, items) = (setting("COTASTE_BENCH_USERS", 100_000)?, setting("COTASTE_BENCH_ITEMS", 20_000)?);
    let synthetic = Data::synthetic(&options.target, users, items)?;
    for data in Data::movielens()?.iter().chain(&synthetic) {
        if PARTS.iter().any(|(part, _)| wanted(part)) {
            let mut space = Space::load(fresh()?, engine, data, options, figures)?;
            for (part, run) in PARTS {
                if wanted(part) {
                    run(&mut space, figures).with_context(|| format!("{part}, {engine}, {}", data.name))?;
                }
            }
        }
    }
    if let Some(data) = &synthetic {
        if wanted("record") {
            record::run(fresh, engine, data, figures)?;
        }
        if wanted("copy") {
            copy::run(fresh, engine, data, figures)?;
        }
    }
    if wanted("growth") {
        growth::run(fresh, engine, items, options, figures)?;
    }
    Ok(())
}
