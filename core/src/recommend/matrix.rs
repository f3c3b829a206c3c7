//! Users by contents, and the equations of EASE on it.
//!
//! X has a row a user and a column a content, 1 where the user touched the content; G a row a genre, 1 where the content
//! has it. A user weighs w_u = n_u^-a, scaled so that the touches weigh as many as there are. EASE (Steck 2019) with each
//! genre as a user of weight g^2 inverts
//!
//! ```text
//! M = X' diag(w) X + g^2 G' G + lambda I
//! ```
//!
//! and one user's scores need only M y = x, which conjugate gradients find without M: each step multiplies with X and G
//! and their transposes. Nothing is stored, so an event counts in the next answer.
//!
//! All sums run in the order of the users' ids and the contents' ids, whatever order the rows were read in: the same
//! rows give the same bits.

use super::gather::Gather;
use super::{Interrupt, Settings};
use crate::Result;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A sum that should be above 0 but is not, as rounding has it.
const LEAST: f64 = 1e-20;

/// Everybody's contents.
pub(super) struct Matrix {
    /// The columns' contents, ascending.
    pub(super) contents: Vec<i64>,
    /// How many rows are users; the others are genres.
    pub(super) users: usize,
    /// Where each row's columns begin; one more than there are rows.
    starts: Vec<usize>,
    /// The columns of all rows, ascending in a row.
    columns: Vec<u32>,
    /// Of the rows.
    weights: Vec<f64>,
    /// How many users touched a content.
    pub(super) counts: Vec<u32>,
    /// The same by weight.
    pub(super) weighted: Vec<f64>,
    /// The diagonal of M.
    pub(super) diagonal: Vec<f64>,
    lambda: f64,
    /// What a score is multiplied with.
    rarity: Vec<f64>,
    steps: usize,
    /// The catalogue's row of a column, if it has one.
    pub(super) rows: Vec<Option<u32>>,
    /// The keys of the genres, ascending.
    pub(super) genres: Vec<Box<str>>,
}

impl Matrix {
    pub(super) fn new(gather: &Gather, settings: &Settings) -> Result<Self> {
        let mut places = Places::default();
        places.reserve(gather.contents.len())?;
        for content in &gather.contents {
            places.add(content.id)?;
        }
        let mut touched: Vec<u32> = Vec::new();
        touched.try_reserve_exact(gather.touched.len())?;
        for content in &gather.touched {
            touched.push(places.add(*content)?);
        }
        let users = users(gather, &touched, &mut places)?;
        let (contents, columns_of) = places.sorted()?;

        let (genres, sets) = gather.genres();
        let mut by_genre: Vec<Vec<u32>> = vec![Vec::new(); genres.len()];
        let mut rows: Vec<Option<u32>> = Vec::new();
        rows.try_reserve_exact(contents.len())?;
        rows.resize(contents.len(), None);
        let in_catalogue = gather.contents.iter().map(|content| content.genres);
        // A catalogue's contents are the first places.
        for (row, (genres, column)) in (0u32..).zip(in_catalogue.zip(&columns_of)) {
            if let Some(to) = rows.get_mut(*column as usize) {
                *to = Some(row);
            }
            for genre in sets.get(genres).into_iter().flatten() {
                if let Some(columns) = by_genre.get_mut(*genre) {
                    columns.try_reserve(1)?;
                    columns.push(*column);
                }
            }
        }

        let mut matrix = Self {
            users: users.len(),
            starts: vec![0],
            columns: Vec::new(),
            weights: Vec::new(),
            counts: vec![0; contents.len()],
            weighted: vec![0.0; contents.len()],
            diagonal: vec![settings.lambda; contents.len()],
            contents,
            lambda: settings.lambda,
            rarity: Vec::new(),
            steps: settings.steps,
            rows,
            genres: genres.into_iter().map(Into::into).collect(),
        };
        let entries =
            users.iter().map(|(_, own)| own.len()).sum::<usize>() + by_genre.iter().map(Vec::len).sum::<usize>();
        matrix.columns.try_reserve_exact(entries)?;
        for (_, own) in &users {
            let own = own.iter().filter_map(|place| columns_of.get(*place as usize).copied());
            matrix.row(own, 0.0);
        }
        matrix.weigh(settings.heavy_users)?;
        for columns in by_genre {
            matrix.row(columns.into_iter(), settings.genre_weight * settings.genre_weight);
        }
        matrix.sum_columns();
        matrix.rarity.try_reserve_exact(matrix.contents.len())?;
        matrix.rarity.extend(matrix.weighted.iter().map(|touches| libm::pow(1.0 + touches, -settings.novelty)));
        Ok(matrix)
    }

    fn row(&mut self, columns: impl Iterator<Item = u32>, weight: f64) {
        let start = self.columns.len();
        self.columns.extend(columns);
        if let Some(own) = self.columns.get_mut(start..) {
            own.sort_unstable();
        }
        self.starts.push(self.columns.len());
        self.weights.push(weight);
    }

