//! The fold alone: events inserted in batches, then `cotaste_refresh()`.

use super::super::data::load_events;
use super::super::figures::{Contender, Figures, Sample};
use super::space::Space;
use super::{runs, top};
use anyhow::Result;
use std::time::Instant;

pub fn run(space: &mut Space<'_>, figures: &mut Figures) -> Result<()> {
    let space = &*space;
    let mut seed = 0;
    for (size, name) in [(1_000, "cotaste_refresh(), 1,000 events"), (10_000, "cotaste_refresh(), 10,000 events")] {
        let mut contenders = [Contender::measured(name, || {
            seed += 1;
            let mut engine = space.engine.borrow_mut();
            load_events(engine.as_mut(), "user_behaviors", top::events(space, size, seed))?;
            let start = Instant::now();
            engine.query("select cotaste_refresh()")?;
            Ok(Sample::Rate { units: size as u64, seconds: start.elapsed().as_secs_f64() })
        })];
        figures.compare(space.subject("fold", "events/s"), runs()?, &mut contenders)?;
    }
    Ok(())
}
