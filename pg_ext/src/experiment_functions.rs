//! The functions of experiments, one line each, declared as those of `functions`. What gives several numbers gives a JSON
//! object.

use crate::convert::OrReport;
use crate::functions::{arms, passed};
use cotaste_core::stats::{self, Arms, Plan};
use pgrx::prelude::*;

#[pg_extern]
fn wilson_interval(successes: f64, trials: f64, z: f64) -> Option<String> {
    stats::json(stats::wilson_interval(successes, trials, z)).or_report()
}

#[pg_extern]
fn clopper_pearson_interval(successes: f64, trials: f64, alpha: f64) -> Option<String> {
    stats::json(stats::clopper_pearson(successes, trials, alpha)).or_report()
}

#[pg_extern]
fn posterior_interval(successes: f64, trials: f64, alpha: f64) -> Option<String> {
    stats::json(stats::posterior(successes, trials, alpha).map(Some)).or_report()
}

// Two rates

#[pg_extern]
fn newcombe_interval(x0: f64, n0: f64, x1: f64, n1: f64, z: f64) -> Option<String> {
    stats::json(arms(x0, n0, x1, n1).map(|arms| arms.newcombe_interval(z)).transpose()).or_report()
}

#[pg_extern]
fn lift_intervals(x0: f64, n0: f64, x1: f64, n1: f64, z: f64) -> Option<String> {
    stats::json(arms(x0, n0, x1, n1).map(|arms| stats::lift_intervals(arms, z)).transpose()).or_report()
}

#[pg_extern]
fn two_proportion_test(x0: f64, n0: f64, x1: f64, n1: f64, alpha: f64) -> Option<String> {
    stats::json(arms(x0, n0, x1, n1).map(|arms| stats::two_proportion_test(arms, alpha)).transpose()).or_report()
}

#[pg_extern]
fn confidence_sequence(x0: f64, n0: f64, x1: f64, n1: f64, alpha: f64) -> Option<String> {
    stats::json(arms(x0, n0, x1, n1).map_or(Ok(None), |arms| stats::look(arms, alpha))).or_report()
}

#[pg_extern]
fn posterior_difference(x0: f64, n0: f64, x1: f64, n1: f64, alpha: f64) -> Option<String> {
    let arms = Arms::counts(x0, n0, x1, n1);
    stats::json(arms.and_then(|arms| stats::posterior_difference(arms, alpha)).map(Some)).or_report()
}

#[pg_extern]
fn barnard_exact(x0: f64, n0: f64, x1: f64, n1: f64) -> Option<f64> {
    stats::barnard_exact(arms(x0, n0, x1, n1)?).or_report()
}

#[pg_extern]
fn msprt_p(x0: f64, n0: f64, x1: f64, n1: f64, tau: f64) -> Option<f64> {
    stats::msprt_p(arms(x0, n0, x1, n1)?, tau).or_report()
}

// Several variants

#[pg_extern]
fn prob_best(arms: &str) -> String {
    stats::prob_best_json(arms).or_report()
}

#[pg_extern]
fn omnibus_test(arms: &str) -> Option<String> {
    stats::json(stats::arms_json(arms).and_then(|arms| stats::omnibus_test(&arms))).or_report()
}

#[pg_extern]
fn srm_test(users: &str, weights: &str) -> Option<String> {
    stats::json(stats::srm_test_json(users, weights).map(Some)).or_report()
}

// Moments of users

#[pg_extern]
fn moments_count(moments: &[u8]) -> i64 {
    stats::moments_count(moments).or_report()
}

#[pg_extern]
fn moments_json(moments: &[u8]) -> String {
    stats::moments_json(moments).or_report()
}

#[pg_extern]
fn welch_test(control: &[u8], treatment: &[u8], alpha: f64) -> Option<String> {
    stats::json(stats::welch_test(control, treatment, alpha)).or_report()
}

#[pg_extern]
fn ratio_test(control: &[u8], treatment: &[u8], alpha: f64) -> Option<String> {
    stats::json(stats::ratio_test(control, treatment, alpha)).or_report()
}

#[pg_extern]
fn cuped_test(control: &[u8], treatment: &[u8], alpha: f64) -> Option<String> {
    stats::json(stats::cuped_test(control, treatment, alpha)).or_report()
}

#[pg_extern]
fn result_number(result: &str, name: &str) -> Option<f64> {
    stats::result_number(result, name).or_report()
}

// Planning

#[pg_extern]
fn required_sample_size(p0: f64, p1: f64, power: f64, alpha: f64, ratio: f64) -> Option<i64> {
    stats::required_sample_size(Plan { p0, p1, power, alpha, ratio }).or_report()
}

#[pg_extern]
fn sample_sizes(p0: f64, p1: f64, power: f64, alpha: f64, ratio: f64) -> Option<String> {
    stats::json(stats::sample_sizes(Plan { p0, p1, power, alpha, ratio })).or_report()
}

#[pg_extern]
fn achieved_power(p0: f64, p1: f64, n0: f64, n1: f64, alpha: f64) -> Option<f64> {
    stats::achieved_power(p0, p1, n0, n1, alpha).or_report()
}

#[pg_extern]
fn experiment_assign(experiment: &str, user_id: &str, weights: &str) -> String {
    stats::assign(experiment, user_id, weights).or_report()
}

#[pg_extern]
fn rating_goal(goal: &str) -> Option<f64> {
    stats::rating_goal(goal).or_report()
}

#[pg_extern]
fn check_dimension(dimension: &str) -> bool {
    passed(stats::check_dimension(dimension))
}
