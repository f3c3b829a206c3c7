//! The pure core of cotaste: everything both engines compute, and nothing that belongs to an engine.
//!
//! No I/O, no clock, no mutable global state, no panics: a function takes values and returns a value or an [`Error`].
//! A *state* module (`taste::state`, `list::state`, [`sum`]) is an aggregate over bytes, so that two halves of a group
//! merge by concatenation or addition and both engines run the same code.
#![forbid(unsafe_code)]

pub mod base;
pub mod behavior;
pub mod block;
mod bytes;
pub mod catalogue;
pub mod context;
pub mod embedding;
mod error;
pub mod events;
pub mod exact;
pub mod facts;
pub mod fold;
pub mod gather;
pub mod genre;
pub mod genre_order;
pub mod latest;
pub mod list;
pub mod measures;
pub mod neighbours;
pub mod posting;
pub mod recommend;
pub mod similarity;
mod sketch;
pub mod stats;
pub mod sum;
pub mod taste;
pub mod time;
pub mod trend;

pub use error::{Error, Result};

/// The version of the library, as `cotaste_version()` tells it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
