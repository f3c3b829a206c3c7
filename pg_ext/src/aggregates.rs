//! The aggregates: for each a step a row, a combination of two states and the final value. What a state means is the
//! core's; a combination is a concatenation. Steps and finals get NULLs, combinations are STRICT.

use crate::convert::OrReport;
use crate::state::{append, data, edit, update, InAggregate, Kept, State};
use crate::text::Text;
use cotaste_core::base::Base;
use cotaste_core::genre_order::GenreOrder;
use cotaste_core::latest::Latest;
use cotaste_core::neighbours::{similarity_at_most, Changed, Probe, Ranking, Waiting};
use cotaste_core::sum::ReproducibleSum;
use cotaste_core::taste::ledger::{changes, weight};
use cotaste_core::{fold, gather, genre_order, list, posting, taste, Error, Result};
use pgrx::prelude::*;

#[pg_extern]
fn taste_agg_step(
    call: InAggregate,
    state: Option<State>,
    content: Option<i64>,
    genres: Option<&str>,
    weight: Option<f64>,
) -> State {
    taste_row(&call, state, content, genres, weight, 0.0)
}

#[pg_extern]
fn taste_agg_decayed_step(
    call: InAggregate,
    state: Option<State>,
    content: Option<i64>,
    genres: Option<&str>,
    weight: Option<f64>,
    half_lives: Option<f64>,
) -> State {
    taste_row(&call, state, content, genres, weight, half_lives.unwrap_or(0.0))
}

fn taste_row(
    call: &InAggregate,
    state: Option<State>,
    content: Option<i64>,
    genres: Option<&str>,
    weight: Option<f64>,
    half_lives: f64,
) -> State {
    let length = taste::state::row_len(genres).or_report();
    append(call, state, length, Some(taste::state::compact), |row| {
        taste::state::write_row(row, content, genres, weight, half_lives)
    })
}

#[pg_extern]
fn taste_rollup_step(call: InAggregate, state: Option<State>, taste: Option<&[u8]>) -> Option<State> {
    let Some(taste) = taste else { return state };
    let length = taste::state::taste_len(taste).or_report();
    Some(append(&call, state, length, Some(taste::state::compact), |row| taste::state::write_taste(row, taste)))
}

#[pg_extern]
fn taste_combine(call: InAggregate, state: State, other: &[u8]) -> State {
    let other = data(other).or_report();
    append(&call, Some(state), other.len(), Some(taste::state::compact), |room| concatenate(room, other))
}

#[pg_extern]
fn taste_final(state: &[u8]) -> Vec<u8> {
    data(state).and_then(taste::state::finish).or_report()
}

#[pg_extern]
fn ordered_json_array_step(
    call: InAggregate,
    state: Option<State>,
    value: Option<&str>,
    position: Option<i64>,
) -> Option<State> {
    let Some(value) = value else { return state };
    let length = list::state::row_len(value).or_report();
    let position = position.ok_or_else(|| Error::invalid("position", "is NULL")).or_report();
    Some(append(&call, state, length, None, |row| list::state::write_row(row, value, position)))
}

#[pg_extern]
fn ordered_json_array_combine(call: InAggregate, state: State, other: &[u8]) -> State {
    let other = data(other).or_report();
    append(&call, Some(state), other.len(), None, |room| concatenate(room, other))
}

#[pg_extern]
fn ordered_json_array_final(state: Option<&[u8]>) -> String {
    state.map_or(Ok(&[][..]), data).and_then(list::state::finish).or_report()
}

pub fn concatenate(room: &mut [u8], other: &[u8]) -> Result<()> {
    room.copy_from_slice(other);
    Ok(())
}

#[pg_extern]
fn reproducible_sum_step(call: InAggregate, state: Option<State>, value: Option<f64>) -> Option<State> {
    let Some(value) = value else { return state };
    Some(update(&call, state, |bytes| {
        let mut sum = bytes.map_or_else(|| Ok(ReproducibleSum::default()), ReproducibleSum::from_bytes)?;
        sum.add(value)?;
        Ok(sum.to_bytes())
    }))
}

