//! `cotaste import`: files into the log or the catalogue. A reading thread, a writing one; each batch is a transaction that
//! also holds how far the file has been read.

use crate::args::{Format, Import, Into};
use crate::database::{Database, Value};
use crate::event::{Defaults, Event, Field};
use crate::failure::{Exit, Failure, Result};
use crate::output::{grouped, Output, BYTES};
use crate::sink::{self, Mode, Seal, Sink, Written};
use crate::source::{self, Mapping, Position, Rejected};
use crate::Ended;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Instant;

pub fn run(mut database: Database, arguments: &Import, output: Output) -> Ended {
    let begun = Instant::now();
    if arguments.rejects.is_some() && arguments.paths.len() > 1 {
        let hint = "Import one file, or leave --rejects out: each file's are then listed beside it.";
        return Err(Failure::argument("--rejects names one file for several", hint));
    }
    let mapping = mapping(arguments)?;
    let mut files = Vec::new();
    for path in &arguments.paths {
        let format = arguments.format.map_or_else(|| source::format(path), Ok)?;
        if arguments.into == Into::Contents || format == Format::Movielens {
            super::contents::import(&mut database, path, format, output)?;
        }
        files.push((path.clone(), format));
    }
    if arguments.into == Into::Contents {
        return Ok(None);
    }
    let mode = mode(&mut database, &files)?;
    let rows = arguments.batch.map_or(if mode == Mode::Load { LOADED } else { FOLLOWED }, |rows| rows as usize);
    let mut sink = sink::open(database, mode)?;
    let mut total = Progress::default();
    for (path, format) in &files {
        let done = Job { path, format: *format, mapping: &mapping, arguments, rows, output }.run(sink.as_mut())?;
        total.add(&done);
    }
    output.note("bringing the state up to the log ...");
    let folded = sink.refresh()?;
    let seconds = begun.elapsed().as_secs_f64();
    let rate = total.inserted as f64 / seconds;
    let text = format!(
        "{} rows read, {} events recorded, {} there already, {} rejected; {:.1} s, {} events/s with the state",
        grouped(total.read),
        grouped(total.inserted),
        grouped(total.duplicates),
        grouped(total.rejected),
        seconds,
        grouped(rate as u64),
    );
    let fields = json!({
        "rows": total.read, "recorded": total.inserted, "duplicates": total.duplicates, "rejected": total.rejected,
        "folded": folded, "seconds": seconds,
    });
    output.done(&text, fields);
    Ok((total.rejected > 0).then_some(Exit::Rejected))
}

fn mapping(arguments: &Import) -> Result<Mapping> {
    let mut columns = Vec::new();
    for map in &arguments.maps {
        let pair = map.split_once('=').and_then(|(column, field)| Some((column.to_string(), Field::named(field)?)));
        columns.push(pair.ok_or_else(|| {
            let hint = "Pass COLUMN=FIELD; fields are user_id, content_id, action, rating, progress, context, occurred_at, event_id.";
            Failure::argument(format!("--map {map} names no field"), hint)
        })?);
    }
    let time_us = arguments.default_time.as_deref().map(cotaste_core::time::parse_timestamp).transpose();
    let time_us =
        time_us.map_err(|error| Failure::argument(error.message(), "Pass --default-time 2026-01-05T12:00:00Z."))?;
    Ok(Mapping { columns, defaults: Defaults { action: arguments.default_action.clone(), time_us, event_id: None } })
}

/// Rows a batch. A load's touches almost every page of the log's indexes, which a transaction writes once: the larger, the less is
/// written. It is over before another writer has waited for 5 seconds.
const LOADED: usize = 250_000;
const FOLLOWED: usize = 100_000;

/// Bytes of a file that make an event, by experience: they decide how it is loaded, nothing else.
const BYTES_AN_EVENT: u64 = 60;

/// A load of more than there is makes the state anew at its end.
fn mode(database: &mut Database, files: &[(PathBuf, Format)]) -> Result<Mode> {
    let bytes: u64 = files.iter().map(|(path, format)| size(path, *format)).sum();
    let coming = i64::try_from(bytes / BYTES_AN_EVENT).unwrap_or(i64::MAX);
    let there =
        database.integer("select count(*) from (select 1 from user_behaviors limit $1) b", &[Value::Int(coming)])?;
    Ok(if coming > 20_000 && there < coming { Mode::Load } else { Mode::Follow })
}

/// Bytes of a file as text: Parquet's are packed.
fn size(path: &Path, format: Format) -> u64 {
    let path = if format == Format::Movielens { path.join("ratings.csv") } else { path.to_path_buf() };
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if format == Format::Parquet {
        bytes * 4
    } else {
        bytes
    }
}

