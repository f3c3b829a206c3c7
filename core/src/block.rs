//! A block: what ranking needs of 256 users with consecutive ordinals, read whole.
//!
//! Layout, version 1, little-endian, always 7,176 bytes:
//!
//! | bytes | what |
//! |---|---|
//! | 0..2 | `B`, version 1 |
//! | 2..4 | 0 |
//! | 4..8 | CRC-32 of all other bytes |
//! | 8..1032 | u32 a slot: contents in the user's taste; 2^32 - 1 where nobody is |
//! | 1032..7176 | 256 u8 a dimension: the users' [sketches](crate::sketch), times 255, rounded up |
//!
//! Dimension by dimension, so that a vector instruction takes one of eight users and those the probe lacks are skipped.
//!
//! Rounded up, a sketch in a block bounds the cosine from above as it stands, less 1 wherever it is not 0 from below,
//! and it is 0 only where the taste is. A sketch of 24 times 255 (no unit vector gives even two of them) is that of a
//! taste whose cosine may be anything.

use crate::genre_order::GenreOrder;
use crate::sketch::{Sketch, DIMENSIONS};
use crate::taste::{self, Taste};
use crate::{Error, Result};

/// Users of a block.
pub const SLOTS: usize = 256;
/// Bytes of a block.
pub const BYTES: usize = HEAD + SLOTS * (4 + DIMENSIONS);

const HEAD: usize = 8;
const MAGIC: [u8; 2] = [b'B', 1];
/// The number of contents where nobody is.
pub(crate) const VACANT: u32 = u32::MAX;
/// The sketch of which nothing is known.
pub(crate) const VAGUE: Quantised = [255; DIMENSIONS];
/// One of a dimension.
pub(crate) const SCALE: f64 = 255.0;

/// Slots side by side in one dimension.
pub(crate) const GROUP: usize = 16;
const GROUPS: usize = SLOTS / GROUP;

pub(crate) type Quantised = [u8; DIMENSIONS];

/// The sketches of a block: a line is one dimension of one group.
#[derive(Clone, Copy)]
pub(crate) struct Sketches<'a>(&'a [[[u8; GROUP]; GROUPS]; DIMENSIONS]);

impl<'a> Sketches<'a> {
    /// One dimension of a group.
    #[inline(always)]
    pub(crate) fn line(self, dimension: usize, group: usize) -> Option<&'a [u8; GROUP]> {
        self.0.get(dimension)?.get(group)
    }

    /// One slot.
    pub(crate) fn slot(self, slot: u8) -> Quantised {
        self.0.each_ref().map(|lines| lines.as_flattened().get(usize::from(slot)).copied().unwrap_or_default())
    }
}

const fn damaged(problem: &'static str) -> Error {
    Error::corrupt("block", problem)
}

/// How many users of a block have touched a content.
pub fn touching(bytes: &[u8]) -> Result<u32> {
    let (sizes, _) = read(bytes)?;
    let touching = sizes.iter().filter(|size| !matches!(u32::from_le_bytes(**size), 0 | VACANT));
    Ok(touching.count() as u32)
}

/// Changes a block, or makes one.
#[derive(Debug, Clone)]
pub struct BlockBuilder {
    sizes: [u32; SLOTS],
    sketches: [Quantised; SLOTS],
}

impl BlockBuilder {
    /// Starts from a block, or from one where nobody is; `CORRUPT_STATE` when `old` is no block or fails its checksum.
    pub fn new(old: Option<&[u8]>) -> Result<Self> {
        let mut built = Self { sizes: [VACANT; SLOTS], sketches: [[0; DIMENSIONS]; SLOTS] };
        if let Some(bytes) = old {
            let (sizes, sketches) = read(bytes)?;
            if bytes.get(2..HEAD) != Some(&[[0; 2].as_slice(), &checksum(bytes).to_le_bytes()].concat()) {
                return Err(damaged("fails its checksum"));
            }
            for (to, size) in built.sizes.iter_mut().zip(sizes) {
                *to = u32::from_le_bytes(*size);
            }
            for (to, slot) in built.sketches.iter_mut().zip(0..=u8::MAX) {
                *to = sketches.slot(slot);
            }
        }
        Ok(built)
    }

    /// Puts a user's taste into a slot. The order should know every genre of it ([`crate::genre_order::extend`]): one
    /// with a genre it lacks is kept as a taste of which only the number of contents is known, right but slower to rank.
    pub fn set(&mut self, slot: u8, taste: &[u8], order: &GenreOrder) -> Result<()> {
        let size = taste::items(taste)?;
        if size == VACANT {
            return Err(Error::invalid("taste", "holds too many contents"));
        }
        let sketch = match Sketch::of(&Taste::read(taste)?, order) {
            Sketch::Zero => [0; DIMENSIONS],
            Sketch::Unit { vector, unplaced: false } => vector.map(|x| (x * SCALE).ceil() as u8),
            Sketch::Unit { unplaced: true, .. } | Sketch::Vague => VAGUE,
        };
        self.put(slot, size, sketch);
        Ok(())
    }

    /// Empties a slot.
    pub fn clear(&mut self, slot: u8) {
        self.put(slot, VACANT, [0; DIMENSIONS]);
    }

    fn put(&mut self, slot: u8, size: u32, sketch: Quantised) {
        self.sizes[usize::from(slot)] = size;
        self.sketches[usize::from(slot)] = sketch;
    }