    /// The more a user touched, the less each touch weighs.
    fn weigh(&mut self, exponent: f64) -> Result<()> {
        let mut sizes: Vec<f64> = Vec::new();
        sizes.try_reserve_exact(self.weights.len())?;
        sizes.extend(self.starts.windows(2).map(|ends| match ends {
            [start, end] => (end - start) as f64,
            _ => 0.0,
        }));
        let mut sum = 0.0;
        for (weight, size) in self.weights.iter_mut().zip(&sizes) {
            *weight = libm::pow(size.max(1.0), -exponent);
            sum += *weight * size;
        }
        let all: f64 = sizes.iter().sum();
        if sum > 0.0 {
            self.weights.iter_mut().for_each(|weight| *weight *= all / sum);
        }
        Ok(())
    }

    fn sum_columns(&mut self) {
        let (mut counts, mut weighted) = (std::mem::take(&mut self.counts), std::mem::take(&mut self.weighted));
        let mut diagonal = std::mem::take(&mut self.diagonal);
        for (row, (columns, weight)) in self.rows().enumerate() {
            for column in columns {
                let column = *column as usize;
                if let Some(sum) = diagonal.get_mut(column) {
                    *sum += weight;
                }
                if row < self.users {
                    if let (Some(count), Some(sum)) = (counts.get_mut(column), weighted.get_mut(column)) {
                        *count += 1;
                        *sum += weight;
                    }
                }
            }
        }
        (self.counts, self.weighted, self.diagonal) = (counts, weighted, diagonal);
    }

    /// The columns and the weight of each row: the users', then the genres'.
    fn rows(&self) -> impl Iterator<Item = (&[u32], f64)> {
        let ends = self.starts.windows(2).map(|ends| match ends {
            [start, end] => self.columns.get(*start..*end).unwrap_or_default(),
            _ => &[],
        });
        ends.zip(self.weights.iter().copied())
    }

    /// The columns and the weight of each user.
    pub(super) fn user_rows(&self) -> impl Iterator<Item = (&[u32], f64)> {
        self.rows().take(self.users)
    }

