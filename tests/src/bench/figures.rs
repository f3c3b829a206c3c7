//! What a bench measured: told to people as a table, to machines as lines of JSON.

use anyhow::{bail, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

pub struct Figures {
    bench: String,
    file: BufWriter<File>,
}

/// What one run of a contender gave.
pub enum Sample {
    /// So many units in so many seconds.
    Rate { units: u64, seconds: f64 },
    /// Milliseconds of each call.
    Latencies(Vec<f64>),
}

/// One way of doing a piece of work.
pub struct Contender<'a> {
    pub name: String,
    work: Box<dyn FnMut() -> Result<Sample> + 'a>,
}

impl<'a> Contender<'a> {
    /// `work` returns how many units it did; all of its time counts.
    pub fn new(name: &str, mut work: impl FnMut() -> Result<u64> + 'a) -> Self {
        Self::measured(name, move || {
            let start = Instant::now();
            let units = work()?;
            Ok(Sample::Rate { units, seconds: start.elapsed().as_secs_f64() })
        })
    }

    /// `work` measures itself.
    pub fn measured(name: &str, work: impl FnMut() -> Result<Sample> + 'a) -> Self {
        Contender { name: name.to_string(), work: Box::new(work) }
    }
}

/// What is compared: the work, on which engine and which data, in which unit.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub work: &'a str,
    pub engine: &'a str,
    pub data: &'a str,
    pub unit: &'a str,
}

impl Figures {
    pub fn new(bench: &str, target: &Path) -> Result<Self> {
        let directory = target.join("bench");
        std::fs::create_dir_all(&directory)?;
        let file = BufWriter::new(File::create(directory.join(format!("{bench}.jsonl")))?);
        println!(
            "{:<34} {:<7} {:<22} {:<40} {:>16} {:>9}  min .. max",
            "work", "engine", "data", "contender", "median", "ratio"
        );
        Ok(Figures { bench: bench.to_string(), file })
    }

    /// Runs the contenders in turn, `runs` times each, and tells the median of each: a rate, or the median and the 95th
    /// percentile of all calls. The ratio of a rate is to the first contender; that of a latency to each of the first
    /// two, so many times as long as the first and so many times as fast as the second.
    pub fn compare(&mut self, subject: Subject<'_>, runs: usize, contenders: &mut [Contender<'_>]) -> Result<()> {
        let mut samples: Vec<Vec<Sample>> = contenders.iter().map(|_| Vec::new()).collect();
        for _ in 0..runs {
            for (contender, samples) in contenders.iter_mut().zip(&mut samples) {
                samples.push((contender.work)()?);
            }
        }
        let spreads: Vec<Spread> = samples.into_iter().map(Spread::of).collect::<Result<_>>()?;
        let medians: Vec<f64> = spreads.iter().map(|spread| spread.median).collect();
        for (contender, spread) in contenders.iter().zip(&spreads) {
            self.tell(subject, &contender.name, runs, spread, &medians)?;
        }
        self.file.flush()?;
        Ok(())
    }

    fn tell(&mut self, subject: Subject<'_>, name: &str, runs: usize, spread: &Spread, all: &[f64]) -> Result<()> {
        let Subject { work, engine, data, unit } = subject;
        let Spread { median, min, max, p95, calls } = *spread;
        let first = median / all[0];
        let (ratio, detail) = match (p95, all.get(1)) {
            (Some(p95), Some(second)) => {
                (format!("{first:.2}x / {:.1}x faster", second / median), format!("  p95 {p95:.2}  {calls} calls"))
            }
            (Some(p95), None) => (format!("{first:.2}x"), format!("  p95 {p95:.2}  {calls} calls")),
            _ => (format!("{first:.2}x"), String::new()),
        };
        println!(
            "{work:<34} {engine:<7} {data:<22} {name:<40} {:>9} {unit:<7} {ratio:>8}  {} .. {}{detail}",
            short(median),
            short(min),
            short(max)
        );
        let figure = serde_json::json!({
            "bench": self.bench, "work": work, "engine": engine, "data": data, "contender": name,
            "value": median, "unit": unit, "runs": runs, "min": min, "max": max, "p95": p95, "calls": calls,
            "ratio": first, "second": all.get(1),
        });
        writeln!(self.file, "{figure}")?;
        Ok(())
    }

    /// A figure that is measured once, or follows from others.
    pub fn once(&mut self, subject: Subject<'_>, contender: &str, value: f64) -> Result<()> {
        let Subject { work, engine, data, unit } = subject;
        println!("{work:<34} {engine:<7} {data:<22} {contender:<40} {:>9} {unit}", short(value));
        let figure = serde_json::json!({
            "bench": self.bench, "work": work, "engine": engine, "data": data, "contender": contender,
            "value": value, "unit": unit, "runs": 1,
        });
        writeln!(self.file, "{figure}")?;
        Ok(())
    }

    pub fn done(mut self) -> Result<()> {
        self.file.flush()?;
        println!("ratio: to the median of the first contender, same run; of latencies: so many times the first's, and as fast as the second's");
        Ok(())
    }
}

/// Median, least and greatest of the runs.
struct Spread {
    median: f64,
    min: f64,
    max: f64,
    p95: Option<f64>,
    calls: usize,
}

impl Spread {
    fn of(samples: Vec<Sample>) -> Result<Self> {
        let (mut runs, mut calls) = (Vec::new(), Vec::new());
        for sample in samples {
            match sample {
                Sample::Rate { units, seconds } => runs.push(units as f64 / seconds),
                Sample::Latencies(mut run) => {
                    calls.extend_from_slice(&run);
                    run.sort_by(f64::total_cmp);
                    runs.extend(quantile(&run, 0.5));
                }
            }
        }
        runs.sort_by(f64::total_cmp);
        calls.sort_by(f64::total_cmp);
        let (Some(middle), Some(min), Some(max)) = (quantile(&runs, 0.5), runs.first(), runs.last()) else {
            bail!("a contender ran without a result");
        };
        let median = quantile(&calls, 0.5).unwrap_or(middle);
        Ok(Spread { median, min: *min, max: *max, p95: quantile(&calls, 0.95), calls: calls.len() })
    }
}

fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    sorted.get(((sorted.len() as f64 * part) as usize).min(sorted.len().saturating_sub(1))).copied()
}

/// 1234567 as 1.23 M, 0.01234 as 0.0123.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e3 => format!("{:.1} k", v / 1e3),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 1.0 => format!("{v:.2}"),
        v => format!("{v:.4}"),
    }
}
