//! Top-10 by the Jaccard index alone: the posting lists of a user's contents counted, raw `u32` lists and `u16`
//! counters in RAM. `cotaste-floor SETS SAMPLE`; a line `first budget_ms` is answered with milliseconds a user.

use std::error::Error;
use std::io::BufRead;
use std::time::{Duration, Instant};

const K: usize = 10;

struct Sets {
    users: usize,
    /// Where each user's contents begin, and the end.
    starts: Vec<u32>,
    items: Vec<u32>,
    /// The same by content.
    posting_starts: Vec<u32>,
    postings: Vec<u32>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, sets, sample] = arguments.as_slice() else { return Err("usage: cotaste-floor SETS SAMPLE".into()) };
    let sets = Sets::read(sets)?;
    let sample: Vec<usize> = std::fs::read_to_string(sample)?.lines().map(str::parse).collect::<Result<_, _>>()?;
    let mut counters = vec![0; sets.users];
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (first, budget) = line.split_once(' ').ok_or("first budget_ms")?;
        let (first, budget) = (first.parse::<usize>()?, Duration::from_millis(budget.parse()?));
        let (begun, mut times) = (Instant::now(), Vec::new());
        for place in 0..sample.len() {
            let user = sample[(first + place) % sample.len()];
            let start = Instant::now();
            std::hint::black_box(sets.top(user, &mut counters));
            times.push((start.elapsed().as_secs_f64() * 1e3).to_string());
            if begun.elapsed() > budget {
                break;
            }
        }
        println!("{}", times.join(" "));
    }
    Ok(())
}

impl Sets {
    fn read(path: &str) -> Result<Self, Box<dyn Error>> {
        let bytes = std::fs::read(path)?;
        let mut numbers = bytes.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        let mut next = || numbers.next().ok_or("the sets are cut short");
        let (users, contents, _) = (next()? as usize, next()? as usize, next()?);
        let starts: Vec<u32> = (0..=users).map(|_| next()).collect::<Result<_, _>>()?;
        let items: Vec<u32> = (0..starts[users]).map(|_| next()).collect::<Result<_, _>>()?;
        let mut posting_starts = vec![0; contents + 1];
        for item in &items {
            posting_starts[*item as usize + 1] += 1;
        }
        for content in 0..contents {
            posting_starts[content + 1] += posting_starts[content];
        }
        let (mut ends, mut postings) = (posting_starts.clone(), vec![0; items.len()]);
        for user in 0..users {
            for item in &items[starts[user] as usize..starts[user + 1] as usize] {
                let end = &mut ends[*item as usize];
                postings[*end as usize] = user as u32;
                *end += 1;
            }
        }
        Ok(Sets { users, starts, items, posting_starts, postings })
    }

    fn size(&self, user: usize) -> u32 {
        self.starts[user + 1] - self.starts[user]
    }

    /// The ten users with the greatest `0.7 * Jaccard`, best first, ties by ordinal. Leaves the counters at 0.
    fn top(&self, user: usize, counters: &mut [u16]) -> Vec<(f64, usize)> {
        let own = &self.items[self.starts[user] as usize..self.starts[user + 1] as usize];
        for item in own {
            let posting =
                self.posting_starts[*item as usize] as usize..self.posting_starts[*item as usize + 1] as usize;
            for other in &self.postings[posting] {
                counters[*other as usize] += 1;
            }
        }
        let mut best: Vec<(f64, usize)> = Vec::with_capacity(K + 1);
        let mut least = 0.0;
        for (other, counter) in counters.iter_mut().enumerate() {
            let shared = std::mem::take(counter);
            if shared == 0 || other == user {
                continue;
            }
            let union = own.len() as u32 + self.size(other) - u32::from(shared);
            let score = 0.7 * f64::from(shared) / f64::from(union);
            if score > least {
                let place = best.partition_point(|(better, _)| *better >= score);
                best.insert(place, (score, other));
                best.truncate(K);
                if best.len() == K {
                    least = best[K - 1].0;
                }
            }
        }
        best
    }
}
