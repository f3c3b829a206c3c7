//! The same search over lists and blocks that were gathered into values, for one user after the other.

use super::Ranking;
use crate::gather::Gathered;
use crate::posting::{count_bytes, CHUNK};
use crate::{block::SLOTS, taste, Error, Result};

/// The [finalists](Ranking::finish) of a taste: `postings` by content with the chunk as part, `blocks` by their number,
/// `excluded` ascending. `tick` is called between lists; a posting list of users without a block counts for nothing.
pub fn finalists(
    mut ranking: Ranking,
    postings: Gathered<'_>,
    blocks: Gathered<'_>,
    taste: &[u8],
    excluded: &[u32],
    mut tick: impl FnMut(),
) -> Result<Vec<u32>> {
    let last = blocks.iter().last().map_or(0, |(block, _, _)| usize::try_from(block).unwrap_or(0));
    let chunks = last.saturating_mul(SLOTS) / CHUNK + 1;
    let mut counters: Vec<[u8; 2]> = Vec::new();
    let length = chunks.checked_mul(CHUNK).ok_or(Error::OutOfMemory)?;
    counters.try_reserve_exact(length)?;
    counters.resize(length, [0; 2]);
    for content in taste::contents(taste)? {
        for (chunk, users) in postings.lists(content) {
            if let Some(counters) = counters.as_chunks_mut::<CHUNK>().0.get_mut(chunk as usize) {
                count_bytes(users, counters)?;
            }
        }
        tick();
    }
    for (block, _, users) in blocks.iter() {
        let first = u32::try_from(block).ok().and_then(|block| block.checked_mul(SLOTS as u32));
        let first = first.ok_or(Error::corrupt("block", "has a number out of range"))?;
        ranking.block(first, counters.as_flattened(), users, excluded)?;
    }
    Ok(ranking.finish())
}
