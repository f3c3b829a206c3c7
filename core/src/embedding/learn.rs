//! Embeddings learned from who watched what: the first right singular vectors of the matrix of users and contents.
//!
//! Entry (u, i) of the matrix is (n_u n_i)^-1/4 when user u touched content i, with n_u the user's contents and n_i the
//! content's users, so that neither a heavy user nor a popular content decides alone. The vectors come from a randomised
//! subspace iteration (Halko, Martinsson and Tropp, "Finding structure with randomness", 2011, algorithm 4.4) from a fixed
//! start. A content's embedding is its row of V times the singular values, of length 1. (Of the
//! exponents tried on MovieLens' validation split, these gave both recommendations and neighbours of like genres.)
//!
//! Users are taken in the order of their ids' bytes and contents in that of their numbers, and every sum runs in that
//! order: the same events give the same bits, in whatever order the rows come and wherever it runs.

use crate::bytes::Reader;
use crate::taste::Taste;
use crate::{Error, Result};
use ndarray::{Array1, Array2, ArrayView1, Axis};
use std::collections::HashMap;

/// Rounds of the subspace iteration.
const ROUNDS: usize = 6;
/// Directions more than asked for, which the iteration converges faster with.
const SPARE: usize = 16;
/// The most numbers of a learned embedding.
pub const MAX_DIM: usize = 512;
/// Below this part of the largest singular value a direction is noise of rounding.
const NOISE: f64 = 1e-9;

/// Called every few milliseconds of work; an error ends it.
pub type Tick<'a> = &'a mut dyn FnMut() -> Result<()>;

/// Who touched what.
#[derive(Debug, Clone, Default)]
pub struct Interactions {
    users: Vec<(Box<str>, Vec<u32>)>,
    places: HashMap<i64, u32>,
}

impl Interactions {
    /// Adds a user, once, with the contents of a taste.
    pub fn add(&mut self, user: &str, taste: &[u8]) -> Result<()> {
        let taste = Taste::read(taste)?;
        let mut contents = Vec::new();
        contents.try_reserve_exact(taste.contents as usize)?;
        for content in taste.items() {
            self.places.try_reserve(1)?;
            let next = u32::try_from(self.places.len()).map_err(|_| Error::OutOfMemory)?;
            contents.push(*self.places.entry(content).or_insert(next));
        }
        if !contents.is_empty() {
            self.users.try_reserve(1)?;
            self.users.push((user.into(), contents));
        }
        Ok(())
    }

    /// In the order everything is summed in.
    fn sorted(mut self) -> Result<Matrix> {
        let mut contents: Vec<(i64, u32)> = Vec::new();
        contents.try_reserve_exact(self.places.len())?;
        contents.extend(self.places);
        contents.sort_unstable();
        let mut ranks: Vec<u32> = vec![0; contents.len()];
        for (rank, (_, place)) in (0u32..).zip(&contents) {
            if let Some(slot) = ranks.get_mut(*place as usize) {
                *slot = rank;
            }
        }
        self.users.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut matrix = Matrix {
            fingerprints: vec![0; contents.len()],
            scales: vec![0.0; contents.len()],
            contents: contents.into_iter().map(|(content, _)| content).collect(),
            users: Vec::new(),
        };
        matrix.users.try_reserve_exact(self.users.len())?;
        for (user, mut touched) in self.users {
            let hash = hash(user.as_bytes());
            touched.iter_mut().for_each(|place| *place = ranks.get(*place as usize).copied().unwrap_or(0));
            touched.sort_unstable();
            for place in touched.iter().map(|place| *place as usize) {
                if let (Some(scale), Some(fingerprint)) =
                    (matrix.scales.get_mut(place), matrix.fingerprints.get_mut(place))
                {
                    *scale += 1.0;
                    *fingerprint = fingerprint.wrapping_add(hash);
                }
            }
            matrix.users.push(touched);
        }
        matrix.scales.iter_mut().for_each(|users| *users = 1.0 / users.sqrt().sqrt());
        Ok(matrix)
    }

