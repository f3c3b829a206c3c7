//! A posting list: which users, of one chunk of 65,536 ordinals, touched one content; a set of u16, the low halves of
//! their ordinals.
//!
//! Layout, version 1, little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 0..2 | `P`, version 1 |
//! | 2..4 | entries less 1 |
//! | 4..8 | CRC-32 of all other bytes |
//! | | blocks of 128 entries, the last one of what is left: bit width W of a gap, the gaps in W bits each |
//!
//! A gap is the distance to the entry before it, less 1; the first entry counts from -1. So neighbouring ordinals cost
//! a byte for 128 of them. The gaps of a full block are interleaved for vector instructions ([`pack`]), those of the
//! last block follow each other from the lowest bit up.
//!
//! The bytes are a function of the set alone: a list that grew by increments equals one that was built at once.

mod pack;

use crate::{Error, Result};
use pack::BLOCK;

/// How many ordinals one list covers.
pub const CHUNK: usize = 65_536;

const HEAD: usize = 8;
const MAGIC: [u8; 2] = [b'P', 1];

const fn damaged(problem: &'static str) -> Error {
    Error::corrupt("posting list", problem)
}

/// The list without `removed` and then with `added`, each in any order, with or without repeats; what is in both ends
/// up present. `None` when nobody is left. `CORRUPT_STATE` when `old` is not a posting list or fails its checksum.
///
/// ```
/// use cotaste_core::posting;
/// let list = posting::apply(None, &[7, 3, 7], &[]).unwrap();
/// let list = posting::apply(list.as_deref(), &[9], &[3, 4]).unwrap();
/// assert_eq!(posting::entries(&list.clone().unwrap()), Ok(vec![7, 9]));
/// assert_eq!(posting::apply(list.as_deref(), &[], &[7, 9]), Ok(None));
/// ```
pub fn apply(old: Option<&[u8]>, added: &[u16], removed: &[u16]) -> Result<Option<Vec<u8>>> {
    let mut present = [0u64; CHUNK / 64];
    let mut set = |entry: u16, is_in: bool| {
        // 1,024 words, so the word of a u16 is always there.
        if let Some(word) = present.get_mut(usize::from(entry >> 6)) {
            let bit = 1 << (entry & 63);
            *word = if is_in { *word | bit } else { *word & !bit };
        }
    };
    old.map_or(Ok(Vec::new()), entries)?.into_iter().for_each(|entry| set(entry, true));
    removed.iter().for_each(|entry| set(*entry, false));
    added.iter().for_each(|entry| set(*entry, true));
    let count = present.iter().map(|word| word.count_ones() as usize).sum();
    let mut entries = Vec::new();
    entries.try_reserve_exact(count)?;
    for (base, word) in (0u32..).step_by(64).zip(present) {
        let mut rest = word;
        while rest != 0 {
            entries.push((base + rest.trailing_zeros()) as u16);
            rest &= rest - 1;
        }
    }
    write(&entries)
}

/// Writes ascending entries without repeats.
fn write(entries: &[u16]) -> Result<Option<Vec<u8>>> {
    let Some(before_last) = entries.len().checked_sub(1) else { return Ok(None) };
    let mut bytes = Vec::new();
    bytes.try_reserve(HEAD + entries.len() * 2 + entries.len() / BLOCK + 1)?;
    bytes.extend(MAGIC);
    bytes.extend((before_last as u16).to_le_bytes());
    bytes.extend([0; 4]);
    let mut before = u16::MAX;
    for block in entries.chunks(BLOCK) {
        let mut gaps = [0u16; BLOCK];
        for (gap, entry) in gaps.iter_mut().zip(block) {
            *gap = entry.wrapping_sub(before).wrapping_sub(1);
            before = *entry;
        }
        pack::write(&gaps, block.len(), &mut bytes);
    }
    let crc = checksum(&bytes).to_le_bytes();
    for (to, byte) in bytes.iter_mut().skip(4).zip(crc) {
        *to = byte;
    }
    Ok(Some(bytes))
}

/// The entries, ascending. `CORRUPT_STATE` when it is not a posting list or fails its checksum.
pub fn entries(bytes: &[u8]) -> Result<Vec<u16>> {
    let (count, _) = read_head(bytes)?;
    let sum = bytes.get(4..HEAD).and_then(|crc| crc.try_into().ok()).map(u32::from_le_bytes);
    if sum != Some(checksum(bytes)) {
        return Err(damaged("fails its checksum"));
    }
    let mut entries = Vec::new();
    entries.try_reserve_exact(count)?;
    each_block(bytes, |block| entries.extend(block.ascending()))?;
    if !entries.is_sorted_by(|a, b| a < b) {
        return Err(damaged("is not ascending"));
    }
    Ok(entries)
}

