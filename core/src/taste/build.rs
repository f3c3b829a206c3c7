//! Collecting contents and genre weights, and writing them as a taste.

use super::{checksum, Taste, CHUNK, HEAD, MAGIC};
use crate::{genre, sum, sum::ReproducibleSum, Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

/// How many different texts of genres are remembered with what they name.
const MEMO: usize = 4096;

/// Everything pushed so far. Contents are a set, weights are order-free sums, so any order gives the same taste.
#[derive(Default)]
pub(crate) struct Builder<'a> {
    pub(super) items: Vec<i64>,
    pub(super) sums: Vec<ReproducibleSum>,
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
            self.sums.get_mut(*place).ok_or(Error::Internal)?.add_scaled(share, whole as i64)?;
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
            self.genre(key)?.add_scaled(weight, taste.exponent)?;
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
    pub(super) fn genre(&mut self, key: &str) -> Result<&mut ReproducibleSum> {
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
        self.sums.push(ReproducibleSum::default());
        self.genres.insert(key.into(), place);
        Ok(place)
    }

    /// The genres with their sums, in the order of the keys.
    pub(super) fn sums(&self) -> impl Iterator<Item = (&str, &ReproducibleSum)> {
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
        let genres: Vec<(&str, (f64, i64))> =
            self.sums().filter(|(key, _)| usable(key)).map(|(key, sum)| (key, sum.scaled())).collect();
        let exponent = genres.iter().filter(|(_, (m, _))| *m != 0.0).map(|(_, (_, e))| *e).max().unwrap_or(0);
        let weights: Vec<f64> = genres.iter().map(|(_, (m, e))| sum::scale(*m, e.saturating_sub(exponent))).collect();
        let squares = weights.iter().fold(0.0, |sum, w| sum + w.max(0.0) * w.max(0.0));
        let chunks = chunks(&self.items);
        let text: usize = genres.iter().map(|(key, _)| key.len()).sum();
        let contents =
            u32::try_from(self.items.len()).map_err(|_| Error::invalid("content", "too many in one taste"))?;

        let mut body = Vec::new();
        body.try_reserve_exact(HEAD + genres.len() * 9 + text + chunks.len() * CHUNK + self.items.len() * 2)?;
        body.extend(weights.iter().flat_map(|w| w.to_le_bytes()));
        body.extend(genres.iter().map(|(key, _)| key.len() as u8));
        body.extend(genres.iter().flat_map(|(key, _)| key.bytes()));
        for (high, length) in &chunks {
            body.extend(high.to_le_bytes().into_iter().take(6).chain(length.to_le_bytes()));
        }
        body.extend(self.items.iter().flat_map(|item| (*item as u16).to_le_bytes()));

        let mut head = [0u8; HEAD];
        let fields = MAGIC
            .into_iter()
            .chain((genres.len() as u16).to_le_bytes())
            .chain(contents.to_le_bytes())
            .chain([0; 4])
            .chain((chunks.len() as u32).to_le_bytes())
            .chain(exponent.to_le_bytes())
            .chain(squares.to_le_bytes());
        for (to, byte) in head.iter_mut().zip(fields) {
            *to = byte;
        }
        let crc = checksum(&head, &body).to_le_bytes();
        for (to, byte) in head.iter_mut().skip(8).zip(crc) {
            *to = byte;
        }
        body.splice(0..0, head);
        Ok(body)
    }
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

/// Ascending contents as chunks of one high part: `(high + 2^47, number)`.
fn chunks(items: &[i64]) -> Vec<(u64, u32)> {
    let mut chunks: Vec<(u64, u32)> = Vec::new();
    for item in items {
        let high = ((item >> 16) + (1 << 47)) as u64;
        match chunks.last_mut() {
            Some((last, length)) if *last == high => *length += 1,
            _ => chunks.push((high, 1)),
        }
    }
    chunks
}