    /// Learns embeddings of so many numbers; none without interactions.
    pub fn learn(self, dim: usize, tick: Tick<'_>) -> Result<Option<Learned>> {
        check_dim(dim)?;
        let matrix = self.sorted()?;
        let contents = matrix.contents.len();
        if contents == 0 {
            return Ok(None);
        }
        let width = (dim + SPARE).min(contents);
        let mut basis = Array2::from_shape_fn((contents, width), |(row, column)| {
            matrix.contents.get(row).map_or(0.0, |content| start(*content, column))
        });
        for _ in 0..ROUNDS {
            orthonormalise(&mut basis, tick)?;
            basis = matrix.squared(&basis, tick)?;
        }
        orthonormalise(&mut basis, tick)?;
        let gram = symmetric(&basis, &matrix.squared(&basis, tick)?, tick)?;
        let (values, vectors) = eigen(gram, tick)?;
        let largest = values.first().copied().unwrap_or(0.0);
        let mut learned = Learned { dim, ..Learned::default() };
        learned.singular = (0..dim)
            .map(|i| values.get(i).copied().filter(|value| *value > largest * NOISE).map_or(0.0, f64::sqrt))
            .collect();
        learned.rows.try_reserve_exact(contents * dim)?;
        for row in basis.axis_iter(Axis(0)) {
            tick()?;
            let value = |i: usize| if i < width { row.dot(&vectors.column(i)) as f32 } else { 0.0 };
            learned.rows.extend((0..dim).map(value));
        }
        learned.basis = matrix.contents.clone();
        learned.contents = matrix.contents;
        learned.fingerprints = matrix.fingerprints;
        learned.embed()?;
        Ok(Some(learned))
    }

    /// The embeddings of all contents as they are now, folded into what was learned: a content is placed by its users, and
    /// they by the contents whose places were learned. What was learned stays as it is.
    pub fn fold_in(self, learned: &Learned, tick: Tick<'_>) -> Result<Learned> {
        let matrix = self.sorted()?;
        let (dim, contents) = (learned.dim, matrix.contents.len());
        let inverse: Array1<f64> = learned.singular.iter().map(|s| if *s > 0.0 { 1.0 / s } else { 0.0 }).collect();
        let mut known = Array2::zeros((contents, dim));
        for (content, mut row) in matrix.contents.iter().zip(known.axis_iter_mut(Axis(0))) {
            if let Some(place) = learned.place(*content) {
                row.assign(&place);
                row *= &inverse;
            }
        }
        let mut folded = matrix.squared(&known, tick)?;
        folded.axis_iter_mut(Axis(0)).for_each(|mut row| row *= &inverse);
        let mut out = Learned { dim, singular: learned.singular.clone(), ..Learned::default() };
        out.rows.try_reserve_exact(contents * dim)?;
        out.rows.extend(folded.iter().map(|x| *x as f32));
        (out.basis, out.contents, out.fingerprints) = (matrix.contents.clone(), matrix.contents, matrix.fingerprints);
        out.embed()?;
        Ok(out)
    }
}

/// An error when embeddings of so many numbers are not learned.
pub fn check_dim(dim: usize) -> Result<()> {
    match dim {
        1..=MAX_DIM => Ok(()),
        _ => Err(Error::invalid("dim", format!("{dim} is not between 1 and {MAX_DIM}"))),
    }
}

struct Matrix {
    /// Ascending.
    contents: Vec<i64>,
    /// Each content's number of users to the power of -1/4.
    scales: Vec<f64>,
    /// The sum of the hashes of each content's users.
    fingerprints: Vec<u64>,
    /// Each user's contents by their places, ascending.
    users: Vec<Vec<u32>>,
}

