//! Parquet files by day, and the manifest that says which they are.

mod load;
mod manifest;
mod parquet;

pub use load::write as write_load_files;
pub use manifest::{File, Manifest};
pub use parquet::{Writer, COLUMNS};

/// `2026-01-05` of a day since 1970.
pub fn date(day: i64) -> String {
    let text = cotaste_core::time::format_timestamp(day.saturating_mul(DAY_US)).unwrap_or_default();
    text.get(..10).unwrap_or_default().to_string()
}

pub const DAY_US: i64 = 86_400_000_000;
