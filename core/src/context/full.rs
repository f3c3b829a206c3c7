//! The full reader, on serde_json. Unknown members are skipped without a look at their values, except that nesting and
//! surrogate escapes are judged over the whole text, so that the verdict does not depend on where they stand.

use super::{Document, Members, Raw, Status, MAX_DEPTH, NAMES};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;

pub(super) fn document(text: &str) -> Document<'_> {
    if text.chars().all(char::is_whitespace) {
        return Document::Other(Status::Empty);
    }
    let malformed = Document::Other(Status::Malformed);
    if !scan(text).sound {
        return malformed;
    }
    match text.trim_start_matches([' ', '\n', '\t', '\r']).as_bytes().first() {
        Some(b'{') => serde_json::from_str(text).map_or(malformed, Document::Object),
        _ => match serde_json::from_str::<&RawValue>(text).map(RawValue::get) {
            Ok("null") => Document::Other(Status::Empty),
            Ok(_) => Document::Other(Status::NotObject),
            Err(_) => malformed,
        },
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members::default();
                while let Some(Text(key)) = map.next_key::<Text>()? {
                    if NAMES.iter().flatten().any(|name| *name == key) {
                        let value = map.next_value::<&RawValue>()?;
                        members.put(&key, raw(value.get()));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn raw(json: &str) -> Raw<'_> {
    match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str(json).map_or(Raw::Other, |Text(text)| Raw::Text(text)),
        Some(b'n') => Raw::Null,
        Some(b'-' | b'0'..=b'9') if !json.contains(['.', 'e', 'E']) => Raw::Integer(json),
        _ => Raw::Other,
    }
}

struct Scan {
    /// No deeper than [`MAX_DEPTH`], every surrogate escape has its partner.
    sound: bool,
    /// Has a `\u0000`, or a number that is longer or larger than jsonb is certain to take.
    odd: bool,
}

/// One pass over the bytes, no recursion. Only meaningful for text that the JSON parser accepts as well.
fn scan(text: &str) -> Scan {
    const LONGEST_NUMBER: usize = 400;
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut in_text, mut number) = (0, 0usize, false, 0usize);
    let mut found = Scan { sound: true, odd: false };
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match (in_text, byte) {
            (true, b'\\') => {
                let Some((length, zero)) = escape(bytes.get(at..).unwrap_or_default()) else {
                    return Scan { sound: false, odd: true };
                };
                found.odd |= zero;
                at += length;
            }
            (_, b'"') => in_text = !in_text,
            (true, _) => {}
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            // An exponent makes a short text a huge number; jsonb stores every digit.
            (false, b'0'..=b'9' | b'.' | b'-' | b'+') => number += 1,
            (false, b'e' | b'E') if number > 0 => number += LONGEST_NUMBER,
            (false, _) => number = 0,
        }
        found.sound &= depth <= MAX_DEPTH;
        found.odd |= number > LONGEST_NUMBER;
    }
    found
}

/// The length of the escape after a backslash and whether it is U+0000; `None` for a lone surrogate.
fn escape(after: &[u8]) -> Option<(usize, bool)> {
    let unit = |bytes: &[u8]| {
        let digits = std::str::from_utf8(bytes.get(1..5)?).ok()?;
        (bytes.first()? == &b'u').then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let Some(first) = unit(after) else { return Some((1, false)) };
    match first {
        0xd800..=0xdbff => match after.get(5..) {
            Some([b'\\', low @ ..]) if unit(low).is_some_and(|u| (0xdc00..=0xdfff).contains(&u)) => Some((11, false)),
            _ => None,
        },
        0xdc00..=0xdfff => None,
        _ => Some((5, first == 0)),
    }
}

/// Whether a jsonb is certain to hold this valid JSON.
pub(super) fn fits_jsonb(text: &str) -> bool {
    const LARGEST: usize = 16 << 20;
    text.len() <= LARGEST && !scan(text).odd
}