impl Matrix {
    /// The matrix, transposed, times itself times `right`, a user at a time.
    fn squared(&self, right: &Array2<f64>, tick: Tick<'_>) -> Result<Array2<f64>> {
        let width = right.ncols();
        let mut product = Array2::zeros((self.contents.len(), width));
        let mut of_user: Array1<f64> = Array1::zeros(width);
        let mut done = 0;
        for touched in &self.users {
            of_user.fill(0.0);
            let places = || touched.iter().map(|place| *place as usize);
            for place in places() {
                of_user.scaled_add(self.scales.get(place).copied().unwrap_or(0.0), &right.row(place));
            }
            of_user *= 1.0 / (touched.len() as f64).sqrt();
            for place in places() {
                let scale = self.scales.get(place).copied().unwrap_or(0.0);
                product.row_mut(place).scaled_add(scale, &of_user);
            }
            done += touched.len() * width;
            if done > 1_000_000 {
                done = 0;
                tick()?;
            }
        }
        Ok(product)
    }
}

/// A sign for each content and column, the start of the iteration: by hash, so that a content's does not depend on others.
fn start(content: i64, column: usize) -> f64 {
    let mut bytes = [0; 16];
    let numbers = content.to_le_bytes().into_iter().chain((column as u64).to_le_bytes());
    bytes.iter_mut().zip(numbers).for_each(|(to, byte)| *to = byte);
    if hash(&bytes) & 1 == 0 {
        1.0
    } else {
        -1.0
    }
}

/// 64-bit FNV-1a with MurmurHash3's finaliser, as experiments assign users.
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    for multiplier in [0xff51_afd7_ed55_8ccd_u64, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(multiplier);
    }
    hash ^ (hash >> 33)
}

/// Gram and Schmidt, each column twice; a column that depends on those before it becomes 0.
fn orthonormalise(columns: &mut Array2<f64>, tick: Tick<'_>) -> Result<()> {
    // Column by column in memory.
    let mut rows = columns.t().as_standard_layout().into_owned();
    for i in 0..rows.nrows() {
        let (before, mut from) = rows.view_mut().split_at(Axis(0), i);
        let mut row = from.row_mut(0);
        let whole = row.dot(&row).sqrt();
        for _ in 0..2 {
            for other in before.axis_iter(Axis(0)) {
                let along = row.dot(&other);
                row.scaled_add(-along, &other);
            }
            tick()?;
        }
        let length = row.dot(&row).sqrt();
        row *= if length > whole * 1e-12 { 1.0 / length } else { 0.0 };
    }
    columns.assign(&rows.t());
    Ok(())
}

/// `left` transposed times `right`, which is symmetric but for rounding: made so.
fn symmetric(left: &Array2<f64>, right: &Array2<f64>, tick: Tick<'_>) -> Result<Array2<f64>> {
    let (left, right) = (left.t().as_standard_layout().into_owned(), right.t().as_standard_layout().into_owned());
    let mut product = Array2::zeros((left.nrows(), left.nrows()));
    for (i, a) in left.axis_iter(Axis(0)).enumerate() {
        tick()?;
        for (j, b) in right.axis_iter(Axis(0)).enumerate() {
            if let Some(entry) = product.get_mut((i, j)) {
                *entry = a.dot(&b);
            }
        }
    }
    let transposed = product.t().to_owned();
    Ok((product + transposed) * 0.5)
}

