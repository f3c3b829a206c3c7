//! The shared list of reads, tests/queries/reads.sql: what is asked of a space and of its copy.

use crate::engine::Engine;
use anyhow::{ensure, Context, Result};
use std::fs;

/// One read of the list.
#[derive(Clone)]
pub struct Read {
    pub name: String,
    pub sql: String,
}

/// The list, in its order.
pub fn list() -> Result<Vec<Read>> {
    let reads = of("reads.sql")?;
    ensure!(reads.len() >= 60, "only {} reads", reads.len());
    Ok(reads)
}

/// Another list of that form, of tests/queries.
pub fn of(name: &str) -> Result<Vec<Read>> {
    let text = fs::read_to_string(crate::repository().join("tests/queries").join(name))?;
    let (_, reads) = text.split_once("\n\n").context("the list has a header")?;
    let reads: Vec<Read> = reads
        .split("-- ")
        .filter_map(|part| part.split_once('\n'))
        .map(|(name, sql)| Read { name: name.to_string(), sql: sql.trim().trim_end_matches(';').to_string() })
        .collect();
    Ok(reads)
}

/// The events and contents of the list, loaded into a fresh space.
pub fn load(engine: &mut dyn Engine) -> Result<()> {
    Ok(engine.exec(&fs::read_to_string(crate::repository().join("tests/queries/data.sql"))?)?)
}

/// Every read with its rows.
pub struct Answers(Vec<(String, Vec<Vec<String>>)>);

impl Answers {
    pub fn of(engine: &mut dyn Engine) -> Result<Self> {
        let reads = list()?.into_iter().map(|read| {
            let rows = engine.query(&read.sql).with_context(|| read.name.clone())?;
            Ok((read.name, rows))
        });
        Ok(Answers(reads.collect::<Result<_>>()?))
    }

    /// Of no space.
    pub fn none() -> Self {
        Answers(Vec::new())
    }

    /// How many reads gave a row.
    pub fn with_rows(&self) -> usize {
        self.0.iter().filter(|(_, rows)| !rows.is_empty()).count()
    }

    /// Names the first read that differs.
    pub fn same_as(&self, other: &Self) -> Result<()> {
        for ((name, mine), (_, others)) in self.0.iter().zip(&other.0) {
            let differing = mine.iter().zip(others).find(|(a, b)| a != b);
            ensure!(mine == others, "{name}: {} and {} rows, first difference {differing:?}", mine.len(), others.len());
        }
        ensure!(self.0.len() == other.0.len());
        Ok(())
    }
}
