//! The quick reader: one pass over a flat object whose keys and texts have no escapes and whose other values are
//! numbers, true, false or null. It gives up (`None`) on everything else, valid or not; it never judges.

use super::{Members, Raw};
use std::borrow::Cow;

pub(super) fn members(text: &str) -> Option<Members<'_>> {
    let mut at = Cursor { text, at: 0 };
    let mut members = Members::default();
    at.blank();
    at.expect(b'{')?;
    at.blank();
    if at.expect(b'}').is_none() {
        loop {
            let key = at.string()?;
            at.blank();
            at.expect(b':')?;
            at.blank();
            let value = at.value()?;
            members.put(key, value);
            at.blank();
            if at.expect(b',').is_none() {
                at.expect(b'}')?;
                break;
            }
            at.blank();
        }
    }
    at.blank();
    (at.at == text.len()).then_some(members)
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    #[inline]
    fn blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        self.at += plain_length(self.text.as_bytes().get(start..)?);
        let text = self.text.get(start..self.at)?;
        self.expect(b'"')?;
        Some(text)
    }

    #[inline]
    fn value(&mut self) -> Option<Raw<'a>> {
        match self.peek()? {
            b'"' => self.string().map(|text| Raw::Text(Cow::Borrowed(text))),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true").map(|()| Raw::Other),
            b'f' => self.word("false").map(|()| Raw::Other),
            b'n' => self.word("null").map(|()| Raw::Null),
            _ => None,
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<Raw<'a>> {
        let start = self.at;
        let _ = self.expect(b'-');
        if self.expect(b'0').is_none() {
            self.digits()?;
        }
        let integer = self.text.get(start..self.at)?;
        let mut whole = true;
        if self.expect(b'.').is_some() {
            whole = false;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(if whole { Raw::Integer(integer) } else { Raw::Other })
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

/// How many bytes come before the first quote, backslash or control character: eight at a time.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let mut length = 0;
    for chunk in bytes.chunks_exact(8) {
        let Ok(word) = chunk.try_into().map(u64::from_le_bytes) else { break };
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        // The lowest flag is exact; flags above it may be false, and only the lowest is used.
        let stop = control | has_zero(word ^ (ONES * u64::from(b'"'))) | has_zero(word ^ (ONES * u64::from(b'\\')));
        if stop != 0 {
            return length + (stop.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    let rest = bytes.get(length..).unwrap_or_default();
    length + rest.iter().position(|b| *b == b'"' || *b == b'\\' || *b < 0x20).unwrap_or(rest.len())
}