/// Eigenvalues, descending, and eigenvectors as columns of a symmetric matrix, by Jacobi's rotations in the order of the
/// rows (Golub and Van Loan, section 8.5); a vector's largest number is above 0.
fn eigen(mut matrix: Array2<f64>, tick: Tick<'_>) -> Result<(Vec<f64>, Array2<f64>)> {
    let size = matrix.nrows();
    // Rows are rotated, so what would be the columns of the vectors is kept as rows.
    let mut vectors = Array2::eye(size);
    let at = |matrix: &Array2<f64>, i, j| matrix.get((i, j)).copied().unwrap_or(0.0);
    for _ in 0..60 {
        let mut largest = 0.0f64;
        for p in 0..size {
            tick()?;
            for q in p + 1..size {
                let off = at(&matrix, p, q);
                let scale = (at(&matrix, p, p) * at(&matrix, q, q)).abs().sqrt();
                if off.abs() <= scale * 1e-15 || off == 0.0 {
                    continue;
                }
                largest = largest.max(off.abs());
                let theta = (at(&matrix, q, q) - at(&matrix, p, p)) / (2.0 * off);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                rotate(&mut matrix, p, q, c, t * c);
                matrix.swap_axes(0, 1);
                rotate(&mut matrix, p, q, c, t * c);
                matrix.swap_axes(0, 1);
                rotate(&mut vectors, p, q, c, t * c);
            }
        }
        if largest == 0.0 {
            break;
        }
    }
    let mut order: Vec<(f64, usize)> = (0..size).map(|i| (at(&matrix, i, i), i)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut sorted = Array2::zeros((size, size));
    for (mut column, (_, i)) in sorted.axis_iter_mut(Axis(1)).zip(&order) {
        let row: ArrayView1<f64> = vectors.row(*i);
        let largest = row.iter().fold(0.0f64, |largest, x| if x.abs() > largest.abs() { *x } else { largest });
        column.assign(&row);
        column *= if largest < 0.0 { -1.0 } else { 1.0 };
    }
    Ok((order.into_iter().map(|(value, _)| value).collect(), sorted))
}

/// Rows p and q, turned.
fn rotate(matrix: &mut Array2<f64>, p: usize, q: usize, c: f64, s: f64) {
    let (mut above, mut below) = matrix.view_mut().split_at(Axis(0), q);
    let (mut p, mut q) = (above.row_mut(p), below.row_mut(0));
    p.iter_mut().zip(q.iter_mut()).for_each(|(x, y)| (*x, *y) = (c * *x - s * *y, s * *x + c * *y));
}

/// What was learned, and the embeddings that follow from it.
///
/// As bytes, little-endian: `L`, version 1; dim and the number of contents in the basis and of contents now (u32 each);
/// the singular values (f64); ids of the basis (i64) and its rows (f32); ids of contents now (i64), a fingerprint of the
/// users of each (u64), and the embeddings (f32).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Learned {
    dim: usize,
    singular: Vec<f64>,
    basis: Vec<i64>,
    rows: Vec<f32>,
    contents: Vec<i64>,
    fingerprints: Vec<u64>,
    embeddings: Vec<f32>,
}

impl Learned {
    /// A content's row of the basis.
    fn place(&self, content: i64) -> Option<Array1<f64>> {
        let at = self.basis.binary_search(&content).ok()?.checked_mul(self.dim)?;
        Some(self.rows.get(at..at + self.dim)?.iter().map(|x| f64::from(*x)).collect())
    }

    /// Embeddings from the basis, which holds the contents of now.
    fn embed(&mut self) -> Result<()> {
        self.embeddings.try_reserve_exact(self.rows.len())?;
        for row in self.rows.chunks_exact(self.dim.max(1)) {
            let weighted = || row.iter().zip(&self.singular).map(|(x, w)| f64::from(*x) * w);
            let length = weighted().fold(0.0, |sum, x| sum + x * x).sqrt();
            let scale = if length > 1e-30 { 1.0 / length } else { 0.0 };
            self.embeddings.extend(weighted().map(|x| (x * scale) as f32));
        }
        Ok(())
    }

