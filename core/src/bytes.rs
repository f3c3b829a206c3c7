//! Reading and writing the compact values: little-endian numbers, and integers of seven bits a byte (LEB128), signed ones
//! by zigzag.

use crate::{Error, Result};

/// What is left to read; every reader tells the error it was made with when the bytes end early.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    error: Error,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(rest: &'a [u8], error: Error) -> Self {
        Self { rest, error }
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn wrong(&self) -> Error {
        self.error.clone()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.wrong())?;
        self.rest = rest;
        Ok(*array)
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.wrong())?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self, length: usize) -> Result<&'a str> {
        std::str::from_utf8(self.bytes(length)?).map_err(|_| self.wrong())
    }

    #[inline]
    pub(crate) fn unsigned(&mut self) -> Result<u64> {
        let (value, length) = unsigned(self.rest).ok_or_else(|| self.wrong())?;
        self.rest = self.rest.get(length..).unwrap_or_default();
        Ok(value)
    }

    #[inline]
    pub(crate) fn signed(&mut self) -> Result<i64> {
        self.unsigned().map(unzigzag)
    }

    pub(crate) fn length(&mut self) -> Result<usize> {
        usize::try_from(self.unsigned()?).map_err(|_| self.wrong())
    }
}

/// The head of a value: what it is and its version, and the CRC-32 of all that follows.
pub(crate) const HEAD: usize = 6;

/// Starts a value; [`seal`] ends it.
pub(crate) fn put_head(out: &mut Vec<u8>, magic: [u8; 2]) {
    out.extend(magic);
    out.extend([0; 4]);
}

/// Puts the checksum into the head of a value that is complete.
pub(crate) fn seal(value: &mut [u8]) -> Result<()> {
    let (head, body) = value.split_at_mut_checked(HEAD).ok_or(Error::Internal)?;
    for (to, byte) in head.iter_mut().skip(2).zip(crc32fast::hash(body).to_le_bytes()) {
        *to = byte;
    }
    Ok(())
}

/// What follows the head of a value; `error` when it is another kind of value or fails its checksum.
pub(crate) fn sealed(value: &[u8], magic: [u8; 2], error: Error) -> Result<&[u8]> {
    match value.split_first_chunk::<HEAD>() {
        Some(([m0, m1, crc @ ..], body))
            if [*m0, *m1] == magic && u32::from_le_bytes(*crc) == crc32fast::hash(body) =>
        {
            Ok(body)
        }
        _ => Err(error),
    }
}

/// A number and how many bytes it took.
#[inline]
pub(crate) fn unsigned(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

#[inline]
pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

pub(crate) fn put_unsigned(out: &mut Vec<u8>, mut value: u64) -> Result<()> {
    out.try_reserve(10)?;
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    Ok(())
}

pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) -> Result<()> {
    put_unsigned(out, (value << 1 ^ value >> 63) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_is_read_back(signed in any::<i64>(), unsigned in any::<u64>(), small in -70i64..70) {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, signed).unwrap();
            put_unsigned(&mut bytes, unsigned).unwrap();
            put_signed(&mut bytes, small).unwrap();
            let mut at = Reader::new(&bytes, Error::Internal);
            prop_assert_eq!((at.signed().unwrap(), at.unsigned().unwrap(), at.signed().unwrap()), (signed, unsigned, small));
            prop_assert!(at.is_empty() && at.unsigned().is_err());
        }
    }
}
