//! The inner loops. Sums go by lanes, so that the compiler makes vector instructions of them, and in an order that
//! depends on nothing but the dimension.

const LANES: usize = 16;
type Block = [u8; 4 * LANES];

fn read(block: &Block) -> [f32; LANES] {
    let (numbers, _) = block.as_chunks::<4>();
    let mut out = [0.0; LANES];
    for (to, from) in out.iter_mut().zip(numbers) {
        *to = f32::from_le_bytes(*from);
    }
    out
}

/// What does not fill a block, filled with zeros, which change no sum.
fn padded(rest: &[u8]) -> Block {
    let mut block = [0; 4 * LANES];
    for (to, from) in block.iter_mut().zip(rest) {
        *to = *from;
    }
    block
}

/// The products of two embeddings summed in double precision.
pub struct Sums {
    pub dot: f64,
    pub a_squared: f64,
    pub b_squared: f64,
}

impl Sums {
    /// Of two embeddings of one dimension.
    pub fn of(a: &[u8], b: &[u8]) -> Self {
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks(), b.as_chunks());
        let mut sums = [[0.0f64; LANES]; 3];
        let mut add = |a: &Block, b: &Block| {
            let (a, b) = (read(a), read(b));
            let [dot, a_squared, b_squared] = &mut sums;
            let sums = dot.iter_mut().zip(a_squared).zip(b_squared);
            for (((dot, a_squared), b_squared), (x, y)) in sums.zip(a.into_iter().zip(b)) {
                let (x, y) = (f64::from(x), f64::from(y));
                *dot += x * y;
                *a_squared += x * x;
                *b_squared += y * y;
            }
        };
        a.iter().zip(b).for_each(|(a, b)| add(a, b));
        add(&padded(a_rest), &padded(b_rest));
        let [dot, a_squared, b_squared] = sums.map(total);
        Self { dot, a_squared, b_squared }
    }

    /// The cosine; none when one side is zero.
    pub fn cosine(&self) -> Option<f64> {
        let squares = self.a_squared * self.b_squared;
        // Adding 0 makes -0 plain 0, which it ties with.
        (squares > 0.0).then(|| (self.dot / squares.sqrt()).clamp(-1.0, 1.0) + 0.0)
    }
}

fn total(lanes: [f64; LANES]) -> f64 {
    lanes.chunks_exact(4).map(|l| l.iter().sum::<f64>()).sum()
}

/// One side of many quick comparisons.
#[derive(Debug, Clone)]
pub struct Quick {
    blocks: Vec<[f32; LANES]>,
    length: f32,
    /// How far [`Self::cosine`] may be off at most.
    pub error: f64,
}

impl Quick {
    pub fn new(a: &[u8]) -> Self {
        let (blocks, rest) = a.as_chunks();
        let blocks: Vec<[f32; LANES]> = blocks.iter().chain(std::iter::once(&padded(rest))).map(read).collect();
        let squares: f64 = blocks.iter().flatten().map(|x| f64::from(*x) * f64::from(*x)).sum();
        // A sum of m terms of single precision is off by at most m * 2^-24 of the sum of the terms' sizes (Higham 2002,
        // section 4.2), here m = blocks + 3 and the rounding of the products; the sizes sum to at most the product of the
        // lengths (Cauchy and Schwarz). The length of the other side, the root and the quotient are off by less than the
        // same again. Twice all that leaves room for the second order.
        let error = 4.0 * (blocks.len() as f64 + 8.0) * 2f64.powi(-24);
        Self { blocks, length: squares.sqrt() as f32, error }
    }

    /// The cosine in single precision, off by at most `error`; none where that is not certain.
    pub fn cosine(&self, b: &[u8]) -> Option<f32> {
        let (blocks, rest) = b.as_chunks();
        let (mut dot, mut squares) = ([0.0f32; LANES], [0.0f32; LANES]);
        let mut add = |a: &[f32; LANES], b: &Block| {
            for ((dot, squares), (x, y)) in dot.iter_mut().zip(&mut squares).zip(a.iter().zip(read(b))) {
                *dot += x * y;
                *squares += y * y;
            }
        };
        self.blocks.iter().zip(blocks).for_each(|(a, b)| add(a, b));
        if let (false, Some(last)) = (rest.is_empty(), self.blocks.last()) {
            add(last, &padded(rest));
        }
        // Pairs first: as many roundings for each term as the bound above counts.
        let total = |l: [f32; LANES]| {
            let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = l;
            ((a + b) + (c + d)) + ((e + f) + (g + h)) + (((i + j) + (k + l)) + ((m + n) + (o + p)))
        };
        let (dot, squares) = (total(dot), total(squares));
        // Inside these nothing that counts is lost below the smallest number, and nothing overflows.
        let sound = |x: f32| (1e-12..1e12).contains(&x);
        (sound(self.length) && sound(squares)).then(|| dot / (self.length * squares.sqrt()))
    }
}