    /// As bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let numbers = self.rows.len() + self.embeddings.len();
        out.try_reserve_exact(14 + 8 * (self.dim + self.basis.len() + 2 * self.contents.len()) + 4 * numbers)?;
        out.extend(MAGIC);
        for length in [self.dim, self.basis.len(), self.contents.len()] {
            out.extend(u32::try_from(length).map_err(|_| Error::OutOfMemory)?.to_le_bytes());
        }
        out.extend(self.singular.iter().flat_map(|x| x.to_le_bytes()));
        out.extend(self.basis.iter().flat_map(|x| x.to_le_bytes()));
        out.extend(self.rows.iter().flat_map(|x| x.to_le_bytes()));
        out.extend(self.contents.iter().flat_map(|x| x.to_le_bytes()));
        out.extend(self.fingerprints.iter().flat_map(|x| x.to_le_bytes()));
        out.extend(self.embeddings.iter().flat_map(|x| x.to_le_bytes()));
        Ok(out)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let view = View::read(bytes)?;
        let dim = view.singular.len();
        let singular: Vec<f64> = view.singular.iter().map(|x| f64::from_le_bytes(*x)).collect();
        let rows: Vec<f32> = view.rows.iter().map(|x| f32::from_le_bytes(*x)).collect();
        if !(singular.iter().all(|x| (0.0..1e12).contains(x)) && rows.iter().all(|x| (-2.0..=2.0).contains(x))) {
            return Err(DAMAGED);
        }
        Ok(Self {
            dim,
            singular,
            rows,
            basis: view.basis.iter().map(|x| i64::from_le_bytes(*x)).collect(),
            contents: view.contents.iter().map(|x| i64::from_le_bytes(*x)).collect(),
            fingerprints: view.fingerprints.iter().map(|x| u64::from_le_bytes(*x)).collect(),
            embeddings: view.embeddings.iter().map(|x| f32::from_le_bytes(*x)).collect(),
        })
    }
}

const MAGIC: [u8; 2] = [b'L', 1];
const DAMAGED: Error = Error::corrupt("learned", "is not what learn_embeddings makes");

/// What was learned, read in place.
pub struct View<'a> {
    singular: &'a [[u8; 8]],
    basis: &'a [[u8; 8]],
    rows: &'a [[u8; 4]],
    contents: &'a [[u8; 8]],
    fingerprints: &'a [[u8; 8]],
    embeddings: &'a [[u8; 4]],
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks every length; what passes cannot make the readers below fail.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut at = Reader::new(bytes, DAMAGED);
        if at.array()? != MAGIC {
            return Err(DAMAGED);
        }
        let mut length = || Ok::<_, Error>(u32::from_le_bytes(at.array()?) as usize);
        let (dim, basis, contents) = (length()?, length()?, length()?);
        if !(1..=MAX_DIM).contains(&dim) {
            return Err(DAMAGED);
        }
        let mut eights = |many: usize| Ok::<_, Error>(at.bytes(many.saturating_mul(8))?.as_chunks().0);
        let (singular, basis) = (eights(dim)?, eights(basis)?);
        let rows = at.bytes(basis.len().saturating_mul(dim * 4))?.as_chunks().0;
        let mut eights = |many: usize| Ok::<_, Error>(at.bytes(many.saturating_mul(8))?.as_chunks().0);
        let (contents, fingerprints) = (eights(contents)?, eights(contents)?);
        let bytes = at.bytes(contents.len().saturating_mul(dim * 4))?;
        if !at.is_empty() {
            return Err(DAMAGED);
        }
        Ok(Self { singular, basis, rows, contents, fingerprints, embeddings: bytes.as_chunks().0, bytes })
    }

    /// How many numbers an embedding has.
    pub fn dim(&self) -> usize {
        self.singular.len()
    }

    /// The contents with an embedding, ascending.
    pub fn contents(&self) -> impl Iterator<Item = i64> + 'a {
        self.contents.iter().map(|id| i64::from_le_bytes(*id))
    }

    /// A number that changes when a content's users do.
    pub fn fingerprint(&self, content: i64) -> Option<i64> {
        self.fingerprints.get(self.position(content)?).map(|x| i64::from_le_bytes(*x))
    }

    /// A content's embedding; none for a content without interactions, or whose users touched nothing that was learned.
    pub fn embedding(&self, content: i64) -> Option<&'a [u8]> {
        let width = self.dim() * 4;
        let at = self.position(content)?.checked_mul(width)?;
        let embedding = self.bytes.get(at..at + width)?;
        embedding.iter().any(|byte| *byte & 0x7f != 0).then_some(embedding)
    }

    fn position(&self, content: i64) -> Option<usize> {
        self.contents.binary_search_by_key(&content, |id| i64::from_le_bytes(*id)).ok()
    }
}