    /// The block, [`BYTES`] long and a function of its users alone; `None` when nobody is in it.
    pub fn finish(self) -> Result<Option<Vec<u8>>> {
        if self.sizes.iter().all(|size| *size == VACANT) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(BYTES)?;
        bytes.extend(MAGIC);
        bytes.extend([0; HEAD - 2]);
        bytes.extend(self.sizes.iter().flat_map(|size| size.to_le_bytes()));
        for dimension in 0..DIMENSIONS {
            bytes.extend(self.sketches.iter().map(|sketch| sketch[dimension]));
        }
        let crc = checksum(&bytes).to_le_bytes();
        for (to, byte) in bytes.iter_mut().skip(4).zip(crc) {
            *to = byte;
        }
        Ok(Some(bytes))
    }
}

/// Sizes and sketches of a block, its checksum not looked at.
pub(crate) fn read(bytes: &[u8]) -> Result<(&[[u8; 4]; SLOTS], Sketches<'_>)> {
    let parts = || {
        let (magic, rest) = bytes.split_first_chunk::<2>()?;
        let (sizes, sketches) = rest.get(HEAD - 2..)?.split_at_checked(SLOTS * 4)?;
        let (sizes, sketches) = (sizes.as_chunks::<4>().0, sketches.as_chunks::<GROUP>().0.as_chunks::<GROUPS>().0);
        Some((*magic, sizes.first_chunk()?, Sketches(sketches.first_chunk()?)))
    };
    match parts() {
        Some((MAGIC, sizes, sketches)) if bytes.len() == BYTES => Ok((sizes, sketches)),
        _ => Err(damaged("is not one of version 1")),
    }
}

/// CRC-32 of a block without the four bytes that hold it.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(bytes.get(..4).unwrap_or_default());
    crc.update(bytes.get(HEAD..).unwrap_or_default());
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genre_order;
    use crate::sketch::samples::{taste, tastes, Sample};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn built(users: &BTreeMap<u8, Vec<u8>>, order: &GenreOrder) -> Option<Vec<u8>> {
        let mut block = BlockBuilder::new(None).unwrap();
        users.iter().for_each(|(slot, taste)| block.set(*slot, taste, order).unwrap());
        block.finish().unwrap()
    }

    fn order(samples: &[Sample]) -> GenreOrder {
        let order = samples.iter().fold("[]".to_owned(), |order, sample| {
            genre_order::extend(&order, &taste(sample)).unwrap().unwrap_or(order)
        });
        GenreOrder::read(&order).unwrap()
    }

    proptest! {
        #[test]
        fn a_block_is_a_function_of_its_users(samples in prop::collection::vec(tastes(30), 4), steps in prop::collection::vec((0u8..6, prop::option::weighted(0.6, 0usize..4)), 0..30)) {
            let order = order(&samples);
            let mut model = BTreeMap::new();
            let mut bytes: Option<Vec<u8>> = None;
            for (slot, sample) in steps {
                let mut block = BlockBuilder::new(bytes.as_deref()).unwrap();
                if let Some(sample) = sample {
                    let taste = taste(&samples[sample]);
                    block.set(slot * 51, &taste, &order).unwrap();
                    model.insert(slot * 51, taste);
                } else {
                    block.clear(slot * 51);
                    model.remove(&(slot * 51));
                }
                bytes = block.finish().unwrap();
                prop_assert_eq!(bytes.is_none(), model.is_empty());
                prop_assert_eq!(&bytes, &built(&model, &order));
            }
        }

        #[test]
        fn a_sketch_is_the_unit_vector_rounded_up(sample in tastes(20)) {
            let bytes = taste(&sample);
            let order = order(std::slice::from_ref(&sample));
            let block = built(&BTreeMap::from([(9, bytes.clone())]), &order).unwrap();
            prop_assert!(block.len() == BYTES && BYTES < 8_100);
            let (sizes, sketches) = read(&block).unwrap();
            prop_assert_eq!(u32::from_le_bytes(sizes[9]), taste::items(&bytes).unwrap());
            let weights: Vec<(usize, f64)> = Taste::read(&bytes).unwrap().genres().map(|(key, w)| (order.position(key).unwrap(), w.max(0.0))).collect();
            let norm = weights.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
            for (place, weight) in weights {
                let byte = f64::from(sketches.slot(9)[place]);
                let exact = weight / norm * 255.0;
                prop_assert!(sketches.slot(9) == VAGUE && norm < 1e-49 || weight == 0.0 && byte == 0.0 || (exact - 1e-9 <= byte && byte <= exact + 1.0 + 1e-9 && byte >= 1.0));
            }
        }

        #[test]
        fn a_changed_byte_is_told(sample in tastes(20), at in 0..BYTES, by in 1u8..) {
            let mut block = built(&BTreeMap::from([(200, taste(&sample))]), &order(&[sample])).unwrap();
            block[at] ^= by;
            prop_assert_eq!(BlockBuilder::new(Some(&block)).map_err(|e| e.code()).err(), Some("CORRUPT_STATE"));
            prop_assert_eq!(BlockBuilder::new(Some(&block[..at])).map_err(|e| e.code()).err(), Some("CORRUPT_STATE"));
        }
    }

    #[test]
    fn a_genre_without_a_place_makes_a_vague_sketch() {
        let taste = taste(&(vec![1], vec![(0, 1.0), (1, 1.0)]));
        let block = built(&BTreeMap::from([(0, taste.clone())]), &GenreOrder::read(r#"["g0"]"#).unwrap()).unwrap();
        assert_eq!(read(&block).unwrap().1.slot(0), VAGUE);
        let block = built(&BTreeMap::from([(0, taste)]), &GenreOrder::read(r#"["g0","g1"]"#).unwrap()).unwrap();
        assert_eq!(read(&block).unwrap().1.slot(0)[..3], [181, 181, 0]);
    }
}
