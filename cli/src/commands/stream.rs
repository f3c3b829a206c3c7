//! `cotaste stream`: messages into the log as they come. Delivered at least once, recorded once: a batch is committed, then
//! settled with its source, and what is delivered again has the id of an event that is there.

use crate::args::{Stream, StreamFrom};
use crate::database::Database;
use crate::event::{Cell, Cells, Defaults, Event};
use crate::failure::{Exit, Failure, Result};
use crate::feed::{self, Chunk, Feed, Message, Payload};
use crate::output::{grouped, Output};
use crate::sink::{self, Dead, Mode, Seal, Sink, Written};
use crate::source::{jsonl_event, Mapping};
use crate::Ended;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub fn run(database: Database, arguments: &Stream, output: Output) -> Ended {
    let feed = open(arguments)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let registered = signal_hook::flag::register(signal, stop.clone());
        registered.map_err(|error| Failure::argument(format!("signals: {error}"), "Report it."))?;
    }
    let (sender, receiver) = mpsc::sync_channel(2);
    let (reading, stopping) = (feed.clone(), stop.clone());
    // Not waited for at the end: standard input may never say another word.
    std::thread::spawn(move || {
        if let Err(failure) = reading.read(&sender, &stopping) {
            let _ = sender.send(Err(failure));
        }
    });
    let mapping = Mapping::default();
    let sink = sink::open(database, Mode::Follow)?;
    let mut writer = Writer {
        sink,
        feed,
        mapping,
        output,
        totals: Totals::default(),
        unfolded: 0,
        folded_at: Instant::now(),
        told_at: Instant::now(),
        begun: Instant::now(),
        busy: None,
    };
    let ended = writer.run(&receiver, &stop, arguments);
    let lag = writer.feed.lag();
    writer.feed.close();
    let Totals { recorded, duplicates, dead } = writer.totals;
    ended?;
    let seconds = writer.begun.elapsed().as_secs_f64();
    let busy = writer.busy.map_or(0.0, |(first, last)| (last - first).as_secs_f64());
    let text = format!(
        "{} events recorded, {} there already, {} dead letters; {seconds:.1} s",
        grouped(recorded),
        grouped(duplicates),
        grouped(dead)
    );
    output.done(
        &text,
        json!({"recorded": recorded, "duplicates": duplicates, "dead_letters": dead, "lag": lag, "seconds": seconds, "busy_seconds": busy}),
    );
    Ok((dead > 0).then_some(Exit::Rejected))
}

fn open(arguments: &Stream) -> Result<Arc<dyn Feed>> {
    let batch = arguments.batch as usize;
    Ok(match &arguments.from {
        StreamFrom::Stdin => Arc::new(feed::Stdin),
        StreamFrom::Redis { server, stream, group, consumer } => {
            Arc::new(feed::Redis::open(server, stream, group, consumer, batch)?)
        }
        #[cfg(feature = "kafka")]
        StreamFrom::Kafka { brokers, topic, group, settings } => {
            let pair = |setting: &String| {
                let pair = setting.split_once('=').map(|(name, value)| (name.to_string(), value.to_string()));
                pair.ok_or_else(|| {
                    Failure::argument(
                        format!("--set {setting} has no value"),
                        "Pass --set NAME=VALUE, a setting of librdkafka.",
                    )
                })
            };
            let settings = settings.iter().map(pair).collect::<Result<Vec<_>>>()?;
            Arc::new(feed::Kafka::open(brokers, topic, group, batch, &settings)?)
        }
    })
}

#[derive(Default)]
struct Totals {
    recorded: u64,
    duplicates: u64,
    dead: u64,
}

struct Writer {
    sink: Box<dyn Sink>,
    feed: Arc<dyn Feed>,
    mapping: Mapping,
    output: Output,
    totals: Totals,
    /// Events recorded since the last fold.
    unfolded: u64,
    folded_at: Instant,
    told_at: Instant,
    begun: Instant,
    /// When the first message came, and when the last was settled.
    busy: Option<(Instant, Instant)>,
}

/// How often it looks whether it should stop.
const LOOK: Duration = Duration::from_millis(50);
const TELL: Duration = Duration::from_secs(5);

