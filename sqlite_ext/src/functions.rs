//! The value functions: one line each, read top to bottom. The work is in `cotaste_core`.

use crate::convert::Answer::{self, Blob, Integer, Null, Real, Static};
use crate::convert::Args;
use crate::failure::Result;
use crate::scalar::{pure, pure_of_nulls, Db, Pure};
use cotaste_core::context::{self, Field};
use cotaste_core::similarity::{self, DEFAULT_WEIGHTS};
use cotaste_core::stats::Arms;
use cotaste_core::{behavior, events, fold, genre, stats, taste, time, VERSION};
use std::borrow::Cow;
use std::ffi::c_int;

/// Name, number of arguments, body.
#[rustfmt::skip]
const FUNCTIONS: &[(&str, c_int, Pure)] = &[
    ("cotaste_version",       0, |_| Ok(Static(VERSION))),

    ("context_time_of_day",   1, |a| label(a, Field::TimeOfDay)),
    ("context_day_of_week",   1, |a| label(a, Field::DayOfWeek)),
    ("context_device",        1, |a| label(a, Field::Device)),
    ("context_location",      1, |a| label(a, Field::Location)),
    ("context_experiment",    1, |a| label(a, Field::Experiment)),
    ("context_variant",       1, |a| label(a, Field::Variant)),
    ("context_status",        1, |a| Ok(Static(context::parse_bytes(a.bytes(0)?).status.as_str()))),

    ("time_slot",             1, |a| Ok(Static(time::time_slot(a.timestamp(0, "ts")?, "UTC")?))),
    ("time_slot",             2, |a| Ok(Static(time::time_slot(a.timestamp(0, "ts")?, a.text(1, "zone")?)?))),
    ("day_of_week",           1, |a| Ok(Static(time::day_of_week(a.timestamp(0, "ts")?, "UTC")?))),
    ("day_of_week",           2, |a| Ok(Static(time::day_of_week(a.timestamp(0, "ts")?, a.text(1, "zone")?)?))),
    ("to_epoch_us",           1, |a| Ok(Integer(a.timestamp(0, "ts")?))),
    ("from_epoch_us",         1, |a| Ok(time::format_timestamp(a.integer(0, "us")?)?.into())),
    ("day_start_us",          2, |a| Ok(Integer(time::day_start_us(a.integer(0, "us")?, a.text(1, "zone")?)?))),
    ("half_lives",            2, |a| Ok(Real(time::half_lives(a.integer(0, "us")?, a.real(1, "half_life_hours")?)?))),
    ("decay",                 3, |a| Ok(Real(time::decay(a.real(0, "weight")?, a.integer(1, "age_us")?, a.real(2, "half_life_hours")?)?))),

    ("jaccard_similarity",    2, |a| Ok(Real(similarity::jaccard_json(a.text(0, "a")?, a.text(1, "b")?)?))),
    ("cosine_similarity",     2, |a| Ok(Real(similarity::cosine_json(a.text(0, "a")?, a.text(1, "b")?)?))),
    ("weighted_similarity",   2, |a| weighted(a.real(0, "jaccard")?, a.real(1, "cosine")?, DEFAULT_WEIGHTS)),
    ("weighted_similarity",   3, |a| weighted(a.real(0, "jaccard")?, a.real(1, "cosine")?, weights(a)?)),
    ("weighted_similarity",   4, |a| weighted(a.real(0, "jaccard")?, a.real(1, "cosine")?, weights(a)?)),
    ("genre_vector",          1, |a| Ok(genre::vector_json(a.text(0, "genres")?, 1.0)?.into())),
    ("genre_vector",          2, |a| Ok(genre::vector_json(a.text(0, "genres")?, a.real(1, "weight")?)?.into())),
    ("genre_list",            1, |a| Ok(genre::list_json(lenient(a.bytes(0)?))?.into())),

    ("taste_similarity",      2, |a| { let p = parts(a)?; weighted(p.jaccard, p.genre_cosine, DEFAULT_WEIGHTS) }),
    ("taste_similarity",      3, |a| { let p = parts(a)?; weighted(p.jaccard, p.genre_cosine, weights(a)?) }),
    ("taste_similarity",      4, |a| { let p = parts(a)?; weighted(p.jaccard, p.genre_cosine, weights(a)?) }),
    ("taste_jaccard",         2, |a| Ok(Real(parts(a)?.jaccard))),
    ("taste_genre_cosine",    2, |a| Ok(Real(parts(a)?.genre_cosine))),
    ("taste_shared_items",    2, |a| Ok(Integer(parts(a)?.shared_items.into()))),
    ("taste_items",           1, |a| Ok(Integer(taste::items(a.blob(0, "taste")?)?.into()))),
    ("taste_genre_shares",    1, |a| Ok(taste::genre_shares_json(a.blob(0, "taste")?)?.into())),
    ("taste_has",             2, |a| Ok(Integer(taste::has(a.blob(0, "taste")?, a.integer(1, "content")?)?.into()))),
    ("taste_json",            1, |a| Ok(taste::to_json(a.blob(0, "taste")?)?.into())),

    ("wilson_lower",          2, |a| Ok(stats::wilson_lower(a.real(0, "successes")?, a.real(1, "trials")?, stats::Z95)?.into())),
    ("wilson_lower",          3, |a| Ok(stats::wilson_lower(a.real(0, "successes")?, a.real(1, "trials")?, a.real(2, "z")?)?.into())),
    ("wilson_upper",          2, |a| Ok(stats::wilson_upper(a.real(0, "successes")?, a.real(1, "trials")?, stats::Z95)?.into())),
    ("wilson_upper",          3, |a| Ok(stats::wilson_upper(a.real(0, "successes")?, a.real(1, "trials")?, a.real(2, "z")?)?.into())),

    ("experiment_user",        7, experiment_user),
    ("two_proportion_p",       4, |a| Ok(arms(a)?.map(stats::two_proportion_p).map_or(Null, Real))),
    ("two_proportion_method",  4, |a| Ok(arms(a)?.map(stats::two_proportion_method).map_or(Null, Static))),
    ("pooled_z",               4, |a| Ok(arms(a)?.map(Arms::pooled_z).map_or(Null, Real))),
    ("fisher_exact",           4, |a| Ok(arms(a)?.map(stats::fisher_exact).map_or(Null, Real))),
    ("chance_to_win",          4, |a| Ok(Real(stats::chance_to_win(counts(a)?)))),
    ("expected_loss",          4, |a| Ok(Real(stats::expected_loss(counts(a)?)))),
    ("newcombe_lower",         4, |a| Ok(interval(newcombe(a, stats::Z95)?, |i| i.0))),
    ("newcombe_upper",         4, |a| Ok(interval(newcombe(a, stats::Z95)?, |i| i.1))),
    ("lift_lower",             4, |a| Ok(interval(lift(a, stats::Z95)?, |i| i.0))),
    ("lift_upper",             4, |a| Ok(interval(lift(a, stats::Z95)?, |i| i.1))),
    ("newcombe_lower",         5, |a| Ok(interval(newcombe(a, a.real(4, "z")?)?, |i| i.0))),
    ("newcombe_upper",         5, |a| Ok(interval(newcombe(a, a.real(4, "z")?)?, |i| i.1))),
    ("lift_lower",             5, |a| Ok(interval(lift(a, a.real(4, "z")?)?, |i| i.0))),
    ("lift_upper",             5, |a| Ok(interval(lift(a, a.real(4, "z")?)?, |i| i.1))),
    ("confidence_sequence_lower",4, |a| Ok(interval(sequence(a, 0.05)?, |i| i.0))),
    ("confidence_sequence_upper",4, |a| Ok(interval(sequence(a, 0.05)?, |i| i.1))),
    ("always_valid_p",         4, |a| Ok(valid_p(a, 0.05)?.map_or(Null, Real))),
    ("confidence_sequence_lower",5, |a| Ok(interval(sequence(a, a.real(4, "alpha")?)?, |i| i.0))),
    ("confidence_sequence_upper",5, |a| Ok(interval(sequence(a, a.real(4, "alpha")?)?, |i| i.1))),
    ("always_valid_p",         5, |a| Ok(valid_p(a, a.real(4, "alpha")?)?.map_or(Null, Real))),
    ("critical_z",            1, |a| Ok(Real(stats::critical_z(a.real(0, "alpha")?)?))),
    ("chi_square_p",          2, |a| Ok(Real(stats::chi_square_p(a.real(0, "chi_square")?, a.integer(1, "degrees")?)?))),

    ("check_user_id",         1, |a| checked(behavior::check_user_id(&a.id(0, "user_id")?))),
    ("check_content_id",      1, |a| checked(behavior::check_content_id(a.integer(0, "content_id")?))),
    ("check_action",          1, |a| checked(behavior::check_action(a.text(0, "action")?))),
    ("check_rating",          1, |a| checked(behavior::check_rating(a.real(0, "rating")?))),
    ("check_progress",        1, |a| checked(behavior::check_progress(a.real(0, "progress")?))),
    ("check_occurred_at",     1, |a| checked(behavior::check_occurred_at(a.timestamp(0, "occurred_at")?))),
];

