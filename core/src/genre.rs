//! Genres: the names in a content's JSON array, and vectors of name to weight.

use crate::{sum::ReproducibleSum, Error, Result};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use unicode_normalization::{is_nfc_quick, IsNormalized, UnicodeNormalization};

/// The longest usable genre name, in bytes.
pub const MAX_NAME: usize = 255;

/// The key a genre is compared by: NFC, trimmed, lower case (S5).
pub fn key(name: &str) -> Cow<'_, str> {
    let plain = |c: u8| c.is_ascii() && !c.is_ascii_uppercase();
    if name.bytes().all(plain) {
        return Cow::Borrowed(name.trim());
    }
    let composed: Cow<'_, str> = match is_nfc_quick(name.chars()) {
        IsNormalized::Yes => Cow::Borrowed(name),
        _ => Cow::Owned(name.nfc().collect()),
    };
    Cow::Owned(composed.trim().to_lowercase())
}

fn usable(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.contains('\0')
}

/// The usable names of a JSON array of genres: texts, trimmed, not empty, at most [`MAX_NAME`] bytes, without U+0000.
/// What is no such array has none: bad JSON is data, not an error.
pub fn names(genres: &str) -> Vec<Cow<'_, str>> {
    plain_names(genres).unwrap_or_else(|| parsed_names(genres))
}

fn parsed_names(genres: &str) -> Vec<Cow<'_, str>> {
    let Ok(Value::Array(values)) = serde_json::from_str(genres) else { return Vec::new() };
    let texts = values.into_iter().filter_map(|value| match value {
        Value::String(text) => Some(text),
        _ => None,
    });
    texts.map(|text| text.trim().to_owned()).filter(|name| usable(name)).map(Cow::Owned).collect()
}

/// The same for an array of texts without escapes, which is nearly every one, without allocating the texts.
fn plain_names(genres: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut rest = skip_blank(genres).strip_prefix('[').map(skip_blank)?;
    let mut names = Vec::with_capacity(4);
    if let Some(after) = rest.strip_prefix(']') {
        return skip_blank(after).is_empty().then_some(names);
    }
    loop {
        let text = rest.strip_prefix('"')?;
        let end = text.bytes().position(|b| b == b'"' || b == b'\\' || b < 0x20)?;
        let (name, after) = text.split_at_checked(end)?;
        let name = name.trim();
        if usable(name) {
            names.push(Cow::Borrowed(name));
        }
        rest = skip_blank(after.strip_prefix('"')?);
        match rest.as_bytes().first()? {
            b',' => rest = rest.strip_prefix(',').map(skip_blank)?,
            b']' => return skip_blank(rest.strip_prefix(']')?).is_empty().then_some(names),
            _ => return None,
        }
    }
}

fn skip_blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r'])
}

/// `genre_list`: the usable names as a JSON array, `[]` when there are none.
///
/// ```
/// assert_eq!(cotaste_core::genre::list_json(r#"[" Drama ", 7, "", "Thriller"]"#).unwrap(), r#"["Drama","Thriller"]"#);
/// assert_eq!(cotaste_core::genre::list_json("Drama|Thriller").unwrap(), "[]");
/// ```
pub fn list_json(genres: &str) -> Result<String> {
    serde_json::to_string(&names(genres)).map_err(|_| Error::Internal)
}

/// `genre_vector`: the weight split equally over the genres of a JSON array, or a JSON object of name to weight times
/// the weight; keys folded (S5), repeats summed, sums below 0 raised to 0; in the order of the keys.
///
/// ```
/// use cotaste_core::genre::vector_json;
/// assert_eq!(vector_json(r#"["Drama","Thriller"]"#, 1.0).unwrap(), r#"{"drama":0.5,"thriller":0.5}"#);
/// assert_eq!(vector_json(r#"{"Drama":1,"drama":1,"x":-2}"#, 1.0).unwrap(), r#"{"drama":2.0,"x":0.0}"#);
/// ```
pub fn vector_json(genres: &str, weight: f64) -> Result<String> {
    if !weight.is_finite() {
        return Err(Error::invalid("weight", format!("{weight} is not a finite number")));
    }
    let vector = if skip_blank(genres).starts_with('{') {
        read_vector("genres", genres)?
    } else {
        let names = names(genres);
        let share = 1.0 / names.len() as f64;
        fold(names.iter().map(|name| (name.as_ref(), share)))?
    };
    let scaled: BTreeMap<&String, f64> = vector.iter().map(|(key, w)| (key, (w * weight).max(0.0))).collect();
    if !scaled.values().all(|w| w.is_finite()) {
        return Err(Error::invalid("weight", "makes an entry that is outside the range of a double"));
    }
    serde_json::to_string(&scaled).map_err(|_| Error::Internal)
}

/// A JSON object of name to number as a folded vector; weights keep their sign.
pub(crate) fn read_vector(argument: &'static str, json: &str) -> Result<BTreeMap<String, f64>> {
    let wrong = || Error::invalid(argument, "is not a JSON object of name to number");
    let entries: Entries = serde_json::from_str(json).map_err(|_| wrong())?;
    fold(entries.0.iter().map(|(name, weight)| (name.as_str(), *weight)))
}

fn fold<'a>(entries: impl Iterator<Item = (&'a str, f64)>) -> Result<BTreeMap<String, f64>> {
    let mut sums: BTreeMap<String, ReproducibleSum> = BTreeMap::new();
    for (name, weight) in entries {
        let key = key(name);
        if usable(&key) {
            sums.entry(key.into_owned()).or_default().add(weight)?;
        }
    }
    sums.into_iter().map(|(key, sum)| Ok((key, sum.value()?))).collect()
}

/// The members of a JSON object in order, repeats kept.
struct Entries(Vec<(String, f64)>);

impl<'de> serde::Deserialize<'de> for Entries {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Entries;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of name to number")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> std::result::Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry::<String, Option<f64>>()? {
                    entries.extend(entry.1.map(|weight| (entry.0, weight)));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// A JSON object from pairs in their order.
pub(crate) fn object<'a>(entries: impl Iterator<Item = (&'a str, f64)>) -> Value {
    Value::Object(entries.map(|(name, weight)| (name.to_owned(), Value::from(weight))).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_quick_reader_agrees_with_the_json_parser(text in r#"[ ]?\[([ ]?"[ a-cA\\é\u{1}]{0,3}"[ ]?[,;]?){0,3}\][ x]?"#) {
            if let Some(quick) = plain_names(&text) {
                prop_assert_eq!(quick, parsed_names(&text), "{}", text);
            }
        }

        #[test]
        fn the_entries_of_a_list_share_its_weight(names in prop::collection::vec("[a-d]{1,2}", 1..6)) {
            let json = serde_json::to_string(&names).unwrap();
            let vector = read_vector("v", &vector_json(&json, 3.0).unwrap()).unwrap();
            prop_assert!((vector.values().sum::<f64>() - 3.0).abs() < 1e-12);
        }
    }

    #[test]
    fn keys_fold_case_blanks_and_composition() {
        for name in ["Caf\u{e9}", " cafe\u{301} ", "CAF\u{c9}"] {
            assert_eq!(key(name), "caf\u{e9}");
        }
        assert_eq!(key(" sci fi "), "sci fi");
    }
}
