//! A taste that follows its rows: beside the taste, the exact sum of each genre, so that a pair of user and content can
//! change, come or go without reading the user's other pairs, and the result is what all pairs together would give.
//!
//! A user's *pair* has a decayed weight (mantissa and exponent, see [`weight`]) and is touched or not: only what is
//! touched is among the taste's contents. The weight is split equally over the content's genres.
//!
//! Layout of the sums, version 1; *n* as in the taste:
//!
//! | bytes | what |
//! |---|---|
//! | 2 | `L`, version 1 |
//! | 4 | CRC-32 of all other bytes |
//! | n | pairs |
//! | | for each genre of the taste, in its order: n, how many shares its sum has; the sum |
//!
//! A sum: n, digits; for each n, its place less the one before (the first signed), and n signed, the digit.

use super::{build, Taste};
use crate::bytes::{put_head, put_unsigned, seal, sealed, Reader};
use crate::exact::{put_sum, read_sum, ExactSum};
use crate::{genre, Error, Result};
use std::borrow::Cow;

const MAGIC: [u8; 2] = [b'L', 1];
const CORRUPT: Error = Error::corrupt("taste sums", "are not what this version writes beside a taste");
const CORRUPT_CHANGES: Error = Error::corrupt("taste_changes", "is not the state of changes");
/// Exponents beyond this cannot come from [`weight`].
const FURTHEST: i64 = 1 << 50;

/// A decayed weight as a value: mantissa (f64) and exponent (i64), meaning `mantissa * 2^exponent`.
pub mod weight {
    use crate::sum::ReproducibleSum;
    use crate::{Error, Result};

    /// Length of the value.
    pub const BYTES: usize = 16;
    /// The half-lives a weight may be scaled by, either way.
    const FURTHEST: f64 = 1e12;

    /// Adds `weight * 2^half_lives` to a sum.
    pub fn add(sum: &mut ReproducibleSum, weight: f64, half_lives: f64) -> Result<()> {
        if half_lives.is_nan() || half_lives.abs() > FURTHEST {
            return Err(Error::invalid("half_lives", format!("{half_lives} is not between -1e12 and 1e12")));
        }
        let whole = half_lives.floor();
        sum.add_scaled(weight * libm::exp2(half_lives - whole), whole as i64)
    }

    /// The value of a sum.
    pub fn of(sum: &ReproducibleSum) -> [u8; BYTES] {
        write(sum.scaled())
    }

    /// The value of a mantissa and an exponent.
    pub fn write((mantissa, exponent): (f64, i64)) -> [u8; BYTES] {
        let mut out = [0; BYTES];
        for (to, byte) in out.iter_mut().zip(mantissa.to_le_bytes().into_iter().chain(exponent.to_le_bytes())) {
            *to = byte;
        }
        out
    }

    /// Mantissa and exponent; `CORRUPT_STATE` when the bytes are no such value.
    pub fn read(bytes: &[u8]) -> Result<(f64, i64)> {
        let wrong = Error::corrupt("decayed weight", "is not a value of decayed_weight");
        let [mantissa, exponent] = match bytes.len() {
            BYTES => [bytes.get(..8), bytes.get(8..)].map(|half| half.and_then(|b| b.try_into().ok())),
            _ => [None, None],
        };
        let (Some(mantissa), Some(exponent)) = (mantissa, exponent) else { return Err(wrong) };
        let (mantissa, exponent) = (f64::from_le_bytes(mantissa), i64::from_le_bytes(exponent));
        if !mantissa.is_finite() || exponent.unsigned_abs() > super::FURTHEST as u64 {
            return Err(wrong);
        }
        Ok((mantissa, exponent))
    }
}

/// Changes of a user's pairs: a sequence of records, so that merging is concatenation.
pub mod changes {
    use super::{weight, CORRUPT_CHANGES};
    use crate::bytes::Reader;
    use crate::{Error, Result};

    const HEAD: usize = 1 + 8 + 2 * weight::BYTES + 4;
    const EXISTS: u8 = 1;
    const TOUCHED: u8 = 2;

