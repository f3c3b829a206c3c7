use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Row = (Option<i64>, Vec<&'static str>, f64, f64);

fn state_of(rows: &[Row]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (content, genres, weight, half_lives) in rows {
        let genres = serde_json::to_string(genres).unwrap();
        let at = bytes.len();
        bytes.resize(at + state::row_len(Some(&genres)).unwrap(), 0);
        state::write_row(&mut bytes[at..], *content, Some(&genres), Some(*weight), *half_lives).unwrap();
    }
    bytes
}

fn taste_of(rows: &[Row]) -> Vec<u8> {
    state::finish(&state_of(rows)).unwrap()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let content = prop_oneof![0i64..60, any::<i64>(), 65_500i64..65_600];
    let genres = prop::collection::vec(prop::sample::select(vec!["Drama", "drama", "Sci-Fi", "war", "Кино"]), 0..3);
    prop::collection::vec((prop::option::weighted(0.9, content), genres, -3.0..3.0f64, -100.0..100.0f64), 0..80)
}

/// The definition, straight: sets and maps.
fn naive(a: &[Row], b: &[Row]) -> (usize, f64, f64) {
    let items = |rows: &[Row]| rows.iter().filter_map(|r| r.0).collect::<BTreeSet<_>>();
    let genres = |rows: &[Row]| {
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        for (_, genres, weight, half_lives) in rows {
            for name in genres {
                *sums.entry(name.to_lowercase()).or_default() += weight * half_lives.exp2() / genres.len() as f64;
            }
        }
        sums.into_iter().map(|(k, w)| (k, w.max(0.0))).collect::<BTreeMap<_, _>>()
    };
    let (items_a, items_b) = (items(a), items(b));
    let shared = items_a.intersection(&items_b).count();
    let (genres_a, genres_b) = (genres(a), genres(b));
    let norm = |v: &BTreeMap<String, f64>| v.values().map(|w| w * w).sum::<f64>().sqrt();
    let dot: f64 = genres_a.iter().filter_map(|(k, w)| genres_b.get(k).map(|v| w * v)).sum();
    let norms = norm(&genres_a) * norm(&genres_b);
    let union = items_a.union(&items_b).count();
    (shared, if union == 0 { 0.0 } else { shared as f64 / union as f64 }, if norms > 0.0 { dot / norms } else { 0.0 })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn similarity_equals_sets_and_maps(a in rows(), b in rows()) {
        let parts = similarity(&taste_of(&a), &taste_of(&b)).unwrap();
        let (shared, jaccard, cosine) = naive(&a, &b);
        prop_assert_eq!(parts.shared_items as usize, shared);
        prop_assert_eq!(parts.jaccard, jaccard);
        // A sum that cancels to nothing is exactly 0 here and rounding noise there, so compare only clear cases.
        prop_assert!((parts.genre_cosine - cosine).abs() < 1e-6 || cancels(&a) || cancels(&b), "{} {}", parts.genre_cosine, cosine);
    }

    #[test]
    fn merging_equals_concatenating_in_any_order(mut all in rows(), cut in 0usize..80) {
        let whole = taste_of(&all);
        let cut = cut.min(all.len());
        let (left, right) = all.split_at(cut);
        let joined = [state_of(right), state::compact(&state_of(left)).unwrap()].concat();
        prop_assert_eq!(&state::finish(&joined).unwrap(), &whole);
        all.reverse();
        prop_assert_eq!(&taste_of(&all), &whole);
        prop_assert_eq!(&state::finish(&state::compact(&state::compact(&state_of(&all)).unwrap()).unwrap()).unwrap(), &whole);
    }

    #[test]
    fn rolling_up_one_taste_gives_it_back(all in rows()) {
        let taste = taste_of(&all);
        let mut state = vec![0; state::taste_len(&taste).unwrap()];
        state::write_taste(&mut state, &taste).unwrap();
        prop_assert_eq!(state::finish(&state).unwrap(), taste);
    }

    #[test]
    fn a_taste_is_like_itself_and_likeness_is_symmetric(a in rows(), b in rows()) {
        let (a, b) = (taste_of(&a), taste_of(&b));
        let own = similarity(&a, &a).unwrap();
        prop_assert!(own.jaccard == 1.0 || own.items_a == 0);
        prop_assert!(own.genre_cosine == 1.0 || own.genre_cosine == 0.0);
        let (ab, ba) = (similarity(&a, &b).unwrap(), similarity(&b, &a).unwrap());
        prop_assert_eq!((ab.jaccard, ab.genre_cosine, ab.shared_items), (ba.jaccard, ba.genre_cosine, ba.shared_items));
    }

    #[test]
    fn a_changed_byte_is_told(all in rows(), at in any::<prop::sample::Index>(), by in 1u8..) {
        let mut taste = taste_of(&all);
        let at = at.index(taste.len());
        taste[at] ^= by;
        prop_assert_eq!(similarity(&taste, &taste).map_err(|e| e.code()), Err("CORRUPT_STATE"));
        prop_assert_eq!(to_json(&taste[..at]).map_err(|e| e.code()), Err("CORRUPT_STATE"));
    }

    #[test]
    fn hostile_bytes_with_a_right_checksum_do_no_harm(all in rows(), at in any::<prop::sample::Index>(), by in any::<u8>()) {
        let mut taste = taste_of(&all);
        let at = at.index(taste.len());
        taste[at] ^= by;
        let crc = checksum(&taste[6..]).to_le_bytes();
        taste[2..6].copy_from_slice(&crc);
        let _ = (similarity(&taste, &taste), to_json(&taste), state::taste_len(&taste));
    }

    #[test]
    fn hostile_states_end_in_a_value_or_an_error(bytes in prop::collection::vec(0u8..5, 0..200)) {
        let _ = (state::finish(&bytes), state::compact(&bytes));
    }
}

fn cancels(rows: &[Row]) -> bool {
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (_, genres, weight, half_lives) in rows {
        for name in genres {
            let w = weight * half_lives.exp2() / genres.len() as f64;
            let sum = sums.entry(name.to_lowercase()).or_default();
            *sum = (sum.0 + w, sum.1 + w.abs());
        }
    }
    sums.values().any(|(sum, size)| sum.abs() < 1e-9 * size)
}

#[test]
fn a_taste_of_100_contents_and_20_genres_is_small() {
    let names: Vec<String> = (0..20).map(|g| format!("genre{g:02}")).collect();
    let mut bytes = Vec::new();
    for content in 0..100i64 {
        let genres = format!("[\"{}\"]", names[content as usize % 20]);
        let at = bytes.len();
        bytes.resize(at + state::row_len(Some(&genres)).unwrap(), 0);
        state::write_row(&mut bytes[at..], Some(content * 197), Some(&genres), Some(1.0), 0.0).unwrap();
    }
    let size = state::finish(&bytes).unwrap().len();
    assert!(size < 500, "{size} bytes");
}

#[test]
fn extreme_contents_survive() {
    let rows: Vec<Row> = [i64::MIN, -1, 0, 1, i64::MAX].map(|c| (Some(c), vec![], 1.0, 0.0)).into();
    let taste = taste_of(&rows);
    let read: Vec<i64> = Taste::read(&taste).unwrap().items().collect();
    assert_eq!(read, [i64::MIN, -1, 0, 1, i64::MAX]);
}

type Pair = Option<(bool, f64, f64)>;

/// A history of a user's pairs: which of a few contents, and what it becomes.
fn history() -> impl Strategy<Value = Vec<(usize, Pair)>> {
    let pair = prop::option::weighted(0.8, (any::<bool>(), prop_oneof![Just(0.0), -3.0..3.0f64], -80.0..80.0f64));
    prop::collection::vec((0usize..9, pair), 1..40)
}

const CATALOGUE: [(i64, &str); 9] = [
    (1, r#"["Drama"]"#),
    (2, r#"["drama","War"]"#),
    (-70_000, r#"["War","War","Comedy"]"#),
    (65_536, "[]"),
    (7, "no json"),
    (8, r#"["Sci-Fi"]"#),
    (9, r#"["Sci-Fi","Drama"]"#),
    (i64::MAX, r#"["Кино"]"#),
    (10, r#"["Comedy"]"#),
];

fn weight_of((_, weight, half_lives): (bool, f64, f64)) -> [u8; 16] {
    let mut sum = sum::ReproducibleSum::default();
    ledger::weight::add(&mut sum, weight, half_lives).unwrap();
    ledger::weight::of(&sum)
}

fn change(out: &mut Vec<u8>, at: usize, was: Pair, is: Pair) {
    let (content, genres) = CATALOGUE[at];
    let (was_weight, is_weight) = (was.map(weight_of), is.map(weight_of));
    let side = |pair: Pair, weight: &'static [u8]| pair.map(|pair| (pair.0, weight));
    let leak = |weight: Option<[u8; 16]>| weight.map_or(&[][..], |weight| Vec::leak(weight.to_vec()));
    let start = out.len();
    out.resize(start + ledger::changes::row_len(Some(genres)).unwrap(), 0);
    let (was, is) = (side(was, leak(was_weight)), side(is, leak(is_weight)));
    ledger::changes::write_row(&mut out[start..], content, Some(genres), was, is).unwrap();
}

proptest! {
    #[test]
    fn a_followed_taste_is_the_taste_of_its_pairs_bit_for_bit(history in history(), every in 1usize..5) {
        let mut pairs: [Pair; 9] = [None; 9];
        let mut followed: Option<ledger::Followed> = None;
        let mut pending = Vec::new();
        for (step, (at, is)) in history.into_iter().enumerate() {
            change(&mut pending, at, pairs[at], is);
            pairs[at] = is;
            if step % every != 0 {
                continue;
            }
            let (taste, sums) = (followed.as_ref().map(|f| &f.taste[..]), followed.as_ref().map(|f| &f.sums[..]));
            followed = ledger::apply(taste, sums, &pending).unwrap();
            pending.clear();
            let (mut rows, mut afresh) = (Vec::new(), Vec::new());
            for (at, pair) in pairs.into_iter().enumerate() {
                let Some(pair) = pair else { continue };
                change(&mut afresh, at, None, Some(pair));
                let (content, genres) = CATALOGUE[at];
                let (mantissa, exponent) = ledger::weight::read(&weight_of(pair)).unwrap();
                let start = rows.len();
                rows.resize(start + state::row_len(Some(genres)).unwrap(), 0);
                let content = pair.0.then_some(content);
                state::write_row(&mut rows[start..], content, Some(genres), Some(mantissa), exponent as f64).unwrap();
            }
            let afresh = ledger::apply(None, None, &afresh).unwrap();
            prop_assert_eq!(followed.is_none(), pairs.iter().all(Option::is_none));
            if let (Some(followed), Some(afresh)) = (&followed, &afresh) {
                prop_assert_eq!(&followed.taste, &state::finish(&rows).unwrap());
                prop_assert_eq!(&followed.taste, &afresh.taste);
                prop_assert_eq!(&followed.sums, &afresh.sums);
            }
        }
    }

    #[test]
    fn hostile_sums_and_changes_end_in_a_value_or_an_error(rows in rows(), mut sums in prop::collection::vec(0u8..9, 6..60), changes in prop::collection::vec(0u8..5, 0..120)) {
        let taste = taste_of(&rows);
        let crc = checksum(&sums[6..]).to_le_bytes();
        sums[..6].copy_from_slice(&[b'L', 1, crc[0], crc[1], crc[2], crc[3]]);
        let _ = (ledger::apply(Some(&taste), Some(&sums), &changes), ledger::apply(None, None, &changes));
    }
}
