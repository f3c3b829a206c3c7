//! `experiment_arms`: what the users of an experiment did by variant, and `experiment_user`: what one of them did, as
//! `sql/common/parts/experiment_users.sql` computes it
//! from the log.

use super::{kind, name, Events, CORRUPT};
use crate::bytes::{put_signed, put_unsigned, Reader};
use crate::stats::rating_goal;
use crate::{Error, Result};
use serde_json::{json, Map, Value};
use std::collections::BTreeMap;
use std::ops::Range;

/// What is asked of every user's events. Times are microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Its name.
    pub experiment: &'a str,
    /// Exposures count from here on.
    pub from_us: i64,
    /// And everything before.
    pub to_us: i64,
    /// An action, or `rating >= x`.
    pub goal: &'a str,
    /// How long after the first exposure events count; only users whose window has passed do.
    pub window_us: Option<i64>,
    /// The time of the question.
    pub now_us: i64,
}

/// The aggregate's state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArmCounts {
    crossover_users: u64,
    variants: BTreeMap<String, Arm>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Arm {
    users: u64,
    views: u64,
    events: u64,
    /// Users with a goal.
    converted: u64,
    goals: u64,
    first_us: i64,
    last_us: i64,
}

/// What was found of one user.
enum User<'a> {
    OfOne { variant: &'a str, arm: Arm, first_goal_us: Option<i64> },
    Crossover,
}

/// `experiment_user`: what one user of one variant did, as a JSON object of `variant`, `first_us` (of the first exposure),
/// `goals` and `first_goal_us`. None for a user of several variants or of none.
pub fn user(events: &[u8], question: &Question<'_>) -> Result<Option<String>> {
    let Some(User::OfOne { variant, arm, first_goal_us }) = look(events, question)? else { return Ok(None) };
    let user =
        json!({ "variant": variant, "first_us": arm.first_us, "goals": arm.goals, "first_goal_us": first_goal_us });
    serde_json::to_string(&user).map(Some).map_err(|_| Error::Internal)
}

impl ArmCounts {
    /// Adds a user's events.
    pub fn add(&mut self, events: &[u8], question: &Question<'_>) -> Result<()> {
        match look(events, question)? {
            Some(User::OfOne { variant, arm, .. }) => self.arm(variant, arm),
            Some(User::Crossover) => self.crossover_users += 1,
            None => {}
        }
        Ok(())
    }

    fn arm(&mut self, variant: &str, arm: Arm) {
        match self.variants.get_mut(variant) {
            Some(sum) => *sum = sum.with(&arm),
            None => drop(self.variants.insert(variant.to_owned(), arm)),
        }
    }

    /// Adds what other users did.
    pub fn merge(&mut self, other: &Self) {
        self.crossover_users = self.crossover_users.saturating_add(other.crossover_users);
        other.variants.iter().for_each(|(variant, arm)| self.arm(variant, *arm));
    }

    /// The state on its way between processes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        put_unsigned(&mut out, self.crossover_users)?;
        for (variant, arm) in &self.variants {
            put_unsigned(&mut out, variant.len() as u64)?;
            out.try_reserve(variant.len())?;
            out.extend_from_slice(variant.as_bytes());
            for number in [arm.users, arm.views, arm.events, arm.converted, arm.goals] {
                put_unsigned(&mut out, number)?;
            }
            put_signed(&mut out, arm.first_us)?;
            put_signed(&mut out, arm.last_us)?;
        }
        Ok(out)
    }

    /// The inverse of [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut at = Reader::new(bytes, Error::corrupt("experiment_arms", "is not the state of arms"));
        let mut arms = Self { crossover_users: at.unsigned()?, ..Self::default() };
        while !at.is_empty() {
            let length = at.length()?;
            let variant = at.text(length)?;
            let mut number = || at.unsigned();
            let [users, views, events, converted, goals] = [number()?, number()?, number()?, number()?, number()?];
            let (first_us, last_us) = (at.signed()?, at.signed()?);
            arms.arm(variant, Arm { users, views, events, converted, goals, first_us, last_us });
        }
        Ok(arms)
    }

    /// A JSON object: a member a variant, and one without a variant for the users of several. None when there is nobody.
    pub fn finish(&self) -> Result<Option<String>> {
        let mut members = Map::new();
        if self.crossover_users > 0 {
            members.insert("0".into(), json!({ "crossover_users": self.crossover_users }));
        }
        for (i, (variant, arm)) in (1..).zip(&self.variants) {
            let arm = json!({
                "variant": variant, "users": arm.users, "views": arm.views, "events": arm.events,
                "converted_users": arm.converted, "goals": arm.goals, "first_us": arm.first_us, "last_us": arm.last_us,
            });
            members.insert(i.to_string(), arm);
        }
        if members.is_empty() {
            return Ok(None);
        }
        serde_json::to_string(&Value::Object(members)).map(Some).map_err(|_| Error::Internal)
    }
}