    /// A pair at one time: whether it is touched, and its decayed weight. NULLs are a pair that does not exist.
    pub type Side<'a> = Option<(bool, &'a [u8])>;

    /// How many bytes [`write_row`] fills.
    pub fn row_len(genres: Option<&str>) -> Result<usize> {
        let length = genres.map_or(0, str::len);
        u32::try_from(length).map_err(|_| Error::invalid("genres", "is too long"))?;
        Ok(HEAD + length)
    }

    /// Writes one change into exactly [`row_len`] bytes: what the pair was and what it is now.
    pub fn write_row(out: &mut [u8], content: i64, genres: Option<&str>, was: Side<'_>, is: Side<'_>) -> Result<()> {
        let genres = genres.unwrap_or_default();
        let flag = |side: Side<'_>| side.map_or(0, |(touched, _)| EXISTS | if touched { TOUCHED } else { 0 });
        let bytes = |side: Side<'_>| match side {
            Some((_, value)) => weight::read(value).map(|(m, e)| [m.to_le_bytes(), e.to_le_bytes()]),
            None => Ok([[0; 8]; 2]),
        };
        let (was_bytes, is_bytes) = (bytes(was)?, bytes(is)?);
        let record = [flag(was) | flag(is) << 2]
            .into_iter()
            .chain(content.to_le_bytes())
            .chain(was_bytes.into_iter().flatten())
            .chain(is_bytes.into_iter().flatten())
            .chain((genres.len() as u32).to_le_bytes())
            .chain(genres.bytes());
        if out.len() != HEAD + genres.len() {
            return Err(Error::Internal);
        }
        for (to, byte) in out.iter_mut().zip(record) {
            *to = byte;
        }
        Ok(())
    }

    /// One change as it is read back.
    pub(super) struct Change<'a> {
        pub content: i64,
        pub genres: &'a str,
        pub was: Option<(bool, (f64, i64))>,
        pub is: Option<(bool, (f64, i64))>,
    }

    pub(super) fn read<'a>(at: &mut Reader<'a>) -> Result<Change<'a>> {
        let [flags] = at.array()?;
        let content = i64::from_le_bytes(at.array()?);
        let sides = [weight::read(at.bytes(weight::BYTES)?), weight::read(at.bytes(weight::BYTES)?)];
        let side = |flags: u8, value: Result<(f64, i64)>| match flags & EXISTS {
            0 => Ok(None),
            _ => value.map(|weight| Some((flags & TOUCHED != 0, weight))).map_err(|_| CORRUPT_CHANGES),
        };
        let [was, is] = sides;
        let length = u32::from_le_bytes(at.array()?) as usize;
        Ok(Change { content, genres: at.text(length)?, was: side(flags, was)?, is: side(flags >> 2, is)? })
    }
}

/// A taste with its sums.
pub struct Followed {
    /// The taste.
    pub taste: Vec<u8>,
    /// Its exact sums.
    pub sums: Vec<u8>,
}

impl Followed {
    /// Both as one value: the taste's length, the taste, the sums.
    pub fn pack(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        out.try_reserve_exact(10 + self.taste.len() + self.sums.len())?;
        put_unsigned(&mut out, self.taste.len() as u64)?;
        out.extend(&self.taste);
        out.extend(&self.sums);
        Ok(out)
    }
}

/// The taste and the sums in what [`Followed::pack`] made.
pub fn unpack(packed: &[u8]) -> Result<(&[u8], &[u8])> {
    let mut at = Reader::new(packed, Error::corrupt("followed taste", "is not a value of follow_taste"));
    let length = at.length()?;
    Ok((at.bytes(length)?, at.rest()))
}

/// Applies [`changes`] to a taste and its sums, or to nothing; `None` when no pair is left. The changes must be true to
/// what the sums hold: what a pair was is what it was when it was last applied, with the genres its content had then.
pub fn apply(taste: Option<&[u8]>, sums: Option<&[u8]>, changes: &[u8]) -> Result<Option<Followed>> {
    let mut ledger = match (taste, sums) {
        (Some(taste), Some(sums)) => Ledger::read(&Taste::read(taste)?, sums)?,
        (None, None) => Ledger::default(),
        _ => return Err(CORRUPT),
    };
    let mut at = Reader::new(changes, CORRUPT_CHANGES);
    while !at.is_empty() {
        ledger.change(&changes::read(&mut at)?)?;
    }
    ledger.finish()
}

