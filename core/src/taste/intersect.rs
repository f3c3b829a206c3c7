//! Counting the contents two tastes share, eight at a time: a block of one against a block of the other, all pairs.
//! The loops over arrays of eight become vector instructions.

use super::Taste;

const LANES: usize = 8;
const BLOCK: usize = LANES * 2;

pub(super) fn count(a: &Taste<'_>, b: &Taste<'_>) -> u32 {
    let (mut chunks_a, mut chunks_b) = (a.chunks(), b.chunks());
    let (mut rest_a, mut rest_b) = (a.lows, b.lows);
    let cut = |rest: &mut &[u8], length: usize| *rest = rest.get(length * 2..).unwrap_or_default();
    let (mut at_a, mut at_b) = (chunks_a.next(), chunks_b.next());
    let mut shared = 0;
    while let (Some((high_a, length_a)), Some((high_b, length_b))) = (at_a, at_b) {
        if high_a == high_b {
            let lows = |rest: &'_ [u8], length: usize| rest.len().min(length * 2);
            let (end_a, end_b) = (lows(rest_a, length_a), lows(rest_b, length_b));
            shared += chunk(rest_a.get(..end_a).unwrap_or_default(), rest_b.get(..end_b).unwrap_or_default());
        }
        if high_a <= high_b {
            cut(&mut rest_a, length_a);
            at_a = chunks_a.next();
        }
        if high_b <= high_a {
            cut(&mut rest_b, length_b);
            at_b = chunks_b.next();
        }
    }
    shared
}

/// The number of values in both of two ascending arrays of little-endian u16.
fn chunk(a: &[u8], b: &[u8]) -> u32 {
    let (mut at_a, mut at_b) = (0, 0);
    let mut lanes = [0u16; LANES];
    while let (Some(block_a), Some(block_b)) = (full(a, at_a), full(b, at_b)) {
        let (last_a, last_b) = (last(&block_a), last(&block_b));
        for y in block_b {
            for (lane, x) in lanes.iter_mut().zip(block_a) {
                // At most once a block pair, and at most 8,193 blocks: no lane overflows.
                *lane += u16::from(x == y);
            }
        }
        at_a += if last_a <= last_b { BLOCK } else { 0 };
        at_b += if last_b <= last_a { BLOCK } else { 0 };
    }
    let whole: u32 = lanes.iter().map(|lane| u32::from(*lane)).sum();
    whole + tail(a.get(at_a..).unwrap_or_default(), b.get(at_b..).unwrap_or_default())
}

/// The rest, of which one side is shorter than a block: the shorter side as a padded block against all of the other.
fn tail(a: &[u8], b: &[u8]) -> u32 {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let mut found = 0;
    for x in values(short) {
        found += u32::from(contains(long, x));
    }
    found
}

/// Binary search in ascending little-endian u16.
pub(super) fn contains(values: &[u8], x: u16) -> bool {
    let (mut low, mut high) = (0, values.len() / 2);
    while low < high {
        let middle = (low + high) / 2;
        let value =
            values.get(middle * 2..middle * 2 + 2).and_then(|v| v.try_into().ok()).map_or(0, u16::from_le_bytes);
        match value.cmp(&x) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    false
}

fn values(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.chunks_exact(2).map(|v| v.try_into().map_or(0, u16::from_le_bytes))
}

#[inline]
fn full(bytes: &[u8], at: usize) -> Option<[u16; LANES]> {
    let block: &[u8; BLOCK] = bytes.get(at..at + BLOCK)?.try_into().ok()?;
    let mut values = [0; LANES];
    for (to, pair) in values.iter_mut().zip(block.chunks_exact(2)) {
        *to = pair.try_into().map_or(0, u16::from_le_bytes);
    }
    Some(values)
}

#[inline]
fn last(block: &[u16; LANES]) -> u16 {
    let [.., last] = block;
    *last
}
