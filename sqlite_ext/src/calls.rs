//! How often each reading, writing and row-returning function ran in this process and how long, for cotaste_stats. Pure
//! functions are not counted: a look at the clock takes as long as one of them.

use crate::convert::{Answer, Args};
use crate::failure::Result;
use crate::scalar::{reader, Db, READS};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What one function did. Lives as long as the process.
#[derive(Default)]
pub struct Calls {
    calls: AtomicI64,
    errors: AtomicI64,
    rows: AtomicI64,
    total_ns: AtomicI64,
    worst_ns: AtomicI64,
}

static ALL: Mutex<Vec<(&'static str, &'static Calls)>> = Mutex::new(Vec::new());

fn all() -> MutexGuard<'static, Vec<(&'static str, &'static Calls)>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The counters of a function, the same for every connection. There are as many as functions, so they are never freed.
pub fn of(name: &str) -> &'static Calls {
    let mut all = all();
    if let Some((_, calls)) = all.iter().find(|(known, _)| *known == name) {
        return calls;
    }
    let calls: &'static Calls = Box::leak(Box::default());
    all.push((Box::leak(name.into()), calls));
    calls
}

impl Calls {
    /// Counts one call of a function that returns a value.
    pub fn count<T>(&self, f: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let result = f();
        self.add(start.elapsed(), 1, result.is_err());
        result
    }

    /// Adds a call that took so long and gave so many rows.
    pub fn add(&self, took: Duration, rows: i64, failed: bool) {
        let took = i64::try_from(took.as_nanos()).unwrap_or(i64::MAX);
        self.calls.fetch_add(1, Relaxed);
        self.errors.fetch_add(i64::from(failed), Relaxed);
        self.rows.fetch_add(rows, Relaxed);
        self.total_ns.fetch_add(took, Relaxed);
        self.worst_ns.fetch_max(took, Relaxed);
    }

    fn get(&self, what: &str) -> Option<i64> {
        let counter = match what {
            "calls" => &self.calls,
            "errors" => &self.errors,
            "rows" => &self.rows,
            "total_ns" => &self.total_ns,
            "worst_ns" => &self.worst_ns,
            _ => return None,
        };
        Some(counter.load(Relaxed))
    }
}

pub fn register(db: Db) -> Result<()> {
    reader(db, "cotaste_counters", 0, READS, |_, _| names())?;
    reader(db, "cotaste_counter", 2, READS, |_, args| counter(args))
}

/// `cotaste_counters() -> text`: the names of the functions that ran, a JSON array.
fn names() -> Result<Answer<'static>> {
    let names: Vec<String> = all()
        .iter()
        .filter(|(_, calls)| calls.get("calls") != Some(0))
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    Ok(format!("[{}]", names.join(",")).into())
}

/// `cotaste_counter(function, counter) -> integer`
fn counter(args: Args<'_>) -> Result<Answer<'static>> {
    let (name, what) = (args.text(0, "function")?, args.text(1, "counter")?);
    let found = all().iter().find(|(known, _)| *known == name).map(|(_, calls)| *calls);
    Ok(found.and_then(|calls| calls.get(what)).map_or(Answer::Null, Answer::Integer))
}