/// How many entries a list holds, 1 to 65,536, by its head alone.
pub fn len(bytes: &[u8]) -> Result<u32> {
    Ok(read_head(bytes)?.0 as u32)
}

/// One bit an entry, for [`shared`]: as many bytes as the last entry needs.
///
/// ```
/// use cotaste_core::posting;
/// let list = |entries| posting::apply(None, entries, &[]).unwrap().unwrap();
/// let members = posting::bitmap(&list(&[3, 7, 300])).unwrap();
/// assert_eq!(posting::shared(&list(&[3, 8, 300, 65_535]), &members), Ok(2));
/// ```
pub fn bitmap(bytes: &[u8]) -> Result<Vec<u8>> {
    let entries = entries(bytes)?;
    let mut members = Vec::new();
    let length = entries.last().map_or(0, |last| usize::from(*last) / 8 + 1);
    members.try_reserve_exact(length)?;
    members.resize(length, 0u8);
    for entry in entries {
        if let Some(byte) = members.get_mut(usize::from(entry >> 3)) {
            *byte |= 1 << (entry & 7);
        }
    }
    Ok(members)
}

/// How many entries of a list have their bit set. As for [`count`], the checksum is not looked at.
pub fn shared(bytes: &[u8], members: &[u8]) -> Result<u32> {
    let mut shared = 0;
    each_block(bytes, |block| {
        block.for_each(|entry| {
            let byte = members.get(usize::from(entry >> 3)).copied().unwrap_or(0);
            shared += u32::from(byte >> (entry & 7) & 1);
        });
    })?;
    Ok(shared)
}

/// Adds 1 to the counter of each entry; a counter stays at 65,535. The checksum is not looked at, this being the loop
/// every search for neighbours spends its time in: damaged bytes give `CORRUPT_STATE` or a wrong count.
pub fn count(bytes: &[u8], counters: &mut [u16; CHUNK]) -> Result<()> {
    each_block(bytes, |block| block.for_each(|entry| bump(&mut counters[usize::from(entry)])))
}

/// [`count`] into counters that are bytes, two each, little-endian.
pub fn count_bytes(bytes: &[u8], counters: &mut [[u8; 2]; CHUNK]) -> Result<()> {
    each_block(bytes, |block| {
        block.for_each(|entry| {
            let pair = &mut counters[usize::from(entry)];
            let mut counter = u16::from_le_bytes(*pair);
            bump(&mut counter);
            *pair = counter.to_le_bytes();
        });
    })
}

#[inline(always)]
fn bump(counter: &mut u16) {
    *counter = counter.saturating_add(1);
}

/// Decodes block by block.
#[inline(always)]
fn each_block(bytes: &[u8], mut each: impl FnMut(pack::Block<'_>)) -> Result<()> {
    let (mut left, mut rest) = read_head(bytes)?;
    let mut before = u16::MAX;
    let mut full = [[0; pack::LANES]; pack::ROWS];
    while left >= BLOCK {
        rest = pack::read_full(rest, before, &mut full).ok_or(damaged("ends before its end"))?;
        before = pack::last(&full);
        each(pack::Block::Full(&full));
        left -= BLOCK;
    }
    if left > 0 {
        let mut part = [0; BLOCK];
        rest = pack::read_part(rest, before, left, &mut part).ok_or(damaged("ends before its end"))?;
        each(pack::Block::Part(part.get(..left).unwrap_or_default()));
    }
    if rest.is_empty() {
        return Ok(());
    }
    Err(damaged("goes on after its end"))
}

/// The number of entries and the blocks.
fn read_head(bytes: &[u8]) -> Result<(usize, &[u8])> {
    let (head, blocks) = bytes.split_first_chunk::<HEAD>().ok_or(damaged("is too short to be one"))?;
    let [m0, m1, n0, n1, ..] = *head;
    if [m0, m1] != MAGIC {
        return Err(damaged("does not start as one of version 1"));
    }
    Ok((usize::from(u16::from_le_bytes([n0, n1])) + 1, blocks))
}

/// CRC-32 of a list without the four bytes that hold it.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(bytes.get(..4).unwrap_or_default());
    crc.update(bytes.get(HEAD..).unwrap_or_default());
    crc.finalize()
}

#[cfg(test)]
mod tests;