#[pg_extern]
fn reproducible_sum_combine(call: InAggregate, state: State, other: &[u8]) -> State {
    update(&call, Some(state), |bytes| {
        let mut sum = ReproducibleSum::from_bytes(bytes.unwrap_or_default())?;
        sum.merge(&ReproducibleSum::from_bytes(other)?)?;
        Ok(sum.to_bytes())
    })
}

#[pg_extern]
fn reproducible_sum_final(state: &[u8]) -> f64 {
    ReproducibleSum::from_bytes(state).and_then(|sum| sum.value()).or_report()
}

#[pg_extern]
fn latest_value_step(
    call: InAggregate,
    state: Option<State>,
    value: Option<f64>,
    at: Option<i64>,
    id: Option<i64>,
) -> Option<State> {
    let (Some(value), Some(at), Some(id)) = (value, at, id) else { return state };
    Some(update(&call, state, |bytes| {
        let row = Latest::new(value, at, id);
        let last = bytes.map_or(Ok(row), Latest::from_bytes)?;
        Ok(last.later(row).to_bytes())
    }))
}

#[pg_extern]
fn latest_value_combine(call: InAggregate, state: State, other: &[u8]) -> State {
    update(&call, Some(state), |bytes| {
        let last = Latest::from_bytes(bytes.unwrap_or_default())?;
        Ok(last.later(Latest::from_bytes(other)?).to_bytes())
    })
}

#[pg_extern]
fn latest_value_final(state: &[u8]) -> f64 {
    Latest::from_bytes(state).or_report().value()
}

// The state of a space: what the fold collects, and how reads count and rank.

#[pg_extern]
fn decayed_weight_step(
    call: InAggregate,
    state: Option<State>,
    value: Option<f64>,
    half_lives: Option<f64>,
) -> Option<State> {
    let (Some(value), Some(half_lives)) = (value, half_lives) else { return state };
    Some(update(&call, state, |bytes| {
        let mut sum = bytes.map_or_else(|| Ok(ReproducibleSum::default()), ReproducibleSum::from_bytes)?;
        weight::add(&mut sum, value, half_lives)?;
        Ok(sum.to_bytes())
    }))
}

#[pg_extern]
fn decayed_weight_based_step(
    call: InAggregate,
    state: Option<State>,
    value: Option<f64>,
    half_lives: Option<f64>,
    base: Option<&[u8]>,
    half_life_hours: f64,
) -> Option<State> {
    let event = value.zip(half_lives);
    if event.is_none() && base.is_none() {
        return state;
    }
    Some(update(&call, state, |bytes| {
        let mut sum = bytes.map_or_else(|| Ok(ReproducibleSum::default()), ReproducibleSum::from_bytes)?;
        if let Some((value, half_lives)) = event {
            weight::add(&mut sum, value, half_lives)?;
        }
        if let Some(base) = base {
            sum.merge(&Base::read(base)?.weight(half_life_hours)?)?;
        }
        Ok(sum.to_bytes())
    }))
}

#[pg_extern]
fn decayed_weight_final(state: &[u8]) -> Vec<u8> {
    ReproducibleSum::from_bytes(state).map(|sum| weight::of(&sum).to_vec()).or_report()
}

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn taste_changes_step(
    call: InAggregate,
    state: Option<State>,
    content: Option<i64>,
    genres: Option<&str>,
    was_touched: Option<bool>,
    was_weight: Option<&[u8]>,
    is_touched: Option<bool>,
    is_weight: Option<&[u8]>,
) -> Option<State> {
    let Some(content) = content else { return state };
    let side = |touched: Option<bool>, weight| Option::map(weight, |weight| (touched == Some(true), weight));
    let (was, is) = (side(was_touched, was_weight), side(is_touched, is_weight));
    let length = changes::row_len(genres).or_report();
    Some(append(&call, state, length, None, |row| changes::write_row(row, content, genres, was, is)))
}

