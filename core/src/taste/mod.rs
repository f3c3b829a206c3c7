//! A taste: what one user (or any group of rows) touched and how much each genre weighs, as one compact value.
//!
//! Layout, version 2, little-endian; *n* is an integer of seven bits a byte, signed ones by zigzag:
//!
//! | bytes | what |
//! |---|---|
//! | 2 | `C`, version 2 |
//! | 4 | CRC-32 of all other bytes |
//! | n | genres G |
//! | n | contents N |
//! | n | chunks K |
//! | n, signed | exponent E: a weight means `w * 2^E` |
//! | 6 G | weights, in the order of the keys: the upper 48 bits of a double, at most 1 in absolute value |
//! | G | lengths of the keys |
//! | | the keys, ascending by bytes |
//! | 2 n K | chunks, ascending: the high 48 bits of the contents in it, less those of the chunk before (the first signed); their number |
//! | 2 N | low 16 bits of the contents, chunk by chunk, ascending |
//!
//! So a content costs two bytes, two tastes are intersected eight contents at a time without decoding, and the cosine
//! of two users of the same genres is one loop over two arrays. The 37 significant bits of a weight leave a relative error
//! of at most 2^-37, hence less than 3e-11 in a cosine.

mod build;
mod intersect;
pub mod ledger;
pub mod state;

use crate::bytes::{self, Reader};
use crate::genre_order::GenreOrder;
use crate::{genre, similarity, sum, Error, Result};

pub(crate) use build::Builder;

const MAGIC: [u8; 2] = [b'C', 2];
const WEIGHT: usize = 6;
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

/// How many contents are in both.
pub(crate) fn shared(a: &Taste<'_>, b: &Taste<'_>) -> u32 {
    intersect::count(a, b)
}

/// How many contents a taste holds.
pub fn items(taste: &[u8]) -> Result<u32> {
    Ok(Taste::read(taste)?.contents)
}

/// The contents of a taste, ascending.
pub fn contents(taste: &[u8]) -> Result<Vec<i64>> {
    let taste = Taste::read(taste)?;
    let mut contents = Vec::new();
    contents.try_reserve_exact(taste.contents as usize)?;
    contents.extend(taste.items());
    Ok(contents)
}

/// Calls `each` with the contents of a taste, ascending.
pub(crate) fn each_content(taste: &[u8], each: impl FnMut(i64)) -> Result<()> {
    Taste::read(taste)?.items().for_each(each);
    Ok(())
}

/// Whether a content is in a taste.
pub fn has(taste: &[u8], content: i64) -> Result<bool> {
    Ok(Taste::read(taste)?.has(content))
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

/// Each genre's part of all weight above 0, as a JSON object; `{}` when nothing is above 0.
///
/// Shares and not weights, because a weight may be outside the range of a double.
pub fn genre_shares_json(taste: &[u8]) -> Result<String> {
    let taste = Taste::read(taste)?;
    let all = taste.weights().fold(0.0, |sum, w| sum + w.max(0.0));
    let shares = taste.genres().filter(|(_, weight)| *weight > 0.0).map(|(key, weight)| {
        std::str::from_utf8(key).map(|key| (key, weight / all)).map_err(|_| damaged("a key is not UTF-8"))
    });
    let shares: Vec<_> = shares.collect::<Result<_>>()?;
    Ok(genre::object(shares.into_iter()).to_string())
}

/// The genre weights as a vector of length 1, a JSON array of single precision over the genres of a JSON array; weights
/// below 0 as 0. None when nothing is above 0.
///
/// ```
/// use cotaste_core::taste::{state, unit_json};
/// let mut bytes = vec![0; state::row_len(Some(r#"["War","Drama"]"#)).unwrap()];
/// state::write_row(&mut bytes, None, Some(r#"["War","Drama"]"#), Some(3.0), 0.0).unwrap();
/// let taste = state::finish(&bytes).unwrap();
/// assert_eq!(unit_json(&taste, r#"["drama","noir","war"]"#).unwrap().unwrap(), "[0.70710677,0.0,0.70710677]");
/// ```
pub fn unit_json(taste: &[u8], genres: &str) -> Result<Option<String>> {
    let (taste, order) = (Taste::read(taste)?, GenreOrder::read(genres)?);
    let length = taste.squares().sqrt();
    if length <= 0.0 {
        return Ok(None);
    }
    let mut vector: Vec<f32> = Vec::new();
    vector.try_reserve_exact(order.len())?;
    vector.resize(order.len(), 0.0);
    for (key, weight) in taste.genres() {
        if let Some(entry) = order.position(key).and_then(|place| vector.get_mut(place)) {
            *entry = (weight.max(0.0) / length) as f32;
        }
    }
    serde_json::to_string(&vector).map(Some).map_err(|_| Error::Internal)
}

const fn damaged(problem: &'static str) -> Error {
    Error::corrupt(TASTE, problem)
}

/// A taste's sections, borrowed.
pub(crate) struct Taste<'a> {
    pub(crate) contents: u32,
    /// A weight means `w * 2^exponent`.
    pub(crate) exponent: i64,
    weights: &'a [u8],
    lengths: &'a [u8],
    keys: &'a [u8],
    chunks: &'a [u8],
    lows: &'a [u8],
}

