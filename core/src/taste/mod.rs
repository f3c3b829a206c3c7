//! A taste: what one user (or any group of rows) touched and how much each genre weighs, as one compact value.
//!
//! Layout, version 1, little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 0..2 | `C`, version 1 |
//! | 2..4 | genres G |
//! | 4..8 | contents N |
//! | 8..12 | CRC-32 of all other bytes |
//! | 12..16 | chunks K |
//! | 16..24 | exponent E: a weight means `w * 2^E` |
//! | 24..32 | sum of the squares of the weights above 0 |
//! | 8 G | weights, in the order of the keys; at most 1 in absolute value |
//! | G | lengths of the keys |
//! | | the keys, ascending by bytes |
//! | 10 K | chunks: high 48 bits of the contents in it, less 2^47; their number; ascending |
//! | 2 N | low 16 bits of the contents, chunk by chunk, ascending |
//!
//! So a content costs two bytes, two tastes are intersected eight contents at a time without decoding, and the cosine
//! of two users of the same genres is one loop over two arrays.

mod build;
mod intersect;
pub mod state;

use crate::{genre, similarity, sum, Error, Result};

pub(crate) use build::Builder;

const HEAD: usize = 32;
const CHUNK: usize = 10;
const MAGIC: [u8; 2] = [b'C', 1];
const TASTE: &str = "taste";

/// How two tastes compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parts {
    /// Shared contents over all contents, 0 to 1.
    pub jaccard: f64,
    /// Cosine of the genre weights, weights below 0 as 0; 0 to 1.
    pub genre_cosine: f64,
    /// Contents in both.
    pub shared_items: u32,
    /// Contents in the first.
    pub items_a: u32,
    /// Contents in the second.
    pub items_b: u32,
}

/// Compares two tastes; `CORRUPT_STATE` when one of them is not a taste.
pub fn similarity(a: &[u8], b: &[u8]) -> Result<Parts> {
    let (a, b) = (Taste::read(a)?, Taste::read(b)?);
    let shared_items = intersect::count(&a, &b);
    Ok(Parts {
        jaccard: similarity::ratio(shared_items as usize, a.contents as usize, b.contents as usize),
        genre_cosine: a.cosine(&b),
        shared_items,
        items_a: a.contents,
        items_b: b.contents,
    })
}

/// How many contents a taste holds.
pub fn items(taste: &[u8]) -> Result<u32> {
    Ok(Taste::read(taste)?.contents)
}

/// The taste as JSON: `{"genres":{"drama":1.5},"items":[550]}`, for people and for explanations.
pub fn to_json(taste: &[u8]) -> Result<String> {
    let taste = Taste::read(taste)?;
    let genres = taste.genres().map(|(key, weight)| {
        std::str::from_utf8(key)
            .map(|key| (key, sum::scale(weight, taste.exponent)))
            .map_err(|_| damaged("a key is not UTF-8"))
    });
    let genres: Vec<_> = genres.collect::<Result<_>>()?;
    let items: Vec<i64> = taste.items().collect();
    let json = serde_json::json!({ "genres": genre::object(genres.into_iter()), "items": items });
    Ok(json.to_string())
}

const fn damaged(problem: &'static str) -> Error {
    Error::corrupt(TASTE, problem)
}

/// A taste's sections, borrowed.
pub(crate) struct Taste<'a> {
    contents: u32,
    exponent: i64,
    squares: f64,
    weights: &'a [u8],
    lengths: &'a [u8],
    keys: &'a [u8],
    chunks: &'a [u8],
    lows: &'a [u8],
}

