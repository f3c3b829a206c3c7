//! A sketch: a taste's genres as a unit vector of 24 dimensions, from which the cosine of two tastes is bounded.
//!
//! The genre at place p of the [`GenreOrder`] has dimension p modulo 24. Where several share one, the dimension holds
//! the root of the sum of their squares, so that by Cauchy and Schwarz the dot product of two sketches is never below
//! the cosine; where no two share one, it is the cosine.

use crate::genre_order::GenreOrder;
use crate::taste::Taste;

/// Dimensions of a sketch.
pub(crate) const DIMENSIONS: usize = 24;

/// The squared lengths between which the cosine, computed in doubles, is good to far better than 1e-10. Outside (every
/// weight above 0 a millionth of a millionth of one below 0, say) rounding decides, and nothing is promised.
pub(crate) const ACCURATE: std::ops::RangeInclusive<f64> = 1e-100..=1e100;

/// A taste's genres, weights below 0 as 0.
pub(crate) enum Sketch {
    /// The cosine with any taste is 0.
    Zero,
    /// The cosine may be anything.
    Vague,
    /// A vector of at most unit length: shorter by the genres without a place, and above 0 wherever a weight is.
    Unit {
        /// The dimensions.
        vector: [f64; DIMENSIONS],
        /// Whether a genre without a place weighs anything.
        unplaced: bool,
    },
}

impl Sketch {
    pub(crate) fn of(taste: &Taste<'_>, order: &GenreOrder) -> Self {
        let mut squares = [0.0; DIMENSIONS];
        let mut present = [false; DIMENSIONS];
        let (mut all, mut unplaced) = (0.0, false);
        for (key, weight) in taste.genres().filter(|(_, weight)| *weight > 0.0) {
            all += weight * weight;
            let Some(place) = order.position(key) else {
                unplaced = true;
                continue;
            };
            for (dimension, (square, present)) in squares.iter_mut().zip(&mut present).enumerate() {
                if dimension == place % DIMENSIONS {
                    *square += weight * weight;
                    *present = true;
                }
            }
        }
        let empty = !unplaced && present.iter().all(|present| !present);
        if empty {
            return Self::Zero;
        }
        if !ACCURATE.contains(&all) {
            return Self::Vague;
        }
        let mut vector = [0.0; DIMENSIONS];
        for (to, (square, present)) in vector.iter_mut().zip(squares.iter().zip(present)) {
            // A weight so small that its square is 0 still makes a cosine above 0.
            *to = if present { (square / all).sqrt().max(f64::MIN_POSITIVE) } else { 0.0 };
        }
        Self::Unit { vector, unplaced }
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use crate::taste::state;
    use proptest::prelude::*;

    /// Contents, and genres by number with weights.
    pub(crate) type Sample = (Vec<i64>, Vec<(usize, f64)>);

    pub(crate) fn tastes(genres: usize) -> impl Strategy<Value = Sample> {
        let weight =
            prop_oneof![4 => -0.5..3.0f64, 1 => Just(1.0), 1 => 0.0..1e-3f64, 1 => Just(1e-160), 1 => Just(1e-200)];
        let few = prop::collection::vec((0..genres, weight.clone()), 0..5);
        let many = prop::collection::vec((0..genres, weight), 0..genres * 2);
        (prop::collection::vec(0i64..40, 0..25), prop_oneof![few, many])
    }

    pub(crate) fn taste((contents, genres): &Sample) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut row = |content: Option<i64>, genre: Option<String>, weight: f64| {
            let at = bytes.len();
            bytes.resize(at + state::row_len(genre.as_deref()).unwrap(), 0);
            state::write_row(&mut bytes[at..], content, genre.as_deref(), Some(weight), 0.0).unwrap();
        };
        contents.iter().for_each(|content| row(Some(*content), None, 0.0));
        genres.iter().for_each(|(genre, weight)| row(None, Some(format!("[\"g{genre}\"]")), *weight));
        state::finish(&bytes).unwrap()
    }
}
