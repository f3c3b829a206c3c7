//! Throws mutated values at every reader of core: `cotaste-fuzz [--executions N] [--only NAME] [--seed S]` runs the targets
//! and prints a line for each, `cotaste-fuzz --only NAME --replay HEX[:HEX...]` runs one input again.
//!
//! An execution fails when it panics, breaks a law its target states, holds more than [`guard::MOST_BYTES`] at once or takes
//! longer than [`guard::MOST_SECONDS`] of processor time. A failure prints the input as hex and ends the process.

mod guard;
mod mutate;
mod random;
mod targets;

use mutate::{Mutator, Parts};
use std::process::ExitCode;

/// What a target says of an input it does not complain about: whether it was sound, or was told to be damaged.
pub type Verdict = Result<bool, String>;

/// A reader, or several that read the same, with the laws they keep.
pub struct Target {
    name: &'static str,
    /// Inputs, each of the same number of parts: a value, a text or an argument.
    corpus: fn() -> Vec<Parts>,
    run: fn(&[Vec<u8>]) -> Verdict,
}

/// Fails the execution when a law is broken.
#[macro_export]
macro_rules! law {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

struct Options {
    executions: u64,
    only: Option<String>,
    seed: u64,
    replay: Option<Parts>,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    let chosen: Vec<&Target> = targets::ALL
        .iter()
        .copied()
        .flatten()
        .filter(|target| options.only.as_deref().is_none_or(|only| target.name == only))
        .collect();
    if chosen.is_empty() {
        let names: Vec<&str> = targets::ALL.iter().copied().flatten().map(|target| target.name).collect();
        eprintln!("no such target; there are {}", names.join(", "));
        return ExitCode::from(2);
    }
    guard::watch(options.seed);
    for target in chosen {
        match &options.replay {
            Some(input) => replay(target, input),
            None => fuzz(target, &options),
        }
    }
    ExitCode::SUCCESS
}

fn replay(target: &Target, input: &Parts) {
    guard::begin(target.name);
    let sound = guard::execute(0, input, target.run);
    println!("{}: {}", target.name, if sound { "sound" } else { "told to be damaged" });
}

fn fuzz(target: &Target, options: &Options) {
    guard::begin(target.name);
    // Each target has numbers of its own, so that one alone does what it does among all.
    let seed = options.seed ^ u64::from(crc32fast::hash(target.name.as_bytes()));
    let mut mutator = Mutator::new(seed, (target.corpus)());
    let begun = guard::processor_seconds();
    let mut sound = 0u64;
    for execution in 0..options.executions {
        let input = mutator.next();
        if guard::execute(execution, &input, target.run) {
            sound += 1;
            mutator.keep(input);
        }
    }
    let seconds = guard::processor_seconds() - begun;
    println!(
        "{:<16} {:>11} executions {seconds:>7.1} s of processor {:>8.0} a second {:>6.1} % sound",
        target.name,
        options.executions,
        options.executions as f64 / seconds.max(1e-9),
        100.0 * sound as f64 / options.executions.max(1) as f64,
    );
}

fn options() -> Result<Options, String> {
    let mut options = Options { executions: 1_000_000, only: None, seed: 1, replay: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().filter(|value| !value.is_empty());
        let number = || value.as_deref().and_then(|v| v.parse().ok()).ok_or(format!("{argument}: a number expected"));
        match argument.as_str() {
            "--executions" => options.executions = number()?,
            "--seed" => options.seed = number()?,
            "--only" => options.only = value,
            "--replay" => {
                options.replay = Some(value.unwrap_or_default().split(':').map(unhex).collect::<Result<_, _>>()?)
            }
            _ => return Err(format!("unknown argument {argument}")),
        }
    }
    Ok(options)
}

fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let digit = |c: &u8| char::from(*c).to_digit(16).ok_or(format!("{text} is not hex"));
    text.as_bytes().chunks(2).map(|pair| pair.iter().try_fold(0, |byte, c| Ok(byte * 16 + digit(c)? as u8))).collect()
}
