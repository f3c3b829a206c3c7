//! `make bench-cli`: how fast the tool loads, moves and follows. Each figure is of one run of the binary, with indexes and state.

use super::brokers::{Kafka, Redis};
use super::tool::{Place, Tool};
use crate::bench::{Figures, Subject, SETTINGS};
use crate::cluster::Cluster;
use crate::run::Scratch;
use crate::Options;
use anyhow::{ensure, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

const MILLION: u64 = 1_000_000;

pub fn run(options: &Options, figures: &mut Figures) -> Result<()> {
    let scratch = Scratch::new("bench-cli")?;
    let cluster =
        Cluster::start_with(&options.pg15, &options.target.join("build-pg15/release/libcotaste.so"), SETTINGS)?;
    let events =
        std::env::var("COTASTE_BENCH_EVENTS").ok().and_then(|events| events.parse().ok()).unwrap_or(10 * MILLION);
    let wanted = |work: &str| options.only.as_deref().is_none_or(|only| work.contains(only));
    let synthetic = options.target.join("synthetic-100000-20000/events.csv");
    let large = scratch.0.join("large.csv");
    let mut held = 0;
    if synthetic.is_file() && (wanted("import") || wanted("migrate")) {
        held = convert(&synthetic, &large, events)?;
    } else {
        println!("SKIPPED: {} (make bench-similarity makes it)", synthetic.display());
    }
    for place in [Place::Sqlite, Place::Postgres(&cluster)] {
        let tool = Tool::new(&options.target, &scratch.0, place);
        let data = format!("{:.1} M synthetic", held as f64 / 1e6);
        if wanted("import") {
            movielens(&tool, figures)?;
            if held > 0 {
                let rate = load(&tool, &large)?;
                figures.once(
                    Subject { work: "import", engine: tool.engine(), data: &data, unit: "events/s" },
                    "cotaste import",
                    rate,
                )?;
            }
        }
        if wanted("stream") {
            stream(&tool, figures)?;
        }
        if wanted("migrate") && !tool.is_sqlite() && held > 0 {
            migrate(&tool, &large, &scratch.0, figures)?;
        }
    }
    Ok(())
}

/// The synthetic set with a header and an id for each event; how many there are.
fn convert(from: &Path, to: &Path, most: u64) -> Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(to)?);
    writeln!(out, "user_id,content_id,action,rating,context,occurred_at,event_id")?;
    let mut rows = 0;
    for line in BufReader::with_capacity(1 << 20, File::open(from)?).lines() {
        let line = line?;
        let cells: Vec<&str> = line.split('\t').collect();
        let [user, content, action, rating, context, seconds] = cells[..] else { continue };
        writeln!(out, "{user},{content},{action},{rating},\"{}\",{seconds},e{rows}", context.replace('"', "\"\""))?;
        rows += 1;
        if rows == most {
            break;
        }
    }
    out.flush()?;
    Ok(rows)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

fn movielens(tool: &Tool, figures: &mut Figures) -> Result<()> {
    let folder = crate::golden::movielens();
    let subject = Subject { work: "import", engine: tool.engine(), data: "MovieLens small", unit: "s" };
    let mut seconds = Vec::new();
    for _ in 0..3 {
        seconds.push(tool.space()?.run(&["import", text(&folder)])?.ok()?.json["seconds"].as_f64().unwrap_or_default());
    }
    seconds.sort_by(f64::total_cmp);
    figures.once(subject, "cotaste import, of three", seconds[1])
}

/// Events a second, with the state at the end.
fn load(tool: &Tool, file: &Path) -> Result<f64> {
    let database = tool.space()?;
    let ended = database.run(&["import", text(file)])?.ok()?;
    let rate = ended.number("recorded")? as f64 / ended.json["seconds"].as_f64().unwrap_or(f64::NAN);
    database.remove()?;
    Ok(rate)
}

fn migrate(tool: &Tool, large: &Path, scratch: &Path, figures: &mut Figures) -> Result<()> {
    let million: PathBuf = scratch.join("million.csv");
    let mut out = BufWriter::new(File::create(&million)?);
    for line in BufReader::new(File::open(large)?).lines().take(MILLION as usize + 1) {
        writeln!(out, "{}", line?)?;
    }
    out.flush()?;
    let files = tool.beside(Place::Sqlite, "bench-migrate")?;
    let source = files.space()?;
    source.run(&["import", text(&million)])?.ok()?;
    let ended = tool.database()?.run(&["migrate", source.file()])?.ok()?;
    let subject = Subject { work: "migrate", engine: tool.engine(), data: "1 M synthetic", unit: "s" };
    figures.once(subject, "copied, with the state", ended.json["copy_seconds"].as_f64().unwrap_or_default())?;
    figures.once(subject, "the same and all questions compared", ended.json["seconds"].as_f64().unwrap_or_default())
}

/// A backlog read to its end, with folds.
fn stream(tool: &Tool, figures: &mut Figures) -> Result<()> {
    let events = MILLION / 2;
    let messages: Vec<String> = (0..events).map(super::stream::event).collect();
    let redis = Redis::start(tool)?;
    redis.send("events", &messages)?;
    let kafka = Kafka::start(tool)?;
    kafka.send("events", &messages)?;
    for (name, arguments) in [
        ("from Redis", ["stream", "redis", &redis.url(), "events"].map(str::to_string)),
        ("from Kafka", ["stream", "kafka", &kafka.brokers(), "events"].map(str::to_string)),
    ] {
        let database = tool.space()?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--stop-when-idle", "3"]).collect();
        let ended = database.run(&arguments)?.ok()?;
        ensure!(ended.number("recorded")? == events, "{}", ended.json);
        let subject = Subject { work: "stream", engine: tool.engine(), data: "0.5 M of 997 users", unit: "events/s" };
        // From the first event to the last: the group's start and the idle end are not the tool's speed.
        figures.once(subject, name, events as f64 / ended.json["busy_seconds"].as_f64().unwrap_or(f64::NAN))?;
    }
    Ok(())
}
