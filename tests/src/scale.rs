//! How much of something is done: little in `make test`, much in `make soak`.
//!
//! `COTASTE_SOAK=1` is the long form, `COTASTE_SOAK=0.1` a tenth of it, never less than the quick one.

/// So many in `make test`, so many in `make soak`.
pub fn of(quick: usize, soak: usize) -> usize {
    match soaking() {
        Some(part) => quick.max((soak as f64 * part) as usize),
        None => quick,
    }
}

/// The part of the long form that is asked for, if it is.
pub fn soaking() -> Option<f64> {
    std::env::var("COTASTE_SOAK").ok()?.parse().ok().filter(|part| *part > 0.0)
}
