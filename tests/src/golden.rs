//! The golden tables: where they are, how they are read and compared.

use anyhow::{ensure, Context, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A row by column name; None is SQL NULL.
pub struct Row(BTreeMap<String, String>);

impl Row {
    /// The text of a column, "" when it is NULL.
    pub fn text(&self, column: &str) -> &str {
        self.0.get(column).map_or("", String::as_str)
    }

    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn optional(&self, column: &str) -> Option<&str> {
        self.0.get(column).map(String::as_str).filter(|text| !text.is_empty())
    }
}

/// `$COTASTE_SHARED`, else `../shared` beside the repository.
pub fn shared() -> PathBuf {
    std::env::var_os("COTASTE_SHARED").map_or_else(|| crate::repository().join("../shared"), PathBuf::from)
}

/// `$COTASTE_DATA`, else MovieLens latest-small beside the golden tables.
pub fn movielens() -> PathBuf {
    std::env::var_os("COTASTE_DATA").map_or_else(|| shared().join("data/ml-latest-small"), PathBuf::from)
}

pub fn directory() -> PathBuf {
    shared().join("golden")
}

pub fn read(table: &str) -> Result<Vec<Row>> {
    read_csv(directory().join(table))
}

pub fn read_csv(path: PathBuf) -> Result<Vec<Row>> {
    let mut reader = csv::Reader::from_path(&path).with_context(|| path.display().to_string())?;
    let names = reader.headers()?.clone();
    let row =
        |record: csv::StringRecord| Row(names.iter().zip(record.iter()).map(|(n, v)| (n.into(), v.into())).collect());
    reader.records().map(|record| Ok(row(record?))).collect()
}

/// `|got - want| <= absolute` or `<= relative * |want|`; NULL only equals NULL.
pub fn close(got: &str, want: Option<&str>, absolute: f64, relative: f64) -> Result<()> {
    let Some(want) = want else {
        ensure!(got == crate::engine::NULL, "NULL expected, got {got}");
        return Ok(());
    };
    let (g, w): (f64, f64) = (got.parse().with_context(|| format!("{want} expected, got {got}"))?, want.parse()?);
    ensure!((g - w).abs() <= absolute.max(relative * w.abs()), "{want} expected, got {got}");
    Ok(())
}
