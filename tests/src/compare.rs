//! Answers that must be byte-identical between engines: each engine leaves them in files, one block a question.

use crate::report::Report;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

const MARK: &str = "\u{1}";

/// Where one engine leaves its answers.
pub struct Answers {
    directory: PathBuf,
    engine: String,
}

impl Answers {
    pub fn new(directory: &Path, engine: &str) -> Self {
        Answers { directory: directory.to_path_buf(), engine: engine.to_string() }
    }

    /// Leaves the answer to one question of a topic. Without a directory (an engine run by hand) it is dropped.
    pub fn leave(&self, topic: &str, question: &str, rows: &[Vec<String>]) -> Result<()> {
        if self.directory.as_os_str().is_empty() {
            return Ok(());
        }
        let directory = self.directory.join(topic);
        fs::create_dir_all(&directory)?;
        let mut file = OpenOptions::new().append(true).create(true).open(directory.join(&self.engine))?;
        let lines: Vec<String> = rows.iter().map(|row| row.join("\t")).collect();
        Ok(write!(file, "{MARK}{question}\n{}\n", lines.join("\n"))?)
    }
}

/// One case for each question that an engine answered.
pub fn answers(directory: &Path, engines: &[&'static str], report: &mut Report) -> Result<()> {
    let mut topics: Vec<PathBuf> = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    topics.sort();
    for topic in topics {
        let name = topic.file_name().unwrap_or_default().to_string_lossy().into_owned();
        report.section(&format!("{name}: byte-identical on {}", engines.join(", ")));
        let read = |engine: &'static str| (engine, blocks(&fs::read_to_string(topic.join(engine)).unwrap_or_default()));
        let by_engine: Vec<(&str, BTreeMap<String, String>)> = engines.iter().copied().map(read).collect();
        let questions: BTreeSet<&String> = by_engine.iter().flat_map(|(_, blocks)| blocks.keys()).collect();
        let before = report.passed;
        for question in questions {
            report.row(question, || same(question, &by_engine));
        }
        report.rows_done("questions", before);
    }
    Ok(())
}

fn blocks(text: &str) -> BTreeMap<String, String> {
    let blocks = text.split(MARK).filter_map(|block| block.split_once('\n'));
    blocks.map(|(question, answer)| (question.to_string(), answer.to_string())).collect()
}

fn same(question: &str, by_engine: &[(&str, BTreeMap<String, String>)]) -> Result<()> {
    let missing = String::from("(not answered)");
    let (first, answers) = &by_engine[0];
    let expected = answers.get(question).unwrap_or(&missing);
    for (engine, answers) in &by_engine[1..] {
        let got = answers.get(question).unwrap_or(&missing);
        if got != expected {
            let (mine, theirs) = first_difference(expected, got);
            anyhow::bail!("{first}: {mine}\n{engine}: {theirs}");
        }
    }
    Ok(())
}

fn first_difference<'a>(a: &'a str, b: &'a str) -> (&'a str, &'a str) {
    let (mut a, mut b) = (a.lines(), b.lines());
    loop {
        match (a.next(), b.next()) {
            (None, None) => return ("", ""),
            (x, y) if x != y => return (x.unwrap_or("(no more rows)"), y.unwrap_or("(no more rows)")),
            _ => {}
        }
    }
}
