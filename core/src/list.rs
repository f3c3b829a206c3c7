//! `ordered_json_array`: the values of a group as a JSON array, in the order of a position column.

/// The aggregate's state: a sequence of records, so that merging is concatenation.
pub mod state {
    use crate::{Error, Result};

    const HEAD: usize = 12;

    /// How many bytes [`write_row`] fills.
    pub fn row_len(value: &str) -> Result<usize> {
        u32::try_from(value.len()).map_err(|_| Error::invalid("value", "is too long"))?;
        Ok(HEAD + value.len())
    }

    /// Writes one row into exactly [`row_len`] bytes.
    pub fn write_row(out: &mut [u8], value: &str, position: i64) -> Result<()> {
        if out.len() != row_len(value)? {
            return Err(Error::Internal);
        }
        let head = position.to_le_bytes().into_iter().chain((value.len() as u32).to_le_bytes());
        for (to, byte) in out.iter_mut().zip(head.chain(value.bytes())) {
            *to = byte;
        }
        Ok(())
    }

    /// The JSON array: by position, then by the value's bytes.
    ///
    /// ```
    /// use cotaste_core::list::state;
    /// let mut bytes = Vec::new();
    /// for (value, position) in [("Thriller", 2), ("Drama", 1)] {
    ///     let at = bytes.len();
    ///     bytes.resize(at + state::row_len(value).unwrap(), 0);
    ///     state::write_row(&mut bytes[at..], value, position).unwrap();
    /// }
    /// assert_eq!(state::finish(&bytes).unwrap(), r#"["Drama","Thriller"]"#);
    /// ```
    pub fn finish(mut state: &[u8]) -> Result<String> {
        let mut rows: Vec<(i64, &str)> = Vec::new();
        while !state.is_empty() {
            let (position, rest) = state.split_first_chunk::<8>().ok_or(CORRUPT)?;
            let (length, rest) = rest.split_first_chunk::<4>().ok_or(CORRUPT)?;
            let length = u32::from_le_bytes(*length) as usize;
            let (value, rest) = rest.split_at_checked(length).ok_or(CORRUPT)?;
            rows.try_reserve(1)?;
            rows.push((i64::from_le_bytes(*position), std::str::from_utf8(value).map_err(|_| CORRUPT)?));
            state = rest;
        }
        rows.sort_unstable();
        let values: Vec<&str> = rows.into_iter().map(|(_, value)| value).collect();
        serde_json::to_string(&values).map_err(|_| Error::Internal)
    }

    const CORRUPT: Error = Error::corrupt("ordered_json_array", "is not the state of a list");
}

#[cfg(test)]
mod tests {
    use super::state;
    use proptest::prelude::*;

    fn rows(rows: &[(String, i64)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (value, position) in rows {
            let at = bytes.len();
            bytes.resize(at + state::row_len(value).unwrap(), 0);
            state::write_row(&mut bytes[at..], value, *position).unwrap();
        }
        bytes
    }

    proptest! {
        #[test]
        fn the_order_of_rows_does_not_matter(mut values in prop::collection::vec((".{0,8}", -3i64..3), 0..12)) {
            let forward = state::finish(&rows(&values)).unwrap();
            values.reverse();
            prop_assert_eq!(state::finish(&rows(&values)).unwrap(), forward);
        }

        #[test]
        fn hostile_bytes_end_in_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = state::finish(&bytes);
        }
    }
}
