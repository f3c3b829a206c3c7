//! `latest_value`: the value of a group's last row, by time, then id. The row's place in a scan does not matter.

use crate::{Error, Result};

/// The last row so far.
///
/// ```
/// use cotaste_core::latest::Latest;
/// let last = Latest::new(7.0, 10, 1).later(Latest::new(9.0, 10, 2)).later(Latest::new(5.0, 3, 9));
/// assert_eq!(last.value(), 9.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latest {
    at: i64,
    id: i64,
    value: f64,
}

impl Latest {
    /// Length of [`Self::to_bytes`].
    pub const BYTES: usize = 25;
    const VERSION: u8 = 1;

    /// One row.
    pub const fn new(value: f64, at: i64, id: i64) -> Self {
        Self { at, id, value }
    }

    /// The later of two; rows of equal time and id by value, so that there is always one answer.
    pub fn later(self, other: Self) -> Self {
        let order = (self.at, self.id).cmp(&(other.at, other.id)).then(self.value.total_cmp(&other.value));
        if order.is_lt() {
            other
        } else {
            self
        }
    }

    /// The value of the last row.
    pub const fn value(&self) -> f64 {
        self.value
    }

    /// The state as bytes.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut out = [Self::VERSION; Self::BYTES];
        let words = [self.at.to_le_bytes(), self.id.to_le_bytes(), self.value.to_le_bytes()];
        for (to, byte) in out.iter_mut().skip(1).zip(words.into_iter().flatten()) {
            *to = byte;
        }
        out
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = Error::corrupt("latest_value", "is not the state of a last value");
        let [Self::VERSION, words @ ..] = bytes else { return Err(wrong) };
        let mut words = words.chunks(8).map(|word| word.try_into().map_err(|_| wrong.clone()));
        let mut next = || words.next().unwrap_or(Err(wrong.clone()));
        let (at, id, value): ([u8; 8], [u8; 8], [u8; 8]) = (next()?, next()?, next()?);
        if bytes.len() != Self::BYTES {
            return Err(wrong);
        }
        Ok(Self { at: i64::from_le_bytes(at), id: i64::from_le_bytes(id), value: f64::from_le_bytes(value) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_order_gives_the_row_of_the_greatest_time_and_id(mut rows in prop::collection::vec((-9.0..9.0f64, -3i64..3, -3i64..3), 1..12)) {
            let last = |rows: &[(f64, i64, i64)]| {
                rows.iter().map(|(value, at, id)| Latest::new(*value, *at, *id)).reduce(Latest::later).unwrap()
            };
            let forward = last(&rows);
            let top = rows.iter().map(|(_, at, id)| (*at, *id)).max().unwrap();
            prop_assert!(rows.iter().any(|(value, at, id)| (*at, *id) == top && *value == forward.value()));
            rows.reverse();
            prop_assert_eq!(last(&rows), forward);
            prop_assert_eq!(Latest::from_bytes(&forward.to_bytes()).unwrap(), forward);
        }
    }

    #[test]
    fn hostile_bytes_are_told() {
        for bytes in [&[][..], &[1; 24], &[1; 26], &[2; 25]] {
            assert_eq!(Latest::from_bytes(bytes).map_err(|e| e.code()), Err("CORRUPT_STATE"));
        }
    }
}