#[pg_extern]
fn posting_changes_step(
    call: InAggregate,
    state: Option<State>,
    place: Option<i64>,
    added: Option<bool>,
) -> Option<State> {
    let (Some(place), Some(added)) = (place, added) else { return state };
    Some(append(&call, state, fold::postings::ROW, None, |row| fold::postings::write_row(row, place, added)))
}

#[pg_extern]
fn block_changes_step(
    call: InAggregate,
    state: Option<State>,
    slot: Option<i64>,
    taste: Option<&[u8]>,
) -> Option<State> {
    let Some(slot) = slot else { return state };
    let length = fold::blocks::row_len(taste).or_report();
    Some(append(&call, state, length, None, |row| fold::blocks::write_row(row, slot, taste)))
}

#[pg_extern]
fn changes_combine(call: InAggregate, state: State, other: &[u8]) -> State {
    let other = data(other).or_report();
    append(&call, Some(state), other.len(), None, |room| concatenate(room, other))
}

#[pg_extern]
fn changes_final(state: &[u8]) -> Vec<u8> {
    data(state).map(<[u8]>::to_vec).or_report()
}

/// The state of `extend_genre_order`: the text, and the same read once.
struct Order {
    text: String,
    read: GenreOrder,
}

#[pg_extern]
fn extend_genre_order_step(
    call: InAggregate,
    state: Option<Kept<Order>>,
    genre_order: &str,
    taste: Option<&[u8]>,
) -> Kept<Order> {
    let mut state = state.unwrap_or_else(|| {
        let read = GenreOrder::read(genre_order).or_report();
        Kept::keep(&call, Order { text: genre_order.to_owned(), read })
    });
    let order = state.get();
    if let Some(taste) = taste.filter(|taste| !order.read.covers(taste).or_report()) {
        if let Some(longer) = genre_order::extend(&order.text, taste).or_report() {
            *order = Order { read: GenreOrder::read(&longer).or_report(), text: longer };
        }
    }
    state
}

#[pg_extern]
fn extend_genre_order_final(mut state: Kept<Order>) -> String {
    state.get().text.clone()
}

#[pg_extern]
fn count_postings_step(call: InAggregate, state: Option<State>, chunk: i32, users: Option<&[u8]>) -> Option<State> {
    let Some(users) = users else { return state };
    let chunk = usize::try_from(chunk).map_err(|_| Error::invalid("chunk", "is below 0")).or_report();
    let end = chunk.saturating_add(1).saturating_mul(COUNTERS);
    Some(edit(&call, state, end, |counters| {
        let counters = counters.get_mut(end - COUNTERS..end).and_then(|chunk| chunk.as_chunks_mut().0.try_into().ok());
        posting::count_bytes(users, counters.ok_or(Error::Internal)?)
    }))
}

#[pg_extern]
fn gather_lists_step(
    call: InAggregate,
    state: Option<State>,
    key: Option<i64>,
    part: Option<i32>,
    list: Option<&[u8]>,
) -> Option<State> {
    let (Some(key), Some(part), Some(list)) = (key, part, list) else { return state };
    let length = gather::row_len(list).or_report();
    Some(append(&call, state, length, None, |row| gather::write_row(row, key, part, list)))
}

#[pg_extern]
fn gather_lists_final(state: Option<&[u8]>) -> Vec<u8> {
    let rows = state.map_or(Ok(Default::default()), data).or_report();
    gather::finish(rows).or_report()
}

/// Bytes of the counters of one chunk.
const COUNTERS: usize = posting::CHUNK * 2;

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn rank_users_step(
    call: InAggregate,
    state: Option<Kept<Ranked>>,
    counters: Option<&[u8]>,
    block: i32,
    users: &[u8],
    taste: &[u8],
    genre_order: &str,
    excluded: Array<i32>,
    k: i64,
    jaccard_weight: f64,
    cosine_weight: f64,
) -> Kept<Ranked> {
    let mut state = state.unwrap_or_else(|| {
        let ranking = ranking(taste, genre_order, k, jaccard_weight, cosine_weight);
        Kept::keep(&call, Ranked { ranking: Some(ranking.or_report()), excluded: ascending(&excluded) })
    });
    let first = u32::try_from(block).unwrap_or(0).saturating_mul(256);
    let Ranked { ranking, excluded } = state.get();
    if let Some(ranking) = ranking {
        ranking.block(first, counters.unwrap_or_default(), users, excluded).or_report();
    }
    state
}

