//! What the fold collects for one posting list or one block before it writes the row: aggregates over bytes, so that
//! merging is concatenation.

use crate::block::BlockBuilder;
use crate::bytes::Reader;
use crate::genre_order::GenreOrder;
use crate::{posting, Error, Result};

/// Users of one chunk that a content gained or lost.
pub mod postings {
    use super::{posting, Error, Reader, Result};

    const CORRUPT: Error = Error::corrupt("posting_changes", "is not the state of changes");
    /// How many bytes [`write_row`] fills.
    pub const ROW: usize = 3;

    /// Writes one row into exactly [`ROW`] bytes: the user's place in the chunk, 0 to 65,535, and whether it was added.
    pub fn write_row(out: &mut [u8], place: i64, added: bool) -> Result<()> {
        let place =
            u16::try_from(place).map_err(|_| Error::invalid("place", format!("{place} is not between 0 and 65535")))?;
        let [low, high] = place.to_le_bytes();
        let out: &mut [u8; ROW] = out.try_into().map_err(|_| Error::Internal)?;
        *out = [low, high, u8::from(added)];
        Ok(())
    }

    /// The posting list with the changes; `None` when it is empty.
    pub fn apply(list: Option<&[u8]>, changes: &[u8]) -> Result<Option<Vec<u8>>> {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        let mut at = Reader::new(changes, CORRUPT);
        while !at.is_empty() {
            let [low, high, is_added] = at.array()?;
            let list = if is_added == 1 { &mut added } else { &mut removed };
            list.try_reserve(1)?;
            list.push(u16::from_le_bytes([low, high]));
        }
        posting::apply(list, &added, &removed)
    }
}

/// Users of one block whose taste is new, or who left.
pub mod blocks {
    use super::{BlockBuilder, Error, GenreOrder, Reader, Result};

    const CORRUPT: Error = Error::corrupt("block_changes", "is not the state of changes");

    /// How many bytes [`write_row`] fills.
    pub fn row_len(taste: Option<&[u8]>) -> Result<usize> {
        let length = taste.map_or(0, <[u8]>::len);
        u32::try_from(length).map_err(|_| Error::invalid("taste", "is too long"))?;
        Ok(5 + length)
    }

    /// Writes one row into exactly [`row_len`] bytes: the user's slot, 0 to 255, and the taste, or none for nobody.
    pub fn write_row(out: &mut [u8], slot: i64, taste: Option<&[u8]>) -> Result<()> {
        let slot =
            u8::try_from(slot).map_err(|_| Error::invalid("slot", format!("{slot} is not between 0 and 255")))?;
        let taste = taste.unwrap_or_default();
        if out.len() != 5 + taste.len() {
            return Err(Error::Internal);
        }
        let record = [slot].into_iter().chain((taste.len() as u32).to_le_bytes()).chain(taste.iter().copied());
        for (to, byte) in out.iter_mut().zip(record) {
            *to = byte;
        }
        Ok(())
    }

    /// The block with the changes; `None` when nobody is in it.
    pub fn apply(block: Option<&[u8]>, changes: &[u8], genre_order: &str) -> Result<Option<Vec<u8>>> {
        let order = GenreOrder::read(genre_order)?;
        let mut built = BlockBuilder::new(block)?;
        let mut at = Reader::new(changes, CORRUPT);
        while !at.is_empty() {
            let [slot] = at.array()?;
            let length = u32::from_le_bytes(at.array()?) as usize;
            match at.bytes(length)? {
                [] => built.clear(slot),
                taste => built.set(slot, taste, &order)?,
            }
        }
        built.finish()
    }
}
