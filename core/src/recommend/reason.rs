//! Why a content is recommended: the user's contents and the genres that speak for it most.

use super::matrix::Matrix;
use super::probe::Probe;
use super::recommender::Candidate;
use super::Interrupt;
use crate::Result;

/// Contents and genres named at most.
const NAMED: usize = 3;
/// Recommendations looked at in one pass over the users.
const AT_ONCE: usize = 32;
/// What the likeness of two contents is divided by besides their touches: it takes more than a user or two.
const FEW: f64 = 5.0;

/// What is named.
#[derive(Default)]
pub(super) struct Reason {
    /// Columns, the one with most to say first.
    pub(super) because: Vec<usize>,
    /// Genres of the content the user has more of than others, the most so first.
    pub(super) genres: Vec<usize>,
}

/// The reasons of each candidate. A content of the user speaks for a candidate by what it counts times the cosine of the
/// two contents' users, by weight.
pub(super) fn of(
    matrix: &Matrix,
    probe: &Probe,
    lifts: &[f64],
    candidates: &[Candidate],
    interrupt: Interrupt<'_>,
) -> Result<Vec<Reason>> {
    let mut reasons: Vec<Reason> = Vec::new();
    reasons.try_reserve_exact(candidates.len())?;
    let (mut own_at, mut candidate_at) = (places(matrix)?, places(matrix)?);
    for (place, (column, _)) in (0u32..).zip(&probe.own) {
        set(&mut own_at, *column, place);
    }
    for candidates in candidates.chunks(AT_ONCE) {
        interrupt()?;
        for (place, candidate) in (0u32..).zip(candidates) {
            set(&mut candidate_at, candidate.column, place);
        }
        let shared = shared(matrix, (probe.own.len(), &own_at), (candidates.len(), &candidate_at))?;
        candidates.iter().for_each(|candidate| set(&mut candidate_at, candidate.column, NONE));
        for (at, candidate) in candidates.iter().enumerate() {
            let shared = shared.get(at * probe.own.len()..(at + 1) * probe.own.len()).unwrap_or_default();
            reasons.push(Reason {
                because: because(matrix, probe, candidate.column, shared),
                genres: genres(matrix, lifts, candidate.column),
            });
        }
    }
    Ok(reasons)
}

const NONE: u32 = u32::MAX;

fn places(matrix: &Matrix) -> Result<Vec<u32>> {
    let mut places = Vec::new();
    places.try_reserve_exact(matrix.contents.len())?;
    places.resize(matrix.contents.len(), NONE);
    Ok(places)
}

fn set(places: &mut [u32], column: usize, place: u32) {
    if let Some(to) = places.get_mut(column) {
        *to = place;
    }
}

/// By candidate and own content, the weight of the users who touched both. Both come with the place of each column.
fn shared(
    matrix: &Matrix,
    (own, own_at): (usize, &[u32]),
    (candidates, candidate_at): (usize, &[u32]),
) -> Result<Vec<f64>> {
    let mut shared: Vec<f64> = Vec::new();
    shared.try_reserve_exact(own * candidates)?;
    shared.resize(own * candidates, 0.0);
    let mut mine: Vec<usize> = Vec::new();
    mine.try_reserve_exact(own)?;
    let place = |places: &[u32], column: &u32| {
        let place = places.get(*column as usize).copied().filter(|place| *place != NONE);
        place.map(|place| place as usize)
    };
    for (columns, weight) in matrix.user_rows() {
        mine.clear();
        mine.extend(columns.iter().filter_map(|column| place(own_at, column)));
        for candidate in columns.iter().filter_map(|column| place(candidate_at, column)) {
            let Some(row) = shared.get_mut(candidate * own..(candidate + 1) * own) else { continue };
            for place in &mine {
                if let Some(sum) = row.get_mut(*place) {
                    *sum += weight;
                }
            }
        }
    }
    Ok(shared)
}

fn because(matrix: &Matrix, probe: &Probe, column: usize, shared: &[f64]) -> Vec<usize> {
    let touches = |column: usize| matrix.weighted.get(column).copied().unwrap_or_default();
    let strength = |(own, shared): (&(usize, f64), &f64)| {
        let (own, counts) = *own;
        (counts * shared / ((touches(own) * touches(column)).sqrt() + FEW), own)
    };
    let mut best: Vec<(f64, usize)> = Vec::with_capacity(NAMED + 1);
    for (strength, own) in probe.own.iter().zip(shared).map(strength) {
        if strength > 0.0 && own != column {
            let place = best.partition_point(|(other, _)| *other >= strength);
            if place < NAMED {
                best.insert(place, (strength, own));
                best.truncate(NAMED);
            }
        }
    }
    best.into_iter().map(|(_, own)| own).collect()
}

fn genres(matrix: &Matrix, lifts: &[f64], column: usize) -> Vec<usize> {
    let has = |genre: usize| matrix.genre_row(genre).binary_search(&(column as u32)).is_ok();
    let lifted = lifts.iter().enumerate().filter(|(genre, lift)| **lift > 0.0 && has(*genre));
    let mut genres: Vec<(f64, usize)> = lifted.map(|(genre, lift)| (*lift, genre)).collect();
    genres.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    genres.into_iter().take(NAMED).map(|(_, genre)| genre).collect()
}
