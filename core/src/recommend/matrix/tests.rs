use super::super::{Gather, Settings};
use super::*;
use crate::taste::state;
use proptest::prelude::*;

/// A taste of contents alone.
pub(crate) fn taste(contents: &[i64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for content in contents {
        let at = bytes.len();
        bytes.resize(at + state::row_len(None).unwrap(), 0);
        state::write_row(&mut bytes[at..], Some(*content), None, None, 0.0).unwrap();
    }
    state::finish(&bytes).unwrap()
}

/// Users of the given contents, and a catalogue of `contents` contents with the given genres.
pub(crate) fn gather(users: &[Vec<i64>], genres: &[&str]) -> Gather {
    let mut gather = Gather::default();
    for (n, contents) in users.iter().enumerate() {
        gather.taste(&format!("u{n:03}"), &taste(contents)).unwrap();
    }
    for (id, genres) in (0i64..).zip(genres) {
        gather.content(id, Some(&format!("content {id}")), Some(genres)).unwrap();
    }
    gather
}

/// The inverse of a positive definite matrix, by Gauss and Jordan.
fn inverse(matrix: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = matrix.len();
    let mut work: Vec<Vec<f64>> = (0..n)
        .map(|i| matrix[i].iter().copied().chain((0..n).map(|j| if i == j { 1.0 } else { 0.0 })).collect())
        .collect();
    for i in 0..n {
        let pivot = work[i][i];
        work[i].iter_mut().for_each(|x| *x /= pivot);
        let row = work[i].clone();
        for (j, other) in work.iter_mut().enumerate().filter(|(j, _)| *j != i) {
            let factor = other[i];
            assert_ne!(i, j);
            other.iter_mut().zip(&row).for_each(|(x, y)| *x -= factor * y);
        }
    }
    work.into_iter().map(|row| row[n..].to_vec()).collect()
}

const GENRES: [&str; 6] =
    [r#"["Drama"]"#, r#"["Drama","War"]"#, r#"["Comedy"]"#, "[]", r#"["War","Comedy","drama"]"#, r#"["Comedy"]"#];

proptest! {
    #[test]
    fn the_solution_is_that_of_the_dense_equations(
        users in prop::collection::vec(prop::collection::btree_set(0i64..6, 0..6), 1..12),
        x in prop::array::uniform6(0.0f64..1.0),
        exponent in 0.0f64..1.0,
    ) {
        let users: Vec<Vec<i64>> = users.into_iter().map(|own| own.into_iter().collect()).collect();
        let settings = Settings { lambda: 3.0, heavy_users: exponent, steps: 12, ..Settings::default() };
        let matrix = Matrix::new(&gather(&users, &GENRES), &settings).unwrap();
        let sizes: Vec<f64> = users.iter().map(|own| own.len() as f64).collect();
        let raw: Vec<f64> = sizes.iter().map(|n| n.max(1.0).powf(-exponent)).collect();
        let scale = sizes.iter().sum::<f64>() / raw.iter().zip(&sizes).map(|(w, n)| w * n).sum::<f64>();
        let mut dense = vec![vec![0.0; 6]; 6];
        for (own, weight) in users.iter().zip(&raw) {
            for a in own {
                for b in own {
                    dense[*a as usize][*b as usize] += weight * scale;
                }
            }
        }
        for (i, row) in dense.iter_mut().enumerate() {
            for (j, entry) in row.iter_mut().enumerate() {
                let keys = |n: usize| -> Vec<String> { crate::genre::names(GENRES[n]).iter().map(|g| g.to_lowercase()).collect() };
                *entry += 4.0 * keys(i).iter().filter(|genre| keys(j).contains(genre)).count() as f64;
                *entry += if i == j { 3.0 } else { 0.0 };
            }
        }
        let expected: Vec<f64> =
            inverse(&dense).iter().map(|row| row.iter().zip(&x).map(|(m, x)| m * x).sum()).collect();
        let alone = matrix.solve(&x.map(|x| [x]), &|| Ok(())).unwrap();
        for (got, expected) in alone.iter().zip(&expected) {
            prop_assert!((got[0] - expected).abs() < 1e-9, "{:?}, expected {:?}", alone, expected);
        }
        let beside = matrix.solve(&x.map(|x| [0.5, x, 0.0]), &|| Ok(())).unwrap();
        prop_assert_eq!(beside.iter().map(|y| y[1].to_bits()).collect::<Vec<_>>(), alone.iter().map(|y| y[0].to_bits()).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_pending_gives_the_bits_of_what_is_folded(
        before in prop::collection::vec(prop::collection::btree_set(0i64..9, 0..6), 1..6),
        after in prop::collection::vec(prop::collection::btree_set(0i64..9, 0..6), 6..8),
        all in any::<bool>(),
        reversed in any::<bool>(),
    ) {
        let list = |users: &[std::collections::BTreeSet<i64>]| -> Vec<Vec<i64>> {
            users.iter().map(|own| own.iter().copied().collect()).collect()
        };
        let mut pending = gather(&list(&before), &GENRES);
        for (n, now) in after.iter().enumerate() {
            let user = format!("u{n:03}");
            let was = before.get(n).cloned().unwrap_or_default();
            let contents: Vec<i64> = if all { now.iter().copied().collect() } else { was.symmetric_difference(now).copied().collect() };
            if all {
                pending.change(&user, None, false);
            }
            contents.into_iter().for_each(|content| pending.change(&user, Some(content), now.contains(&content)));
        }
        if reversed {
            pending.tastes.reverse();
        }
        let folded = gather(&list(&after), &GENRES);
        let settings = Settings::default();
        let (pending, folded) = (Matrix::new(&pending, &settings).unwrap(), Matrix::new(&folded, &settings).unwrap());
        // A content that nobody touches any more and that is in no catalogue is a column less.
        let touched = |matrix: &Matrix| -> Vec<(i64, u32, u64)> {
            (0..matrix.contents.len()).filter(|j| matrix.counts[*j] > 0).map(|j| (matrix.contents[j], matrix.counts[j], matrix.diagonal[j].to_bits())).collect()
        };
        prop_assert_eq!(touched(&pending), touched(&folded));
        let x = |matrix: &Matrix| -> Vec<[f64; 1]> { matrix.contents.iter().map(|content| [1.0 / (*content as f64 + 2.0) * f64::from(u8::from(*content < 6))]).collect() };
        let score = |matrix: &Matrix| -> Vec<u64> {
            let mut x = x(matrix);
            matrix.score(&mut x, 0.4, &|| Ok(())).unwrap();
            matrix.contents.iter().zip(&x).filter(|(content, _)| **content < 6).map(|(_, x)| x[0].to_bits()).collect()
        };
        prop_assert_eq!(score(&pending), score(&folded));
    }
}