/// A search for the k users most like a taste.
pub fn ranking(taste: &[u8], genre_order: &str, k: i64, jaccard_weight: f64, cosine_weight: f64) -> Result<Ranking> {
    let probe = Probe::new(taste, &GenreOrder::read(genre_order)?)?;
    Ranking::new(probe, jaccard_weight, cosine_weight, usize::try_from(k).unwrap_or(0))
}

/// The numbers of users to leave out, as a search wants them.
pub fn ascending(ords: &Array<i32>) -> Vec<u32> {
    let mut ascending: Vec<u32> = ords.iter().flatten().filter_map(|ord| u32::try_from(ord).ok()).collect();
    ascending.sort_unstable();
    ascending
}

/// Numbers of users as SQL has them.
pub fn as_ords(ords: Vec<u32>) -> Vec<i32> {
    ords.into_iter().filter_map(|ord| i32::try_from(ord).ok()).collect()
}

/// The state of `rank_users`: what all rows have in common is read once.
struct Ranked {
    ranking: Option<Ranking>,
    excluded: Vec<u32>,
}

#[pg_extern]
fn rank_users_final(state: Option<Kept<Ranked>>) -> Vec<i32> {
    let ranking = state.and_then(|mut state| state.get().ranking.take());
    as_ords(ranking.map_or_else(Vec::new, Ranking::finish))
}

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn pending_bounds_step(
    call: InAggregate,
    state: Option<Kept<Awaited>>,
    taste: &[u8],
    counters: Option<&[u8]>,
    ord: Option<i32>,
    items: Option<i64>,
    content: Option<i64>,
    jaccard_weight: f64,
    cosine_weight: f64,
) -> Option<Kept<Awaited>> {
    let (Some(ord), Some(items)) = (ord.and_then(|ord| u32::try_from(ord).ok()), items) else { return state };
    let mut state = state.unwrap_or_else(|| {
        let (users, counters) = (Waiting::new(taste).or_report(), counters.unwrap_or_default().to_vec());
        Kept::keep(&call, Awaited { users, counters, weights: (jaccard_weight, cosine_weight) })
    });
    state.get().users.add(ord, u32::try_from(items).unwrap_or(u32::MAX), content);
    Some(state)
}

/// The state of `pending_bounds`.
struct Awaited {
    users: Waiting,
    counters: Vec<u8>,
    weights: (f64, f64),
}

#[pg_extern]
fn pending_bounds_final(state: Option<Kept<Awaited>>) -> Option<Vec<u8>> {
    state.map(|mut state| {
        let Awaited { users, counters, weights } = state.get();
        users.bounds(counters, *weights).or_report()
    })
}

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn similarity_at_most_step(
    call: InAggregate,
    state: Option<Kept<Bounded>>,
    taste: &[u8],
    folded: Option<&[u8]>,
    content: Option<i64>,
    genres: Option<Text<'_>>,
    jaccard_weight: f64,
    cosine_weight: f64,
) -> Kept<Bounded> {
    let mut state = state.unwrap_or_else(|| {
        let (taste, folded, changed) = (taste.to_vec(), folded.map(<[u8]>::to_vec), Changed::default());
        Kept::keep(&call, Bounded { taste, folded, changed, weights: (jaccard_weight, cosine_weight) })
    });
    state.get().changed.add(content, genres.map(Text::get));
    state
}

/// The state of `similarity_at_most`.
struct Bounded {
    taste: Vec<u8>,
    folded: Option<Vec<u8>>,
    changed: Changed,
    weights: (f64, f64),
}

#[pg_extern]
fn similarity_at_most_final(state: Option<Kept<Bounded>>) -> Option<f64> {
    state.map(|mut state| {
        let Bounded { taste, folded, changed, weights } = state.get();
        similarity_at_most(taste, folded.as_deref(), changed, *weights).or_report()
    })
}
