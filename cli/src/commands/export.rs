//! `cotaste export`: the log as Parquet files by day. A day whose rows are as they were is not written again, so an export
//! into the same folder writes what has changed: later events, corrections, erasures.

use crate::args::Export;
use crate::database::{Database, Reader, Value};
use crate::export::{date, write_load_files, File, Manifest, Writer, DAY_US};
use crate::failure::{Failure, Result};
use crate::output::{grouped, Output, COUNT};
use crate::sql;
use crate::Ended;
use cotaste_core::time::format_timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

const SQL: &str = include_str!("../../sql/export.sql");

pub fn run(database: &Database, arguments: &Export, output: Output) -> Ended {
    let begun = Instant::now();
    let folder = arguments.folder.as_path();
    std::fs::create_dir_all(folder).map_err(|error| Failure::file(folder, error))?;
    let earlier = Manifest::read(folder)?;
    let mut reader = Reader::new(database)?;
    let days = days(&mut reader)?;
    let mut manifest = Manifest::default();
    let bar = output.bar(days.len() as u64, COUNT);
    let (mut written, mut kept, mut rows) = (0_u64, 0_u64, 0);
    for (day, (count, fingerprint)) in &days {
        let name = date(*day);
        bar.inc(1);
        if let Some(file) = earlier.files.get(&name) {
            let same = file.fingerprint == *fingerprint && file.rows == *count && folder.join(&file.path).is_file();
            if same || arguments.archive && *count < file.rows {
                manifest.files.insert(name, file.clone());
                kept += 1;
                continue;
            }
        }
        let file = write(&mut reader, folder, *day, &name, fingerprint)?;
        rows += file.rows;
        written += 1;
        manifest.files.insert(name, file);
    }
    reader.end()?;
    bar.finish_and_clear();
    if arguments.archive {
        for (day, file) in &earlier.files {
            manifest.files.entry(day.clone()).or_insert_with(|| file.clone());
        }
    }
    write_all(folder, &earlier, &manifest, arguments)?;
    let removed = earlier.files.keys().filter(|day| !manifest.files.contains_key(*day)).count();
    let total: u64 = manifest.files.values().map(|file| file.rows).sum();
    let seconds = begun.elapsed().as_secs_f64();
    let text = format!(
        "{}: {} events in {} days; {written} days ({} events) written, {kept} as they were, {removed} removed; {seconds:.1} s",
        folder.display(), grouped(total), manifest.files.len(), grouped(rows),
    );
    let fields = json!({"rows": total, "days": manifest.files.len(), "days_written": written, "rows_written": rows, "days_kept": kept,
        "days_removed": removed, "seconds": seconds});
    output.done(&text, fields);
    Ok(None)
}

/// The manifest, what other systems load by, then the removal of files that no manifest names any more.
fn write_all(folder: &Path, earlier: &Manifest, manifest: &Manifest, arguments: &Export) -> Result<()> {
    let here = std::fs::canonicalize(folder).map_err(|error| Failure::file(folder, error))?.display().to_string();
    manifest.write(folder)?;
    write_load_files(folder, manifest, arguments.uri.as_deref().unwrap_or(&here))?;
    for file in earlier.files.values().filter(|file| !manifest.files.values().any(|kept| kept.path == file.path)) {
        let path = folder.join(&file.path);
        let _ = std::fs::remove_file(&path);
        // Goes when it is empty.
        let _ = path.parent().map(std::fs::remove_dir);
    }
    Ok(())
}

/// Every day's rows and fingerprint: a sum over hashes of rows, so that no order matters.
fn days(reader: &mut Reader<'_>) -> Result<BTreeMap<i64, (u64, String)>> {
    let mut days = BTreeMap::new();
    if let Reader::Postgres(_) = reader {
        reader.each(sql::named(SQL, "days of postgres"), &[], &mut |row| {
            if let [Value::Int(day), Value::Int(count), Value::Text(sum)] = row {
                days.insert(*day, (count.unsigned_abs(), sum.clone()));
            }
            Ok(())
        })?;
        return Ok(days);
    }
    let mut sums: BTreeMap<i64, (u64, u128)> = BTreeMap::new();
    reader.each(sql::named(SQL, "rows of sqlite"), &[], &mut |row| {
        if let Some(Value::Int(us)) = row.get(7) {
            let (count, sum) = sums.entry(us.div_euclid(DAY_US)).or_default();
            *count += 1;
            *sum = sum.wrapping_add(hash(row));
        }
        Ok(())
    })?;
    Ok(sums.into_iter().map(|(day, (count, sum))| (day, (count, sum.to_string()))).collect())
}

fn hash(row: &[Value]) -> u128 {
    let mut hash = Sha256::new();
    for value in row {
        let text = value.text();
        hash.update([u8::from(*value == Value::Null)]);
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().iter().take(8).fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

/// One day's file. Its name tells its content, so that the old one stays until the manifest has changed.
fn write(reader: &mut Reader<'_>, folder: &Path, day: i64, name: &str, fingerprint: &str) -> Result<File> {
    let tag: String = Sha256::digest(fingerprint).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let path = format!("day={name}/events-{tag}.parquet");
    let place = folder.join(&path);
    if let Some(parent) = place.parent() {
        std::fs::create_dir_all(parent).map_err(|error| Failure::file(parent, error))?;
    }
    let beside = place.with_extension("new");
    let mut writer = Writer::create(&beside)?;
    let (from, to) = (day.saturating_mul(DAY_US), day.saturating_add(1).saturating_mul(DAY_US));
    let instant = |us: i64| {
        let us = us.clamp(cotaste_core::time::MIN_US, cotaste_core::time::MAX_US);
        Ok::<_, Failure>(Value::Text(
            format_timestamp(us).map_err(|error| Failure::argument(error.message(), "Report it."))?,
        ))
    };
    // In SQLite times are texts that may have an offset: those of a day lie among the texts of the days around it.
    let (statement, around) = match reader {
        Reader::Sqlite(_) => ("day of sqlite", DAY_US),
        Reader::Postgres(_) => ("day of postgres", 0),
    };
    let parameters =
        [instant(from.saturating_sub(around))?, instant(to.saturating_add(around))?, Value::Int(from), Value::Int(to)];
    reader.each(sql::named(SQL, statement), &parameters, &mut |row| writer.row(row))?;
    let rows = writer.written;
    let bytes = writer.end()?;
    std::fs::rename(&beside, &place).map_err(|error| Failure::file(&place, error))?;
    Ok(File { path, rows, bytes, fingerprint: fingerprint.to_string() })
}