/// How far a file has come, as it is kept.
#[derive(Clone, Debug, Default)]
struct Progress {
    at: Position,
    read: u64,
    inserted: u64,
    duplicates: u64,
    rejected: u64,
    /// Bytes of the file of rejected rows.
    listed: u64,
}

impl Progress {
    fn add(&mut self, other: &Progress) {
        self.read += other.read;
        self.inserted += other.inserted;
        self.duplicates += other.duplicates;
        self.rejected += other.rejected;
    }

    fn text(&self) -> String {
        let Progress { at, read, inserted, duplicates, rejected, listed } = self;
        json!({"offset": at.offset, "line": at.line, "read": read, "inserted": inserted, "duplicates": duplicates,
            "rejected": rejected, "listed": listed})
        .to_string()
    }

    fn of(text: &str) -> Option<Self> {
        let state: serde_json::Value = serde_json::from_str(text).ok()?;
        let number = |name: &str| state.get(name)?.as_u64();
        Some(Progress {
            at: Position { offset: number("offset")?, line: number("line")? },
            read: number("read")?,
            inserted: number("inserted")?,
            duplicates: number("duplicates")?,
            rejected: number("rejected")?,
            listed: number("listed")?,
        })
    }
}

/// Rows on their way from the reader to the writer.
struct Batch {
    events: Vec<Event>,
    lines: Vec<u64>,
    rejected: Vec<(u64, Rejected)>,
    end: Position,
}

/// One file.
struct Job<'a> {
    path: &'a Path,
    format: Format,
    mapping: &'a Mapping,
    arguments: &'a Import,
    /// Rows a batch.
    rows: usize,
    output: Output,
}

impl Job<'_> {
    fn run(&self, sink: &mut dyn Sink) -> Result<Progress> {
        let task = self.task()?;
        let known = if self.arguments.again { None } else { sink.checkpoint(&task)? };
        let mut progress = known.as_deref().and_then(Progress::of).unwrap_or_default();
        if progress.read > 0 {
            self.output.note(&format!(
                "{}: {} rows were read before; going on",
                self.path.display(),
                grouped(progress.read)
            ));
        }
        let mut rejects = Rejects::open(self.rejects_path(), progress.listed)?;
        let bar = self.output.bar(size(self.path, self.format), BYTES);
        bar.set_message(self.path.display().to_string());
        let earlier = progress.clone();
        let (path, format, at, rows) = (self.path, self.format, progress.at, self.rows);
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::sync_channel(1);
            let reader = scope.spawn(move || read(path, format, self.mapping, at, rows, &sender));
            for batch in receiver {
                self.write(sink, &task, &batch, &mut progress, &mut rejects)?;
                bar.set_position(if self.format == Format::Parquet { 0 } else { progress.at.offset });
            }
            reader.join().unwrap_or_else(|_| Err(Failure::argument("the reading thread ended", "Report it.")))
        })?;
        bar.finish_and_clear();
        if progress.rejected > 0 {
            self.output.note(&format!(
                "{}: {} rows are listed in {}",
                self.path.display(),
                progress.rejected,
                rejects.path.display()
            ));
        }
        Ok(Progress {
            read: progress.read - earlier.read,
            inserted: progress.inserted - earlier.inserted,
            duplicates: progress.duplicates - earlier.duplicates,
            ..progress
        })
    }

    fn write(
        &self,
        sink: &mut dyn Sink,
        task: &str,
        batch: &Batch,
        progress: &mut Progress,
        rejects: &mut Rejects,
    ) -> Result<()> {
        let mut next = progress.clone();
        let mut sealing = |written: &Written| {
            next = progress.clone();
            next.at = batch.end;
            next.read += (batch.events.len() + batch.rejected.len()) as u64;
            next.inserted += written.inserted;
            next.duplicates += written.duplicates;
            next.rejected += (batch.rejected.len() + written.rejected.len()) as u64;
            next.listed = rejects.write(progress.listed, batch, written)?;
            Ok(Seal { checkpoint: Some((task.to_string(), next.text())), dead: Vec::new() })
        };
        sink.write(&batch.events, &mut sealing)?;
        *progress = next;
        Ok(())
    }

    /// The file by its whole path and its start: another file of that name is another task, a longer one the same.
    fn task(&self) -> Result<String> {
        let path = std::fs::canonicalize(self.path).map_err(|error| Failure::file(self.path, error))?;
        let data = if self.format == Format::Movielens { path.join("ratings.csv") } else { path.clone() };
        let start = self.start(&data).map_err(|error| Failure::file(&data, error))?;
        let hash: String = Sha256::digest(start).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("import {} {hash}", path.display()))
    }

    /// The first line, which stays when the file grows. Parquet tells what it holds at its end.
    fn start(&self, data: &Path) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(data)?;
        let mut bytes = Vec::new();
        if self.format == Format::Parquet {
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(4096)))?;
        }
        file.take(4096).read_to_end(&mut bytes)?;
        if self.format != Format::Parquet {
            bytes.truncate(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
        }
        Ok(bytes)
    }

    fn rejects_path(&self) -> PathBuf {
        let beside = || PathBuf::from(format!("{}.rejects.csv", self.path.display().to_string().trim_end_matches('/')));
        self.arguments.rejects.clone().unwrap_or_else(beside)
    }
}

