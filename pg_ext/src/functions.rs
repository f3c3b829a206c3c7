//! The pure functions, one line each. All are declared IMMUTABLE STRICT PARALLEL SAFE, so arguments are never NULL.

use crate::aggregates::{as_ords, ascending, ranking};
use crate::convert::{epoch_us, instant, OrReport};
use crate::text::{Jsonb, Label, Text};
use cotaste_core::context::Field;
use cotaste_core::gather::Gathered;
use cotaste_core::stats::Arms;
use cotaste_core::{behavior, context, events, fold, genre, neighbours, similarity, stats, taste, time, Error};
use pgrx::prelude::*;

#[pg_extern]
fn cotaste_version() -> &'static str {
    cotaste_core::VERSION
}

// Context. A table may have many of them computed for one row, so each lets a cancellation through.

fn field(context: Text<'_>, field: Field) -> Option<Label<'_>> {
    check_for_interrupts!();
    context::field(context.get(), field).map(Label)
}

#[pg_extern]
fn context_time_of_day<'a>(context: Text<'a>) -> Option<Label<'a>> {
    field(context, Field::TimeOfDay)
}

#[pg_extern]
fn context_day_of_week<'a>(context: Text<'a>) -> Option<Label<'a>> {
    field(context, Field::DayOfWeek)
}

#[pg_extern]
fn context_device<'a>(context: Text<'a>) -> Option<Label<'a>> {
    field(context, Field::Device)
}

#[pg_extern]
fn context_location<'a>(context: Text<'a>) -> Option<Label<'a>> {
    field(context, Field::Location)
}

#[pg_extern]
fn context_experiment<'a>(context: Text<'a>) -> Option<Label<'a>> {
    field(context, Field::Experiment)
}

#[pg_extern]
fn context_variant<'a>(context: Text<'a>) -> Option<Label<'a>> {
    field(context, Field::Variant)
}

#[pg_extern]
fn context_status(context: Text<'_>) -> &'static str {
    check_for_interrupts!();
    context::parse(&context).status.as_str()
}

#[pg_extern]
fn context_jsonb(context: Text<'_>) -> Option<Jsonb> {
    check_for_interrupts!();
    context::storable_json(&context).and_then(Jsonb::read)
}

// Time

#[pg_extern]
fn time_slot(at: TimestampWithTimeZone, zone: &str) -> &'static str {
    time::time_slot(epoch_us(at), zone).or_report()
}

#[pg_extern]
fn day_of_week(at: TimestampWithTimeZone, zone: &str) -> &'static str {
    time::day_of_week(epoch_us(at), zone).or_report()
}

#[pg_extern]
fn to_epoch_us(at: TimestampWithTimeZone) -> i64 {
    time::check_epoch_us(epoch_us(at)).or_report()
}

#[pg_extern]
fn from_epoch_us(us: i64) -> TimestampWithTimeZone {
    instant(us).or_report()
}

#[pg_extern]
fn day_start_us(us: i64, zone: &str) -> i64 {
    time::day_start_us(us, zone).or_report()
}

#[pg_extern]
fn half_lives(us: i64, half_life_hours: f64) -> f64 {
    time::half_lives(us, half_life_hours).or_report()
}

#[pg_extern]
fn decay(weight: f64, age_us: i64, half_life_hours: f64) -> f64 {
    time::decay(weight, age_us, half_life_hours).or_report()
}

// Similarity

#[pg_extern]
fn jaccard_similarity(a: &str, b: &str) -> f64 {
    similarity::jaccard_json(a, b).or_report()
}

#[pg_extern]
fn jaccard_similarity_bigint(a: Array<i64>, b: Array<i64>) -> f64 {
    similarity::jaccard(a.iter().flatten().collect(), b.iter().flatten().collect())
}

#[pg_extern]
fn jaccard_similarity_text(a: Array<&str>, b: Array<&str>) -> f64 {
    similarity::jaccard(a.iter().flatten().collect::<Vec<_>>(), b.iter().flatten().collect())
}

#[pg_extern]
fn cosine_similarity(a: &str, b: &str) -> f64 {
    similarity::cosine_json(a, b).or_report()
}

#[pg_extern]
fn cosine_similarity_double(a: Array<f64>, b: Array<f64>) -> f64 {
    numbers(&a, "a").and_then(|a| similarity::cosine_dense(a, numbers(&b, "b")?)).or_report()
}

#[pg_extern]
fn weighted_similarity(jaccard: f64, cosine: f64, jaccard_weight: f64, cosine_weight: f64) -> f64 {
    similarity::weighted(jaccard, cosine, jaccard_weight, cosine_weight).or_report()
}

fn numbers<'a>(array: &'a Array<f64>, argument: &'static str) -> cotaste_core::Result<&'a [f64]> {
    array.as_slice().map_err(|_| Error::invalid(argument, "holds a NULL"))
}

// Genres

