//! What a bench measured: told to people as a table, to machines as lines of JSON.

use anyhow::Result;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

pub struct Figures {
    bench: String,
    file: BufWriter<File>,
}

/// One way of doing a piece of work; it returns how many units it did.
pub struct Contender<'a> {
    pub name: &'a str,
    pub work: Box<dyn FnMut() -> Result<u64> + 'a>,
}

impl Figures {
    pub fn new(bench: &str, target: &Path) -> Result<Self> {
        let directory = target.join("bench");
        std::fs::create_dir_all(&directory)?;
        let file = BufWriter::new(File::create(directory.join(format!("{bench}.jsonl")))?);
        println!(
            "{:<34} {:<7} {:<22} {:<36} {:>14} {:>9}  min .. max",
            "work", "engine", "data", "contender", "median", "ratio"
        );
        Ok(Figures { bench: bench.to_string(), file })
    }

    /// Runs the contenders in turn, `runs` times each, and tells the median rate of each. The ratio is to the first.
    pub fn compare(
        &mut self,
        work: &str,
        engine: &str,
        data: &str,
        unit: &str,
        runs: usize,
        contenders: &mut [Contender<'_>],
    ) -> Result<()> {
        let mut rates = vec![Vec::new(); contenders.len()];
        for _ in 0..runs {
            for (contender, rates) in contenders.iter_mut().zip(&mut rates) {
                let start = Instant::now();
                let units = (contender.work)()?;
                rates.push(units as f64 / start.elapsed().as_secs_f64());
            }
        }
        let mut first = None;
        for (contender, rates) in contenders.iter().zip(&mut rates) {
            rates.sort_by(f64::total_cmp);
            let (min, max) = (rates[0], rates[rates.len() - 1]);
            let median = rates[rates.len() / 2];
            let base = *first.get_or_insert(median);
            self.tell(work, engine, data, contender.name, median, unit, (runs, min, max), median / base)?;
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    fn tell(
        &mut self,
        work: &str,
        engine: &str,
        data: &str,
        contender: &str,
        value: f64,
        unit: &str,
        spread: (usize, f64, f64),
        ratio: f64,
    ) -> Result<()> {
        let (runs, min, max) = spread;
        println!(
            "{work:<34} {engine:<7} {data:<22} {contender:<36} {:>9} {unit} {ratio:>8.2}x  {} .. {}",
            short(value),
            short(min),
            short(max)
        );
        let figure = serde_json::json!({
            "bench": self.bench, "work": work, "engine": engine, "data": data, "contender": contender,
            "value": value, "unit": unit, "runs": runs, "min": min, "max": max,
        });
        writeln!(self.file, "{figure}")?;
        Ok(())
    }

    pub fn done(mut self) -> Result<()> {
        self.file.flush()?;
        println!("ratio: to the median of the first contender, same run");
        Ok(())
    }
}

/// 1234567 as 1.23 M.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e3 => format!("{:.1} k", v / 1e3),
        v => format!("{v:.0}"),
    }
}
