//! The state of `taste_agg` and `taste_rollup`: a sequence of records, so that merging is concatenation. A row is
//! written as it comes and read at the end; [`compact`] folds what is there into one record.

use super::{Builder, Taste};
use crate::bytes::Reader;
use crate::exact::{put_sum, read_sum};
use crate::{Error, Result};

const ROW: u8 = 1;
const TASTE: u8 = 2;
const SUMS: u8 = 3;
const ROW_HEAD: usize = 1 + 1 + 8 + 8 + 8 + 4;
/// The half-lives a weight may be scaled by, either way.
const FURTHEST: f64 = 1e12;
const CORRUPT: Error = Error::corrupt("taste_agg", "is not the state of a taste");

/// How many bytes [`write_row`] fills.
pub fn row_len(genres: Option<&str>) -> Result<usize> {
    let length = genres.map_or(0, str::len);
    u32::try_from(length).map_err(|_| Error::invalid("genres", "is too long"))?;
    Ok(ROW_HEAD + length)
}

/// Writes one row into exactly [`row_len`] bytes. Without content only the genres count, without genres or weight only
/// the content. The weight means `weight * 2^half_lives`.
pub fn write_row(
    out: &mut [u8],
    content: Option<i64>,
    genres: Option<&str>,
    weight: Option<f64>,
    half_lives: f64,
) -> Result<()> {
    if weight.is_some_and(|w| !w.is_finite()) {
        return Err(Error::invalid("weight", "is not a finite number"));
    }
    if half_lives.is_nan() || half_lives.abs() > FURTHEST {
        return Err(Error::invalid("half_lives", format!("{half_lives} is not between -1e12 and 1e12")));
    }
    let genres = genres.unwrap_or_default();
    if out.len() != ROW_HEAD + genres.len() {
        return Err(Error::Internal);
    }
    let Some((head, tail)) = out.split_first_chunk_mut::<ROW_HEAD>() else { return Err(Error::Internal) };
    let [kind, has_content, fields @ ..] = head;
    (*kind, *has_content) = (ROW, u8::from(content.is_some()));
    let content = content.unwrap_or_default().to_le_bytes();
    let weight = weight.unwrap_or_default().to_le_bytes();
    let half_lives = half_lives.to_le_bytes();
    let length = (genres.len() as u32).to_le_bytes();
    for (to, from) in fields.chunks_mut(8).zip([&content[..], &weight, &half_lives, &length]) {
        to.copy_from_slice(from);
    }
    tail.copy_from_slice(genres.as_bytes());
    Ok(())
}

/// How many bytes [`write_taste`] fills; `CORRUPT_STATE` when it is not a taste.
pub fn taste_len(taste: &[u8]) -> Result<usize> {
    Taste::read(taste)?;
    u32::try_from(taste.len()).map_err(|_| Error::invalid("taste", "is too long"))?;
    Ok(5 + taste.len())
}

/// Writes a taste into exactly [`taste_len`] bytes.
pub fn write_taste(out: &mut [u8], taste: &[u8]) -> Result<()> {
    if out.len() != 5 + taste.len() {
        return Err(Error::Internal);
    }
    let record = [TASTE].into_iter().chain((taste.len() as u32).to_le_bytes()).chain(taste.iter().copied());
    for (to, byte) in out.iter_mut().zip(record) {
        *to = byte;
    }
    Ok(())
}

/// The taste of all rows and tastes written.
///
/// ```
/// use cotaste_core::taste::{state, to_json};
/// let mut bytes = vec![0; state::row_len(Some(r#"["Drama"]"#)).unwrap()];
/// state::write_row(&mut bytes, Some(550), Some(r#"["Drama"]"#), Some(1.5), 1.0).unwrap();
/// let taste = state::finish(&bytes).unwrap();
/// assert_eq!(to_json(&taste).unwrap(), r#"{"genres":{"drama":3.0},"items":[550]}"#);
/// ```
pub fn finish(state: &[u8]) -> Result<Vec<u8>> {
    read(state)?.finish()
}

/// A state of the same meaning whose size depends on the distinct contents and genres alone. Worth it once a state has
/// doubled since the last time.
pub fn compact(state: &[u8]) -> Result<Vec<u8>> {
    let mut built = read(state)?;
    built.distinct_items();
    let mut out = Vec::new();
    let text: usize = built.sums().map(|(key, _)| key.len() + 32).sum();
    out.try_reserve(9 + built.items.len() * 8 + text)?;
    let items = u32::try_from(built.items.len()).map_err(|_| Error::invalid("content", "too many in one taste"))?;
    out.push(SUMS);
    out.extend(items.to_le_bytes());
    out.extend((built.genres.len() as u32).to_le_bytes());
    out.extend(built.items.iter().flat_map(|item| item.to_le_bytes()));
    for (key, sum) in built.sums() {
        out.push(key.len() as u8);
        out.extend(key.bytes());
        put_sum(&mut out, sum.clone())?;
    }
    Ok(out)
}

fn read(state: &[u8]) -> Result<Builder<'_>> {
    let mut built = Builder::default();
    let mut at = Reader::new(state, CORRUPT);
    while !at.is_empty() {
        match at.array::<1>()? {
            [ROW] => row(&mut at, &mut built)?,
            [TASTE] => {
                let length = length(&mut at)?;
                built.taste(&Taste::read(at.bytes(length)?)?)?;
            }
            [SUMS] => sums(&mut at, &mut built)?,
            _ => return Err(CORRUPT),
        }
    }
    Ok(built)
}

fn row<'a>(at: &mut Reader<'a>, built: &mut Builder<'a>) -> Result<()> {
    let [has_content] = at.array()?;
    let content = i64::from_le_bytes(at.array()?);
    let (weight, half_lives) = (f64::from_le_bytes(at.array()?), f64::from_le_bytes(at.array()?));
    let length = length(at)?;
    let genres = at.text(length)?;
    if has_content > 1 || !weight.is_finite() || half_lives.is_nan() || half_lives.abs() > FURTHEST {
        return Err(CORRUPT);
    }
    built.row((has_content == 1).then_some(content), genres, weight, half_lives)
}

fn sums(at: &mut Reader<'_>, built: &mut Builder<'_>) -> Result<()> {
    let (items, genres) = (length(at)?, length(at)?);
    for item in at.bytes(items.checked_mul(8).ok_or(CORRUPT)?)?.chunks_exact(8) {
        built.item(item.try_into().map_or(0, i64::from_le_bytes))?;
    }
    for _ in 0..genres {
        let [length] = at.array()?;
        let key = at.text(usize::from(length))?;
        let sum = read_sum(at)?;
        built.genre(key)?.merge(&sum)?;
    }
    Ok(())
}

fn length(at: &mut Reader<'_>) -> Result<usize> {
    Ok(u32::from_le_bytes(at.array()?) as usize)
}
