//! Which dimension a genre has in the blocks: its place in a JSON array of genre keys that is only ever appended to,
//! so that what was written under a shorter order still holds.

use crate::taste::Taste;
use crate::{Error, Result};
use std::collections::BTreeSet;

const fn damaged(problem: &'static str) -> Error {
    Error::corrupt("genre order", problem)
}

/// The order, read once and asked often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GenreOrder {
    /// Keys with their places, ascending by key.
    places: Vec<(Box<[u8]>, usize)>,
}

impl GenreOrder {
    /// Reads a JSON array of different texts, `[]` at first; `CORRUPT_STATE` when it is none.
    ///
    /// ```
    /// use cotaste_core::genre_order::GenreOrder;
    /// let order = GenreOrder::read(r#"["war","drama"]"#).unwrap();
    /// assert_eq!((order.position(b"drama"), order.position(b"noir"), order.len()), (Some(1), None, 2));
    /// ```
    pub fn read(json: &str) -> Result<Self> {
        let keys = keys(json)?;
        let mut places: Vec<(Box<[u8]>, usize)> =
            keys.into_iter().enumerate().map(|(place, key)| (key.into_bytes().into_boxed_slice(), place)).collect();
        places.sort_unstable();
        if !places.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(damaged("names a genre twice"));
        }
        Ok(Self { places })
    }

    /// The place of a genre key, from 0.
    pub fn position(&self, key: &[u8]) -> Option<usize> {
        let at = self.places.binary_search_by(|(own, _)| own.as_ref().cmp(key)).ok()?;
        self.places.get(at).map(|(_, place)| *place)
    }

    /// Whether every genre of a taste has a place; `CORRUPT_STATE` when it is not a taste.
    pub fn covers(&self, taste: &[u8]) -> Result<bool> {
        Ok(Taste::read(taste)?.genres().all(|(key, _)| self.position(key).is_some()))
    }

    /// How many genres have a place.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no genre has one.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// The genres of orders and tastes together, ascending: the dimensions of vectors of tastes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dimensions(BTreeSet<String>);

impl Dimensions {
    /// Adds the genres of an order and those of a taste.
    pub fn add(&mut self, order: Option<&str>, taste: Option<&[u8]>) -> Result<()> {
        self.0.extend(order.map_or(Ok(Vec::new()), keys)?);
        if let Some(taste) = taste {
            for (key, _) in Taste::read(taste)?.genres() {
                let key = std::str::from_utf8(key).map_err(|_| Error::corrupt("taste", "a key is not UTF-8"))?;
                if !self.0.contains(key) {
                    self.0.insert(key.to_owned());
                }
            }
        }
        Ok(())
    }

    /// As a JSON array.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string(&self.0).map_err(|_| Error::Internal)
    }
}

fn keys(json: &str) -> Result<Vec<String>> {
    serde_json::from_str(json).map_err(|_| damaged("is not a JSON array of texts"))
}

/// The order with the genres of a taste that it lacks appended, ascending by key; `None` when it lacks none.
/// `CORRUPT_STATE` when one of them is not what it should be.
///
/// ```
/// use cotaste_core::{genre_order, taste::state};
/// let mut bytes = vec![0; state::row_len(Some(r#"["War","Drama"]"#)).unwrap()];
/// state::write_row(&mut bytes, None, Some(r#"["War","Drama"]"#), Some(1.0), 0.0).unwrap();
/// let taste = state::finish(&bytes).unwrap();
/// assert_eq!(genre_order::extend(r#"["noir"]"#, &taste).unwrap().unwrap(), r#"["noir","drama","war"]"#);
/// assert_eq!(genre_order::extend(r#"["war","drama"]"#, &taste), Ok(None));
/// ```
pub fn extend(order: &str, taste: &[u8]) -> Result<Option<String>> {
    let keys = keys(order)?;
    let known: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
    if known.len() < keys.len() {
        return Err(damaged("names a genre twice"));
    }
    let mut longer: Vec<&str> = keys.iter().map(String::as_str).collect();
    for (key, _) in Taste::read(taste)?.genres() {
        let key = std::str::from_utf8(key).map_err(|_| Error::corrupt("taste", "a key is not UTF-8"))?;
        if !known.contains(key) {
            longer.push(key);
        }
    }
    if longer.len() == keys.len() {
        return Ok(None);
    }
    serde_json::to_string(&longer).map(Some).map_err(|_| Error::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::samples::{taste, tastes};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_order_only_grows_and_then_knows_every_genre(all in prop::collection::vec(tastes(30), 1..5)) {
            let mut order = "[]".to_owned();
            for sample in &all {
                let bytes = taste(sample);
                let before = keys(&order).unwrap();
                if let Some(longer) = extend(&order, &bytes).unwrap() {
                    order = longer;
                }
                prop_assert_eq!(&keys(&order).unwrap()[..before.len()], &before[..]);
                let read = GenreOrder::read(&order).unwrap();
                for (place, key) in keys(&order).unwrap().iter().enumerate() {
                    prop_assert_eq!(read.position(key.as_bytes()), Some(place));
                }
                prop_assert!(Taste::read(&bytes).unwrap().genres().all(|(key, _)| read.position(key).is_some()));
                prop_assert_eq!(extend(&order, &bytes), Ok(None));
            }
        }
    }

    #[test]
    fn what_is_no_order_is_told() {
        for json in ["", "{}", "[1]", r#"["a","a"]"#, r#"["a""#] {
            assert_eq!(GenreOrder::read(json).map_err(|e| e.code()), Err("CORRUPT_STATE"));
            assert_eq!(extend(json, &taste(&(vec![], vec![]))).map_err(|e| e.code()), Err("CORRUPT_STATE"));
        }
        assert_eq!(extend("[]", b"C").map_err(|e| e.code()), Err("CORRUPT_STATE"));
    }
}
