//! The same search over lists and blocks that were gathered into values, for one user after the other.

use super::Ranking;
use crate::block::{self, SLOTS};
use crate::gather::Gathered;
use crate::posting::{count_bytes, CHUNK};
use crate::{taste, Error, Result};

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
    // Only for chunks with a block: a number that is out of the way costs no more than any other.
    let mut counters: Vec<(u32, Vec<[u8; 2]>)> = Vec::new();
    for (block, _, users) in blocks.iter() {
        block::read(users)?;
        let chunk = first(block)? / CHUNK as u32;
        if counters.last().is_none_or(|(last, _)| *last != chunk) {
            let mut zeros = Vec::new();
            zeros.try_reserve_exact(CHUNK)?;
            zeros.resize(CHUNK, [0; 2]);
            counters.try_reserve(1)?;
            counters.push((chunk, zeros));
        }
    }
    for content in taste::contents(taste)? {
        for (chunk, users) in postings.lists(content) {
            let at = counters.binary_search_by_key(&chunk, |(chunk, _)| *chunk).ok();
            let own = at.and_then(|at| counters.get_mut(at)).and_then(|(_, own)| own.first_chunk_mut());
            own.map_or(Ok(()), |own| count_bytes(users, own))?;
        }
        tick();
    }
    for (block, _, users) in blocks.iter() {
        let first = first(block)?;
        let chunk = first / CHUNK as u32;
        let at = counters.binary_search_by_key(&chunk, |(chunk, _)| *chunk);
        let own = at.ok().and_then(|at| counters.get(at)).map_or(&[][..], |(_, own)| own.as_flattened());
        ranking.block_of(first, own, chunk * CHUNK as u32, users, excluded)?;
    }
    Ok(ranking.finish())
}

/// The ordinal of a block's first slot.
fn first(block: i64) -> Result<u32> {
    let first = u32::try_from(block).ok().and_then(|block| block.checked_mul(SLOTS as u32));
    first.ok_or(Error::corrupt("block", "has a number out of range"))
}
