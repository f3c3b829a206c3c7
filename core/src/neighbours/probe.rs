//! The user whose neighbours are looked for.

use crate::block::{Quantised, SCALE, VAGUE};
use crate::genre_order::GenreOrder;
use crate::sketch::{Sketch, DIMENSIONS};
use crate::taste::{self, Taste};
use crate::Result;

/// One of a probe's dimension: 24 times 2^14 times 255 fits an i32, and the dot product is integers throughout.
const ONE: i16 = 1 << 14;

/// A taste as ranking compares it: its number of contents and its [sketch](crate::sketch), rounded to 2^-14 both ways.
#[derive(Debug, Clone)]
pub struct Probe {
    pub(super) items: u32,
    /// Never below the sketch.
    upper: [i16; DIMENSIONS],
    /// Never above it, and 0 where genres share the dimension: what they seem to have in common may be two genres.
    lower: [i16; DIMENSIONS],
}

impl Probe {
    /// From a taste and the order the blocks were written under, or a longer one. A genre without a place is nobody
    /// else's, and counts in the length of the vector only. `CORRUPT_STATE` when it is not a taste.
    pub fn new(taste: &[u8], order: &GenreOrder) -> Result<Self> {
        let items = taste::items(taste)?;
        let (mut upper, mut lower) = ([0; DIMENSIONS], [0; DIMENSIONS]);
        match Sketch::of(&Taste::read(taste)?, order) {
            Sketch::Zero => {}
            // Whoever has any genre has a dimension sum of 1 or more.
            Sketch::Vague => upper = [ONE; DIMENSIONS],
            Sketch::Unit { vector, .. } => {
                let one = f64::from(ONE);
                upper = vector.map(|x| (x * one).ceil() as i16);
                let shared = order.len().saturating_sub(DIMENSIONS);
                for (to, x) in lower.iter_mut().zip(vector).skip(shared) {
                    *to = (x * one).floor() as i16;
                }
            }
        }
        Ok(Self { items, upper, lower })
    }

    /// At least the cosine, at most 1, and 0 only when the cosine is.
    #[inline(always)]
    pub(super) fn cosine_at_most(&self, sketch: &Quantised) -> f64 {
        cosine(dot(&self.upper, sketch)).min(1.0)
    }

    /// The same without the limit, within 2e-7 of it.
    #[inline(always)]
    pub(super) fn cosine_roughly_at_most(&self, sketch: &Quantised) -> f32 {
        const UNIT: f32 = (1.0 / (ONE as f64 * SCALE)) as f32;
        dot(&self.upper, sketch) as f32 * UNIT
    }

    /// At most the cosine, at least 0.
    #[inline(always)]
    pub(super) fn cosine_at_least(&self, sketch: &Quantised) -> f64 {
        if *sketch == VAGUE {
            return 0.0;
        }
        cosine(dot(&self.lower, &sketch.map(|x| x.saturating_sub(1))))
    }
}

fn cosine(dot: i32) -> f64 {
    f64::from(dot) / (f64::from(ONE) * SCALE)
}

#[inline(always)]
fn dot(probe: &[i16; DIMENSIONS], sketch: &Quantised) -> i32 {
    probe.iter().zip(sketch).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

#[cfg(test)]
impl Probe {
    pub(super) fn is_vague(&self) -> bool {
        self.upper == [ONE; DIMENSIONS]
    }
}
