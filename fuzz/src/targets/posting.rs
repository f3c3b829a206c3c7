//! Posting lists and blocks, what is collected for them, and the search over them.

use super::{number, row, tastes, text};
use crate::mutate::Parts;
use crate::{law, Target, Verdict};
use cotaste_core::block::{touching, BlockBuilder, SLOTS};
use cotaste_core::genre_order::GenreOrder;
use cotaste_core::neighbours::{
    counted, finalists, ordinals, reaching, similarity_at_most, Changed, Probe, Ranking, Waiting,
};
use cotaste_core::{fold, gather, posting};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

pub const TARGETS: &[Target] = &[
    Target {
        name: "posting",
        corpus: || with_changes(lists(), &[7, 0, 9, 0, 255, 255, 3, 0, 7, 0]),
        run: posting_lists,
    },
    Target {
        name: "posting_changes",
        corpus: || with_changes(lists(), &[7, 0, 1, 9, 0, 0, 255, 255, 1]),
        run: changes,
    },
    Target { name: "block", corpus: || with_changes(blocks(), &[3]), run: block },
    Target { name: "block_changes", corpus: blocks_with_changes, run: block_changes },
    Target { name: "gather", corpus: gathers, run: gathered },
    Target { name: "neighbours", corpus: searches, run: neighbours },
];

const ORDER: &str = r#"["drama","war","noir","a","b","c"]"#;

fn list(entries: impl IntoIterator<Item = u16>) -> Vec<u8> {
    posting::apply(None, &entries.into_iter().collect::<Vec<_>>(), &[]).unwrap().unwrap()
}

fn lists() -> Vec<Vec<u8>> {
    vec![
        list([7]),
        list([0, 65_535]),
        list((0..128).map(|i| i * 3)),
        list(100..500),
        list((0..300u32).map(|i| (i * i % 65_521) as u16)),
        list([1, 2, 3, 40_000, 40_001]),
    ]
}

fn with_changes(values: Vec<Vec<u8>>, changes: &[u8]) -> Vec<Parts> {
    values.into_iter().map(|value| vec![value, changes.to_vec()]).collect()
}

