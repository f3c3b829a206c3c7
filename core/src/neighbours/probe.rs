//! The user whose neighbours are looked for.

use crate::block::{Quantised, Sketches, GROUP, SCALE, VAGUE};
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
    /// The dimensions above 0, in 255ths, as often as a group has users.
    rough: Vec<(usize, [u16; GROUP])>,
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
        let rough = upper.map(|x| (f64::from(x) * SCALE / f64::from(ONE)).ceil() as u16);
        let rough = rough.into_iter().enumerate().filter(|(_, x)| *x > 0).map(|(at, x)| (at, [x; GROUP])).collect();
        Ok(Self { items, upper, rough, lower })
    }

    /// At least the cosine, at most 1, and 0 only when the cosine is.
    #[inline(always)]
    pub(super) fn cosine_at_most(&self, sketch: &Quantised) -> f64 {
        cosine(dot(&self.upper, sketch)).min(1.0)
    }

    /// [`Self::cosine_at_most`] of a group of users, a little more or out of 1, in 65,025ths. A product of two bytes fits
    /// 16 bits; a sum that does not is above 1, as the greatest number of 16 bits is. Not inlined: its neighbours would
    /// have it in vectors half as wide.
    #[inline(never)]
    pub(super) fn cosines_roughly_at_most(&self, sketches: Sketches<'_>, group: usize) -> [u16; GROUP] {
        let mut dots = [0u16; GROUP];
        for (dimension, own) in &self.rough {
            let Some(theirs) = sketches.line(*dimension, group) else { continue };
            for (dot, (own, x)) in dots.iter_mut().zip(own.iter().zip(theirs)) {
                *dot = dot.saturating_add(own.wrapping_mul(u16::from(*x)));
            }
        }
        dots
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
