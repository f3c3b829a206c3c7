//! Inputs: sound ones changed a little. What was accepted is changed further, so that changes add up.

use crate::random::Random;

/// The arguments of one execution.
pub type Parts = Vec<Vec<u8>>;

/// Longer inputs are not changed further: they cost time and reach nothing that shorter ones do not.
const LONGEST: usize = 16 << 10;
/// How many accepted inputs are kept.
const KEPT: usize = 256;

/// Numbers at the edge of something, also as lengths.
const EDGES: [u64; 14] =
    [0, 1, 2, 127, 128, 255, 256, 65_535, 65_536, 1 << 31, u32::MAX as u64, i64::MAX as u64, 1 << 63, u64::MAX];
/// What texts are made of.
const TOKENS: [&str; 40] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "1e999",
    "-0",
    "0.5",
    "1E-7",
    "18446744073709551616",
    "\\ud83c\\udfac",
    "\\udfac",
    "\\u0000",
    "\\u0041",
    "\u{feff}",
    " ",
    "\n",
    "\u{a0}",
    "é",
    "e\u{301}",
    "İ",
    "\0",
    "\"timeOfDay\":",
    "\"time_of_day\":",
    "\"device\":",
    "\"experimentVariant\":",
    "\"Drama\"",
    "\"drama\"",
    "Evening",
    "fri",
    "T",
    "Z",
    "+05:30",
    "-",
    ".",
];

pub struct Mutator {
    random: Random,
    corpus: Vec<Parts>,
    kept: Vec<Parts>,
    /// The longest of the corpus.
    length: usize,
}

impl Mutator {
    pub fn new(seed: u64, corpus: Vec<Parts>) -> Self {
        let length = corpus.iter().map(size).max().unwrap_or(0);
        Self { random: Random::new(seed), corpus, kept: Vec::new(), length }
    }

    /// An input; every sixteenth is one of the corpus as it is.
    pub fn next(&mut self) -> Parts {
        let random = &mut self.random;
        let of_kept = !self.kept.is_empty() && random.one_in(2);
        let mut input = random.pick(if of_kept { &self.kept } else { &self.corpus }).clone();
        if random.one_in(16) {
            return input;
        }
        let chosen = random.below(input.len());
        for (i, part) in input.iter_mut().enumerate() {
            if i == chosen || random.one_in(4) {
                let other = &random.pick(&self.corpus)[i];
                for _ in 0..=random.below(4) {
                    mutate(part, other, random);
                }
                if !random.one_in(8) {
                    seal(part);
                }
            }
        }
        input
    }

    /// Remembers an accepted input, in the place of another when there are many.
    pub fn keep(&mut self, input: Parts) {
        if size(&input) > LONGEST.min(self.length * 2 + 64) {
            return;
        }
        if self.kept.len() < KEPT {
            self.kept.push(input);
        } else if self.random.one_in(16) {
            let place = self.random.below(KEPT);
            self.kept[place] = input;
        }
    }
}

fn size(input: &Parts) -> usize {
    input.iter().map(Vec::len).sum()
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let near = |random: &mut Random, left: usize| random.below(left.min(16) + 1);
    match random.below(14) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        2 if at < bytes.len() => bytes[at] = random.next() as u8,
        3 if at < bytes.len() => bytes[at] = *random.pick(&[0, 1, 0x7f, 0x80, 0xff]),
        4 if at < bytes.len() => bytes[at] = bytes[at].wrapping_add(*random.pick(&[1, 2, 254, 255])),
        5 => bytes.truncate(at),
        6 => drop(bytes.drain(at..at + near(random, bytes.len() - at))),
        7 => {
            let again = bytes[at..at + near(random, bytes.len() - at)].to_vec();
            insert(bytes, at, &again);
        }
        // A number of one of the fixed widths.
        8 => {
            let number = random.pick(&EDGES).to_le_bytes();
            let width = *random.pick(&[1, 2, 4, 8]);
            bytes.iter_mut().skip(at).zip(&number[..width]).for_each(|(to, byte)| *to = *byte);
        }
        // A number of seven bits a byte in the place of another.
        9 => {
            let end = bytes[at..].iter().position(|byte| *byte < 0x80).map_or(bytes.len(), |more| at + more + 1);
            let mut number = *random.pick(&EDGES);
            let mut new = Vec::new();
            while number >= 0x80 {
                new.push(number as u8 | 0x80);
                number >>= 7;
            }
            new.push(number as u8);
            bytes.splice(at..end, new);
        }
        // The end of another one.
        10 => {
            bytes.truncate(at);
            bytes.extend(&other[random.below(other.len() + 1)..]);
        }
        // A piece of another one.
        11 => {
            let from = random.below(other.len() + 1);
            insert(bytes, at, &other[from..from + near(random, other.len() - from)]);
        }
        12 => insert(bytes, at, random.pick(&TOKENS).as_bytes()),
        _ => {
            let few: Vec<u8> = (0..random.below(9)).map(|_| random.next() as u8).collect();
            insert(bytes, at, &few);
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if bytes.len() + new.len() < 4 * LONGEST {
        bytes.splice(at..at, new.iter().copied());
    }
}

/// Puts the checksum right that the first two bytes ask for: else nothing behind it would ever be reached.
pub fn seal(bytes: &mut [u8]) {
    match bytes {
        // A posting list and a block: of all other bytes.
        [b'P' | b'B', 1, _, _, _, _, _, _, ..] => {
            let mut crc = crc32fast::Hasher::new();
            crc.update(&bytes[..4]);
            crc.update(&bytes[8..]);
            bytes[4..8].copy_from_slice(&crc.finalize().to_le_bytes());
        }
        // Moments: at the end, of all that comes before.
        [b'M', 1, 1, ..] if bytes.len() == MOMENTS => {
            let crc = crc32fast::hash(&bytes[..MOMENTS - 4]).to_le_bytes();
            bytes[MOMENTS - 4..].copy_from_slice(&crc);
        }
        // What was learned starts as sums of a taste do, but has no checksum: a number below 65,536 stands there.
        [b'L', 1, _, _, 0, 0, ..] => {}
        // Every other value: of what follows the head.
        [b'C' | b'L' | b'F' | b'M' | b'm' | b'E', 1..=2, _, _, _, _, ..] => {
            let crc = crc32fast::hash(&bytes[6..]).to_le_bytes();
            bytes[2..6].copy_from_slice(&crc);
        }
        _ => {}
    }
}

const MOMENTS: usize = cotaste_core::stats::Moments::BYTES;
