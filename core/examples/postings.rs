//! What counting posting lists and bounding users cost: nanoseconds and bytes an entry, nanoseconds a user.
//! `cargo run --release -p cotaste-core --example postings`

use cotaste_core::posting;
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
    Ok(())
}