/// A taste and its sums, opened for changes.
#[derive(Default)]
struct Ledger<'a> {
    pairs: u64,
    items: Vec<i64>,
    /// Contents that became touched (1) or ceased to be (-1).
    turned: Vec<(i64, i64)>,
    exponent: i64,
    /// Ascending by key.
    genres: Vec<Genre<'a>>,
}

struct Genre<'a> {
    key: Cow<'a, str>,
    shares: u64,
    sum: Sum<'a>,
}

/// A genre's sum; most changes leave most genres alone, which are copied as they are.
enum Sum<'a> {
    /// As read, with the weight the taste has.
    Closed(&'a [u8], f64),
    Open(ExactSum),
}

impl<'a> Ledger<'a> {
    fn read(taste: &Taste<'a>, sums: &'a [u8]) -> Result<Self> {
        let mut at = Reader::new(sealed(sums, MAGIC, CORRUPT)?, CORRUPT);
        let mut ledger = Self { pairs: at.unsigned()?, exponent: taste.exponent, ..Self::default() };
        ledger.items.try_reserve_exact(taste.contents as usize)?;
        ledger.items.extend(taste.items());
        for (key, weight) in taste.genres() {
            let key = Cow::Borrowed(std::str::from_utf8(key).map_err(|_| CORRUPT)?);
            let shares = at.unsigned()?;
            let before = at.rest();
            for _ in 0..at.length()?.saturating_mul(2) {
                at.unsigned()?;
            }
            let closed = before.get(..before.len() - at.rest().len()).unwrap_or_default();
            ledger.genres.try_reserve(1)?;
            ledger.genres.push(Genre { key, shares, sum: Sum::Closed(closed, weight) });
        }
        if !at.is_empty() || !ledger.genres.is_sorted_by(|a, b| a.key < b.key) {
            return Err(CORRUPT);
        }
        Ok(ledger)
    }

    fn change(&mut self, change: &changes::Change<'_>) -> Result<()> {
        if change.was != change.is {
            self.weigh(change.genres, change.was.map(|(_, weight)| weight), true)?;
            self.weigh(change.genres, change.is.map(|(_, weight)| weight), false)?;
        }
        match (change.was.is_some(), change.is.is_some()) {
            (false, true) => self.pairs = self.pairs.saturating_add(1),
            (true, false) => self.pairs = self.pairs.checked_sub(1).ok_or(CORRUPT)?,
            _ => {}
        }
        let touched = |side: Option<(bool, _)>| side.is_some_and(|(touched, _)| touched);
        match (touched(change.was), touched(change.is)) {
            (false, true) => self.turn(change.content, 1),
            (true, false) => self.turn(change.content, -1),
            _ => Ok(()),
        }
    }

    fn turn(&mut self, content: i64, by: i64) -> Result<()> {
        self.turned.try_reserve(1)?;
        self.turned.push((content, by));
        Ok(())
    }

    /// Adds a pair's weight to its genres, or takes it out.
    fn weigh(&mut self, genres: &str, weight: Option<(f64, i64)>, out: bool) -> Result<()> {
        let Some((mantissa, exponent)) = weight.filter(|(mantissa, _)| *mantissa != 0.0) else { return Ok(()) };
        let names = genre::names(genres);
        let share = mantissa / names.len() as f64;
        for name in &names {
            let key = genre::key(name);
            if !(1..=genre::MAX_NAME).contains(&key.len()) {
                continue;
            }
            let genre = self.genre(&key)?;
            genre.open()?.add(if out { -share } else { share }, exponent)?;
            genre.shares = match out {
                true => genre.shares.checked_sub(1).ok_or(CORRUPT)?,
                false => genre.shares.saturating_add(1),
            };
        }
        Ok(())
    }

