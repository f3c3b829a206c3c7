use super::kernel::{Quick, Sums};
use super::nearest::{Found, Nearest};
use super::*;
use proptest::prelude::*;

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Small whole numbers make ties and zeros; the others are of every size.
fn embeddings(dim: usize) -> impl Strategy<Value = Vec<f32>> {
    let any = any::<f32>().prop_filter("finite", |x| x.is_finite());
    prop_oneof![
        prop::collection::vec((-2i8..3).prop_map(f32::from), dim),
        prop::collection::vec(-1.0f32..1.0, dim),
        prop::collection::vec(any, dim),
    ]
}

fn sets() -> impl Strategy<Value = (Vec<Vec<f32>>, usize)> {
    (1usize..40, 0usize..12).prop_flat_map(|(dim, k)| (prop::collection::vec(embeddings(dim), 1..60), Just(k)))
}

/// Every row, sorted: the definition.
fn naive(rows: &[Vec<f32>], probe: &[f32], k: usize) -> Vec<Found> {
    let scored = (0i64..).zip(rows).filter_map(|(id, row)| {
        let similarity = similarity(&bytes(probe), &bytes(row)).unwrap()?;
        Some(Found { id: id % 7 * 100 + id, similarity })
    });
    let mut found: Vec<Found> = scored.collect();
    found.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.id.cmp(&b.id)));
    found.truncate(k);
    found
}

fn searched(rows: impl Iterator<Item = (usize, Vec<u8>)>, probe: &[f32], k: usize) -> Nearest {
    let mut nearest = Nearest::new(&bytes(probe), k).unwrap();
    for (id, row) in rows {
        nearest.add((id % 7 * 100 + id) as i64, &row).unwrap();
    }
    nearest
}

proptest! {
    #[test]
    fn the_search_finds_what_looking_at_everything_finds((rows, k) in sets(), cut in 0usize..60) {
        let probe = &rows[0];
        let expected = naive(&rows, probe, k);
        let numbered = || rows.iter().map(|row| bytes(row)).enumerate();
        prop_assert_eq!(&searched(numbered(), probe, k).finish(), &expected);
        let backwards: Vec<_> = numbered().collect();
        prop_assert_eq!(&searched(backwards.into_iter().rev(), probe, k).finish(), &expected);
        // Split anywhere, one half sent to another process.
        let mut left = searched(numbered().take(cut), probe, k);
        let right = searched(numbered().skip(cut), probe, k).to_bytes().unwrap();
        left.merge(&Nearest::from_bytes(&right).unwrap()).unwrap();
        prop_assert_eq!(&left.finish(), &expected);
    }

    #[test]
    fn the_quick_cosine_is_within_its_error((rows, _) in sets()) {
        let a = bytes(&rows[0]);
        let quick = Quick::new(&a);
        for row in &rows {
            if let Some(cosine) = quick.cosine(&bytes(row)) {
                let exact = Sums::of(&a, &bytes(row)).cosine().unwrap();
                prop_assert!((f64::from(cosine) - exact).abs() <= quick.error, "{} {}", cosine, exact);
            }
        }
    }

    #[test]
    fn similarity_is_symmetric_bounded_and_one_with_itself((rows, _) in sets()) {
        let a = bytes(&rows[0]);
        for row in &rows {
            let b = bytes(row);
            let cosine = similarity(&a, &b).unwrap();
            prop_assert_eq!(cosine, similarity(&b, &a).unwrap());
            prop_assert!(cosine.is_none_or(|cosine| (-1.0..=1.0).contains(&cosine)));
            prop_assert_eq!(cosine.is_none(), [&rows[0], row].into_iter().any(|v| v.iter().all(|x| *x == 0.0)));
            let own = similarity(&b, &b).unwrap();
            prop_assert!(own.is_none_or(|own| own == 1.0), "{:?}", own);
        }
    }

    #[test]
    fn the_order_and_the_split_of_rows_do_not_change_a_mean((rows, _) in sets(), cut in 0usize..60) {
        let mean = |rows: &mut dyn Iterator<Item = &Vec<f32>>| {
            let mut mean = mean::Mean::default();
            rows.for_each(|row| mean.add(&bytes(row)).unwrap());
            mean
        };
        let whole = mean(&mut rows.iter()).finish().unwrap();
        prop_assert_eq!(&mean(&mut rows.iter().rev()).finish().unwrap(), &whole);
        let mut left = mean(&mut rows.iter().take(cut));
        let right = mean(&mut rows.iter().skip(cut)).to_bytes().unwrap();
        left.merge(&mean::Mean::from_bytes(&right).unwrap()).unwrap();
        prop_assert_eq!(&left.finish().unwrap(), &whole);
    }

    #[test]
    fn json_gives_the_numbers_back(row in embeddings(9)) {
        let json = to_json(&bytes(&row)).unwrap();
        prop_assert_eq!(from_json("embedding", &json).unwrap(), bytes(&row));
    }

    #[test]
    fn hostile_bytes_end_in_a_value_or_an_error(state in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = (Nearest::from_bytes(&state), dim("a", &state), to_json(&state));
        let _ = mean::Mean::from_bytes(&state).and_then(|mut mean| {
            mean.merge(&mean.clone())?;
            mean.finish()
        });
    }
}

#[test]
fn what_is_no_embedding_is_told() {
    let problem = |result: Result<Vec<u8>>| result.unwrap_err().message();
    assert_eq!(problem(from_json("e", "[]")), "e: is empty");
    assert_eq!(problem(from_json("e", "[1, 1e39]")), "e: number 2 is not finite");
    assert_eq!(problem(from_json("e", "[1, null]")), "e: is not a JSON array of numbers");
    assert_eq!(problem(from_json("e", "{}")), "e: is not a JSON array of numbers");
    assert_eq!(dim("e", &[0; 6]).unwrap_err().message(), "e: has 6 bytes, not a multiple of 4");
    assert_eq!(problem(from_doubles("e", &[0.0; 16_001])), "e: has 16001 numbers, more than 16000");
    assert_eq!(similarity(&bytes(&[1.0]), &bytes(&[1.0, 2.0])).unwrap_err().message(), "b: has 2 numbers, a has 1");
    assert_eq!(similarity(&bytes(&[0.0]), &bytes(&[1.0])), Ok(None));
    assert_eq!(check(&bytes(&[1.0]), 2).unwrap_err().message(), "dim: is 2, the embedding has 1 numbers");
}

#[test]
fn a_row_that_is_not_finite_is_named() {
    let mut nearest = Nearest::new(&bytes(&[1.0]), 3).unwrap();
    for wrong in [f32::NAN, f32::INFINITY] {
        let error = nearest.add(5, &bytes(&[wrong])).unwrap_err();
        assert_eq!(error.message(), "embedding: of 5 holds a number that is not finite");
    }
    assert!(nearest.add(6, &bytes(&[1.0, 2.0])).is_err());
}

#[test]
fn a_mean_of_more_than_its_rows_is_told() {
    let state = |rows: u64, sum: i64| [rows.to_le_bytes(), sum.to_le_bytes()].concat();
    assert!(mean::Mean::from_bytes(&state(2, -(2 << 36))).is_ok());
    for sum in [i64::MIN, (2 << 36) + 1, i64::MAX] {
        assert_eq!(mean::Mean::from_bytes(&state(2, sum)).map_err(|e| e.code()), Err("CORRUPT_STATE"));
    }
}
