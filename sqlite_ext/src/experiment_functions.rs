//! The functions of experiments, one line each. What gives several numbers gives a JSON object.

use crate::convert::Answer::{self, Integer, Null, Real};
use crate::convert::Args;
use crate::failure::Result;
use crate::functions::{arms, checked, counts};
use crate::scalar::{pure, Db, Pure};
use cotaste_core::stats::{self, Plan, DEFAULT_VARIANTS, Z95};
use std::ffi::c_int;

/// Name, number of arguments, body.
#[rustfmt::skip]
const FUNCTIONS: &[(&str, c_int, Pure)] = &[
    ("wilson_interval",          2, |a| object(stats::json(stats::wilson_interval(a.real(0, "successes")?, a.real(1, "trials")?, Z95)))),
    ("wilson_interval",          3, |a| object(stats::json(stats::wilson_interval(a.real(0, "successes")?, a.real(1, "trials")?, a.real(2, "z")?)))),
    ("clopper_pearson_interval", 2, |a| object(stats::json(stats::clopper_pearson(a.real(0, "successes")?, a.real(1, "trials")?, 0.05)))),
    ("clopper_pearson_interval", 3, |a| object(stats::json(stats::clopper_pearson(a.real(0, "successes")?, a.real(1, "trials")?, a.real(2, "alpha")?)))),
    ("posterior_interval",       2, |a| object(stats::json(stats::posterior(a.real(0, "successes")?, a.real(1, "trials")?, 0.05).map(Some)))),
    ("posterior_interval",       3, |a| object(stats::json(stats::posterior(a.real(0, "successes")?, a.real(1, "trials")?, a.real(2, "alpha")?).map(Some)))),

    ("newcombe_interval",        4, |a| { let arms = arms(a)?; object(stats::json(arms.map(|arms| arms.newcombe_interval(Z95)).transpose())) }),
    ("newcombe_interval",        5, |a| { let (arms, z) = (arms(a)?, a.real(4, "z")?); object(stats::json(arms.map(|arms| arms.newcombe_interval(z)).transpose())) }),
    ("lift_intervals",           4, |a| { let arms = arms(a)?; object(stats::json(arms.map(|arms| stats::lift_intervals(arms, Z95)).transpose())) }),
    ("lift_intervals",           5, |a| { let (arms, z) = (arms(a)?, a.real(4, "z")?); object(stats::json(arms.map(|arms| stats::lift_intervals(arms, z)).transpose())) }),
    ("two_proportion_test",      4, |a| { let arms = arms(a)?; object(stats::json(arms.map(|arms| stats::two_proportion_test(arms, 0.05)).transpose())) }),
    ("two_proportion_test",      5, |a| { let (arms, alpha) = (arms(a)?, a.real(4, "alpha")?); object(stats::json(arms.map(|arms| stats::two_proportion_test(arms, alpha)).transpose())) }),
    ("confidence_sequence",      4, |a| { let arms = arms(a)?; object(stats::json(arms.map_or(Ok(None), |arms| stats::look(arms, 0.05)))) }),
    ("confidence_sequence",      5, |a| { let (arms, alpha) = (arms(a)?, a.real(4, "alpha")?); object(stats::json(arms.map_or(Ok(None), |arms| stats::look(arms, alpha)))) }),
    ("posterior_difference",     4, |a| object(stats::json(stats::posterior_difference(counts(a)?, 0.05).map(Some)))),
    ("posterior_difference",     5, |a| object(stats::json(stats::posterior_difference(counts(a)?, a.real(4, "alpha")?).map(Some)))),
    ("barnard_exact",            4, |a| Ok(arms(a)?.map(stats::barnard_exact).transpose()?.flatten().into())),
    ("msprt_p",                  5, |a| { let tau = a.real(4, "tau")?; Ok(arms(a)?.map(|arms| stats::msprt_p(arms, tau)).transpose()?.flatten().into()) }),

    ("prob_best",                1, |a| Ok(stats::prob_best_json(a.text(0, "arms")?)?.into())),
    ("omnibus_test",             1, |a| object(stats::json(stats::arms_json(a.text(0, "arms")?).and_then(|arms| stats::omnibus_test(&arms))))),
    ("srm_test",                 2, |a| object(stats::json(stats::srm_test_json(a.text(0, "users")?, a.text(1, "weights")?).map(Some)))),

    ("moments_count",            1, |a| Ok(Integer(stats::moments_count(a.blob(0, "moments")?)?))),
    ("moments_json",             1, |a| Ok(stats::moments_json(a.blob(0, "moments")?)?.into())),
    ("welch_test",               2, |a| object(stats::json(stats::welch_test(a.blob(0, "control")?, a.blob(1, "treatment")?, 0.05)))),
    ("welch_test",               3, |a| object(stats::json(stats::welch_test(a.blob(0, "control")?, a.blob(1, "treatment")?, a.real(2, "alpha")?)))),
    ("ratio_test",               2, |a| object(stats::json(stats::ratio_test(a.blob(0, "control")?, a.blob(1, "treatment")?, 0.05)))),
    ("ratio_test",               3, |a| object(stats::json(stats::ratio_test(a.blob(0, "control")?, a.blob(1, "treatment")?, a.real(2, "alpha")?)))),
    ("cuped_test",               2, |a| object(stats::json(stats::cuped_test(a.blob(0, "control")?, a.blob(1, "treatment")?, 0.05)))),
    ("cuped_test",               3, |a| object(stats::json(stats::cuped_test(a.blob(0, "control")?, a.blob(1, "treatment")?, a.real(2, "alpha")?)))),
    ("result_number",            2, |a| Ok(stats::result_number(a.text(0, "result")?, a.text(1, "name")?)?.into())),

    ("required_sample_size",     2, |a| Ok(stats::required_sample_size(plan(a)?)?.map_or(Null, Integer))),
    ("required_sample_size",     3, |a| Ok(stats::required_sample_size(plan(a)?)?.map_or(Null, Integer))),
    ("required_sample_size",     4, |a| Ok(stats::required_sample_size(plan(a)?)?.map_or(Null, Integer))),
    ("required_sample_size",     5, |a| Ok(stats::required_sample_size(plan(a)?)?.map_or(Null, Integer))),
    ("sample_sizes",             2, |a| object(stats::json(stats::sample_sizes(plan(a)?)))),
    ("sample_sizes",             3, |a| object(stats::json(stats::sample_sizes(plan(a)?)))),
    ("sample_sizes",             4, |a| object(stats::json(stats::sample_sizes(plan(a)?)))),
    ("sample_sizes",             5, |a| object(stats::json(stats::sample_sizes(plan(a)?)))),
    ("achieved_power",           4, |a| power(a, 0.05)),
    ("achieved_power",           5, |a| power(a, a.real(4, "alpha")?)),

    ("experiment_assign",        2, |a| Ok(stats::assign(a.text(0, "experiment")?, &a.id(1, "user_id")?, DEFAULT_VARIANTS)?.into())),
    ("experiment_assign",        3, |a| Ok(stats::assign(a.text(0, "experiment")?, &a.id(1, "user_id")?, a.text(2, "weights")?)?.into())),
    ("rating_goal",              1, |a| Ok(stats::rating_goal(a.text(0, "goal")?)?.map_or(Null, Real))),
    ("check_dimension",          1, |a| checked(stats::check_dimension(a.text(0, "dimension")?))),
];

pub fn register(db: Db) -> Result<()> {
    FUNCTIONS.iter().try_for_each(|&(name, arguments, body)| pure(db, name, arguments, body))
}

fn object(json: cotaste_core::Result<Option<String>>) -> Result<Answer<'static>> {
    Ok(json?.map_or(Null, Answer::from))
}

/// `p0, p1 [, power, alpha, ratio]`
fn plan(a: Args<'_>) -> Result<Plan> {
    let optional = |i: usize, name, default| if i < a.len() { a.real(i, name) } else { Ok(default) };
    Ok(Plan {
        p0: a.real(0, "p0")?,
        p1: a.real(1, "p1")?,
        power: optional(2, "power", 0.8)?,
        alpha: optional(3, "alpha", 0.05)?,
        ratio: optional(4, "ratio", 1.0)?,
    })
}

fn power(a: Args<'_>, alpha: f64) -> Result<Answer<'static>> {
    let (p0, p1) = (a.real(0, "p0")?, a.real(1, "p1")?);
    Ok(stats::achieved_power(p0, p1, a.real(2, "n0")?, a.real(3, "n1")?, alpha)?.into())
}