#[pg_extern]
fn genre_vector(genres: &str, weight: f64) -> String {
    genre::vector_json(genres, weight).or_report()
}

#[pg_extern]
fn genre_list(genres: &str) -> String {
    genre::list_json(genres).or_report()
}

// Tastes

#[pg_extern]
fn taste_similarity(a: &[u8], b: &[u8], jaccard_weight: f64, cosine_weight: f64) -> f64 {
    taste::similarity(a, b)
        .and_then(|parts| similarity::weighted(parts.jaccard, parts.genre_cosine, jaccard_weight, cosine_weight))
        .or_report()
}

#[pg_extern]
fn taste_jaccard(a: &[u8], b: &[u8]) -> f64 {
    taste::similarity(a, b).or_report().jaccard
}

#[pg_extern]
fn taste_genre_cosine(a: &[u8], b: &[u8]) -> f64 {
    taste::similarity(a, b).or_report().genre_cosine
}

#[pg_extern]
fn taste_shared_items(a: &[u8], b: &[u8]) -> i64 {
    i64::from(taste::similarity(a, b).or_report().shared_items)
}

#[pg_extern]
fn taste_items(taste: &[u8]) -> i64 {
    i64::from(taste::items(taste).or_report())
}

#[pg_extern]
fn taste_json(taste: &[u8]) -> String {
    taste::to_json(taste).or_report()
}

#[pg_extern]
fn taste_genre_shares(taste: &[u8]) -> String {
    taste::genre_shares_json(taste).or_report()
}

#[pg_extern]
fn taste_has(taste: &[u8], content: i64) -> bool {
    taste::has(taste, content).or_report()
}

#[pg_extern]
fn taste_contents(taste: &[u8]) -> Vec<i64> {
    taste::contents(taste).or_report()
}

// The state of a space. These take NULLs: nothing there yet, or nothing left.

#[pg_extern]
fn follow_taste(taste: Option<&[u8]>, sums: Option<&[u8]>, changes: Option<&[u8]>) -> Option<Vec<u8>> {
    let followed = taste::ledger::apply(taste, sums, changes.unwrap_or_default()).or_report()?;
    Some(followed.pack().or_report())
}

#[pg_extern]
fn followed_taste(followed: &[u8]) -> &[u8] {
    taste::ledger::unpack(followed).or_report().0
}

#[pg_extern]
fn followed_sums(followed: &[u8]) -> &[u8] {
    taste::ledger::unpack(followed).or_report().1
}

#[pg_extern]
fn apply_postings(users: Option<&[u8]>, changes: Option<&[u8]>) -> Option<Vec<u8>> {
    fold::postings::apply(users, changes.unwrap_or_default()).or_report()
}

#[pg_extern]
fn apply_block(users: Option<&[u8]>, changes: Option<&[u8]>, genre_order: Option<&str>) -> Option<Vec<u8>> {
    fold::blocks::apply(users, changes.unwrap_or_default(), genre_order.unwrap_or("[]")).or_report()
}

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn find_finalists(
    postings: &[u8],
    blocks: &[u8],
    taste: &[u8],
    genre_order: &str,
    excluded: Array<i32>,
    k: i64,
    jaccard_weight: f64,
    cosine_weight: f64,
) -> Vec<i32> {
    let (postings, blocks) = (Gathered::read(postings).or_report(), Gathered::read(blocks).or_report());
    let ranking = ranking(taste, genre_order, k, jaccard_weight, cosine_weight).or_report();
    let excluded = ascending(&excluded);
    let found = neighbours::finalists(ranking, postings, blocks, taste, &excluded, || {
        check_for_interrupts!();
    });
    as_ords(found.or_report())
}

#[pg_extern]
fn follow_events(events: Option<&[u8]>, changes: Option<&[u8]>) -> Option<Vec<u8>> {
    events::follow(events, changes.unwrap_or_default()).or_report()
}

#[pg_extern]
fn experiment_user(
    events: &[u8],
    experiment: Text<'_>,
    from_us: i64,
    to_us: i64,
    goal: Text<'_>,
    window_us: i64,
    now_us: i64,
) -> Option<String> {
    let window_us = Some(window_us).filter(|us| *us >= 0);
    let question =
        events::Question { experiment: experiment.get(), from_us, to_us, goal: goal.get(), window_us, now_us };
    events::user(events, &question).or_report()
}

// Spaces that are not upgraded yet call it.
#[pg_extern]
fn counted(counters: &[u8], ord: i32) -> i64 {
    neighbours::counted(counters, ord).into()
}

#[pg_extern]
fn pending_ords(bounds: &[u8]) -> Vec<i32> {
    as_ords(neighbours::ordinals(bounds).or_report())
}

#[pg_extern]
fn pending_reaching(bounds: &[u8], at_least: f64) -> Vec<i32> {
    as_ords(neighbours::reaching(bounds, at_least).or_report())
}

// Statistics

