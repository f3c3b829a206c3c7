use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Sets of every density, with runs, as they come and as they go.
fn numbers() -> impl Strategy<Value = Vec<u16>> {
    prop_oneof![
        prop::collection::vec(any::<u16>(), 0..20),
        prop::collection::vec(any::<u16>(), 0..2_000),
        prop::collection::vec(0u16..700, 0..1_500),
        (any::<u16>(), 0u16..1_000)
            .prop_map(|(from, length)| (0..length).map(|step| from.saturating_add(step)).collect()),
        (1u16..900, 0u16..50).prop_map(|(step, from)| (from..=u16::MAX).step_by(step.into()).collect()),
    ]
}

fn list_of(entries: &BTreeSet<u16>) -> Option<Vec<u8>> {
    apply(None, &entries.iter().copied().collect::<Vec<_>>(), &[]).unwrap()
}

fn zeros() -> Box<[u16; CHUNK]> {
    vec![0; CHUNK].try_into().unwrap()
}

fn counted(bytes: &[u8]) -> Result<Box<[u16; CHUNK]>> {
    let mut counters = zeros();
    count(bytes, &mut counters).map(|()| counters)
}

/// A shuffled-looking order that is the same every time.
fn pseudo_random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_list_is_a_set(first in numbers(), added in numbers(), removed in numbers()) {
        let list = apply(None, &first, &[]).unwrap();
        let changed = apply(list.as_deref(), &added, &removed).unwrap();
        let mut model: BTreeSet<u16> = first.iter().copied().collect();
        removed.iter().for_each(|entry| { model.remove(entry); });
        model.extend(&added);
        prop_assert_eq!(changed.is_none(), model.is_empty());
        if let Some(bytes) = changed {
            prop_assert_eq!(len(&bytes).unwrap() as usize, model.len());
            prop_assert_eq!(entries(&bytes).unwrap(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(bytes, list_of(&model).unwrap());
        }
    }

    #[test]
    fn any_order_and_any_split_give_the_same_bytes(mut all in numbers(), cut in any::<prop::sample::Index>()) {
        let whole = apply(None, &all, &[]).unwrap();
        let (left, right) = all.split_at(cut.index(all.len() + 1));
        let halves = apply(apply(None, right, &[]).unwrap().as_deref(), left, &[]).unwrap();
        prop_assert_eq!(&halves, &whole);
        all.reverse();
        prop_assert_eq!(&apply(None, &all, &all).unwrap(), &whole);
    }

    #[test]
    fn counting_adds_one_per_entry_and_stops_at_the_top(all in numbers(), start in prop_oneof![Just(0u16), Just(65_534)]) {
        let Some(bytes) = apply(None, &all, &[]).unwrap() else { return Ok(()) };
        let mut counters = zeros();
        counters.fill(start);
        let mut pairs: Box<[[u8; 2]; CHUNK]> = vec![start.to_le_bytes(); CHUNK].try_into().unwrap();
        let mut expected = counters.clone();
        for _ in 0..2 {
            count(&bytes, &mut counters).unwrap();
            count_bytes(&bytes, &mut pairs).unwrap();
        }
        for entry in entries(&bytes).unwrap() {
            expected[usize::from(entry)] = start.saturating_add(2);
        }
        prop_assert!(counters == expected);
        prop_assert!(pairs.iter().zip(expected.iter()).all(|(pair, counter)| *pair == counter.to_le_bytes()));
    }

    #[test]
    fn a_changed_byte_is_told(all in numbers(), at in any::<prop::sample::Index>(), by in 1u8..) {
        let Some(mut bytes) = apply(None, &all, &[]).unwrap() else { return Ok(()) };
        let at = at.index(bytes.len());
        bytes[at] ^= by;
        prop_assert_eq!(entries(&bytes).map_err(|e| e.code()), Err("CORRUPT_STATE"));
        prop_assert_eq!(apply(Some(&bytes), &[1], &[]).map_err(|e| e.code()), Err("CORRUPT_STATE"));
    }

    #[test]
    fn hostile_bytes_do_no_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..600), count_low in any::<u8>()) {
        let _ = (entries(&bytes), len(&bytes), counted(&bytes));
        if let [m0, m1, n0, n1, ..] = &mut bytes[..] {
            (*m0, *m1, *n0, *n1) = (b'P', 1, count_low, 0);
        }
        harmless(bytes);
    }

    #[test]
    fn hostile_bytes_with_a_right_checksum_do_no_harm(all in numbers(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in 0usize..4) {
        let Some(mut bytes) = apply(None, &all, &[]).unwrap() else { return Ok(()) };
        for (at, by) in changes {
            let at = at.index(bytes.len());
            bytes[at] ^= by;
        }
        bytes.truncate(bytes.len() - cut);
        harmless(bytes);
    }
}

/// Every reader ends in a value or an error, and what passes as a list is one.
fn harmless(mut bytes: Vec<u8>) {
    let _ = counted(&bytes);
    let crc = checksum(&bytes).to_le_bytes();
    bytes.iter_mut().skip(4).zip(crc).for_each(|(to, byte)| *to = byte);
    let _ = (len(&bytes), counted(&bytes), apply(Some(&bytes), &[5], &[6]));
    if let Ok(read) = entries(&bytes) {
        assert!(read.is_sorted_by(|a, b| a < b));
        assert_eq!(read.len(), len(&bytes).unwrap() as usize);
    }
}

#[test]
fn everybody_is_a_list() {
    let all: Vec<u16> = (0..=u16::MAX).collect();
    let bytes = apply(None, &all, &[]).unwrap().unwrap();
    assert_eq!(len(&bytes), Ok(65_536));
    assert_eq!(bytes.len(), HEAD + 512);
    assert_eq!(entries(&bytes), Ok(all));
}

#[test]
fn every_width_is_read_back() {
    let mut random = pseudo_random(1);
    for spread in 0..=16 {
        let mut entries = BTreeSet::new();
        let mut entry = 0u32;
        while entry < 65_536 {
            entries.insert(entry as u16);
            entry += 1 + (random() as u32 & ((1 << spread) - 1));
        }
        let bytes = list_of(&entries).unwrap();
        assert_eq!(super::entries(&bytes).unwrap(), entries.iter().copied().collect::<Vec<_>>());
        // Full blocks with one far gap and the widest one there is.
        let far: Vec<u16> = (0..64).chain(65_472 + spread..=65_535).collect();
        let bytes = apply(None, &far, &[]).unwrap().unwrap();
        assert_eq!(super::entries(&bytes).unwrap(), far);
        let far: Vec<u16> = (65_400..=65_535).collect();
        assert_eq!(super::entries(&apply(None, &far, &[]).unwrap().unwrap()).unwrap(), far);
    }
}

#[test]
fn an_entry_costs_at_most_eleven_bits_at_the_sizes_of_a_catalogue() {
    // Zipf-like popularity: content at rank r has the size 30,000 / r.
    let mut random = pseudo_random(2);
    let (mut bytes, mut entries) = (0, 0);
    for size in (1..=75).map(|rank| 30_000 / rank) {
        let mut users = BTreeSet::new();
        while users.len() < size {
            users.insert(random() as u16);
        }
        let list = list_of(&users).unwrap();
        assert!(list.len() as f64 <= 1.375 * size as f64, "{} bytes for {size}", list.len());
        (bytes, entries) = (bytes + list.len(), entries + size);
    }
    assert!((bytes as f64) < 1.0 * entries as f64, "{bytes} bytes for {entries}");
}
