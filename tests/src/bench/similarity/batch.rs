//! All users' neighbours: how many users a second `cotaste_refresh_neighbours` does, how long all would take, and how
//! much memory it needs.

use super::super::figures::{Contender, Figures, Sample};
use super::memory::Peak;
use super::space::Space;
use super::{runs, top};
use anyhow::Result;
use std::time::Instant;

pub fn run(space: &mut Space<'_>, figures: &mut Figures) -> Result<()> {
    let space = &*space;
    let peak = Peak::start(space.engine.borrow_mut().as_mut())?;
    let refresh = |limit: usize| -> Result<(u64, f64)> {
        let start = Instant::now();
        let done = space.engine.borrow_mut().value(&format!("select cotaste_refresh_neighbours({limit})"))?;
        Ok((done.parse()?, start.elapsed().as_secs_f64()))
    };
    let (done, seconds) = refresh((space.sets.users.len() / 20).clamp(20, 200))?;
    // Runs of four seconds that leave something to do for the last one.
    let limit = (done as f64 / seconds * 4.0).min((space.sets.users.len() - done as usize) as f64 / runs()? as f64);
    let mut users_a_second = 0.0;
    let mut floor = space.files.floor(&space.options.target)?;
    let mut contenders = [
        Contender::measured("THE FLOOR: postings in RAM, counted", move || {
            let times = floor.ask("0 4000")?;
            Ok(Sample::Rate { units: times.len() as u64, seconds: times.iter().sum::<f64>() / 1e3 })
        }),
        Contender::measured("cotaste_refresh_neighbours(limit)", || {
            let (units, seconds) = refresh((limit as usize).max(1))?;
            users_a_second = units as f64 / seconds;
            Ok(Sample::Rate { units, seconds })
        }),
    ];
    figures.compare(space.subject("batch of neighbours", "users/s"), runs()?, &mut contenders)?;
    drop(contenders);
    let (all, more) = peak.end()?;
    let seconds = space.sets.users.len() as f64 / users_a_second;
    figures.once(space.subject("batch of neighbours", "s"), "all users, extrapolated", seconds)?;
    figures.once(space.subject("batch of neighbours", "MB"), "peak memory of the process", all as f64)?;
    figures.once(space.subject("batch of neighbours", "MB"), "of it since the batch began", more as f64)?;
    let mut cached = [space.over_users("similar_users(u, 10), some cached", top::OURS)];
    figures.compare(space.subject("top-10 after the batch", "ms"), runs()?, &mut cached)
}
