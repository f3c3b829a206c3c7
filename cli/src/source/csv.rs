//! CSV with a header line.

use super::{Mapping, Position, Rejected, Row, Source};
use crate::event::{Cell, Cells, Defaults, Event, Field};
use crate::failure::{Failure, Result};
use csv::{ByteRecord, Reader, ReaderBuilder};
use std::fs::File;
use std::path::{Path, PathBuf};

pub struct CsvFile {
    reader: Reader<File>,
    path: PathBuf,
    fields: Vec<Option<Field>>,
    defaults: Defaults,
    record: ByteRecord,
}

/// A reader behind the header, and the header.
pub fn reader(path: &Path) -> Result<(Reader<File>, Vec<String>)> {
    let file = File::open(path).map_err(|error| Failure::file(path, error))?;
    let mut reader = ReaderBuilder::new().flexible(true).buffer_capacity(1 << 18).from_reader(file);
    let header = reader.byte_headers().map_err(|error| Failure::file(path, error))?;
    let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_start_matches('\u{feff}').trim().to_string();
    let columns = header.iter().map(name).collect();
    Ok((reader, columns))
}

impl CsvFile {
    pub fn open(path: &Path, mapping: &Mapping, at: Position) -> Result<Self> {
        let (mut reader, columns) = reader(path)?;
        let fields = mapping.fields(path, columns.iter().map(String::as_str))?;
        if at.offset > 0 {
            let mut position = csv::Position::new();
            position.set_byte(at.offset).set_line(at.line + 1);
            reader.seek(position).map_err(|error| Failure::file(path, error))?;
        }
        let defaults = mapping.defaults.clone();
        Ok(CsvFile { reader, path: path.to_path_buf(), fields, defaults, record: ByteRecord::new() })
    }

    fn event(&self) -> std::result::Result<Event, String> {
        if self.record.len() != self.fields.len() {
            return Err(format!("has {} fields, the header {}", self.record.len(), self.fields.len()));
        }
        let mut cells = Cells::default();
        for (field, bytes) in self.fields.iter().zip(&self.record) {
            if let Some(cell) = field.and_then(|field| cells.get_mut(field as usize)) {
                *cell = Cell::from(std::str::from_utf8(bytes).map_err(|_| "is not UTF-8")?);
            }
        }
        Event::read(cells, &self.defaults)
    }
}

impl Source for CsvFile {
    fn next(&mut self) -> Result<Option<Row>> {
        let more = self.reader.read_byte_record(&mut self.record).map_err(|error| Failure::file(&self.path, error))?;
        if !more {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        let read = self.event().map_err(|reason| Rejected { reason, row: text(&self.record) });
        Ok(Some(Row { line, read }))
    }

    fn position(&self) -> Position {
        let position = self.reader.position();
        Position { offset: position.byte(), line: position.line().saturating_sub(1) }
    }
}

pub fn text(record: &ByteRecord) -> String {
    let fields: Vec<_> = record.iter().map(String::from_utf8_lossy).collect();
    fields.join(",")
}
