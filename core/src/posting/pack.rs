//! Blocks of gaps in the fewest bits.
//!
//! A full block is cut into eight lanes of sixteen consecutive gaps. A lane is a stream of W words of 16 bits; word by
//! word the lanes lie side by side, so that one vector instruction shifts, masks or adds the same gap of all lanes,
//! and the sums along a lane need no shuffling. There is one copy of the code per width: every shift is a constant.

/// Entries of a full block.
pub(super) const BLOCK: usize = LANES * ROWS;
pub(super) const LANES: usize = 8;
pub(super) const ROWS: usize = 16;
/// Bytes of one word of every lane.
const STRIDE: usize = LANES * 2;

type Lanes = [u16; LANES];
/// Entry `16 l + r` is in row r, lane l.
pub(super) type Rows = [Lanes; ROWS];

/// The decoded entries of a block.
pub(super) enum Block<'a> {
    Full(&'a Rows),
    Part(&'a [u16]),
}

impl<'a> Block<'a> {
    /// In the order that is quickest.
    #[inline(always)]
    pub(super) fn for_each(self, mut each: impl FnMut(u16)) {
        match self {
            Self::Full(rows) => rows.as_flattened().iter().for_each(|entry| each(*entry)),
            Self::Part(entries) => entries.iter().for_each(|entry| each(*entry)),
        }
    }

    /// In ascending order.
    pub(super) fn ascending(self) -> impl Iterator<Item = u16> + 'a {
        let (rows, entries): (&[Lanes], &[u16]) = match self {
            Self::Full(rows) => (rows, &[]),
            Self::Part(entries) => (&[], entries),
        };
        let lanes = (0..LANES).flat_map(move |lane| rows.iter().filter_map(move |row| row.get(lane).copied()));
        lanes.chain(entries.iter().copied())
    }
}

/// The last entry of a full block.
pub(super) const fn last(rows: &Rows) -> u16 {
    rows[ROWS - 1][LANES - 1]
}

/// Appends the width and the first `length` gaps; those after them must be 0.
pub(super) fn write(gaps: &[u16; BLOCK], length: usize, out: &mut Vec<u8>) {
    let width = 16 - gaps.iter().fold(0, |all, gap| all | gap).leading_zeros() as usize;
    out.push(width as u8);
    if length < BLOCK {
        let mut stream = Bits::default();
        gaps.iter().take(length).for_each(|gap| stream.push(*gap, width, out));
        return stream.finish(out);
    }
    let mut words = [[0u16; LANES]; 17];
    let mut put = |word: usize, lane: usize, bits: u32| {
        if let Some(word) = words.get_mut(word).and_then(|lanes| lanes.get_mut(lane)) {
            *word |= bits as u16;
        }
    };
    for (lane, gaps) in gaps.chunks_exact(ROWS).enumerate() {
        for (gap, bit) in gaps.iter().zip((0..).step_by(width.max(1))) {
            let bits = u32::from(*gap) << (bit % 16);
            put(bit / 16, lane, bits);
            put(bit / 16 + 1, lane, bits >> 16);
        }
    }
    out.extend(words.iter().take(width).flatten().flat_map(|word| word.to_le_bytes()));
}

/// A stream of bits, lowest first.
#[derive(Default)]
struct Bits {
    pending: u32,
    length: usize,
}

impl Bits {
    fn push(&mut self, value: u16, width: usize, out: &mut Vec<u8>) {
        self.pending |= u32::from(value) << self.length;
        self.length += width;
        while self.length >= 8 {
            out.push(self.pending as u8);
            self.pending >>= 8;
            self.length -= 8;
        }
    }

    fn finish(self, out: &mut Vec<u8>) {
        if self.length > 0 {
            out.push(self.pending as u8);
        }
    }
}

/// Reads a full block that follows the entry `before`, and returns what is after it; `None` when it is cut short or no
/// width is that great. Entries wrap around, so that whatever the bytes hold, each is a u16.
#[inline(always)]
pub(super) fn read_full<'a>(bytes: &'a [u8], before: u16, rows: &mut Rows) -> Option<&'a [u8]> {
    let (width, bytes) = bytes.split_first()?;
    let (packed, rest) = bytes.split_at_checked(usize::from(*width) * STRIDE)?;
    let (words, _) = packed.as_chunks::<STRIDE>();
    match width {
        0 => run(before, rows),
        1 => unpack::<1>(words.first_chunk()?, before, rows),
        2 => unpack::<2>(words.first_chunk()?, before, rows),
        3 => unpack::<3>(words.first_chunk()?, before, rows),
        4 => unpack::<4>(words.first_chunk()?, before, rows),
        5 => unpack::<5>(words.first_chunk()?, before, rows),
        6 => unpack::<6>(words.first_chunk()?, before, rows),
        7 => unpack::<7>(words.first_chunk()?, before, rows),
        8 => unpack::<8>(words.first_chunk()?, before, rows),
        9 => unpack::<9>(words.first_chunk()?, before, rows),
        10 => unpack::<10>(words.first_chunk()?, before, rows),
        11 => unpack::<11>(words.first_chunk()?, before, rows),
        12 => unpack::<12>(words.first_chunk()?, before, rows),
        13 => unpack::<13>(words.first_chunk()?, before, rows),
        14 => unpack::<14>(words.first_chunk()?, before, rows),
        15 => unpack::<15>(words.first_chunk()?, before, rows),
        16 => unpack::<16>(words.first_chunk()?, before, rows),
        _ => return None,
    }
    Some(rest)
}

