//! Timings of the kernels alone, without an engine: what SQL adds is the rest.
use cotaste_core::{context, taste};
use std::time::Instant;
fn main() {
    let text = r#"{"timeOfDay": "evening", "dayOfWeek": "fri", "device": "tv", "location": "home", "experimentName": "rec_algo", "experimentVariant": "control"}"#;
    let n = 2_000_000u32;
    for _ in 0..3 {
    let t = Instant::now();
    let mut k = 0;
    for _ in 0..n { k += context::field(std::hint::black_box(text), context::Field::Device).map_or(0, |d| d.len()); }
    println!("context field {:.0} ns ({k})", t.elapsed().as_nanos() as f64 / f64::from(n));
    let t = Instant::now();
    for _ in 0..n { k += context::parse(std::hint::black_box(text)).device.map_or(0, |d| d.len()); }
    println!("context parse {:.0} ns ({k})", t.elapsed().as_nanos() as f64 / f64::from(n));
    }
    let make = |seed: u64, n: usize| {
        let mut x = seed; let mut state = Vec::new();
        for _ in 0..n {
            x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let g = format!("[\"genre{}\",\"genre{}\"]", (x>>33)%20, (x>>40)%20);
            let at = state.len(); state.resize(at + taste::state::row_len(Some(&g)).unwrap(), 0);
            let r = (x >> 11) as f64 / (1u64<<53) as f64;
            taste::state::write_row(&mut state[at..], Some((r*r*20000.0) as i64), Some(&g), Some(1.0), 0.0).unwrap();
        }
        (taste::state::finish(&state).unwrap(), state)
    };
    for size in [60, 115, 165, 1000] {
        let ts: Vec<_> = (0..100).map(|i| make(i * 977 + 5, size).0).collect();
        let t = Instant::now(); let mut s = 0.0; let mut c = 0;
        for _ in 0..20 { for a in &ts { for b in &ts { s += taste::similarity(a, b).unwrap().jaccard; c += 1; } } }
        println!("taste {size}: {} bytes, {:.0} ns a pair ({s})", ts[0].len(), t.elapsed().as_nanos() as f64 / f64::from(c));
        let t = Instant::now(); let mut c = 0;
        for a in &ts { for _ in 0..2000 { c += usize::from(taste::to_json(&a[..20]).is_ok()) ; let mut h = crc32fast::Hasher::new(); h.update(std::hint::black_box(a)); c += h.finalize() as usize & 1; } }
        println!("  crc {:.0} ns ({c})", t.elapsed().as_nanos() as f64 / 200000.0);
        let (_, state) = make(7, size);
        let t = Instant::now();
        for _ in 0..200 { std::hint::black_box(taste::state::finish(&state).unwrap()); }
        println!("  finish {:.0} ns a row", t.elapsed().as_nanos() as f64 / 200.0 / size as f64);
    }
}
