//! What holds for every execution: no panic, bounded memory, bounded time. Whatever breaks it is reported with the input.

use crate::mutate::Parts;
use crate::Verdict;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The most bytes one execution may hold at once. Inputs are below 64 kB.
pub const MOST_BYTES: usize = 64 << 20;
/// The most processor time one execution may take.
pub const MOST_SECONDS: f64 = 5.0;

/// The execution under way.
static CURRENT: Mutex<Current> = Mutex::new(Current { target: "", seed: 0, execution: 0, input: Vec::new() });
/// Changes with every execution, so that one that does not end is seen.
static BEAT: AtomicU64 = AtomicU64::new(0);

struct Current {
    target: &'static str,
    seed: u64,
    execution: u64,
    input: Parts,
}

thread_local! {
    /// Bytes held since the execution began; none are counted outside of one.
    static HELD: Cell<Option<usize>> = const { Cell::new(None) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn held(more: usize, less: usize) {
    let Some(held) = HELD.get() else { return };
    // What was allocated before may be freed now.
    let now = held.saturating_add(more).saturating_sub(less);
    HELD.set(Some(now));
    if now > MOST_BYTES {
        HELD.set(None);
        fail(&format!("holds {now} bytes"));
    }
}

// SAFETY: the system's allocator does the work; counting touches no memory of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        held(layout.size(), 0);
        System.alloc(layout)
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        held(0, layout.size());
        System.dealloc(at, layout);
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        held(size, layout.size());
        System.realloc(at, layout, size)
    }
}

pub fn begin(target: &'static str) {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner).target = target;
}

/// Runs one input and says whether it was sound; does not return when it fails.
pub fn execute(execution: u64, input: &Parts, run: fn(&[Vec<u8>]) -> Verdict) -> bool {
    {
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        current.execution = execution;
        current.input.clone_from(input);
    }
    BEAT.fetch_add(1, Relaxed);
    HELD.set(Some(0));
    let verdict = catch_unwind(AssertUnwindSafe(|| run(input)));
    HELD.set(None);
    match verdict {
        Ok(Ok(sound)) => sound,
        Ok(Err(law)) => fail(&law),
        Err(_) => fail("panics"),
    }
}

fn fail(problem: &str) -> ! {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    let hex = |part: &Vec<u8>| part.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let input: Vec<String> = current.input.iter().map(hex).collect();
    let Current { target, seed, execution, .. } = &*current;
    eprintln!("FAILED {target}: {problem}\n  after {execution} executions with seed {seed}");
    eprintln!("  again: cotaste-fuzz --only {target} --replay {}", input.join(":"));
    std::process::exit(1);
}

/// Processor time of the main thread, which runs the executions; other work on the machine does not count.
pub fn processor_seconds() -> f64 {
    let schedstat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = schedstat.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0);
    nanoseconds / 1e9
}

/// Starts looking after the time.
pub fn watch(seed: u64) {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner).seed = seed;
    std::panic::set_hook(Box::new(|panic| {
        HELD.set(None);
        eprintln!("{panic}");
    }));
    std::thread::spawn(|| {
        let (mut beat, mut since) = (0, processor_seconds());
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let (now, seconds) = (BEAT.load(Relaxed), processor_seconds());
            if now != beat {
                (beat, since) = (now, seconds);
            } else if seconds - since > MOST_SECONDS {
                fail(&format!("takes longer than {MOST_SECONDS} s"));
            }
        }
    });
}