impl Writer {
    /// Gathers messages into batches: as many as one may have, or what came within the time one may wait.
    fn run(&mut self, receiver: &Receiver<Chunk>, stop: &AtomicBool, arguments: &Stream) -> Result<()> {
        let (linger, idle) =
            (Duration::from_millis(arguments.linger), arguments.stop_when_idle.map(Duration::from_secs));
        let fold_every = Duration::from_secs(arguments.fold_every);
        let mut batch: Vec<Message> = Vec::new();
        let (mut first, mut last) = (Instant::now(), Instant::now());
        loop {
            let mut has_ended = false;
            match receiver.recv_timeout(if batch.is_empty() { LOOK } else { LOOK.min(linger) }) {
                Ok(chunk) => {
                    if batch.is_empty() {
                        first = Instant::now();
                    }
                    last = Instant::now();
                    match chunk {
                        Ok(messages) => batch.extend(messages),
                        Err(failure) => {
                            self.write(&batch)?;
                            return Err(failure);
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) if !self.feed.is_ready() => last = Instant::now(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => has_ended = true,
            }
            let stops = stop.load(Ordering::Relaxed);
            let is_due = batch.len() >= arguments.batch as usize || first.elapsed() >= linger || has_ended || stops;
            if !batch.is_empty() && is_due {
                self.write(&std::mem::take(&mut batch))?;
            }
            if self.unfolded > 0 && self.folded_at.elapsed() >= fold_every && arguments.fold_every > 0 {
                self.fold()?;
            }
            self.tell();
            if has_ended || stops || idle.is_some_and(|idle| last.elapsed() >= idle) {
                break;
            }
        }
        // What was read before the signal came is written, too.
        while let Ok(chunk) = receiver.try_recv() {
            self.write(&chunk?)?;
        }
        if self.unfolded > 0 && arguments.fold_every > 0 {
            self.fold()?;
        }
        Ok(())
    }

    fn write(&mut self, messages: &[Message]) -> Result<()> {
        let first = self.busy.map_or_else(Instant::now, |(first, _)| first);
        let source = self.feed.name();
        let (mut events, mut places, mut dead) = (Vec::with_capacity(messages.len()), Vec::new(), Vec::new());
        for message in messages {
            match self.event(message) {
                Some(Ok(event)) => {
                    events.push(event);
                    places.push(message);
                }
                Some(Err(reason)) => dead.push(letter(&source, message, reason)),
                None => {}
            }
        }
        let mut letters = 0;
        let mut sealing = |written: &Written| {
            let mut all = std::mem::take(&mut dead);
            for (place, reason) in &written.rejected {
                all.extend(places.get(*place).map(|message| letter(&source, message, reason.clone())));
            }
            letters = all.len() as u64;
            Ok(Seal { checkpoint: None, dead: all })
        };
        let written = self.sink.write(&events, &mut sealing)?;
        self.totals.recorded += written.inserted;
        self.totals.duplicates += written.duplicates;
        self.totals.dead += letters;
        self.unfolded += written.inserted;
        let positions: Vec<_> = messages.iter().map(|message| message.position.clone()).collect();
        self.feed.settle(&positions)?;
        self.busy = Some((first, Instant::now()));
        Ok(())
    }

    fn event(&self, message: &Message) -> Option<std::result::Result<Event, String>> {
        let defaults =
            Defaults { action: None, time_us: message.sent_us, event_id: self.feed.event_id(&message.position) };
        Some(match &message.payload {
            Payload::Gone => return None,
            Payload::Json(bytes) => jsonl_event(bytes.trim_ascii(), &self.mapping, &defaults),
            Payload::Fields(fields) => {
                let mut cells = Cells::default();
                for (name, value) in fields {
                    if let Some(cell) = self.mapping.field(name).and_then(|field| cells.get_mut(field as usize)) {
                        *cell = Cell::from(value.as_str());
                    }
                }
                Event::read(cells, &defaults)
            }
        })
    }

    fn fold(&mut self) -> Result<()> {
        self.sink.refresh()?;
        (self.unfolded, self.folded_at) = (0, Instant::now());
        self.busy = self.busy.map(|(first, _)| (first, Instant::now()));
        Ok(())
    }

    fn tell(&mut self) {
        if self.told_at.elapsed() < TELL || self.output.json || self.output.quiet {
            return;
        }
        self.told_at = Instant::now();
        let rate = self.totals.recorded as f64 / self.begun.elapsed().as_secs_f64();
        let lag = self.feed.lag().map(|lag| format!(", {} behind", grouped(lag))).unwrap_or_default();
        let Totals { recorded, duplicates, dead } = &self.totals;
        self.output.note(&format!(
            "{} recorded, {} there already, {} dead letters, {} events/s{lag}",
            grouped(*recorded),
            grouped(*duplicates),
            grouped(*dead),
            grouped(rate as u64)
        ));
    }
}

fn letter(source: &str, message: &Message, reason: String) -> Dead {
    let payload = match &message.payload {
        Payload::Json(bytes) => String::from_utf8_lossy(bytes).trim_end().replace('\0', "\u{fffd}"),
        Payload::Fields(fields) => json!(fields).to_string(),
        Payload::Gone => String::new(),
    };
    Dead {
        source: source.into(),
        position: message.position.to_string(),
        reason: reason.replace('\0', "\u{fffd}"),
        payload,
    }
}