    /// The columns of a genre.
    pub(super) fn genre_row(&self, genre: usize) -> &[u32] {
        let row = self.users + genre;
        match self.starts.get(row..row + 2) {
            Some([start, end]) => self.columns.get(*start..*end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// How many touches there are.
    pub(super) fn touches(&self) -> usize {
        self.starts.get(self.users).copied().unwrap_or_default()
    }

    /// The column of a content.
    pub(super) fn column(&self, content: i64) -> Option<usize> {
        self.contents.binary_search(&content).ok()
    }

    /// The scores of L users side by side, each the same to the last bit as alone: `x` holds for each column how much
    /// each of them is taken to have touched it, and becomes the scores: x_j - y_j (lambda + kappa c_j), which is what
    /// EASE predicts when 1 / (M^-1)_jj is taken to be lambda + kappa c_j, c_j being the touches of j by weight; times
    /// (1 + c_j)^-novelty.
    pub(super) fn score<const L: usize>(&self, x: &mut [[f64; L]], kappa: f64, interrupt: Interrupt<'_>) -> Result<()> {
        let y = self.solve(x, interrupt)?;
        for (((x, y), c), rarity) in x.iter_mut().zip(&y).zip(&self.weighted).zip(&self.rarity) {
            for (x, y) in x.iter_mut().zip(y) {
                *x = (*x - y * (self.lambda + kappa * c)) * rarity;
            }
        }
        Ok(())
    }

    /// Conjugate gradients with the diagonal as preconditioner, from 0, so many steps.
    pub(super) fn solve<const L: usize>(&self, b: &[[f64; L]], interrupt: Interrupt<'_>) -> Result<Vec<[f64; L]>> {
        let zeros = || -> Result<Vec<[f64; L]>> {
            let mut zeros = Vec::new();
            zeros.try_reserve_exact(b.len())?;
            zeros.resize(b.len(), [0.0; L]);
            Ok(zeros)
        };
        let (mut y, mut r, mut p, mut mp) = (zeros()?, zeros()?, zeros()?, zeros()?);
        r.copy_from_slice(b);
        let mut rz = [0.0; L];
        for ((r, p), d) in r.iter().zip(&mut p).zip(&self.diagonal) {
            for l in 0..L {
                p[l] = r[l] / d;
                rz[l] += r[l] * p[l];
            }
        }
        for _ in 0..self.steps {
            interrupt()?;
            self.multiply(&p, &mut mp);
            let mut pmp = [0.0; L];
            for (p, mp) in p.iter().zip(&mp) {
                for l in 0..L {
                    pmp[l] += p[l] * mp[l];
                }
            }
            let mut alpha = [0.0; L];
            for l in 0..L {
                alpha[l] = rz[l] / pmp[l].max(LEAST);
            }
            let mut next = [0.0; L];
            for ((((y, r), p), mp), d) in y.iter_mut().zip(&mut r).zip(&p).zip(&mp).zip(&self.diagonal) {
                for l in 0..L {
                    y[l] += alpha[l] * p[l];
                    r[l] -= alpha[l] * mp[l];
                    next[l] += r[l] * (r[l] / d);
                }
            }
            for ((p, r), d) in p.iter_mut().zip(&r).zip(&self.diagonal) {
                for l in 0..L {
                    p[l] = r[l] / d + next[l] / rz[l].max(LEAST) * p[l];
                }
            }
            rz = next;
        }
        Ok(y)
    }

    /// `to` = M `p`.
    fn multiply<const L: usize>(&self, p: &[[f64; L]], to: &mut [[f64; L]]) {
        for (to, p) in to.iter_mut().zip(p) {
            for l in 0..L {
                to[l] = self.lambda * p[l];
            }
        }
        for (columns, weight) in self.rows() {
            let mut sum = [0.0; L];
            for column in columns {
                let Some(p) = p.get(*column as usize) else { continue };
                for l in 0..L {
                    sum[l] += p[l];
                }
            }
            sum.iter_mut().for_each(|sum| *sum *= weight);
            for column in columns {
                let Some(to) = to.get_mut(*column as usize) else { continue };
                for l in 0..L {
                    to[l] += sum[l];
                }
            }
        }
    }
}

/// Everybody's places of contents by the bytes of the ids, what is pending applied; who has none is nobody.
fn users<'a>(gather: &'a Gather, touched: &[u32], places: &mut Places) -> Result<Vec<(&'a str, Vec<u32>)>> {
    let mut users: Vec<(&str, Vec<u32>)> = Vec::new();
    users.try_reserve(gather.tastes.len())?;
    let mut folded: Vec<&str> = Vec::new();
    for (user, range) in &gather.tastes {
        let own = touched.get(range.clone()).unwrap_or_default();
        let own = match gather.changes.get(user) {
            None => copy(own)?,
            Some(changes) => {
                folded.push(user);
                changes.apply(own, gather.touched.get(range.clone()).unwrap_or_default(), places)?
            }
        };
        users.push((user, own));
    }
    folded.sort_unstable();
    for (user, changes) in &gather.changes {
        if folded.binary_search(&&**user).is_err() {
            users.push((user, changes.apply(&[], &[], places)?));
        }
    }
    users.retain(|(_, own)| !own.is_empty());
    users.sort_unstable_by_key(|(user, _)| *user);
    Ok(users)
}

impl super::gather::Changes {
    /// The contents of a folded taste and their places, as they are now.
    fn apply(&self, own: &[u32], contents: &[i64], places: &mut Places) -> Result<Vec<u32>> {
        let mut now = Vec::new();
        now.try_reserve(own.len() + self.contents.len())?;
        if !self.all {
            let kept = own.iter().zip(contents).filter(|(_, content)| !self.contents.contains_key(*content));
            now.extend(kept.map(|(place, _)| *place));
        }
        for (content, touched) in &self.contents {
            if *touched {
                now.push(places.add(*content)?);
            }
        }
        Ok(now)
    }
}

fn copy(columns: &[u32]) -> Result<Vec<u32>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(columns.len())?;
    copy.extend_from_slice(columns);
    Ok(copy)
}

/// Contents numbered as they come.
#[derive(Default)]
struct Places {
    places: HashMap<i64, u32, BuildHasherDefault<Mix>>,
    contents: Vec<i64>,
}

impl Places {
    fn reserve(&mut self, more: usize) -> Result<()> {
        self.places.try_reserve(more)?;
        Ok(self.contents.try_reserve(more)?)
    }

    fn add(&mut self, content: i64) -> Result<u32> {
        if let Some(place) = self.places.get(&content) {
            return Ok(*place);
        }
        self.reserve(1)?;
        let place = u32::try_from(self.contents.len()).map_err(|_| crate::Error::OutOfMemory)?;
        self.places.insert(content, place);
        self.contents.push(content);
        Ok(place)
    }

    /// The contents ascending, and the column of each place.
    fn sorted(self) -> Result<(Vec<i64>, Vec<u32>)> {
        let mut order: Vec<(i64, u32)> = Vec::new();
        order.try_reserve_exact(self.contents.len())?;
        order.extend(self.contents.into_iter().zip(0..));
        order.sort_unstable();
        let mut columns = Vec::new();
        columns.try_reserve_exact(order.len())?;
        columns.resize(order.len(), 0);
        for (column, (_, place)) in (0u32..).zip(&order) {
            if let Some(to) = columns.get_mut(*place as usize) {
                *to = column;
            }
        }
        Ok((order.into_iter().map(|(content, _)| content).collect(), columns))
    }
}

/// The finaliser of splitmix64: ids that follow each other are spread.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, value: u64) {
        let x = (self.0 ^ value).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = x ^ (x >> 31);
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
pub(super) mod tests;
