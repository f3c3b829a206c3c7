//! Collecting contents and genre weights, and writing them as a taste.

use super::{Taste, MAGIC, WEIGHT};
use crate::bytes::{put_signed, put_unsigned, seal};
use crate::{exact::ExactSum, genre, sum, Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

/// How many different texts of genres are remembered with what they name.
const MEMO: usize = 4096;

/// Everything pushed so far. Contents are a set, weights are order-free sums, so any order gives the same taste.
#[derive(Default)]
pub(crate) struct Builder<'a> {
    pub(super) items: Vec<i64>,
    pub(super) sums: Vec<ExactSum>,
    /// Genre keys with the place of their sum.
    pub(super) genres: BTreeMap<Box<str>, usize>,
    /// Texts of genres seen, with the places of the sums they add to: a group repeats the same few.
    memo: HashMap<&'a str, Range<usize>, BuildHasherDefault<Fnv>>,
    /// The places the memo's ranges cut out.
    places: Vec<usize>,
    distinct: usize,
}

impl<'a> Builder<'a> {
    /// Adds one row: the weight is `weight * 2^half_lives`, split equally over the genres.
    pub(crate) fn row(&mut self, content: Option<i64>, genres: &'a str, weight: f64, half_lives: f64) -> Result<()> {
        if let Some(content) = content {
            self.item(content)?;
        }
        if genres.is_empty() || weight == 0.0 {
            return Ok(());
        }
        let whole = half_lives.floor();
        let scaled = weight * libm::exp2(half_lives - whole);
        let range = match self.memo.get(genres) {
            Some(range) => range.clone(),
            None => self.remember(genres)?,
        };
        let places = self.places.get(range).unwrap_or_default();
        let share = scaled / places.len() as f64;
        for place in places {
            self.sums.get_mut(*place).ok_or(Error::Internal)?.add(share, whole as i64)?;
        }
        Ok(())
    }

    fn remember(&mut self, genres: &'a str) -> Result<Range<usize>> {
        if self.memo.len() >= MEMO {
            self.memo.clear();
            self.places.clear();
        }
        let start = self.places.len();
        for name in genre::names(genres) {
            let place = self.named(&name)?;
            self.places.push(place);
        }
        let range = start..self.places.len();
        self.memo.insert(genres, range.clone());
        Ok(range)
    }

    /// The place of a genre by its name; a short ASCII name is folded without allocating.
    fn named(&mut self, name: &str) -> Result<usize> {
        let mut folded = [0u8; 32];
        if let Some(short) = folded.get_mut(..name.len()).filter(|_| name.is_ascii()) {
            short.copy_from_slice(name.as_bytes());
            short.make_ascii_lowercase();
            if let Ok(key) = std::str::from_utf8(short) {
                return self.place(key.trim());
            }
        }
        self.place(&genre::key(name))
    }

    /// Adds all of another taste.
    pub(crate) fn taste(&mut self, taste: &Taste<'_>) -> Result<()> {
        for item in taste.items() {
            self.item(item)?;
        }
        for (key, weight) in taste.genres() {
            let key = std::str::from_utf8(key).map_err(|_| super::damaged("a key is not UTF-8"))?;
            self.genre(key)?.add(weight, taste.exponent)?;
        }
        Ok(())
    }

    /// Adds a content; repeats are folded away now and then, so that they cost no memory.
    pub(super) fn item(&mut self, content: i64) -> Result<()> {
        if self.items.len() >= 1024.max(self.distinct * 2) {
            self.distinct_items();
            self.distinct = self.items.len();
        }
        self.items.try_reserve(1)?;
        self.items.push(content);
        Ok(())
    }

    /// The sum of a genre, 0 at first.
    pub(super) fn genre(&mut self, key: &str) -> Result<&mut ExactSum> {
        let place = self.place(key)?;
        self.sums.get_mut(place).ok_or(Error::Internal)
    }

