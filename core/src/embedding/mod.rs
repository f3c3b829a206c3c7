//! Embeddings: vectors of contents (or of anything) made by some model, and which are nearest to one by cosine.
//!
//! An embedding is 1 to [`MAX_DIM`] finite numbers of single precision. Here it is always its bytes, four a number,
//! little-endian: what a BLOB of SQLite and the data of a `real[]` of Postgres hold, so a stored one is read in place.

mod kernel;
pub mod learn;
pub mod mean;
pub mod nearest;
#[cfg(test)]
mod tests;

use crate::{Error, Result};
use kernel::Sums;

/// The most numbers an embedding holds.
pub const MAX_DIM: usize = 16_000;

/// The longest name of a model, in bytes.
pub const MAX_MODEL: usize = 200;

/// How many numbers an embedding has; an error when it is none.
pub fn dim(argument: &'static str, embedding: &[u8]) -> Result<usize> {
    let (numbers, rest) = embedding.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(Error::invalid(argument, format!("has {} bytes, not a multiple of 4", embedding.len())));
    }
    if numbers.is_empty() {
        return Err(Error::invalid(argument, "is empty"));
    }
    if numbers.len() > MAX_DIM {
        return Err(Error::invalid(argument, format!("has {} numbers, more than {MAX_DIM}", numbers.len())));
    }
    if let Some(at) = numbers.iter().position(|x| !f32::from_le_bytes(*x).is_finite()) {
        return Err(Error::invalid(argument, format!("number {} is not finite", at + 1)));
    }
    Ok(numbers.len())
}

/// An embedding from a JSON array of numbers, each rounded to single precision.
///
/// ```
/// assert_eq!(cotaste_core::embedding::from_json("embedding", "[1, -0.5]").unwrap(), [0, 0, 128, 63, 0, 0, 0, 191]);
/// ```
pub fn from_json(argument: &'static str, json: &str) -> Result<Vec<u8>> {
    let numbers: Vec<f64> =
        serde_json::from_str(json).map_err(|_| Error::invalid(argument, "is not a JSON array of numbers"))?;
    from_doubles(argument, &numbers)
}

/// An embedding from doubles, each rounded to single precision.
pub fn from_doubles(argument: &'static str, numbers: &[f64]) -> Result<Vec<u8>> {
    if numbers.len() > MAX_DIM {
        return Err(Error::invalid(argument, format!("has {} numbers, more than {MAX_DIM}", numbers.len())));
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(numbers.len() * 4)?;
    bytes.extend(numbers.iter().flat_map(|x| (*x as f32).to_le_bytes()));
    dim(argument, &bytes)?;
    Ok(bytes)
}

/// The numbers of an embedding.
pub fn numbers(embedding: &[u8]) -> impl Iterator<Item = f32> + '_ {
    embedding.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x))
}

/// An embedding as a JSON array: the shortest digits that give each number of single precision again.
///
/// ```
/// use cotaste_core::embedding::{from_json, to_json};
/// assert_eq!(to_json(&from_json("embedding", "[1, 0.1, -2.5e-3]").unwrap()).unwrap(), "[1.0,0.1,-0.0025]");
/// ```
pub fn to_json(embedding: &[u8]) -> Result<String> {
    dim("embedding", embedding)?;
    let numbers: Vec<f32> = numbers(embedding).collect();
    serde_json::to_string(&numbers).map_err(|_| Error::Internal)
}

/// `embedding_similarity`: the cosine of two embeddings of one dimension, -1 to 1; none when one of them is zero.
///
/// Products of single precision are exact in a double, and are summed in a fixed order: the same bits everywhere, an error
/// below 1e-12, and exactly 1 for equal embeddings.
pub fn similarity(a: &[u8], b: &[u8]) -> Result<Option<f64>> {
    let (of_a, of_b) = (dim("a", a)?, dim("b", b)?);
    if of_a != of_b {
        return Err(Error::invalid("b", format!("has {of_b} numbers, a has {of_a}")));
    }
    Ok(Sums::of(a, b).cosine())
}

/// An error when a model cannot have that name.
pub fn check_model(model: &str) -> Result<()> {
    let wrong = |problem: String| Err(Error::invalid("model", problem));
    if model.is_empty() {
        return wrong("is empty".to_owned());
    }
    if model.len() > MAX_MODEL {
        return wrong(format!("is longer than {MAX_MODEL} bytes"));
    }
    if model.contains('\0') {
        return wrong("contains U+0000".to_owned());
    }
    Ok(())
}

/// An error when an embedding is none, or has another number of numbers than is said.
pub fn check(embedding: &[u8], said: i64) -> Result<()> {
    let dim = dim("embedding", embedding)?;
    if usize::try_from(said) != Ok(dim) {
        return Err(Error::invalid("dim", format!("is {said}, the embedding has {dim} numbers")));
    }
    Ok(())
}
