//! A bulk load of a million events with its fold, against the same load into a plain table with the same columns and
//! indexes. Both begin empty, in every run.

use super::super::data::{load_events, Data};
use super::super::figures::{Contender, Figures, Sample, Subject};
use super::super::Spaces;
use super::record::plain;
use super::runs;
use anyhow::Result;
use std::cell::RefCell;
use std::time::Instant;

const EVENTS: usize = 1_000_000;

pub fn run(fresh: Spaces<'_>, engine: &str, data: &Data, figures: &mut Figures) -> Result<()> {
    let fresh = RefCell::new(fresh);
    let load = |table: &str| -> Result<Sample> {
        let mut space = (fresh.borrow_mut())()?;
        data.load_contents(space.as_mut())?;
        plain(space.as_mut())?;
        let mut units = 0;
        let start = Instant::now();
        load_events(space.as_mut(), table, data.events()?.take(EVENTS).inspect(|_| units += 1))?;
        if table == "user_behaviors" {
            space.query("select cotaste_refresh()")?;
        }
        let seconds = start.elapsed().as_secs_f64();
        // Gives the disk back where the space is not a file.
        let _ = space.exec("drop table plain; drop table user_behaviors cascade");
        Ok(Sample::Rate { units, seconds })
    };
    let mut contenders = [
        Contender::measured("a plain table with the same indexes", || load("plain")),
        Contender::measured("the log, with its fold", || load("user_behaviors")),
    ];
    let subject = Subject { work: "bulk load of a million events", engine, data: &data.name, unit: "events/s" };
    figures.compare(subject, runs()?, &mut contenders)
}