    fn place(&mut self, key: &str) -> Result<usize> {
        if let Some(place) = self.genres.get(key) {
            return Ok(*place);
        }
        let place = self.sums.len();
        if place >= usize::from(u16::MAX) {
            return Err(Error::invalid("genres", "one taste holds at most 65535 genres"));
        }
        self.sums.push(ExactSum::default());
        self.genres.insert(key.into(), place);
        Ok(place)
    }

    /// The genres with their sums, in the order of the keys.
    pub(super) fn sums(&self) -> impl Iterator<Item = (&str, &ExactSum)> {
        self.genres.iter().filter_map(|(key, place)| Some((key.as_ref(), self.sums.get(*place)?)))
    }

    pub(super) fn distinct_items(&mut self) {
        self.items.sort_unstable();
        self.items.dedup();
    }

    /// Writes the taste.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>> {
        self.distinct_items();
        let usable = |key: &str| (1..=genre::MAX_NAME).contains(&key.len());
        let sums: Vec<(&str, (f64, i64))> =
            self.sums().filter(|(key, _)| usable(key)).map(|(key, sum)| (key, sum.scaled())).collect();
        let exponent = exponent_of(sums.iter().map(|(_, sum)| *sum));
        let weights: Vec<(&str, f64)> = sums.iter().map(|(key, sum)| (*key, weight(*sum, exponent))).collect();
        write(&weights, exponent, &self.items)
    }
}

/// The exponent of a taste of these sums, mantissa and exponent each: that of the largest.
pub(super) fn exponent_of(sums: impl Iterator<Item = (f64, i64)>) -> i64 {
    sums.filter(|(mantissa, _)| *mantissa != 0.0).map(|(_, exponent)| exponent).max().unwrap_or(0)
}

/// A sum as a weight in a taste of that exponent: the nearest double whose lower 16 bits are 0.
pub(super) fn weight((mantissa, own): (f64, i64), exponent: i64) -> f64 {
    let weight = sum::scale(mantissa, own.saturating_sub(exponent));
    f64::from_bits((weight.to_bits() + 0x8000) & !0xffff)
}

/// The value: genre keys with their [`weight`]s, ascending by key; the exponent; contents ascending.
pub(super) fn write(genres: &[(&str, f64)], exponent: i64, items: &[i64]) -> Result<Vec<u8>> {
    let contents = u32::try_from(items.len()).map_err(|_| Error::invalid("content", "too many in one taste"))?;
    let chunks = chunks(items);
    let text: usize = genres.iter().map(|(key, _)| key.len()).sum();

    let mut out = Vec::new();
    out.try_reserve(64 + genres.len() * (WEIGHT + 1) + text + chunks.len() * 8 + items.len() * 2)?;
    out.extend(MAGIC);
    out.extend([0; 4]);
    put_unsigned(&mut out, genres.len() as u64)?;
    put_unsigned(&mut out, u64::from(contents))?;
    put_unsigned(&mut out, chunks.len() as u64)?;
    put_signed(&mut out, exponent)?;
    out.extend(genres.iter().flat_map(|(_, weight)| weight.to_le_bytes().into_iter().skip(2)));
    out.extend(genres.iter().map(|(key, _)| key.len() as u8));
    out.extend(genres.iter().flat_map(|(key, _)| key.bytes()));
    let mut last = None;
    for (high, length) in chunks {
        match last.replace(high) {
            Some(before) => put_unsigned(&mut out, high.wrapping_sub(before) as u64)?,
            None => put_signed(&mut out, high)?,
        }
        put_unsigned(&mut out, length)?;
    }
    out.extend(items.iter().flat_map(|item| (*item as u16).to_le_bytes()));
    seal(&mut out)?;
    Ok(out)
}

/// FNV-1a: the memo is small and bounded, so it needs a quick hash and not one that withstands chosen keys.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Ascending contents as chunks of one high part: `(high, number)`.
fn chunks(items: &[i64]) -> Vec<(i64, u64)> {
    let mut chunks: Vec<(i64, u64)> = Vec::new();
    for item in items {
        let high = item >> 16;
        match chunks.last_mut() {
            Some((last, length)) if *last == high => *length += 1,
            _ => chunks.push((high, 1)),
        }
    }
    chunks
}
