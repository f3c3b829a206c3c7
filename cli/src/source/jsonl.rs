//! JSON lines: one object a line, in a file or in a message.

use super::{Mapping, Position, Rejected, Row, Source};
use crate::event::{Cell, Cells, Defaults, Event};
use crate::failure::{Failure, Result};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

pub struct JsonLines {
    reader: BufReader<File>,
    path: PathBuf,
    mapping: Mapping,
    at: Position,
    line: Vec<u8>,
}

impl JsonLines {
    pub fn open(path: &Path, mapping: &Mapping, at: Position) -> Result<Self> {
        let open = || {
            let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?);
            reader.seek(SeekFrom::Start(at.offset))?;
            Ok(reader)
        };
        let reader = open().map_err(|error: std::io::Error| Failure::file(path, error))?;
        Ok(JsonLines { reader, path: path.to_path_buf(), mapping: mapping.clone(), at, line: Vec::new() })
    }
}

impl Source for JsonLines {
    fn next(&mut self) -> Result<Option<Row>> {
        loop {
            self.line.clear();
            let bytes =
                self.reader.read_until(b'\n', &mut self.line).map_err(|error| Failure::file(&self.path, error))?;
            if bytes == 0 {
                return Ok(None);
            }
            self.at = Position { offset: self.at.offset + bytes as u64, line: self.at.line + 1 };
            let line = self.line.trim_ascii();
            if !line.is_empty() {
                let reject = |reason| Rejected { reason, row: String::from_utf8_lossy(line).into_owned() };
                let read = event(line, &self.mapping, &self.mapping.defaults).map_err(reject);
                return Ok(Some(Row { line: self.at.line, read }));
            }
        }
    }

    fn position(&self) -> Position {
        self.at
    }
}

/// The event of a JSON object.
pub fn event(line: &[u8], mapping: &Mapping, defaults: &Defaults) -> std::result::Result<Event, String> {
    let members: HashMap<Cow<'_, str>, &RawValue> =
        serde_json::from_slice(line).map_err(|error| format!("is not a JSON object: {error}"))?;
    let mut cells = Cells::default();
    for (name, value) in members {
        let Some(field) = mapping.field(&name) else { continue };
        if let Some(cell) = cells.get_mut(field as usize) {
            *cell = read(value.get()).map_err(|error| format!("{}: {error}", field.name()))?;
        }
    }
    Event::read(cells, defaults)
}

fn read(json: &str) -> serde_json::Result<Cell<'_>> {
    Ok(match json.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<Cow<'_, str>>(json)?.into_owned() {
            text if text.is_empty() => Cell::None,
            text => Cell::Text(text.into()),
        },
        Some(b'n') => Cell::None,
        Some(b'-' | b'0'..=b'9') => match json.parse() {
            Ok(value) => Cell::Int(value),
            Err(_) => Cell::Real(serde_json::from_str(json)?),
        },
        _ => Cell::Other(json.into()),
    })
}