fn pairs(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Words, and pairs of bytes.
struct Counters(Box<[u16; posting::CHUNK]>, Box<[[u8; 2]; posting::CHUNK]>);

thread_local! {
    static COUNTERS: RefCell<Counters> =
        RefCell::new(Counters(Box::new([0; posting::CHUNK]), Box::new([[0; 2]; posting::CHUNK])));
}

/// Counts a list both ways and gives who was counted. The counters are used again, as filling them takes longer than all else.
fn count(bytes: &[u8]) -> Result<Option<BTreeMap<u16, u16>>, String> {
    COUNTERS.with_borrow_mut(|Counters(counters, in_bytes)| {
        let told = [posting::count(bytes, counters).is_ok(), posting::count_bytes(bytes, in_bytes).is_ok()];
        let mut counts = BTreeMap::new();
        if let (true, Ok(entries)) = (told[0], posting::entries(bytes)) {
            for entry in entries {
                counts.insert(entry, std::mem::take(&mut counters[usize::from(entry)]));
                let pair = std::mem::take(&mut in_bytes[usize::from(entry)]);
                law!(counts.get(&entry) == Some(&u16::from_le_bytes(pair)), "the two ways of counting {entry} differ");
            }
        } else {
            counters.fill(0);
            in_bytes.fill([0; 2]);
        }
        law!(told[0] == told[1], "one way of counting fails");
        Ok(told[0].then_some(counts))
    })
}

fn posting_lists(input: &[Vec<u8>]) -> Verdict {
    let (bytes, changes) = (&input[0], pairs(&input[1]));
    let (added, removed) = changes.split_at(changes.len() / 2);
    let counts = count(bytes)?;
    let members = [0xa5; 4096];
    let shared = posting::shared(bytes, &members);
    let Ok(entries) = posting::entries(bytes) else {
        law!(posting::bitmap(bytes).is_err() && posting::apply(Some(bytes), added, removed).is_err(), "some read it");
        return Ok(false);
    };
    law!(posting::len(bytes) == Ok(entries.len() as u32), "its length is not that of {} entries", entries.len());
    law!(counts.is_some_and(|c| c.len() == entries.len() && c.values().all(|n| *n == 1)), "counts are not 1 each");
    let is_member = |entry: &&u16| {
        entry.to_owned() >> 3 < 4096 && members[usize::from(**entry >> 3) % 4096] >> (**entry & 7) & 1 == 1
    };
    law!(shared == Ok(entries.iter().filter(is_member).count() as u32), "shares {shared:?}");
    let bitmap = posting::bitmap(bytes).map_err(|e| e.to_string())?;
    let bits: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
    law!(bits as usize == entries.len() && posting::shared(bytes, &bitmap) == Ok(bits), "its bitmap has {bits} bits");
    let mut expected: BTreeSet<u16> = entries.iter().copied().collect();
    law!(expected.len() == entries.len(), "an entry is there twice");
    same(posting::apply(Some(bytes), &[], &[]), &expected)?;
    removed.iter().for_each(|entry| _ = expected.remove(entry));
    expected.extend(added);
    same(posting::apply(Some(bytes), added, removed), &expected)?;
    Ok(true)
}

fn same(list: cotaste_core::Result<Option<Vec<u8>>>, expected: &BTreeSet<u16>) -> Result<(), String> {
    let list = list.map_err(|e| e.to_string())?;
    let entries = list.as_deref().map_or(Ok(Vec::new()), posting::entries).map_err(|e| e.to_string())?;
    law!(entries.iter().eq(expected), "{} entries, expected {}", entries.len(), expected.len());
    // Equal sets are equal bytes.
    law!(posting::apply(None, &entries, &[]) == Ok(list), "its bytes are not those of its set");
    Ok(())
}

fn changes(input: &[Vec<u8>]) -> Verdict {
    let (bytes, rows) = (&input[0], &input[1]);
    let got = fold::postings::apply(Some(bytes), rows);
    let Ok(entries) = posting::entries(bytes) else {
        law!(got.is_err(), "changes of what is no list");
        return Ok(false);
    };
    law!(got.is_ok() == rows.len().is_multiple_of(3), "{} bytes of changes give {got:?}", rows.len());
    if got.is_err() {
        return Ok(false);
    }
    let mut expected: BTreeSet<u16> = entries.into_iter().collect();
    let of = |added: bool| rows.chunks(3).filter(move |row| (row[2] == 1) == added);
    let entry = |row: &[u8]| u16::from_le_bytes([row[0], row[1]]);
    of(false).for_each(|row| _ = expected.remove(&entry(row)));
    expected.extend(of(true).map(entry));
    same(got, &expected)?;
    Ok(true)
}

fn blocks() -> Vec<Vec<u8>> {
    let order = GenreOrder::read(ORDER).unwrap();
    let of = |slots: &[u8]| {
        let mut block = BlockBuilder::new(None).unwrap();
        slots.iter().zip(tastes().iter().cycle()).for_each(|(slot, taste)| block.set(*slot, taste, &order).unwrap());
        block.finish().unwrap().unwrap()
    };
    vec![of(&[0]), of(&[1, 2, 3, 4, 255]), of(&(0..=255).collect::<Vec<_>>())]
}

fn block(input: &[Vec<u8>]) -> Verdict {
    let bytes = &input[0];
    let touching = touching(bytes);
    law!(touching.as_ref().is_ok_and(|n| *n as usize <= SLOTS) || touching.is_err(), "{touching:?} users");
    let Ok(mut built) = BlockBuilder::new(Some(bytes)) else { return Ok(false) };
    law!(touching.is_ok(), "it can be changed and not read");
    let again = built.clone().finish().map_err(|e| e.to_string())?;
    law!(again.as_ref().is_none_or(|again| again == bytes), "reading and writing changes it");
    let slot = input[1].first().copied().unwrap_or(0);
    built.clear(slot);
    let without = built.finish().map_err(|e| e.to_string())?;
    let users = without.as_deref().map_or(Ok(0), cotaste_core::block::touching);
    law!(users.is_ok_and(|users| Ok(users) == touching || Ok(users + 1) == touching), "clearing takes more than one");
    Ok(true)
}

fn blocks_with_changes() -> Vec<Parts> {
    let mut rows = Vec::new();
    for (slot, taste) in (0..).zip(tastes()) {
        let taste = (slot != 2).then_some(&taste[..]);
        row(&mut rows, fold::blocks::row_len(taste).unwrap(), |out| fold::blocks::write_row(out, slot * 60, taste));
    }
    blocks().into_iter().map(|block| vec![block, rows.clone(), ORDER.into()]).collect()
}

fn block_changes(input: &[Vec<u8>]) -> Verdict {
    let order = text(&input[2]);
    let Ok(block) = fold::blocks::apply(Some(&input[0]), &input[1], order) else { return Ok(false) };
    let Some(block) = block else { return Ok(true) };
    law!(fold::blocks::apply(Some(&block), &[], order) == Ok(Some(block.clone())), "no changes change it");
    law!(
        fold::blocks::apply(Some(&block), &input[1], order) == Ok(Some(block.clone())),
        "the same changes change it twice"
    );
    Ok(true)
}

fn rows(rows: &[(i64, i32, &[u8])]) -> Vec<u8> {
    let mut all = Vec::new();
    for (key, part, list) in rows {
        row(&mut all, gather::row_len(list).unwrap(), |out| gather::write_row(out, *key, *part, list));
    }
    all
}

fn gathers() -> Vec<Parts> {
    let sets: [&[(i64, i32, &[u8])]; 3] =
        [&[(7, 0, b"list"), (7, 1, b""), (-3, 2, b"other")], &[], &[(i64::MIN, i32::MAX, b"a"), (i64::MAX, 0, b"bb")]];
    sets.iter().map(|set| vec![rows(set), gather::finish(&rows(set)).unwrap(), 7i64.to_le_bytes().to_vec()]).collect()
}

fn gathered(input: &[Vec<u8>]) -> Verdict {
    let finished = gather::finish(&input[0]);
    if let Ok(value) = &finished {
        let read = gather::Gathered::read(value).map_err(|e| e.to_string())?;
        let all: Vec<_> = read.iter().collect();
        law!(all.is_sorted_by(|a, b| (a.0, a.1) <= (b.0, b.1)), "its rows are not in order");
        let bytes: usize = all.iter().map(|(_, _, list)| 16 + list.len()).sum();
        law!(bytes == input[0].len(), "a row is lost");
        law!(
            all.iter().all(|(key, part, list)| read.lists(*key).any(|own| own == (*part, *list))),
            "a row is not found"
        );
    }
    let forged = gather::Gathered::read(&input[1]);
    if let Ok(read) = &forged {
        law!(read.iter().count() * 12 < input[1].len(), "more rows than bytes");
        let _ = read.lists(number(&input[2])).count();
    }
    Ok(finished.is_ok() || forged.is_ok())
}

fn searches() -> Vec<Parts> {
    let (lists, blocks) = (lists(), blocks());
    let postings = [(550i64, 0, &lists[0][..]), (1, 0, &lists[3]), (2, 0, &lists[4]), (550, 1, &lists[1])];
    let (postings, blocks) = (rows(&postings), rows(&[(0, 0, &blocks[1]), (1, 0, &blocks[0]), (300, 0, &blocks[0])]));
    tastes().into_iter().map(|taste| vec![taste, postings.clone(), blocks.clone(), vec![2, 0, 5, 0]]).collect()
}

fn neighbours(input: &[Vec<u8>]) -> Verdict {
    let (taste, counters) = (&input[0], &input[3]);
    let _ = (counted(counters, number(counters) as i32), counted(counters, 0));
    let mut changed = Changed::default();
    changed.add(Some(number(counters)), Some(r#"["Drama","war"]"#));
    if similarity_at_most(taste, Some(taste), &changed, (0.7, 0.3)).is_ok_and(|most| !(0.0..=1.0).contains(&most)) {
        return Err("a bound out of range".to_string());
    }
    law!(ordinals(counters).is_ok() == reaching(counters, 0.5).is_ok(), "a bound decides what is read");
    if let Ok(mut waiting) = Waiting::new(taste) {
        waiting.add(0, number(counters) as u32, Some(number(counters)));
        waiting.add(u32::MAX, u32::MAX, None);
        let bounds = waiting.bounds(counters, (0.7, 0.3)).map_err(|e| e.to_string())?;
        law!(ordinals(&bounds).is_ok_and(|found| found.len() == 2), "{bounds:?}");
        law!(reaching(&bounds, 1.0).is_ok_and(|found| found.contains(&u32::MAX)), "{bounds:?}");
    }
    let Ok(order) = GenreOrder::read(ORDER) else { return Ok(false) };
    let Ok(probe) = Probe::new(taste, &order) else { return Ok(false) };
    let ranking = Ranking::new(probe, 0.7, 0.3, 5).map_err(|e| e.to_string())?;
    let (Ok(postings), Ok(blocks)) = (gather::finish(&input[1]), gather::finish(&input[2])) else { return Ok(false) };
    let (postings, blocks) = (gather::Gathered::read(&postings), gather::Gathered::read(&blocks));
    let (postings, blocks) = (postings.map_err(|e| e.to_string())?, blocks.map_err(|e| e.to_string())?);
    let excluded = [3];
    for (_, _, block) in blocks.iter() {
        let _ = ranking.clone().block(0, counters, block, &excluded).is_ok();
    }
    let Ok(found) = finalists(ranking, postings, blocks, taste, &excluded, || ()) else { return Ok(false) };
    law!(found.is_sorted() && !found.contains(&3), "{found:?}");
    Ok(true)
}
