//! Bytes in place of a taste: never a crash, never an answer from bytes that fail their checksum.

use crate::compare::Answers;
use crate::engine::{unhex, Engine, Host, Kind, SqlError};
use crate::random::Random;
use crate::report::Report;
use anyhow::{ensure, Result};

const MUTATIONS: usize = 2000;
const FORGERIES: usize = 1000;

pub fn run(host: &mut dyn Host, report: &mut Report, _: &Answers) -> Result<()> {
    let mut engine = host.uninitialised()?;
    within(engine.as_mut(), &CALLS, report)
}

/// Hostile bytes in every one of these calls.
pub fn within(engine: &mut dyn Engine, calls: &[&str], report: &mut Report) -> Result<()> {
    let taste = unhex(&engine.value(
        "select taste_agg(column1, column2, column3) from (values
           (1, '[\"Drama\",\"Thriller\"]', 2.0), (2, '[\"Comedy\"]', 1.5), (70000, '[\"Drama\"]', -0.5), (9000000000, '[\"Кино\"]', 0.25),
           (-5, '[\"Western\",\"Drama\"]', 3.0), (4, null, null), (8, '[\"Horror\"]', 1.0), (9, '[\"War\",\"Drama\"]', 0.75)) v",
    )?);
    report.case("an unchanged taste is read", || {
        let whole = engine.blob(&taste);
        let similarity = engine.value(&format!("select taste_similarity({whole}, {whole})"))?;
        ensure!(similarity == "1.0", "a taste with itself gives {similarity}");
        Ok(())
    });
    let mut mutations = Mutations::new(20_260_301);
    report.case(&format!("{MUTATIONS} random mutations of a taste are refused with CORRUPT_STATE"), || {
        for number in 0..MUTATIONS {
            let mutated = mutations.mutate(&taste);
            let sql = call(engine, calls[number % calls.len()], &mutated, &taste);
            match engine.query(&sql) {
                Err(error) => ensure!(error.code() == Some("CORRUPT_STATE"), "{error} from {sql}"),
                Ok(rows) => anyhow::bail!("{rows:?} from {sql}"),
            }
        }
        alive(engine)
    });
    report.case("the checksum is forged as it should be", || {
        let mut broken = taste.clone();
        broken[2..6].fill(0);
        ensure!(with_checksum(broken) == taste, "a taste's own checksum expected");
        Ok(())
    });
    report.case(&format!("{FORGERIES} tastes with a forged checksum give an answer in range or CORRUPT_STATE"), || {
        for number in 0..FORGERIES {
            let forged = with_checksum(mutations.mutate(&taste));
            let sql = call(engine, calls[number % calls.len()], &forged, &taste);
            match engine.query(&sql) {
                Err(error) => ensure!(error.code() == Some("CORRUPT_STATE"), "{error} from {sql}"),
                Ok(rows) => in_range(&sql, &rows[0][0]).map_err(|error| error.context(sql))?,
            }
        }
        alive(engine)
    });
    report.case("bytes that never were a taste are refused with CORRUPT_STATE", || {
        for bytes in [vec![], vec![0], vec![0; 32], vec![0xff; 4096], vec![0; 1 << 20], b"C\x01".to_vec()] {
            for name in calls {
                let sql = call(engine, name, &bytes, &taste);
                let error = engine.query(&sql).err().unwrap_or_default();
                ensure!(error.code() == Some("CORRUPT_STATE"), "{error:?} from {} bytes to {name}", bytes.len());
                if engine.kind() == Kind::Postgres {
                    ensure!(error.sqlstate.as_deref() == Some("XX001"), "{error:?}");
                    ensure!(error.detail.is_some() && error.hint.is_some(), "a detail and a hint expected: {error:?}");
                }
            }
        }
        alive(engine)
    });
    Ok(())
}

/// Every entry that reads a taste; `?` is the hostile one, `!` the sound one.
const CALLS: [&str; 8] = [
    "select taste_similarity(?, !)",
    "select taste_jaccard(!, ?)",
    "select taste_genre_cosine(?, ?)",
    "select taste_shared_items(?, !)",
    "select taste_json(?)",
    "select taste_rollup(?)",
    "select taste_similarity(!, ?, 0.5, 0.5)",
    "select taste_rollup(t) from (select ! as t union all select ?) x",
];

fn call(engine: &dyn Engine, sql: &str, hostile: &[u8], sound: &[u8]) -> String {
    sql.replace('?', &engine.blob(hostile)).replace('!', &engine.blob(sound))
}

fn in_range(sql: &str, answer: &str) -> Result<()> {
    if ["taste_similarity", "taste_jaccard", "taste_genre_cosine"].iter().any(|fraction| sql.contains(fraction)) {
        let value: f64 = answer.parse()?;
        ensure!((0.0..=1.0).contains(&value), "{answer} is not a fraction");
    }
    Ok(())
}

fn alive(engine: &mut dyn Engine) -> Result<()> {
    let one: Result<String, SqlError> = engine.query("select 1").map(|rows| rows[0][0].clone());
    ensure!(one? == "1", "the session does not answer any more");
    Ok(())
}

/// Changed copies of bytes, the same in every run.
pub struct Mutations(Random);

impl Mutations {
    pub fn new(seed: u64) -> Self {
        Mutations(Random::new(seed))
    }

    /// A changed copy: bits flipped, bytes set, a piece cut out, repeated, or the end cut off or grown.
    pub fn mutate(&mut self, original: &[u8]) -> Vec<u8> {
        let random = &mut self.0;
        loop {
            let mut bytes = original.to_vec();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len().max(1));
                match random.below(7) {
                    0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
                    2 if !bytes.is_empty() => bytes[at] = random.below(256) as u8,
                    3 if !bytes.is_empty() => bytes[at] = random.pick(&[0, 0xff, 0x7f, 0x80]),
                    4 => bytes.truncate(at),
                    5 => bytes.extend_from_slice(&original[..random.below(original.len())]),
                    _ => drop(bytes.drain(at.min(bytes.len())..(at + random.below(8)).min(bytes.len()))),
                }
            }
            if bytes != original {
                return bytes;
            }
        }
    }
}

/// The bytes with the checksum that their first one asks for: a CRC-32 of all that it does not cover itself.
pub fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let (at, from) = match bytes.first() {
        // A taste and its sums, facts, measures and events: of what follows.
        Some(b'C' | b'L' | b'F' | b'M' | b'E') => (2..6, 6),
        // A posting list and a block: of all other bytes.
        Some(b'P' | b'B') => (4..8, 0),
        _ => return bytes,
    };
    if bytes.len() >= at.end {
        let others = bytes[from..].iter().enumerate().filter(|(i, _)| !at.contains(&(i + from)));
        let crc = !others.fold(!0u32, |crc, (_, byte)| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        });
        bytes[at].copy_from_slice(&crc.to_le_bytes());
    }
    bytes
}
