//! Many lists in one value, to look into without going back to the table: what a batch reads once for many users. An
//! aggregate over bytes, so that merging is concatenation.
//!
//! A row is a key (i64), a part (u32), a length (u32) and so many bytes, numbers little-endian. The finished value is the
//! number of rows (u32), then for each row its key and where it begins after all of these (u32), by key and part, then
//! the rows. It lives as long as a statement and is never stored.

use crate::bytes::Reader;
use crate::{Error, Result};

const CORRUPT: Error = Error::corrupt("gathered lists", "are not what gather_lists made");
const HEAD: usize = 16;
const COUNT: usize = 4;
const PLACE: usize = 12;

/// How many bytes [`write_row`] fills.
pub fn row_len(list: &[u8]) -> Result<usize> {
    u32::try_from(list.len()).map_err(|_| Error::invalid("list", "is too long"))?;
    Ok(HEAD + list.len())
}

/// Writes one row into exactly [`row_len`] bytes. `part` tells lists of one key apart and is 0 or more.
pub fn write_row(out: &mut [u8], key: i64, part: i32, list: &[u8]) -> Result<()> {
    let part = u32::try_from(part).map_err(|_| Error::invalid("part", format!("{part} is below 0")))?;
    let (head, rest) = out.split_first_chunk_mut::<HEAD>().ok_or(Error::Internal)?;
    if rest.len() != list.len() {
        return Err(Error::Internal);
    }
    let numbers = key.to_le_bytes().into_iter().chain(part.to_le_bytes()).chain((list.len() as u32).to_le_bytes());
    for (to, byte) in head.iter_mut().zip(numbers) {
        *to = byte;
    }
    rest.copy_from_slice(list);
    Ok(())
}

/// The value of all rows.
///
/// ```
/// use cotaste_core::gather::{finish, row_len, write_row, Gathered};
/// let mut row = vec![0; row_len(b"list").unwrap()];
/// write_row(&mut row, 7, 0, b"list").unwrap();
/// let value = finish(&row).unwrap();
/// let gathered = Gathered::read(&value).unwrap();
/// assert_eq!(gathered.lists(7).collect::<Vec<_>>(), [(0, &b"list"[..])]);
/// assert_eq!(gathered.lists(8).count(), 0);
/// ```
pub fn finish(rows: &[u8]) -> Result<Vec<u8>> {
    let mut places: Vec<(i64, u32, u32)> = Vec::new();
    let mut at = Reader::new(rows, CORRUPT);
    while !at.is_empty() {
        let begin = u32::try_from(rows.len() - at.rest().len()).map_err(|_| Error::OutOfMemory)?;
        let (key, part) = (i64::from_le_bytes(at.array()?), u32::from_le_bytes(at.array()?));
        let length = u32::from_le_bytes(at.array()?) as usize;
        at.bytes(length)?;
        places.try_reserve(1)?;
        places.push((key, part, begin));
    }
    places.sort_unstable();
    let mut value = Vec::new();
    value.try_reserve_exact(COUNT + places.len() * PLACE + rows.len())?;
    value.extend((places.len() as u32).to_le_bytes());
    for (key, _, begin) in places {
        value.extend(key.to_le_bytes());
        value.extend(begin.to_le_bytes());
    }
    value.extend(rows);
    Ok(value)
}

/// The lists of a finished value.
#[derive(Debug, Clone, Copy)]
pub struct Gathered<'a> {
    places: &'a [[u8; PLACE]],
    rows: &'a [u8],
}

impl<'a> Gathered<'a> {
    /// `CORRUPT_STATE` when it is too short for what it says; rows are looked at when they are asked for.
    pub fn read(value: &'a [u8]) -> Result<Self> {
        let mut at = Reader::new(value, CORRUPT);
        let count = u32::from_le_bytes(at.array()?) as usize;
        let places = at.bytes(count.checked_mul(PLACE).ok_or(CORRUPT)?)?.as_chunks().0;
        Ok(Self { places, rows: at.rest() })
    }

    /// The parts and lists of a key, by part; a damaged row ends them.
    pub fn lists(self, key: i64) -> impl Iterator<Item = (u32, &'a [u8])> {
        let first = self.places.partition_point(|place| key_of(place) < key);
        let own = self.places.get(first..).unwrap_or_default().iter().take_while(move |place| key_of(place) == key);
        own.map_while(move |place| self.row(place))
    }

    /// Every key with its part and list, in their order; a damaged row ends them.
    pub fn iter(self) -> impl Iterator<Item = (i64, u32, &'a [u8])> {
        self.places.iter().map_while(move |place| self.row(place).map(|(part, list)| (key_of(place), part, list)))
    }

    fn row(self, place: &[u8; PLACE]) -> Option<(u32, &'a [u8])> {
        let begin = u32::from_le_bytes(*place.last_chunk()?) as usize;
        let mut at = Reader::new(self.rows.get(begin..)?.get(8..)?, CORRUPT);
        let part = u32::from_le_bytes(at.array().ok()?);
        let length = u32::from_le_bytes(at.array().ok()?) as usize;
        Some((part, at.bytes(length).ok()?))
    }
}

fn key_of(place: &[u8; PLACE]) -> i64 {
    place.first_chunk().map_or(0, |key| i64::from_le_bytes(*key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn every_list_is_found_under_its_key(
            lists in proptest::collection::btree_map((-5i64..5, 0i32..4), proptest::collection::vec(any::<u8>(), 0..9), 0..20),
            cut in 0usize..400,
        ) {
            let mut rows = Vec::new();
            // In the reverse of their order.
            for ((key, part), list) in lists.iter().rev() {
                let mut row = vec![0; row_len(list).unwrap()];
                write_row(&mut row, *key, *part, list).unwrap();
                rows.extend(row);
            }
            let value = finish(&rows).unwrap();
            let gathered = Gathered::read(&value).unwrap();
            let all: Vec<_> = gathered.iter().map(|(key, part, list)| ((key, part as i32), list.to_vec())).collect();
            prop_assert_eq!(&all, &lists.clone().into_iter().collect::<Vec<_>>());
            for key in -6..6 {
                let own: BTreeMap<_, _> = gathered.lists(key).map(|(part, list)| ((key, part as i32), list.to_vec())).collect();
                let expected: BTreeMap<_, _> = lists.clone().into_iter().filter(|((k, _), _)| *k == key).collect();
                prop_assert_eq!(own, expected);
            }
            // Cut short, it is an error or fewer lists, never a panic.
            if let Ok(cut) = Gathered::read(value.get(..cut).unwrap_or(&value)) {
                prop_assert!(cut.iter().count() <= lists.len());
            }
            if cut < rows.len() {
                let _ = finish(&rows[..cut]);
            }
        }
    }
}
