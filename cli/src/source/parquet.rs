//! Parquet, row by row.

use super::{Mapping, Position, Rejected, Row, Source};
use crate::event::{Cell, Cells, Defaults, Event, Field};
use crate::failure::{Failure, Result};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{reader::RowIter, Field as Value};
use std::fs::File;
use std::path::{Path, PathBuf};

pub struct ParquetFile {
    rows: RowIter<'static>,
    path: PathBuf,
    fields: Vec<Option<Field>>,
    defaults: Defaults,
    at: u64,
}

impl ParquetFile {
    pub fn open(path: &Path, mapping: &Mapping, at: Position) -> Result<Self> {
        let file = File::open(path).map_err(|error| Failure::file(path, error))?;
        let reader = SerializedFileReader::new(file).map_err(|error| Failure::file(path, error))?;
        let schema = reader.metadata().file_metadata().schema();
        let fields = mapping.fields(path, schema.get_fields().iter().map(|field| field.name()))?;
        let mut rows = RowIter::from_file_into(Box::new(reader));
        for _ in 0..at.offset {
            rows.next();
        }
        let defaults = mapping.defaults.clone();
        Ok(ParquetFile { rows, path: path.to_path_buf(), fields, defaults, at: at.offset })
    }
}

impl Source for ParquetFile {
    fn next(&mut self) -> Result<Option<Row>> {
        let Some(row) = self.rows.next() else { return Ok(None) };
        let row = row.map_err(|error| Failure::file(&self.path, error))?;
        self.at += 1;
        let mut cells = Cells::default();
        for ((_, value), field) in row.get_column_iter().zip(&self.fields) {
            if let Some(cell) = field.and_then(|field| cells.get_mut(field as usize)) {
                *cell = read(value);
            }
        }
        let read = Event::read(cells, &self.defaults).map_err(|reason| Rejected { reason, row: row.to_string() });
        Ok(Some(Row { line: self.at, read }))
    }

    fn position(&self) -> Position {
        Position { offset: self.at, line: self.at }
    }
}

fn read(value: &Value) -> Cell<'_> {
    match value {
        Value::Null => Cell::None,
        Value::Str(text) => Cell::from(text.as_str()),
        Value::Bytes(bytes) => std::str::from_utf8(bytes.data()).map_or_else(|_| other(value), Cell::from),
        Value::Byte(value) => Cell::Int((*value).into()),
        Value::Short(value) => Cell::Int((*value).into()),
        Value::Int(value) => Cell::Int((*value).into()),
        Value::Long(value) => Cell::Int(*value),
        Value::UByte(value) => Cell::Int((*value).into()),
        Value::UShort(value) => Cell::Int((*value).into()),
        Value::UInt(value) => Cell::Int((*value).into()),
        Value::ULong(value) => i64::try_from(*value).map_or_else(|_| other(&Value::ULong(*value)), Cell::Int),
        Value::Float(value) => Cell::Real((*value).into()),
        Value::Double(value) => Cell::Real(*value),
        Value::Decimal(_) => Cell::Text(value.to_string().into()),
        Value::Date(days) => Cell::Instant(i64::from(*days).saturating_mul(86_400_000_000)),
        Value::TimestampMillis(ms) => Cell::Instant(ms.saturating_mul(1000)),
        Value::TimestampMicros(us) => Cell::Instant(*us),
        _ => other(value),
    }
}

/// Structures and what has no counterpart, as JSON text.
fn other(value: &Value) -> Cell<'static> {
    Cell::Other(value.to_json_value().to_string().into())
}
