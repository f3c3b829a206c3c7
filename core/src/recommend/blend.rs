//! How like a user's contents every content is, by a model's embeddings.

use super::gather::Gather;
use super::matrix::Matrix;
use super::probe::Probe;
use crate::embedding;
use crate::Result;

/// For each column the cosine to the mean of the user's contents, each of length 1 and weighted by what it counts; 0
/// where there is no embedding. `None` when none of the user's contents has one. Embeddings of another dimension than the
/// first of the user's contents, and those of length 0, count as none.
pub(super) fn likeness(gather: &Gather, matrix: &Matrix, probe: &Probe) -> Result<Option<Vec<f64>>> {
    let of = |column: usize| gather.embeddings.get(matrix.contents.get(column)?).map(|embedding| &**embedding);
    let mut mean: Vec<f64> = Vec::new();
    for (column, weight) in &probe.own {
        let Some(own) = of(*column) else { continue };
        let length = length(own);
        if length == 0.0 {
            continue;
        }
        if mean.is_empty() {
            mean.try_reserve_exact(own.len() / 4)?;
            mean.resize(own.len() / 4, 0.0);
        }
        if mean.len() == own.len() / 4 {
            let numbers = embedding::numbers(own);
            mean.iter_mut().zip(numbers).for_each(|(mean, x)| *mean += weight * f64::from(x) / length);
        }
    }
    let size = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
    if size == 0.0 {
        return Ok(None);
    }
    let mut likeness = Vec::new();
    likeness.try_reserve_exact(matrix.contents.len())?;
    likeness.extend((0..matrix.contents.len()).map(|column| {
        let other = of(column).filter(|other| other.len() / 4 == mean.len());
        let cosine = other.map(|other| {
            let dot: f64 = mean.iter().zip(embedding::numbers(other)).map(|(a, b)| a * f64::from(b)).sum();
            dot / (size * length(other))
        });
        cosine.filter(|cosine| cosine.is_finite()).unwrap_or_default()
    }));
    Ok(Some(likeness))
}

fn length(embedding: &[u8]) -> f64 {
    embedding::numbers(embedding).map(|x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}
