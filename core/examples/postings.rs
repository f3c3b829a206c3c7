//! What counting posting lists and bounding users cost: nanoseconds and bytes an entry, nanoseconds a user; first on
//! random sets, then for searches among 100,000 made-up users of 20,000 contents.
//! `cargo run --release -p cotaste-core --example postings`

use cotaste_core::block::{BlockBuilder, SLOTS};
use cotaste_core::genre_order::{self, GenreOrder};
use cotaste_core::neighbours::{Probe, Ranking};
use cotaste_core::posting;
use cotaste_core::taste::state;
use std::collections::BTreeSet;
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

/// Repeats until enough time has passed; the quickest of five, in nanoseconds a unit.
fn measure(units: usize, mut run: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let rounds = (4_000_000 / units).max(1);
        let start = Instant::now();
        for _ in 0..rounds {
            run()?;
        }
        best = best.min(start.elapsed().as_nanos() as f64 / (rounds * units) as f64);
    }
    Ok(best)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1, without 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn lists(size: usize, random: &mut Random) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut lists = Vec::new();
    for _ in 0..(200_000 / size).clamp(4, 200) {
        let mut users = BTreeSet::new();
        while users.len() < size {
            users.insert(random.next() as u16);
        }
        let users: Vec<u16> = users.into_iter().collect();
        lists.extend(posting::apply(None, &users, &[])?);
    }
    Ok(lists)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut random = Random(7);
    let mut counters: Box<[u16; posting::CHUNK]> = vec![0; posting::CHUNK].try_into().map_err(|_| "no memory")?;
    println!("entries  bytes/entry  count ns/entry");
    for size in [20, 100, 400, 1_000, 3_000, 10_000, 30_000, 65_536] {
        let lists = lists(size, &mut random)?;
        let bytes: usize = lists.iter().map(Vec::len).sum();
        let time = measure(size * lists.len(), || {
            for list in &lists {
                posting::count(black_box(list), &mut counters)?;
            }
            Ok(())
        })?;
        println!("{size:>7}  {:>11.3}  {time:>14.3}", bytes as f64 / (size * lists.len()) as f64);
    }
    black_box(&counters);
    searches(&mut random)
}

const USERS: usize = 100_000;
const CONTENTS: usize = 20_000;
const GENRES: usize = 19;

/// A user likes three genres, and looks for a content by popularity until it is of one of them, or gives in.
fn contents_of_user(random: &mut Random) -> BTreeSet<usize> {
    let liked = [(); 3].map(|()| random.next() as usize % GENRES);
    let size = 10 + (random.fraction().powi(3) * 190.0) as usize;
    let mut contents = BTreeSet::new();
    while contents.len() < size {
        // Zipf-like: the logarithm of the rank is even.
        let content = ((CONTENTS as f64).powf(random.fraction())) as usize - 1;
        if liked.contains(&genre(content)) || random.fraction() < 0.1 {
            contents.insert(content);
        }
    }
    contents
}

fn genre(content: usize) -> usize {
    (content.wrapping_mul(0x9e37_79b1) >> 7) % GENRES
}

fn taste(contents: &BTreeSet<usize>) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Vec::new();
    for content in contents {
        let genres = format!("[\"genre {}\"]", genre(*content));
        let at = bytes.len();
        bytes.resize(at + state::row_len(Some(&genres))?, 0);
        let row = bytes.get_mut(at..).unwrap_or_default();
        state::write_row(row, Some(*content as i64), Some(&genres), Some(1.0), 0.0)?;
    }
    Ok(state::finish(&bytes)?)
}

fn searches(random: &mut Random) -> Result<(), Box<dyn Error>> {
    let mut of_content = vec![vec![Vec::new(); USERS.div_ceil(posting::CHUNK)]; CONTENTS];
    let (mut tastes, mut order) = (Vec::new(), "[]".to_owned());
    let mut all = Vec::new();
    for user in 0..USERS {
        let contents = contents_of_user(random);
        for content in &contents {
            let chunks = of_content.get_mut(*content).ok_or("no such content")?;
            chunks.get_mut(user / posting::CHUNK).ok_or("no such chunk")?.push(user as u16);
        }
        let taste = taste(&contents)?;
        order = genre_order::extend(&order, &taste)?.unwrap_or(order);
        tastes.push(taste);
        all.push(contents);
    }
    let order = GenreOrder::read(&order)?;
    let mut blocks = Vec::new();
    for users in tastes.chunks(SLOTS) {
        let mut block = BlockBuilder::new(None)?;
        for (slot, taste) in (0..=u8::MAX).zip(users) {
            block.set(slot, taste, &order)?;
        }
        blocks.extend(block.finish()?);
    }
    let mut lists = Vec::new();
    for chunks in of_content {
        let chunks: Result<Vec<_>, _> = chunks.iter().map(|users| posting::apply(None, users, &[])).collect();
        lists.push(chunks?);
    }
    let bytes: usize = lists.iter().flatten().flatten().map(Vec::len).sum();
    let entries: usize = all.iter().map(BTreeSet::len).sum();
    println!("\n{USERS} users, {entries} entries, {:.3} bytes/entry", bytes as f64 / entries as f64);
    println!("weights    k  contents  entries  count ns/entry  rank ns/user  finalists  both us");
    for (weights, k) in [((0.7, 0.3), 10), ((0.7, 0.3), 100), ((1.0, 0.0), 10), ((0.0, 1.0), 10), ((0.3, 0.7), 10)] {
        for user in [1, 11, 111, 11_111] {
            let (Some(contents), Some(taste)) = (all.get(user), tastes.get(user)) else { continue };
            let mut counters = [(); 2].map(|()| Box::new([[0u8; 2]; posting::CHUNK]));
            let touched: Vec<_> = contents.iter().filter_map(|content| lists.get(*content)).collect();
            let mut entries = 0;
            for list in touched.iter().copied().flatten().flatten() {
                entries += posting::len(list)? as usize;
            }
            let count = |counters: &mut [Box<[[u8; 2]; posting::CHUNK]>; 2]| -> Result<(), Box<dyn Error>> {
                for chunks in &touched {
                    for (chunk, counters) in chunks.iter().zip(&mut *counters) {
                        chunk.iter().try_for_each(|list| posting::count_bytes(list, counters))?;
                    }
                }
                Ok(())
            };
            let counting = measure(entries, || count(&mut counters))?;
            counters.iter_mut().for_each(|chunk| chunk.fill([0; 2]));
            count(&mut counters)?;
            let counters: Vec<u8> = counters.iter().flat_map(|chunk| chunk.as_flattened()).copied().collect();
            let mut finalists = 0;
            let ranking = measure(USERS, || {
                let mut ranking = Ranking::new(Probe::new(taste, &order)?, weights.0, weights.1, k)?;
                for (first, block) in (0..).step_by(SLOTS).zip(&blocks) {
                    ranking.block(first, &counters, block, &[user as u32])?;
                }
                finalists = ranking.finish().len();
                Ok(())
            })?;
            let both = (counting * entries as f64 + ranking * USERS as f64) / 1e3;
            let (j, c) = weights;
            let contents = contents.len();
            println!(
                "{j:.1}/{c:.1} {k:>5} {contents:>9} {entries:>8} {counting:>15.3} {ranking:>13.3} {finalists:>10} {both:>8.0}"
            );
        }
    }
    Ok(())
}