/// The state of a space: NULLs stand for what is not there yet.
#[rustfmt::skip]
const OF_NULLS: &[(&str, c_int, Pure)] = &[
    ("follow_taste",          3, |a| follow_taste(a)),
    ("followed_taste",        1, |a| Ok(part(a.optional_blob(0, "followed")?.map(taste::ledger::unpack).transpose()?.map(|f| f.0)))),
    ("followed_sums",         1, |a| Ok(part(a.optional_blob(0, "followed")?.map(taste::ledger::unpack).transpose()?.map(|f| f.1)))),
    ("apply_postings",        2, |a| Ok(fold::postings::apply(a.optional_blob(0, "users")?, changes(a, 1)?)?.into())),
    ("apply_block",           3, |a| Ok(fold::blocks::apply(a.optional_blob(0, "users")?, changes(a, 1)?, a.text(2, "genre_order")?)?.into())),
    ("follow_events",         2, |a| Ok(events::follow(a.optional_blob(0, "events")?, changes(a, 1)?)?.into())),
];

pub fn register(db: Db) -> Result<()> {
    FUNCTIONS.iter().try_for_each(|&(name, arguments, body)| pure(db, name, arguments, body))?;
    OF_NULLS.iter().try_for_each(|&(name, arguments, body)| pure_of_nulls(db, name, arguments, body))
}