    /// The genre of a key, of no share at first.
    fn genre(&mut self, key: &str) -> Result<&mut Genre<'a>> {
        let at = match self.genres.binary_search_by(|genre| genre.key.as_ref().cmp(key)) {
            Ok(at) => at,
            Err(at) => {
                let genre = Genre { key: Cow::Owned(key.to_owned()), shares: 0, sum: Sum::Open(ExactSum::default()) };
                self.genres.try_reserve(1)?;
                self.genres.insert(at, genre);
                at
            }
        };
        self.genres.get_mut(at).ok_or(Error::Internal)
    }

    /// Works what turned into the contents, which stay ascending.
    fn settle_items(&mut self) -> Result<()> {
        self.turned.sort_unstable();
        let net = |turned: &[(i64, i64)]| turned.iter().map(|(_, by)| by).sum::<i64>();
        let of = |turned: &[(i64, i64)]| turned.first().map_or(0, |(content, _)| *content);
        let by_content = || self.turned.chunk_by(|a, b| a.0 == b.0);
        let removed: Vec<i64> = by_content().filter(|turned| net(turned) < 0).map(of).collect();
        self.items.retain(|item| removed.binary_search(item).is_err());
        self.items.try_reserve(self.turned.len())?;
        self.items.extend(by_content().filter(|turned| net(turned) > 0).map(of));
        self.items.sort_unstable();
        self.items.dedup();
        Ok(())
    }

    fn finish(mut self) -> Result<Option<Followed>> {
        if self.pairs == 0 {
            return Ok(None);
        }
        self.settle_items()?;
        self.genres.retain(|genre| genre.shares > 0);
        if self.genres.len() > usize::from(u16::MAX) {
            return Err(Error::invalid("genres", "one taste holds at most 65535 genres"));
        }
        if !self.keeps_exponent() {
            self.genres.iter_mut().try_for_each(|genre| genre.open().map(drop))?;
            self.exponent = build::exponent_of(self.genres.iter().filter_map(Genre::opened));
        }
        let weights: Vec<(&str, f64)> =
            self.genres.iter().map(|genre| (genre.key.as_ref(), genre.weight(self.exponent))).collect();
        let taste = build::write(&weights, self.exponent, &self.items)?;
        let mut sums = Vec::new();
        sums.try_reserve(16 + self.genres.len() * 24)?;
        put_head(&mut sums, MAGIC);
        put_unsigned(&mut sums, self.pairs)?;
        for Genre { shares, sum, .. } in self.genres {
            put_unsigned(&mut sums, shares)?;
            match sum {
                Sum::Closed(bytes, _) => sums.extend(bytes),
                Sum::Open(sum) => put_sum(&mut sums, sum)?,
            }
        }
        seal(&mut sums)?;
        Ok(Some(Followed { taste, sums }))
    }

    /// Whether the largest sum certainly has the exponent it had, so that closed weights are what they would become. A
    /// closed weight is rounded: above a half it has it, at a half it may have been below.
    fn keeps_exponent(&self) -> bool {
        let mut opened = self.genres.iter().filter_map(Genre::opened).filter(|(mantissa, _)| *mantissa != 0.0);
        let closed = self.genres.iter().any(|genre| matches!(genre.sum, Sum::Closed(_, weight) if weight.abs() > 0.5));
        let reached = opened.clone().any(|(_, exponent)| exponent == self.exponent);
        (closed || reached) && opened.all(|(_, exponent)| exponent <= self.exponent)
    }
}

impl Genre<'_> {
    fn open(&mut self) -> Result<&mut ExactSum> {
        if let Sum::Closed(bytes, _) = self.sum {
            self.sum = Sum::Open(read_sum(&mut Reader::new(bytes, CORRUPT))?);
        }
        match &mut self.sum {
            Sum::Open(sum) => Ok(sum),
            Sum::Closed(..) => Err(Error::Internal),
        }
    }

    fn opened(&self) -> Option<(f64, i64)> {
        match &self.sum {
            Sum::Open(sum) => Some(sum.scaled()),
            Sum::Closed(..) => None,
        }
    }

    fn weight(&self, exponent: i64) -> f64 {
        match &self.sum {
            Sum::Open(sum) => build::weight(sum.scaled(), exponent),
            Sum::Closed(_, weight) => *weight,
        }
    }
}