impl<'a> Taste<'a> {
    /// Checks the checksum and every length; what passes cannot make the readers below fail.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self> {
        let (head, body) = bytes.split_first_chunk::<HEAD>().ok_or(damaged("is too short to be one"))?;
        let [m0, m1, g0, g1, n0, n1, n2, n3, c0, c1, c2, c3, k0, k1, k2, k3, e @ ..] = *head;
        if [m0, m1] != MAGIC {
            return Err(damaged("does not start as one of version 1"));
        }
        if u32::from_le_bytes([c0, c1, c2, c3]) != checksum(head, body) {
            return Err(damaged("fails its checksum"));
        }
        let [e0, e1, e2, e3, e4, e5, e6, e7, s @ ..] = e;
        let genres = usize::from(u16::from_le_bytes([g0, g1]));
        let contents = u32::from_le_bytes([n0, n1, n2, n3]);
        let chunks = u32::from_le_bytes([k0, k1, k2, k3]) as usize;
        let short = || damaged("ends before its end");
        let (weights, rest) = body.split_at_checked(genres * 8).ok_or_else(short)?;
        let (lengths, rest) = rest.split_at_checked(genres).ok_or_else(short)?;
        let text = lengths.iter().map(|l| usize::from(*l)).sum();
        let (keys, rest) = rest.split_at_checked(text).ok_or_else(short)?;
        let (chunks, lows) = rest.split_at_checked(chunks.checked_mul(CHUNK).ok_or_else(short)?).ok_or_else(short)?;
        let taste = Self {
            contents,
            exponent: i64::from_le_bytes([e0, e1, e2, e3, e4, e5, e6, e7]),
            squares: f64::from_le_bytes(s),
            weights,
            lengths,
            keys,
            chunks,
            lows,
        };
        let counted: usize = taste.chunks().map(|(_, length)| length).sum();
        if counted != contents as usize || lows.len() != counted * 2 {
            return Err(damaged("does not hold as many contents as it says"));
        }
        Ok(taste)
    }

    /// `(high 48 bits + 2^47, number of contents)` per chunk.
    fn chunks(&self) -> impl Iterator<Item = (u64, usize)> + 'a {
        self.chunks.chunks_exact(CHUNK).map(|chunk| match *chunk {
            [a, b, c, d, e, f, ref n @ ..] => {
                let length = n.try_into().map_or(0, u32::from_le_bytes) as usize;
                (u64::from_le_bytes([a, b, c, d, e, f, 0, 0]), length)
            }
            _ => (0, 0),
        })
    }

    /// The contents, ascending.
    pub(crate) fn items(&self) -> impl Iterator<Item = i64> + 'a {
        let mut lows = self.lows.chunks_exact(2);
        self.chunks().flat_map(move |(high, length)| {
            let lows: Vec<&[u8]> = lows.by_ref().take(length).collect();
            let high = (high as i64).wrapping_sub(1 << 47) << 16;
            lows.into_iter().map(move |low| high | i64::from(low.try_into().map_or(0, u16::from_le_bytes)))
        })
    }

    /// The genre keys with their weights, ascending.
    pub(crate) fn genres(&self) -> impl Iterator<Item = (&'a [u8], f64)> + 'a {
        let mut keys = self.keys;
        self.lengths.iter().zip(self.weights()).map(move |(length, weight)| {
            let (key, rest) = keys.split_at_checked(usize::from(*length)).unwrap_or((keys, &[]));
            keys = rest;
            (key, weight)
        })
    }

    fn weights(&self) -> impl Iterator<Item = f64> + 'a {
        self.weights.chunks_exact(8).map(|w| w.try_into().map_or(0.0, f64::from_le_bytes))
    }

    /// Summed in the order of the keys, as the stored squares are, so that a taste with itself gives exactly 1.
    fn cosine(&self, other: &Self) -> f64 {
        let dot = if self.lengths == other.lengths && self.keys == other.keys {
            self.weights().zip(other.weights()).fold(0.0, |dot, (a, b)| dot + a.max(0.0) * b.max(0.0))
        } else {
            self.merged_dot(other)
        };
        let squares = self.squares * other.squares;
        if squares > 0.0 {
            return (dot / squares.sqrt()).clamp(0.0, 1.0);
        }
        0.0
    }

    fn merged_dot(&self, other: &Self) -> f64 {
        let (mut left, mut right) = (self.genres(), other.genres());
        let (mut a, mut b) = (left.next(), right.next());
        let mut dot = 0.0;
        while let (Some((key_a, weight_a)), Some((key_b, weight_b))) = (a, b) {
            match key_a.cmp(key_b) {
                std::cmp::Ordering::Less => a = left.next(),
                std::cmp::Ordering::Greater => b = right.next(),
                std::cmp::Ordering::Equal => {
                    dot += weight_a.max(0.0) * weight_b.max(0.0);
                    (a, b) = (left.next(), right.next());
                }
            }
        }
        dot
    }
}

/// CRC-32 of a taste without the four bytes that hold it.
fn checksum(head: &[u8; HEAD], body: &[u8]) -> u32 {
    let [a, b, c, d, e, f, g, h, _, _, _, _, rest @ ..] = head;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[*a, *b, *c, *d, *e, *f, *g, *h]);
    crc.update(rest);
    crc.update(body);
    crc.finalize()
}

#[cfg(test)]
mod tests;
