//! What a user did as one value: every event's time, content, action, rating and arm of an experiment, in columns sorted by
//! time, so that a question about the events of a time range looks at a few bytes of each and decodes nothing else.
//!
//! The layout: `E`, version 1; the CRC-32 of all that follows; the unit of times; the widths in bytes of the four columns (time, arm, kind, content); the number
//! of events; the least time and the least content; the arms by experiment, each a variant; the kinds, each an action with a
//! rating or none; then the columns, and [`PAD`] bytes so that eight can be read anywhere. Times are stored as the units and
//! contents as what they are above the least, kinds and arms as their place in the list, arms from 1, as 0 is none. Equal
//! events give equal bytes. Only who was in an experiment has such a value.

mod arms;
mod follow;

pub use arms::{user, ArmCounts, Question};
pub use follow::{changes, follow, MOST};

use crate::bytes::{sealed, Reader};
use crate::{Error, Result};

const CORRUPT: Error = Error::corrupt("events", "are not a user's events");
const MAGIC: [u8; 2] = [b'E', 1];
const PAD: usize = 7;
/// Microseconds, milliseconds or seconds: the largest in which all times are whole, so that they need few bytes.
const UNITS: [u64; 3] = [1, 1_000, 1_000_000];

/// A value, read as far as its lists.
struct Events<'a> {
    count: usize,
    unit: u64,
    first_us: i64,
    least_content: i64,
    /// The arms, and after them the kinds.
    lists: Reader<'a>,
    times: Column<'a>,
    arms: Column<'a>,
    kind_of: Column<'a>,
    contents: Column<'a>,
}

/// An action, and the bits of its rating. Names are compared as bytes: they were text when they came in.
type Kind<'a> = (&'a [u8], Option<u64>);

impl<'a> Events<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut at = Reader::new(sealed(bytes, MAGIC, CORRUPT)?, CORRUPT);
        let [unit, widths @ ..] = at.array::<5>()?;
        let unit = *UNITS.get(usize::from(unit)).ok_or(CORRUPT)?;
        if widths.iter().any(|width| *width > 8) {
            return Err(CORRUPT);
        }
        let [time, arm, kind, content] = widths.map(usize::from);
        // Somebody is in an experiment; and so there are no more events than bytes.
        if arm == 0 {
            return Err(CORRUPT);
        }
        let (count, first_us, least_content) = (at.length()?, at.signed()?, at.signed()?);
        let length = at.length()?;
        let lists = Reader::new(at.bytes(length)?, CORRUPT);
        let mut rest = at.rest();
        let mut column = |width: usize| -> Result<Column<'a>> {
            let length = count.checked_mul(width).ok_or(CORRUPT)?;
            let column = Column { bytes: rest, width };
            rest = rest.get(length..).ok_or(CORRUPT)?;
            Ok(column)
        };
        let (times, arms, kind_of, contents) = (column(time)?, column(arm)?, column(kind)?, column(content)?);
        if rest.len() != PAD {
            return Err(CORRUPT);
        }
        Ok(Self { count, unit, first_us, least_content, lists, times, arms, kind_of, contents })
    }

    fn time(&self, i: usize) -> i64 {
        self.first_us.wrapping_add_unsigned(self.times.get(i).wrapping_mul(self.unit))
    }

    /// How many events happened before.
    fn before(&self, us: i64) -> usize {
        if us <= self.first_us {
            return 0;
        }
        let wanted = (us.wrapping_sub(self.first_us) as u64).div_ceil(self.unit);
        let (mut from, mut to) = (0, self.count);
        while from < to {
            let middle = from + (to - from) / 2;
            if self.times.get(middle) < wanted {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from
    }
}

fn kind<'a>(at: &mut Reader<'a>) -> Result<Kind<'a>> {
    let head = at.length()?;
    let action = at.bytes(head >> 1)?;
    let rating = if head & 1 == 1 { Some(u64::from_le_bytes(at.array()?)) } else { None };
    Ok((action, rating))
}

fn name<'a>(at: &mut Reader<'a>) -> Result<&'a [u8]> {
    let length = at.length()?;
    at.bytes(length)
}

/// Numbers of equal width; the bytes go on behind the last one.
struct Column<'a> {
    bytes: &'a [u8],
    width: usize,
}

impl Column<'_> {
    #[inline]
    fn get(&self, i: usize) -> u64 {
        let eight = self.bytes.get(i.wrapping_mul(self.width)..).and_then(|rest| rest.first_chunk::<8>());
        let unused = 64 - 8 * self.width as u32;
        u64::from_le_bytes(eight.copied().unwrap_or_default()) & u64::MAX.checked_shr(unused).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