impl<'a> Taste<'a> {
    /// Checks the checksum and every length; what passes cannot make the readers below fail.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self> {
        let (head, body) = bytes.split_first_chunk::<6>().ok_or(damaged("is too short to be one"))?;
        let [m0, m1, c0, c1, c2, c3] = *head;
        if [m0, m1] != MAGIC {
            return Err(damaged("does not start as one of version 2"));
        }
        if u32::from_le_bytes([c0, c1, c2, c3]) != checksum(body) {
            return Err(damaged("fails its checksum"));
        }
        let mut at = Reader::new(body, damaged("ends before its end"));
        let (genres, contents, chunks) = (at.length()?, at.length()?, at.length()?);
        let exponent = at.signed()?;
        let weights = at.bytes(genres.checked_mul(WEIGHT).ok_or_else(|| at.wrong())?)?;
        let lengths = at.bytes(genres)?;
        let keys = at.bytes(lengths.iter().map(|l| usize::from(*l)).sum())?;
        let after_keys = at.rest();
        let mut counted = 0usize;
        for _ in 0..chunks {
            at.unsigned()?;
            counted = counted.saturating_add(at.length()?);
        }
        let lows = at.rest();
        let chunks = after_keys.get(..after_keys.len() - lows.len()).unwrap_or_default();
        let contents = u32::try_from(contents).map_err(|_| at.wrong())?;
        if counted != contents as usize || lows.len() != counted.saturating_mul(2) {
            return Err(damaged("does not hold as many contents as it says"));
        }
        Ok(Self { contents, exponent, weights, lengths, keys, chunks, lows })
    }

    /// `(high 48 bits, number of contents)` per chunk.
    fn chunks(&self) -> Chunks<'a> {
        Chunks { rest: self.chunks, high: None }
    }

    /// The contents, ascending.
    pub(crate) fn items(&self) -> impl Iterator<Item = i64> + 'a {
        let mut rest = self.lows;
        self.chunks().flat_map(move |(high, length)| {
            let (lows, after) = rest.split_at_checked(length * 2).unwrap_or((rest, &[]));
            rest = after;
            let high = high << 16;
            lows.chunks_exact(2).map(move |low| high | i64::from(low.try_into().map_or(0, u16::from_le_bytes)))
        })
    }

    /// Whether a content is in it.
    pub(crate) fn has(&self, content: i64) -> bool {
        let mut rest = self.lows;
        for (high, length) in self.chunks() {
            let (lows, after) = rest.split_at_checked(length * 2).unwrap_or((rest, &[]));
            if high == content >> 16 {
                return intersect::contains(lows, content as u16);
            }
            rest = after;
        }
        false
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
        self.weights.chunks_exact(WEIGHT).map(|w| match *w {
            [a, b, c, d, e, f] => f64::from_le_bytes([0, 0, a, b, c, d, e, f]),
            _ => 0.0,
        })
    }

    /// Summed in the order of the keys on both sides, so that a taste with itself gives exactly 1.
    fn cosine(&self, other: &Self) -> f64 {
        let (dot, squares) = if self.lengths == other.lengths && self.keys == other.keys {
            let mut sums = (0.0, 0.0, 0.0);
            for (a, b) in self.weights().zip(other.weights()) {
                let (a, b) = (a.max(0.0), b.max(0.0));
                sums = (sums.0 + a * b, sums.1 + a * a, sums.2 + b * b);
            }
            (sums.0, sums.1 * sums.2)
        } else {
            (self.merged_dot(other), self.squares() * other.squares())
        };
        if squares > 0.0 {
            return (dot / squares.sqrt()).clamp(0.0, 1.0);
        }
        0.0
    }

    fn squares(&self) -> f64 {
        self.weights().fold(0.0, |sum, w| sum + w.max(0.0) * w.max(0.0))
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

struct Chunks<'a> {
    rest: &'a [u8],
    high: Option<i64>,
}

impl Iterator for Chunks<'_> {
    type Item = (i64, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let (step, length) = bytes::unsigned(self.rest)?;
        let rest = self.rest.get(length..)?;
        let (contents, length) = bytes::unsigned(rest)?;
        self.rest = rest.get(length..)?;
        let high = self.high.map_or(bytes::unzigzag(step), |high| high.wrapping_add(step as i64));
        self.high = Some(high);
        Some((high, contents as usize))
    }
}

/// CRC-32 of all that follows the head.
fn checksum(body: &[u8]) -> u32 {
    crc32fast::hash(body)
}

#[cfg(test)]
mod tests;