#[pg_extern]
fn wilson_lower(successes: f64, trials: f64, z: f64) -> Option<f64> {
    stats::wilson_lower(successes, trials, z).or_report()
}

#[pg_extern]
fn wilson_upper(successes: f64, trials: f64, z: f64) -> Option<f64> {
    stats::wilson_upper(successes, trials, z).or_report()
}

// Two rates: `x0` successes in `n0` trials of the control, `x1` in `n1` of the treatment; NULL where one has no trials,
// but for what starts from a prior.

pub fn arms(x0: f64, n0: f64, x1: f64, n1: f64) -> Option<Arms> {
    Arms::new(x0, n0, x1, n1).or_report()
}

#[pg_extern]
fn two_proportion_p(x0: f64, n0: f64, x1: f64, n1: f64) -> Option<f64> {
    arms(x0, n0, x1, n1).map(stats::two_proportion_p)
}

#[pg_extern]
fn two_proportion_method(x0: f64, n0: f64, x1: f64, n1: f64) -> Option<&'static str> {
    arms(x0, n0, x1, n1).map(stats::two_proportion_method)
}

#[pg_extern]
fn pooled_z(x0: f64, n0: f64, x1: f64, n1: f64) -> Option<f64> {
    arms(x0, n0, x1, n1).map(Arms::pooled_z)
}

#[pg_extern]
fn fisher_exact(x0: f64, n0: f64, x1: f64, n1: f64) -> Option<f64> {
    arms(x0, n0, x1, n1).map(stats::fisher_exact)
}

#[pg_extern]
fn chance_to_win(x0: f64, n0: f64, x1: f64, n1: f64) -> f64 {
    stats::chance_to_win(Arms::counts(x0, n0, x1, n1).or_report())
}

#[pg_extern]
fn expected_loss(x0: f64, n0: f64, x1: f64, n1: f64) -> f64 {
    stats::expected_loss(Arms::counts(x0, n0, x1, n1).or_report())
}

#[pg_extern]
fn newcombe_lower(x0: f64, n0: f64, x1: f64, n1: f64, z: f64) -> Option<f64> {
    arms(x0, n0, x1, n1).map(|arms| arms.newcombe(z).or_report().0)
}

#[pg_extern]
fn newcombe_upper(x0: f64, n0: f64, x1: f64, n1: f64, z: f64) -> Option<f64> {
    arms(x0, n0, x1, n1).map(|arms| arms.newcombe(z).or_report().1)
}

#[pg_extern]
fn lift_lower(x0: f64, n0: f64, x1: f64, n1: f64, z: f64) -> Option<f64> {
    arms(x0, n0, x1, n1)?.lift_interval(z).map(|interval| interval.0)
}

#[pg_extern]
fn lift_upper(x0: f64, n0: f64, x1: f64, n1: f64, z: f64) -> Option<f64> {
    arms(x0, n0, x1, n1)?.lift_interval(z).map(|interval| interval.1)
}

#[pg_extern]
fn confidence_sequence_lower(x0: f64, n0: f64, x1: f64, n1: f64, alpha: f64) -> Option<f64> {
    stats::confidence_sequence(arms(x0, n0, x1, n1)?, alpha).or_report().map(|interval| interval.0)
}

#[pg_extern]
fn confidence_sequence_upper(x0: f64, n0: f64, x1: f64, n1: f64, alpha: f64) -> Option<f64> {
    stats::confidence_sequence(arms(x0, n0, x1, n1)?, alpha).or_report().map(|interval| interval.1)
}

#[pg_extern]
fn always_valid_p(x0: f64, n0: f64, x1: f64, n1: f64, alpha: f64) -> Option<f64> {
    stats::always_valid_p(arms(x0, n0, x1, n1)?, alpha).or_report()
}

#[pg_extern]
fn critical_z(alpha: f64) -> f64 {
    stats::critical_z(alpha).or_report()
}

#[pg_extern]
fn chi_square_p(chi_square: f64, degrees: i64) -> f64 {
    stats::chi_square_p(chi_square, degrees).or_report()
}

// What an event may hold: true, or an error that says what is wrong

#[pg_extern]
fn check_user_id(user_id: &str) -> bool {
    passed(behavior::check_user_id(user_id))
}

#[pg_extern]
fn check_content_id(content_id: i64) -> bool {
    passed(behavior::check_content_id(content_id))
}

#[pg_extern]
fn check_action(action: &str) -> bool {
    passed(behavior::check_action(action))
}

#[pg_extern]
fn check_rating(rating: f64) -> bool {
    passed(behavior::check_rating(rating))
}

#[pg_extern]
fn check_progress(progress: f64) -> bool {
    passed(behavior::check_progress(progress))
}

#[pg_extern]
fn check_occurred_at(at: TimestampWithTimeZone) -> bool {
    passed(behavior::check_occurred_at(epoch_us(at)))
}

pub fn passed(checked: cotaste_core::Result<()>) -> bool {
    checked.or_report();
    true
}
