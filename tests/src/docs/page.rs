//! A Markdown page whose SQL is run: a block of `sql`, and the block of `text` that follows it, which is its output.
//!
//! The words after `sql` say where a block is run: `sqlite` or `postgres` in that engine only, `empty` in a new database
//! that has the extension and no space, `demo` in a new demo space. A page begins in a demo space. The output of a block
//! that `varies` is not shown.

use super::output;
use crate::engine::{Engine, Host, Kind};
use anyhow::{ensure, Context, Result};

/// What every page is asked of.
const FILMS: &str = include_str!("../../../demo/films.sql");

#[derive(Debug, Clone, PartialEq)]
enum Part {
    /// Lines outside of blocks.
    Prose(String),
    /// A fenced block: the line's words, and the lines within.
    Block { info: String, body: String },
}

pub struct Page {
    parts: Vec<Part>,
    /// Whether each block is undone after it has run, so that it stands alone.
    is_undone: bool,
}

impl Page {
    pub fn parse(text: &str, is_undone: bool) -> Result<Self> {
        let (mut parts, mut lines) = (Vec::new(), text.lines());
        let mut prose = String::new();
        while let Some(line) = lines.next() {
            let Some(info) = line.strip_prefix("```") else {
                prose.extend([line, "\n"]);
                continue;
            };
            // A block without a language could hide SQL that nobody runs.
            ensure!(
                !info.is_empty(),
                "a block without a language after {:?}",
                prose.lines().last().unwrap_or_default()
            );
            parts.push(Part::Prose(std::mem::take(&mut prose)));
            let mut body = String::new();
            loop {
                match lines.next().with_context(|| format!("the block of {info} has no end"))? {
                    "```" => break,
                    line => body.extend([line, "\n"]),
                }
            }
            parts.push(Part::Block { info: info.into(), body });
        }
        parts.push(Part::Prose(prose));
        Ok(Page { parts, is_undone })
    }

    pub fn print(&self) -> String {
        let print = |part: &Part| match part {
            Part::Prose(text) => text.clone(),
            Part::Block { info, body } => format!("```{info}\n{body}```\n"),
        };
        self.parts.iter().map(print).collect()
    }

    /// The blocks of SQL that this engine runs.
    pub fn blocks(&self, kind: Kind) -> usize {
        self.parts.iter().filter(|part| words(part).is_some_and(|words| runs_on(&words, kind))).count()
    }

    /// The page without the outputs of its SQL.
    pub fn without_outputs(&self) -> String {
        let outputs: Vec<usize> = (0..self.parts.len()).filter_map(|at| self.output_of(at)).collect();
        // The line between the two goes with the output.
        let kept = (0..self.parts.len()).filter(|at| !outputs.contains(at) && !outputs.contains(&(at + 1)));
        Page { parts: kept.map(|at| self.parts[at].clone()).collect(), is_undone: false }.print()
    }

    /// Gives each block of SQL without an output one, to be filled in.
    pub fn with_outputs(self) -> Self {
        let mut parts = Vec::new();
        for at in 0..self.parts.len() {
            parts.push(self.parts[at].clone());
            let shows = words(&self.parts[at]).is_some_and(|words| !words.contains(&"varies"));
            if shows && self.output_of(at).is_none() {
                parts.push(Part::Prose("\n".into()));
                parts.push(Part::Block { info: "text".into(), body: String::new() });
            }
        }
        Page { parts, ..self }
    }

    /// Runs the blocks of this engine and returns the page with what they give.
    pub fn filled(&self, host: &mut dyn Host) -> Result<Self> {
        let kind = host.kind();
        let mut engine: Option<Box<dyn Engine>> = None;
        let mut parts = self.parts.clone();
        for at in 0..parts.len() {
            let (Some(words), Part::Block { body, .. }) = (words(&parts[at]), parts[at].clone()) else { continue };
            if !runs_on(&words, kind) {
                continue;
            }
            if words.contains(&"empty") {
                engine = Some(host.uninitialised()?);
            } else if engine.is_none() || words.contains(&"demo") {
                let mut space = host.space()?;
                space.exec(FILMS)?;
                engine = Some(space);
            }
            let engine = engine.as_mut().context("no database")?;
            if self.is_undone {
                engine.exec("begin")?;
            }
            let ran = output::of(engine.as_mut(), &body);
            if self.is_undone {
                engine.exec("rollback")?;
            }
            match (ran, self.output_of(at)) {
                (Ok(told) | Err(told), Some(output)) => {
                    parts[output] = Part::Block { info: "text".into(), body: told };
                }
                (Ok(_), None) => {}
                (Err(error), None) => anyhow::bail!("{body}{error}"),
            }
        }
        Ok(Page { parts, is_undone: self.is_undone })
    }

    /// Where the output of a block of SQL is, if it is shown.
    fn output_of(&self, at: usize) -> Option<usize> {
        words(&self.parts[at])?;
        let between = matches!(self.parts.get(at + 1)?, Part::Prose(text) if text.trim().is_empty());
        let output = matches!(self.parts.get(at + 2)?, Part::Block { info, .. } if info == "text");
        (between && output).then_some(at + 2)
    }
}

/// The words after `sql`, when the part is a block of it.
fn words(part: &Part) -> Option<Vec<&str>> {
    let Part::Block { info, .. } = part else { return None };
    let mut words = info.split(' ');
    (words.next() == Some("sql")).then(|| words.collect())
}

fn runs_on(words: &[&str], kind: Kind) -> bool {
    !words.contains(match kind {
        Kind::Sqlite => &"postgres",
        Kind::Postgres => &"sqlite",
    })
}
