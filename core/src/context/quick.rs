//! The quick reader: one pass over a flat object whose keys and texts have no escapes and whose other values are
//! numbers, true, false or null. It gives up (`None`) on everything else, valid or not; it never judges.

use super::{Members, Raw};
use std::borrow::Cow;

/// A member's value, borrowed.
#[derive(Clone, Copy)]
pub(super) enum Plain<'a> {
    Text(&'a str),
    Integer(&'a str),
    Null,
    Other,
}

impl<'a> From<Plain<'a>> for Raw<'a> {
    fn from(value: Plain<'a>) -> Self {
        match value {
            Plain::Text(text) => Raw::Text(Cow::Borrowed(text)),
            Plain::Integer(digits) => Raw::Integer(digits),
            Plain::Null => Raw::Null,
            Plain::Other => Raw::Other,
        }
    }
}

/// All known members.
pub(super) fn members(text: &str) -> Option<Members<'_>> {
    let mut members = Members::default();
    read(text, |key, value| members.put(key, value.into()))?;
    Some(members)
}

/// The members of two names: the first one's value, else the second one's.
pub(super) fn either<'a>(text: &'a str, first: &str, second: &str) -> Option<Option<Raw<'a>>> {
    let (mut by_first, mut by_second) = (None, None);
    read(text, |key, value| {
        if key == first {
            by_first = Some(value);
        } else if key == second {
            by_second = Some(value);
        }
    })?;
    Some(by_first.or(by_second).map(Raw::from))
}

/// Calls `put` for each member in order; `None` when the text is not for this reader.
#[inline]
fn read<'a>(text: &'a str, mut put: impl FnMut(&'a str, Plain<'a>)) -> Option<()> {
    let mut at = Cursor { text, at: 0 };
    at.blank();
    at.eat(b'{')?;
    at.blank();
    if at.eat(b'}').is_none() {
        loop {
            let key = at.string()?;
            at.blank();
            at.eat(b':')?;
            at.blank();
            put(key, at.value()?);
            at.blank();
            if at.eat(b',').is_none() {
                at.eat(b'}')?;
                break;
            }
            at.blank();
        }
    }
    at.blank();
    (at.at == text.len()).then_some(())
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
    fn eat(&mut self, byte: u8) -> Option<()> {
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
        self.eat(b'"')?;
        let start = self.at;
        self.at += plain_length(self.text.as_bytes().get(start..)?);
        let text = self.text.get(start..self.at)?;
        self.eat(b'"')?;
        Some(text)
    }

    #[inline]
    fn value(&mut self) -> Option<Plain<'a>> {
        match self.peek()? {
            b'"' => self.string().map(Plain::Text),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true").map(|()| Plain::Other),
            b'f' => self.word("false").map(|()| Plain::Other),
            b'n' => self.word("null").map(|()| Plain::Null),
            _ => None,
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<Plain<'a>> {
        let start = self.at;
        let _ = self.eat(b'-');
        if self.eat(b'0').is_none() {
            self.digits()?;
        }
        let integer = self.text.get(start..self.at)?;
        let mut whole = true;
        if self.eat(b'.').is_some() {
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
        Some(if whole { Plain::Integer(integer) } else { Plain::Other })
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
