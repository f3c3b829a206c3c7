//! `manifest.json`: the files that make the export. It is replaced in one step, after the files it names are there; a reader
//! that follows it never sees half an export.

use crate::failure::{Failure, Result};
use serde_json::{json, Value};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// One day's file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    pub path: String,
    pub rows: u64,
    pub bytes: u64,
    /// Of the rows: another one means that the day has changed.
    pub fingerprint: String,
}

#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// By day, `2026-01-05`.
    pub files: BTreeMap<String, File>,
}

const NAME: &str = "manifest.json";

impl Manifest {
    /// That of an earlier export into the folder, or an empty one.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Manifest::default()),
            Err(error) => return Err(Failure::file(&path, error)),
        };
        let damaged = || {
            Failure::argument(
                format!("{} is not a manifest of this program", path.display()),
                "Export into another folder.",
            )
        };
        let json: Value = serde_json::from_str(&text).map_err(|_| damaged())?;
        let mut manifest = Manifest::default();
        for file in json.get("files").and_then(Value::as_array).ok_or_else(damaged)? {
            let text = |name: &str| Some(file.get(name)?.as_str()?.to_string());
            let number = |name: &str| file.get(name)?.as_u64();
            let read = || {
                let kept = File {
                    path: text("path")?,
                    rows: number("rows")?,
                    bytes: number("bytes")?,
                    fingerprint: text("fingerprint")?,
                };
                Some((text("day")?, kept))
            };
            let (day, kept) = read().ok_or_else(damaged)?;
            manifest.files.insert(day, kept);
        }
        Ok(manifest)
    }

    pub fn write(&self, folder: &Path) -> Result<()> {
        let files: Vec<Value> = self
            .files
            .iter()
            .map(|(day, file)| json!({"path": file.path, "day": day, "rows": file.rows, "bytes": file.bytes, "fingerprint": file.fingerprint}))
            .collect();
        let columns: Vec<Value> =
            super::COLUMNS.iter().map(|(name, kind, nullable)| json!({"name": name, "type": format!("{kind:?}").to_lowercase(), "nullable": nullable})).collect();
        let rows: u64 = self.files.values().map(|file| file.rows).sum();
        let text = json!({"format": 1, "table": "user_behaviors", "partitioned_by": "day", "columns": columns, "rows": rows, "files": files});
        replace(&folder.join(NAME), &format!("{text:#}\n"))
    }
}

/// Writes a file beside its place and renames it into it.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    let beside = path.with_extension("new");
    let write = || {
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|error| Failure::file(path, error))
}
