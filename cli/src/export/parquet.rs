//! One Parquet file of events.

use crate::database::Value;
use crate::failure::{Failure, Result};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Integer,
    Double,
    Text,
    Instant,
}

/// Name, kind, whether it may be NULL; the day is in the path.
pub const COLUMNS: [(&str, Kind, bool); 16] = [
    ("id", Kind::Integer, false),
    ("user_id", Kind::Text, false),
    ("content_id", Kind::Integer, false),
    ("action", Kind::Text, false),
    ("rating", Kind::Double, true),
    ("progress", Kind::Double, true),
    ("context", Kind::Text, true),
    ("occurred_at", Kind::Instant, false),
    ("event_id", Kind::Text, true),
    ("time_of_day", Kind::Text, true),
    ("day_of_week", Kind::Text, true),
    ("device", Kind::Text, true),
    ("location", Kind::Text, true),
    ("experiment", Kind::Text, true),
    ("variant", Kind::Text, true),
    ("context_status", Kind::Text, false),
];

/// Rows of a row group.
const GROUP: usize = 100_000;

pub struct Writer {
    writer: SerializedFileWriter<File>,
    path: PathBuf,
    rows: Vec<Vec<Value>>,
    pub written: u64,
}

impl Writer {
    pub fn create(path: &Path) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| Failure::file(path, error);
        let file = File::create(path).map_err(|error| failed(&error))?;
        let compression = Compression::ZSTD(ZstdLevel::default());
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let schema = Arc::new(schema().map_err(|error| failed(&error))?);
        let writer = SerializedFileWriter::new(file, schema, properties).map_err(|error| failed(&error))?;
        Ok(Writer { writer, path: path.to_path_buf(), rows: Vec::new(), written: 0 })
    }

    /// Values by `COLUMNS`; an instant is microseconds since 1970.
    pub fn row(&mut self, row: &[Value]) -> Result<()> {
        self.rows.push(row.to_vec());
        self.written += 1;
        if self.rows.len() == GROUP {
            self.group()?;
        }
        Ok(())
    }

    fn group(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let write = |writer: &mut SerializedFileWriter<File>| -> parquet::errors::Result<()> {
            let mut group = writer.next_row_group()?;
            for (i, (_, kind, nullable)) in COLUMNS.iter().enumerate() {
                let values = || rows.iter().filter_map(|row| row.get(i)).filter(|value| **value != Value::Null);
                let present: Vec<i16> =
                    rows.iter().map(|row| i16::from(row.get(i).is_some_and(|value| *value != Value::Null))).collect();
                let levels = nullable.then_some(present.as_slice());
                let Some(mut column) = group.next_column()? else { continue };
                match kind {
                    Kind::Integer | Kind::Instant => {
                        let values: Vec<i64> = values().map(integer).collect();
                        column.typed::<Int64Type>().write_batch(&values, levels, None)?;
                    }
                    Kind::Double => {
                        let values: Vec<f64> = values().map(double).collect();
                        column.typed::<DoubleType>().write_batch(&values, levels, None)?;
                    }
                    Kind::Text => {
                        let values: Vec<ByteArray> =
                            values().map(|value| ByteArray::from(value.text().into_bytes())).collect();
                        column.typed::<ByteArrayType>().write_batch(&values, levels, None)?;
                    }
                }
                column.close()?;
            }
            group.close()?;
            Ok(())
        };
        write(&mut self.writer).map_err(|error| Failure::file(&self.path, error))
    }

    /// Ends the file; its size.
    pub fn end(mut self) -> Result<u64> {
        if !self.rows.is_empty() {
            self.group()?;
        }
        let path = self.path;
        self.writer.close().map_err(|error| Failure::file(&path, error))?;
        let length = File::open(&path).and_then(|file| file.sync_all().and_then(|()| file.metadata()));
        Ok(length.map_err(|error| Failure::file(&path, error))?.len())
    }
}

fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(value) => *value,
        _ => 0,
    }
}

fn double(value: &Value) -> f64 {
    match value {
        Value::Real(value) => *value,
        Value::Int(value) => *value as f64,
        _ => 0.0,
    }
}

fn schema() -> parquet::errors::Result<Type> {
    let mut fields = Vec::new();
    for (name, kind, nullable) in COLUMNS {
        let (physical, logical) = match kind {
            Kind::Integer => (Physical::INT64, None),
            Kind::Double => (Physical::DOUBLE, None),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Instant => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        };
        let repetition = if nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        fields.push(Arc::new(
            Type::primitive_type_builder(name, physical)
                .with_repetition(repetition)
                .with_logical_type(logical)
                .build()?,
        ));
    }
    Type::group_type_builder("events").with_fields(fields).build()
}
