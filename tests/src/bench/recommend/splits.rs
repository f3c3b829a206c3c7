//! The public splits, made by `../shared/eval/evaluate.py` under the target directory, and its scores of our lists.

use super::super::data::{python, succeed};
use crate::engine::{print_timestamp, Engine};
use crate::golden::{movielens, read_csv, shared};
use anyhow::{ensure, Context, Result};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a rating of a reading "pos" is at least.
const POSITIVE: f64 = 3.5;

pub struct Protocol {
    python: PathBuf,
    /// Where splits and lists are.
    pub directory: PathBuf,
}

impl Protocol {
    /// Makes the splits where they are missing; none when the protocol or MovieLens is not here.
    pub fn find(target: &Path) -> Result<Option<Self>> {
        if !evaluate().is_file() || !movielens().join("ratings.csv").is_file() {
            println!("SKIPPED: no {} or no MovieLens; set COTASTE_SHARED, COTASTE_DATA", evaluate().display());
            return Ok(None);
        }
        let protocol =
            Protocol { python: python(target, &["numpy", "scipy"])?, directory: target.join("bench/recommend") };
        std::fs::create_dir_all(&protocol.directory)?;
        let made = protocol.directory.join("new/new_items.csv");
        if !made.is_file() {
            let (data, new) = (protocol.path("data"), protocol.path("new"));
            protocol.run(&["canon", "--kind", "ml-csv", "--src", &movielens().to_string_lossy(), "--out", &data])?;
            for split in ["rand80", "last5"] {
                let (out, cold) = (protocol.path(split), protocol.path(&format!("{split}-cold")));
                protocol.run(&["split", "--data", &data, "--protocol", split, "--out", &out])?;
                protocol.run(&["cold-users", "--split", &out, "--out", &cold])?;
            }
            protocol.run(&["new-items", "--data", &data, "--out", &new])?;
        }
        Ok(Some(protocol))
    }

    pub fn path(&self, name: &str) -> String {
        self.directory.join(name).to_string_lossy().into_owned()
    }

    /// What the protocol's program prints: one JSON object, or a line about what it made.
    fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.python).arg(evaluate()).args(arguments).output()?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    fn number(&self, arguments: &[&str], field: &str) -> Result<f64> {
        let value: serde_json::Value = serde_json::from_str(&self.run(arguments)?)?;
        value[field].as_f64().with_context(|| format!("{field} of {value}"))
    }

    /// nDCG@10 of a list.
    pub fn score(&self, split: &str, reading: &str, recs: &str) -> Result<f64> {
        self.number(&["score", "--split", &self.path(split), "--reading", reading, "--recs", recs], "ndcg10")
    }

    /// nDCG@10 over new contents alone.
    pub fn score_new(&self, recs: &str) -> Result<f64> {
        self.number(&["score-new", "--slice", &self.path("new"), "--reading", "all", "--recs", recs], "ndcg10")
    }

    /// How much better `a` is than `b` by nDCG@10, and the 95 % interval over users.
    pub fn compare(&self, split: &str, reading: &str, a: &str, b: &str) -> Result<(f64, f64, f64)> {
        let split = self.path(split);
        let text = self.run(&["compare", "--split", &split, "--reading", reading, "--a", a, "--b", b])?;
        let value: serde_json::Value = serde_json::from_str(&text)?;
        let number = |value: &serde_json::Value| value.as_f64().with_context(|| text.clone());
        Ok((number(&value["diff"])?, number(&value["ci95"][0])?, number(&value["ci95"][1])?))
    }

    /// The lists of the numpy reference.
    pub fn reference(&self, split: &str, reading: &str, recency: &str) -> Result<String> {
        let out = self.path(&format!("reference-{split}-{reading}-{recency}.csv"));
        if !Path::new(&out).is_file() {
            let program = shared().join("eval/reference_cg.py");
            let mut command = Command::new(&self.python);
            succeed(command.arg(program).args([&self.path(split), reading, &out, "--recency", recency]))?;
        }
        Ok(out)
    }

    /// Loads a split's catalogue and its train rows: ratings of 1 to 10, and skips of what the reading takes for seen only.
    pub fn load(&self, engine: &mut dyn Engine, split: &str, reading: &str) -> Result<()> {
        let items = read_csv(self.directory.join(split).join("items.csv"))?;
        let mut contents = items.iter().map(|item| {
            let genres: Vec<&str> = item.text("genres").split('|').filter(|genre| !genre.is_empty()).collect();
            vec![Some(item.text("item").to_string()), serde_json::to_string(&genres).ok()]
        });
        engine.load("contents", &["content_id", "genres"], &mut contents)?;
        let rows = read_csv(self.directory.join(split).join("train.csv"))?;
        let mut events = rows.iter().map(|row| {
            let stars: f64 = row.text("rating").parse().unwrap_or_default();
            let is_signal = reading == "all" || stars >= POSITIVE;
            let at: i64 = row.text("ts").parse().unwrap_or_default();
            vec![
                Some(row.text("user").to_string()),
                Some(row.text("item").to_string()),
                Some(if is_signal { "rate" } else { "skip" }.to_string()),
                is_signal.then(|| (stars * 2.0).to_string()),
                Some(print_timestamp(at * 1_000_000)),
            ]
        });
        let columns = ["user_id", "content_id", "action", "rating", "occurred_at"];
        engine.load("user_behaviors", &columns, &mut events)?;
        engine.query("select cotaste_refresh()")?;
        engine.exec("analyze").map_err(Into::into)
    }

    /// Writes the rows `user, item, rank` of a query as a list to be scored.
    pub fn write(&self, engine: &mut dyn Engine, name: &str, query: &str) -> Result<String> {
        let path = self.path(&format!("{name}.csv"));
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
        writeln!(file, "user,item,rank")?;
        for row in engine.query(query)? {
            writeln!(file, "{}", row.join(","))?;
        }
        file.flush()?;
        Ok(path)
    }
}

fn evaluate() -> PathBuf {
    shared().join("eval/evaluate.py")
}

/// The lists of tuned libraries on a split and reading, by name.
pub fn peers(split: &str, reading: &str) -> Result<Vec<(String, String)>> {
    let directory = shared().join(format!("eval/peers/mls-{split}-{reading}"));
    let mut peers = Vec::new();
    for entry in std::fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        peers.push((name, path.to_string_lossy().into_owned()));
    }
    peers.sort();
    Ok(peers)
}