/// 128 consecutive entries.
fn run(before: u16, rows: &mut Rows) {
    for (row, from) in rows.iter_mut().zip(1u16..) {
        for (entry, lane) in row.iter_mut().zip((0u16..).step_by(ROWS)) {
            *entry = before.wrapping_add(from + lane);
        }
    }
}

fn unpack<const W: usize>(words: &[[u8; STRIDE]; W], before: u16, rows: &mut Rows) {
    let mut sums = [0u16; LANES];
    // Written out, so that row and width are both constants.
    *rows = [
        row::<W, 0>(words, &mut sums),
        row::<W, 1>(words, &mut sums),
        row::<W, 2>(words, &mut sums),
        row::<W, 3>(words, &mut sums),
        row::<W, 4>(words, &mut sums),
        row::<W, 5>(words, &mut sums),
        row::<W, 6>(words, &mut sums),
        row::<W, 7>(words, &mut sums),
        row::<W, 8>(words, &mut sums),
        row::<W, 9>(words, &mut sums),
        row::<W, 10>(words, &mut sums),
        row::<W, 11>(words, &mut sums),
        row::<W, 12>(words, &mut sums),
        row::<W, 13>(words, &mut sums),
        row::<W, 14>(words, &mut sums),
        row::<W, 15>(words, &mut sums),
    ];
    // A lane starts where the lanes before it ended.
    let mut start = before;
    for sum in &mut sums {
        (*sum, start) = (start, start.wrapping_add(*sum));
    }
    for row in rows {
        for (entry, start) in row.iter_mut().zip(sums) {
            *entry = entry.wrapping_add(start);
        }
    }
}

/// Gap R of every lane, summed with the gaps before it. The indices are constants below W, `(16 W - 1) / 16` at most.
#[inline(always)]
fn row<const W: usize, const R: usize>(words: &[[u8; STRIDE]; W], sums: &mut Lanes) -> Lanes {
    let (word, shift) = (R * W / 16, R * W % 16);
    let mask = u16::MAX >> (16 - W);
    let low = lanes(&words[word]);
    let high = if shift + W > 16 { lanes(&words[word + 1]) } else { [0; LANES] };
    for lane in 0..LANES {
        let upper = if shift + W > 16 { high[lane] << (16 - shift) } else { 0 };
        let gap = (low[lane] >> shift | upper) & mask;
        sums[lane] = sums[lane].wrapping_add(gap).wrapping_add(1);
    }
    *sums
}

#[inline(always)]
fn lanes(bytes: &[u8; STRIDE]) -> Lanes {
    let mut lanes = [0; LANES];
    for (lane, pair) in lanes.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *lane = u16::from_le_bytes(*pair);
    }
    lanes
}

/// Reads the last block, of `length` entries, fewer than 128.
pub(super) fn read_part<'a>(
    bytes: &'a [u8],
    before: u16,
    length: usize,
    entries: &mut [u16; BLOCK],
) -> Option<&'a [u8]> {
    let (width, bytes) = bytes.split_first()?;
    let width = usize::from(*width);
    if width > 16 {
        return None;
    }
    let (packed, rest) = bytes.split_at_checked((length * width).div_ceil(8))?;
    let mut padded = [0; BLOCK * 2 + 4];
    padded.get_mut(..packed.len())?.copy_from_slice(packed);
    let mask = (1u32 << width) - 1;
    let mut entry = before;
    for (to, bit) in entries.iter_mut().take(length).zip((0..).step_by(width.max(1))) {
        let window = padded.get(bit / 8..)?.first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
        let gap = if width == 0 { 0 } else { (window >> (bit % 8) & mask) as u16 };
        entry = entry.wrapping_add(gap).wrapping_add(1);
        *to = entry;
    }
    Some(rest)
}