fn follow_taste(a: Args<'_>) -> Result<Answer<'_>> {
    let followed = taste::ledger::apply(a.optional_blob(0, "taste")?, a.optional_blob(1, "sums")?, changes(a, 2)?)?;
    Ok(followed.map(|followed| followed.pack()).transpose()?.into())
}

fn changes(a: Args<'_>, i: usize) -> Result<&[u8]> {
    Ok(a.optional_blob(i, "changes")?.unwrap_or_default())
}

fn part(part: Option<&[u8]>) -> Answer<'_> {
    part.map_or(Null, |part| Blob(Cow::Borrowed(part)))
}

fn label(args: Args<'_>, field: Field) -> Result<Answer<'_>> {
    Ok(context::field(lenient(args.bytes(0)?), field).into())
}

/// Reading what is stored never fails, whatever was stored: a blob is read as text, and bytes that are no text are no
/// JSON either.
fn lenient(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("")
}

fn parts(args: Args<'_>) -> Result<taste::Parts> {
    Ok(taste::similarity(args.blob(0, "a")?, args.blob(1, "b")?)?)
}

fn weights(args: Args<'_>) -> Result<(f64, f64)> {
    let cosine = if args.len() > 3 { args.real(3, "cosine_weight")? } else { DEFAULT_WEIGHTS.1 };
    Ok((args.real(2, "jaccard_weight")?, cosine))
}

fn weighted(jaccard: f64, cosine: f64, (w_jaccard, w_cosine): (f64, f64)) -> Result<Answer<'static>> {
    Ok(Real(similarity::weighted(jaccard, cosine, w_jaccard, w_cosine)?))
}

pub fn checked(result: cotaste_core::Result<()>) -> Result<Answer<'static>> {
    Ok(Integer(result.map(|()| 1)?))
}

/// The first four arguments as two arms: successes and trials of the control, then of the treatment.
pub fn counts(a: Args<'_>) -> Result<Arms> {
    Ok(Arms::counts(a.real(0, "x0")?, a.real(1, "n0")?, a.real(2, "x1")?, a.real(3, "n1")?)?)
}

/// The same; none where an arm has no trials.
pub fn arms(a: Args<'_>) -> Result<Option<Arms>> {
    let Arms { x0, n0, x1, n1 } = counts(a)?;
    Ok(Arms::new(x0, n0, x1, n1)?)
}

type Interval = Option<(f64, f64)>;

fn interval(interval: Interval, end: fn((f64, f64)) -> f64) -> Answer<'static> {
    interval.map_or(Null, |interval| Real(end(interval)))
}

fn newcombe(a: Args<'_>, z: f64) -> Result<Interval> {
    Ok(arms(a)?.map(|arms| arms.newcombe(z)).transpose()?)
}

fn lift(a: Args<'_>, z: f64) -> Result<Interval> {
    Ok(arms(a)?.and_then(|arms| arms.lift_interval(z)))
}

fn sequence(a: Args<'_>, alpha: f64) -> Result<Interval> {
    Ok(arms(a)?.map(|arms| stats::confidence_sequence(arms, alpha)).transpose()?.flatten())
}

fn valid_p(a: Args<'_>, alpha: f64) -> Result<Option<f64>> {
    Ok(arms(a)?.map(|arms| stats::always_valid_p(arms, alpha)).transpose()?.flatten())
}

fn experiment_user(a: Args<'_>) -> Result<Answer<'_>> {
    let question = events::Question {
        experiment: a.text(1, "experiment")?,
        from_us: a.integer(2, "from_us")?,
        to_us: a.integer(3, "to_us")?,
        goal: a.text(4, "goal")?,
        window_us: Some(a.integer(5, "window_us")?).filter(|us| *us >= 0),
        now_us: a.integer(6, "now_us")?,
    };
    Ok(events::user(a.blob(0, "events")?, &question)?.map_or(Null, Answer::from))
}