impl Arm {
    fn with(&self, other: &Self) -> Self {
        Self {
            users: self.users.saturating_add(other.users),
            views: self.views.saturating_add(other.views),
            events: self.events.saturating_add(other.events),
            converted: self.converted.saturating_add(other.converted),
            goals: self.goals.saturating_add(other.goals),
            first_us: self.first_us.min(other.first_us),
            last_us: self.last_us.max(other.last_us),
        }
    }
}

const VIEW: u8 = 1;
const GOAL: u8 = 2;

fn look<'a>(bytes: &'a [u8], question: &Question<'_>) -> Result<Option<User<'a>>> {
    let events = Events::read(bytes)?;
    let mut lists = events.lists.clone();
    let Some((variants, codes)) = variants(&mut lists, question.experiment.as_bytes())? else { return Ok(None) };
    let (from, to) = (events.before(question.from_us), events.before(question.to_us));
    let mut exposures = (from..to).filter(|i| codes.contains(&events.arms.get(*i)));
    let Some(exposure) = exposures.next() else { return Ok(None) };
    let code = events.arms.get(exposure);
    let exposed_us = events.time(exposure);
    let end_us = question.window_us.map_or(question.to_us, |window| exposed_us.saturating_add(window));
    if question.window_us.is_some() && end_us > question.to_us.min(question.now_us) {
        return Ok(None);
    }
    if exposures.any(|i| events.arms.get(i) != code) {
        return Ok(Some(User::Crossover));
    }
    // With an end that is the range's, it is known where it is.
    let end = if question.window_us.is_some() { events.before(end_us) } else { to };
    let start = events.before(exposed_us);
    if start >= end {
        return Ok(None);
    }
    let (mut few, mut many) = ([0; 64], Vec::new());
    let marks = marks(&mut lists, question.goal, &mut few, &mut many)?;
    let (mut views, mut goals, mut first_goal) = (0, 0, None);
    for i in start..end {
        let mark = usize::try_from(events.kind_of.get(i)).ok().and_then(|kind| marks.get(kind)).ok_or(CORRUPT)?;
        views += u64::from(mark & VIEW);
        goals += u64::from(mark >> 1);
        if goals > 0 && first_goal.is_none() {
            first_goal = Some(i);
        }
    }
    let arm = Arm {
        users: 1,
        views,
        events: (end - start) as u64,
        converted: u64::from(goals > 0),
        goals,
        first_us: exposed_us,
        last_us: events.time(end - 1),
    };
    let mut variants = Reader::new(variants, CORRUPT);
    for _ in codes.start..code {
        name(&mut variants)?;
    }
    let variant = std::str::from_utf8(name(&mut variants)?).map_err(|_| CORRUPT)?;
    Ok(Some(User::OfOne { variant, arm, first_goal_us: first_goal.map(|i| events.time(i)) }))
}

/// The names of the experiment's variants and their codes; the kinds are next in the lists.
fn variants<'a>(lists: &mut Reader<'a>, experiment: &[u8]) -> Result<Option<(&'a [u8], Range<u64>)>> {
    let mut code = 1u64;
    let mut found = None;
    for _ in 0..lists.length()? {
        let is_asked = name(lists)? == experiment;
        let count = lists.unsigned()?;
        let variants = lists.rest();
        for _ in 0..count {
            name(lists)?;
        }
        let next = code.checked_add(count).ok_or(CORRUPT)?;
        if is_asked {
            found = Some((variants, code..next));
        }
        code = next;
    }
    Ok(found)
}

/// What each kind counts as: views 1, goals 2.
fn marks<'m>(lists: &mut Reader<'_>, goal: &str, few: &'m mut [u8; 64], many: &'m mut Vec<u8>) -> Result<&'m [u8]> {
    let least = rating_goal(goal)?;
    let kinds = lists.length()?;
    let marks = match few.get_mut(..kinds) {
        Some(few) => few,
        // A kind takes a byte at least.
        None if kinds > lists.rest().len() => return Err(CORRUPT),
        None => {
            many.try_reserve_exact(kinds)?;
            many.resize(kinds, 0);
            &mut many[..]
        }
    };
    for mark in &mut *marks {
        let (action, rating) = kind(lists)?;
        let is_goal = match least {
            Some(least) => rating.is_some_and(|rating| f64::from_bits(rating) >= least),
            None => action == goal.as_bytes(),
        };
        *mark = VIEW * u8::from(action == b"view") + GOAL * u8::from(is_goal);
    }
    Ok(marks)
}
