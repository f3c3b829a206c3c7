//! `make bench-recommend`: how good recommendations are, by the protocol of `../shared/eval` on the public splits of
//! MovieLens and beside the lists of tuned libraries; and how long they take (`COTASTE_BENCH_USERS`,
//! `COTASTE_BENCH_ITEMS`: the synthetic set; `COTASTE_BENCH_RUNS`). `--only quality`, `cold` or `time` runs one part.
//! Quality is measured on one engine: the tests hold the others to the same answers.

mod quality;
mod splits;

use super::data::{load_events, Data};
use super::figures::{Contender, Figures, Sample, Subject};
use super::similarity::memory::Peak;
use super::Spaces;
use super::{runs, setting};
use crate::engine::{quote, Engine};
use crate::Options;
use anyhow::Result;
use std::cell::RefCell;
use std::time::Instant;

pub fn run(fresh: Spaces<'_>, engine: &str, options: &Options, figures: &mut Figures) -> Result<()> {
    let wanted = |part: &str| options.only.as_deref().is_none_or(|only| part.contains(only));
    if wanted("quality") {
        quality::readings(fresh, engine, options, figures)?;
    }
    if wanted("cold") {
        quality::cold(fresh, engine, options, figures)?;
    }
    if wanted("time") {
        let (users, items) = (setting("COTASTE_BENCH_USERS", 100_000)?, setting("COTASTE_BENCH_ITEMS", 20_000)?);
        for data in Data::movielens()?.iter().chain(&Data::synthetic(&options.target, users, items)?) {
            time(fresh()?, engine, data, figures)?;
        }
    }
    Ok(())
}

/// How many users are asked for in a run.
const ASKED: usize = 40;

fn time(mut space: Box<dyn Engine>, engine: &str, data: &Data, figures: &mut Figures) -> Result<()> {
    data.load_contents(space.as_mut())?;
    load_events(space.as_mut(), "user_behaviors", data.events()?)?;
    space.query("select cotaste_refresh()")?;
    space.exec("analyze")?;
    let subject = |work, unit| Subject { work, engine, data: &data.name, unit };
    // Spread over the users by their numbers.
    let users: usize = space.value("select count(*) from cotaste_users")?.parse()?;
    let step = (users / ASKED).max(1);
    let asked: Vec<String> = space
        .query(&format!("select user_id from cotaste_users where ord % {step} = 0 order by ord"))?
        .into_iter()
        .take(ASKED)
        .map(|mut row| row.swap_remove(0))
        .collect();
    let peak = Peak::start(space.as_mut())?;
    let space = RefCell::new(space);
    let latencies = |arguments: &str| -> Result<Sample> {
        let mut times = Vec::new();
        for user in &asked {
            let start = Instant::now();
            space.borrow_mut().query(&format!("select * from recommend({}{arguments})", quote(user)))?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        Ok(Sample::Latencies(times))
    };
    latencies(", 10")?;
    let mut contenders = [
        Contender::measured("recommend(u, 10)", || latencies(", 10")),
        Contender::measured("recommend(u, 10, 1.0)", || latencies(", 10, 1.0")),
    ];
    figures.compare(subject("recommendations of one", "ms"), runs()?, &mut contenders)?;
    let (all, more) = peak.end()?;
    figures.once(subject("recommendations of one", "MB"), "peak memory of the process", all as f64)?;
    figures.once(subject("recommendations of one", "MB"), "of it since the calls began", more as f64)?;
    let peak = Peak::start(space.borrow_mut().as_mut())?;
    // Too many for all at once: so many through the batch job.
    let few = users <= 4000;
    let mut batch = if few {
        [Contender::new("recommend_for_all(10)", || {
            space.borrow_mut().query("select count(*) from recommend_for_all(10)")?;
            Ok(users as u64)
        })]
    } else {
        [Contender::new("cotaste_refresh_recommendations(40)", || {
            Ok(space.borrow_mut().value("select cotaste_refresh_recommendations(40)")?.parse()?)
        })]
    };
    figures.compare(subject("recommendations of many", "users/s"), runs()?, &mut batch)?;
    drop(batch);
    let (_, more) = peak.end()?;
    figures.once(subject("recommendations of many", "MB"), "peak memory of it", more as f64)
}
