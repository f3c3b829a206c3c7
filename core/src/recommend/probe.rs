//! Who asks: what the user touched, how much each of it counts, and what was seen.

use super::gather::Event;
use super::matrix::Matrix;
use crate::Result;

/// A genre's share of a user's contents is mixed with everybody's, as if so many contents had it.
const PRIOR: f64 = 20.0;

/// A user's contents in a matrix.
pub(super) struct Probe {
    /// Columns the user touched and did not dislike, ascending, and what each counts: 1, or less the older it is.
    pub(super) own: Vec<(usize, f64)>,
    /// All columns with an event.
    pub(super) seen: Vec<bool>,
    /// How many contents the user touched and did not dislike.
    pub(super) known: usize,
}

impl Probe {
    /// The content of age a, that is the user touched a contents later than it, counts (1 + a)^-recency.
    pub(super) fn new(matrix: &Matrix, history: &[Event], recency: f64) -> Result<Self> {
        let mut seen = Vec::new();
        seen.try_reserve_exact(matrix.contents.len())?;
        seen.resize(matrix.contents.len(), false);
        let mut times: Vec<i64> = Vec::new();
        let mut own: Vec<(usize, i64)> = Vec::new();
        times.try_reserve_exact(history.len())?;
        own.try_reserve_exact(history.len())?;
        for event in history {
            let column = matrix.column(event.content_id);
            if let Some(seen) = column.and_then(|column| seen.get_mut(column)) {
                *seen = true;
            }
            if let Some(at) = event.touched_us.filter(|_| !event.disliked) {
                times.push(at);
                own.extend(column.map(|column| (column, at)));
            }
        }
        times.sort_unstable();
        let weight = |at: i64| {
            let age = times.len() - times.partition_point(|other| *other <= at);
            if recency == 0.0 {
                1.0
            } else {
                libm::pow(1.0 + age as f64, -recency)
            }
        };
        let own = own.into_iter().map(|(column, at)| (column, weight(at))).collect();
        Ok(Self { own, seen, known: times.len() })
    }

    pub(super) fn has_seen(&self, column: usize) -> bool {
        self.seen.get(column).copied().unwrap_or_default()
    }
}

/// How often contents of a genre are touched, by everybody and in the catalogue.
pub(super) struct GenreBase {
    /// Each genre's part of all touches.
    touched: Vec<f64>,
    /// How much of a content's popularity its genre explains: half the logarithm of its part of the touches over that of
    /// the catalogue.
    popular: Vec<f64>,
}

impl GenreBase {
    pub(super) fn new(matrix: &Matrix) -> Self {
        let all = matrix.touches() as f64;
        let catalogue = matrix.rows.iter().flatten().count().max(1) as f64;
        let (mut touched, mut popular) = (Vec::new(), Vec::new());
        for genre in 0..matrix.genres.len() {
            let columns = matrix.genre_row(genre);
            let part = columns.len() as f64 / catalogue;
            let touches: f64 =
                columns.iter().filter_map(|c| matrix.counts.get(*c as usize)).map(|n| f64::from(*n)).sum();
            let share = (touches + part) / (all + 1.0);
            touched.push(share);
            popular.push(0.5 * libm::log(share / part));
        }
        Self { touched, popular }
    }

    /// How much more of each genre the user has than everybody: the logarithm of the ratio of the shares.
    pub(super) fn lifts(&self, matrix: &Matrix, probe: &Probe) -> Vec<f64> {
        let own = probe.own.len() as f64;
        let lift = |(genre, share): (usize, &f64)| {
            let columns = matrix.genre_row(genre);
            let hits = probe.own.iter().filter(|(own, _)| columns.binary_search(&(*own as u32)).is_ok()).count();
            libm::log((hits as f64 + PRIOR * share) / (own + PRIOR) / share)
        };
        self.touched.iter().enumerate().map(|(genre, share)| lift((genre, share))).collect()
    }

    /// How well each column's genres fit the user: the sum of their lifts, and of what is popular about them.
    pub(super) fn fits(&self, matrix: &Matrix, lifts: &[f64]) -> Result<Vec<f64>> {
        let mut fits = Vec::new();
        fits.try_reserve_exact(matrix.contents.len())?;
        fits.resize(matrix.contents.len(), 0.0);
        for (genre, (lift, popular)) in lifts.iter().zip(&self.popular).enumerate() {
            for column in matrix.genre_row(genre) {
                if let Some(fit) = fits.get_mut(*column as usize) {
                    *fit += lift + popular;
                }
            }
        }
        Ok(fits)
    }
}
