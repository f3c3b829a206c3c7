//! Reads tastes as lines of hex and compares each with each: what the kernel does without an engine around it.
//! `make bench-similarity` runs it beside the engines.

use cotaste_core::taste;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: kernels FILE")?;
    let tastes: Vec<Vec<u8>> = std::fs::read_to_string(path)?.lines().map(unhex).collect::<Result<_, _>>()?;
    let mut sum = 0.0;
    for a in &tastes {
        for b in &tastes {
            let parts = taste::similarity(a, b)?;
            sum += 0.7 * parts.jaccard + 0.3 * parts.genre_cosine;
        }
    }
    // Used, so that it is computed.
    std::hint::black_box(sum);
    Ok(())
}

fn unhex(line: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let pairs = line.as_bytes().chunks(2);
    pairs.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}
