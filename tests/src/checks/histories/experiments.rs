//! What experiments counted, beside a naive count over the rows of the log.

use super::model::{Event, Model};
use crate::engine::{print_timestamp, quote, quote_or_null, Engine, NULL};
use anyhow::{ensure, Context, Result};
use std::collections::{BTreeMap, BTreeSet};

const COLUMNS: &str =
    "experiment, variant, users, views, conversions, conversion_events, events_per_user, crossover_users, first_event, last_event, goal";

/// One question: all experiments, or one of them in other ways.
pub struct Asked {
    experiment: Option<&'static str>,
    from: Option<i64>,
    to: Option<i64>,
    goal: Option<&'static str>,
    window_hours: Option<i64>,
    rows: Vec<Vec<String>>,
}

/// Asks what there is, and one experiment over a range that begins and ends with events.
pub fn ask(engine: &mut dyn Engine, model: &Model, turn: usize) -> Result<[Asked; 2]> {
    let time = |n: usize| model.times.get(n % (model.times.len() + 1)).copied();
    let (from, to) = (time(turn), time(turn * 7 + 3));
    let mut all = Asked { experiment: None, from: None, to: None, goal: None, window_hours: None, rows: Vec::new() };
    all.rows = engine.query(&format!("select {COLUMNS} from experiment_results order by experiment, variant"))?;
    let experiment = ["x", "y"][turn % 2];
    let goal = [None, Some("view"), Some("rating >= 5")][turn % 3];
    let window_hours = [None, Some(24), Some(0), None, Some(400)][turn % 5];
    let mut one = Asked { experiment: Some(experiment), from, to, goal, window_hours, rows: Vec::new() };
    let at = |time: Option<i64>| quote_or_null(time.map(print_timestamp).as_deref());
    one.rows = engine.query(&format!(
        "select {COLUMNS} from experiment_results({}, {}, {}, {}, null, null, {}) order by variant",
        quote(experiment),
        at(from),
        at(to),
        quote_or_null(goal),
        window_hours.map_or("null".into(), |hours| hours.to_string())
    ))?;
    Ok([all, one])
}

impl Asked {
    pub fn check(&self, model: &Model) -> Result<()> {
        let names: BTreeSet<&str> = model.log.iter().filter_map(|event| Some(event.arm()?.0)).collect();
        let mut expected = Vec::new();
        for experiment in names.into_iter().filter(|name| self.experiment.is_none_or(|asked| asked == *name)) {
            expected.extend(self.count(model, experiment)?);
        }
        ensure!(
            self.rows == expected,
            "experiment_results of {:?} from {:?} to {:?}, goal {:?}, window {:?}: {:?} expected, got {:?}",
            self.experiment,
            self.from.map(print_timestamp),
            self.to.map(print_timestamp),
            self.goal,
            self.window_hours,
            expected,
            self.rows
        );
        Ok(())
    }

    fn count(&self, model: &Model, experiment: &str) -> Result<Vec<Vec<String>>> {
        let setting = |name: &str| model.settings.get(&format!("experiment_{name}.{experiment}")).map(String::as_str);
        let goal = self.goal.or(setting("goal")).or(model.settings.get("conversion_action").map(String::as_str));
        let goal = goal.context("conversion_action")?;
        let set_window = setting("window_hours").map(str::parse).transpose()?;
        let window = self.window_hours.or(set_window).map(|hours: i64| hours * 3_600_000_000);
        let (from, to) = (self.from.unwrap_or(i64::MIN), self.to.unwrap_or(i64::MAX));
        let mut users: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
        for event in model.log.iter().filter(|event| !event.is_purged) {
            users.entry(&event.user).or_default().push(event);
        }
        let mut crossover = 0;
        let mut arms: BTreeMap<&str, Arm> = BTreeMap::new();
        for events in users.values() {
            let exposures: Vec<(&str, i64)> = events
                .iter()
                .filter(|event| event.at >= from && event.at < to)
                .filter_map(|event| event.arm().filter(|arm| arm.0 == experiment).map(|arm| (arm.1, event.at)))
                .collect();
            let Some(first) = exposures.iter().map(|(_, at)| *at).min() else { continue };
            let end = window.map_or(to, |window| first + window);
            if window.is_some() && end > to.min(model.now) {
                continue;
            }
            if exposures.iter().any(|(variant, _)| *variant != exposures[0].0) {
                crossover += 1;
                continue;
            }
            let counted: Vec<&&Event> = events.iter().filter(|event| event.at >= first && event.at < end).collect();
            let Some(last) = counted.iter().map(|event| event.at).max() else { continue };
            let is_goal = |event: &&&&Event| match goal.strip_prefix("rating >= ") {
                Some(least) => event.rating.is_some_and(|rating| least.parse().is_ok_and(|least: f64| rating >= least)),
                None => event.action == goal,
            };
            let goals = counted.iter().filter(is_goal).count();
            let arm = arms.entry(exposures[0].0).or_insert(Arm { first, last, ..Arm::default() });
            arm.users += 1;
            arm.events += counted.len();
            arm.views += counted.iter().filter(|event| event.action == "view").count();
            arm.goals += goals;
            arm.converted += usize::from(goals > 0);
            (arm.first, arm.last) = (arm.first.min(first), arm.last.max(last));
        }
        Ok(arms
            .into_iter()
            .map(|(variant, arm)| {
                let per_user = arm.events as f64 / arm.users as f64;
                let numbers = [arm.users, arm.views, arm.converted, arm.goals].map(|n| n.to_string());
                let mut row = vec![experiment.to_string(), variant.to_string()];
                row.extend(numbers);
                row.extend([format!("{per_user:?}"), crossover.to_string()]);
                row.extend([print_timestamp(arm.first), print_timestamp(arm.last), goal.to_string()]);
                row
            })
            .collect())
    }
}

#[derive(Default)]
struct Arm {
    users: usize,
    events: usize,
    views: usize,
    goals: usize,
    converted: usize,
    first: i64,
    last: i64,
}

impl Event {
    /// Experiment and variant, when the event names both.
    fn arm(&self) -> Option<(&str, &str)> {
        self.experiment.as_deref().zip(self.variant.as_deref())
    }
}

/// What an event's columns say; where they were left empty (SQLite), its context.
pub fn labels(row: &[String]) -> [Option<String>; 2] {
    let [experiment, variant, status, context] = row else { return [None, None] };
    let given = |cell: &String| (cell != NULL).then(|| cell.clone());
    if status != NULL {
        return [given(experiment), given(variant)];
    }
    let context: serde_json::Value = serde_json::from_str(context).unwrap_or_default();
    ["experimentName", "experimentVariant"].map(|name| context[name].as_str().map(str::to_string))
}
