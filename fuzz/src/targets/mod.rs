//! The readers by what they read.

mod base;
mod context;
mod embedding;
mod events;
mod measures;
mod numbers;
mod posting;
mod recommend;
mod taste;
mod text;

use crate::mutate::Parts;
use crate::Target;

pub const ALL: [&[Target]; 10] = [
    context::TARGETS,
    text::TARGETS,
    taste::TARGETS,
    posting::TARGETS,
    base::TARGETS,
    measures::TARGETS,
    events::TARGETS,
    embedding::TARGETS,
    numbers::TARGETS,
    recommend::TARGETS,
];

/// Inputs of one text each.
fn texts(texts: &[&str]) -> Vec<Parts> {
    texts.iter().map(|text| vec![text.as_bytes().to_vec()]).collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// An argument of a fixed width; what is missing is 0.
fn number(bytes: &[u8]) -> i64 {
    let mut eight = [0; 8];
    eight.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    i64::from_le_bytes(eight)
}

/// Appends a row of `length` bytes.
fn row<E: std::fmt::Debug>(rows: &mut Vec<u8>, length: usize, write: impl FnOnce(&mut [u8]) -> Result<(), E>) {
    let at = rows.len();
    rows.resize(at + length, 0);
    write(&mut rows[at..]).unwrap();
}

/// A taste of contents and genres.
fn taste(contents: &[i64], genres: &[(&str, f64)]) -> Vec<u8> {
    use cotaste_core::taste::state::{finish, row_len, write_row};
    let mut rows = Vec::new();
    for content in contents {
        row(&mut rows, row_len(None).unwrap(), |out| write_row(out, Some(*content), None, None, 0.0));
    }
    for (genre, weight) in genres {
        let genres = format!("[{genre:?}]");
        row(&mut rows, row_len(Some(&genres)).unwrap(), |out| write_row(out, None, Some(&genres), Some(*weight), 0.0));
    }
    finish(&rows).unwrap()
}

/// A few tastes that differ in everything a taste has.
fn tastes() -> Vec<Vec<u8>> {
    let many: Vec<i64> = (0..200).map(|i| i * 7 % 3000).collect();
    vec![
        taste(&[], &[]),
        taste(&[550], &[("Drama", 1.5)]),
        taste(&[1, 2, 70_000, 9_000_000_000, -5, 4], &[("Drama", 3.0), ("Thriller", -0.5), ("Кино", 0.25)]),
        taste(&[i64::MIN, -1, 0, i64::MAX], &[("war", 1e300), ("noir", 1e-300)]),
        taste(&many, &[("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 0.0), ("e", 5e-324)]),
    ]
}