fn read(
    path: &Path,
    format: Format,
    mapping: &Mapping,
    at: Position,
    rows: usize,
    to: &mpsc::SyncSender<Batch>,
) -> Result<()> {
    let mut source = source::open(path, format, mapping, at)?;
    loop {
        let mut batch =
            Batch { events: Vec::with_capacity(rows), lines: Vec::with_capacity(rows), rejected: Vec::new(), end: at };
        let mut is_last = true;
        while let Some(row) = source.next()? {
            match row.read {
                Ok(event) => {
                    batch.events.push(event);
                    batch.lines.push(row.line);
                }
                Err(rejected) => batch.rejected.push((row.line, rejected)),
            }
            if batch.events.len() + batch.rejected.len() >= rows {
                is_last = false;
                break;
            }
        }
        batch.end = source.position();
        let is_empty = batch.events.is_empty() && batch.rejected.is_empty();
        // The writer is gone when it failed; it tells why.
        if !is_empty && to.send(batch).is_err() || is_last {
            return Ok(());
        }
    }
}

/// The file of rejected rows: line, reason, row. Made when the first is found; what a batch that was not committed has
/// added is overwritten.
struct Rejects {
    path: PathBuf,
}

const REJECTS_HEADER: &str = "line,reason,row\n";

impl Rejects {
    fn open(path: PathBuf, listed: u64) -> Result<Self> {
        let mut start = [0; REJECTS_HEADER.len()];
        let is_ours = match File::open(&path) {
            Ok(mut file) => file.read_exact(&mut start).is_ok() && start == REJECTS_HEADER.as_bytes(),
            Err(_) => true,
        };
        if !is_ours {
            let hint = "It would be overwritten with the rejected rows. Move it away, or name another: --rejects FILE.";
            return Err(Failure::argument(
                format!("{} is there and is no list of rejected rows", path.display()),
                hint,
            ));
        }
        if listed == 0 && path.exists() {
            std::fs::remove_file(&path).map_err(|error| Failure::file(&path, error))?;
        }
        Ok(Rejects { path })
    }

    /// Adds a batch's behind the first `listed` bytes; the bytes there are then.
    fn write(&mut self, listed: u64, batch: &Batch, written: &Written) -> Result<u64> {
        if batch.rejected.is_empty() && written.rejected.is_empty() {
            return Ok(listed);
        }
        let mut rows: Vec<(u64, &str, String)> = batch
            .rejected
            .iter()
            .map(|(line, rejected)| (*line, rejected.reason.as_str(), rejected.row.clone()))
            .collect();
        for (place, reason) in &written.rejected {
            let (Some(event), Some(line)) = (batch.events.get(*place), batch.lines.get(*place)) else { continue };
            rows.push((*line, reason, describe(event)));
        }
        rows.sort();
        let mut text = csv::Writer::from_writer(Vec::new());
        let failed = |error: String| Failure::file(&self.path, error);
        for (line, reason, row) in rows {
            text.write_record([&line.to_string(), reason, &row]).map_err(|error| failed(error.to_string()))?;
        }
        let rows = text.into_inner().map_err(|error| failed(error.to_string()))?;
        let header = if listed == 0 { REJECTS_HEADER } else { "" };
        let bytes = [header.as_bytes(), &rows].concat();
        let write = || {
            let mut file = File::options().create(true).truncate(false).write(true).open(&self.path)?;
            file.set_len(listed)?;
            file.seek(SeekFrom::Start(listed))?;
            file.write_all(&bytes)
        };
        write().map_err(|error| failed(error.to_string()))?;
        Ok(listed + bytes.len() as u64)
    }
}

fn describe(event: &Event) -> String {
    json!({"user_id": event.user_id, "content_id": event.content_id, "action": event.action, "event_id": event.event_id}).to_string()
}
