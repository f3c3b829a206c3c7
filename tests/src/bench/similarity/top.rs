//! The ten users most similar to one, as a client with a prepared statement waits for them.

use super::super::data::{load_events, Event};
use super::super::figures::{Contender, Figures, Sample};
use super::super::helper::Helper;
use super::space::{first, Space, RUN};
use super::{pairs, runs};
use crate::engine::Kind;
use crate::random::Random;
use anyhow::{ensure, Result};

pub const OURS: &str = "select user_id, similarity from similar_users(cast($1 as text), 10)";
const PLAIN: &str = include_str!("../../../bench/similarity/top-plain.sql");
const PACKED: &str = include_str!("../../../bench/similarity/packed-top.sql");
/// Events that are not folded yet.
const TAIL: usize = 1000;

pub fn run(space: &mut Space<'_>, figures: &mut Figures) -> Result<()> {
    let space = &*space;
    let mut contenders = vec![
        helper("THE FLOOR: postings in RAM, counted", space, space.files.floor(&space.options.target)?),
        space.over_users("plain SQL, materialised", PLAIN),
        space.over_users("similar_users(u, 10)", OURS),
        with_tail(space),
    ];
    if space.kind == Kind::Postgres {
        contenders.push(space.over_users(pairs::packed(space)?.trim_end_matches(", plpgsql"), PACKED));
    } else if let Some(node) = space.files.node_top() {
        contenders.push(helper("Node, every set in RAM", space, node));
    }
    if let Some(scipy) = space.files.scipy(&space.options.target) {
        contenders.push(helper("numpy and scipy", space, scipy));
    }
    figures.compare(space.subject("top-10 similar users", "ms"), runs()?, &mut contenders)
}

/// A program that is asked `first budget_ms`.
pub fn helper<'s>(name: &str, space: &'s Space<'_>, mut helper: Helper) -> Contender<'s> {
    let mut turns = 0;
    Contender::measured(name, move || {
        let first = first(&mut turns, space.sample.len());
        Ok(Sample::Latencies(helper.ask(&format!("{first} {}", RUN.as_millis()))?))
    })
}

/// Ours with a tail of events that are folded only after the run.
fn with_tail<'s>(space: &'s Space<'_>) -> Contender<'s> {
    let mut turns = 0;
    Contender::measured("similar_users(u, 10), 1,000 unfolded", move || {
        let events = events(space, TAIL, 1000 + turns as u64);
        load_events(space.engine.borrow_mut().as_mut(), "user_behaviors", events)?;
        let pending: usize = space.engine.borrow_mut().value("select count(*) from cotaste_queue")?.parse()?;
        ensure!(pending >= TAIL * 9 / 10, "only {pending} keys are pending after {TAIL} events");
        let users = space.turned(&mut turns);
        let sample = space.latencies(OURS, &users);
        space.engine.borrow_mut().query("select cotaste_refresh()")?;
        sample
    })
}

/// Random events after the last one of the data: some user and a content as popular as those of the others are.
pub fn events<'s>(space: &'s Space<'_>, number: usize, seed: u64) -> impl Iterator<Item = Event> + 's {
    let mut random = Random::new(seed);
    (0..number).map(move |n| {
        let user = random.below(space.sets.users.len());
        let liked = loop {
            let other = &space.sets.items[random.below(space.sets.users.len())];
            if !other.is_empty() {
                break other[random.below(other.len())];
            }
        };
        Event {
            user: space.sets.users[user].clone(),
            content: space.sets.contents[liked as usize],
            action: random.pick(&["view", "view", "complete", "skip"]).into(),
            rating: None,
            context: None,
            seconds: space.sets.last + n as i64 % 60,
        }
    })
}
