//! A Kafka topic read by a consumer group. Offsets are committed after the events are, by us and never by itself.

use super::{Chunk, Feed, Message, Payload, Position};
use crate::failure::{Failure, Result};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Tells what the library remarks, on standard error.
struct Told;

impl ClientContext for Told {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        let _ = writeln!(std::io::stderr(), "kafka: {facility} {message}");
    }
}

impl ConsumerContext for Told {}

pub struct Kafka {
    consumer: BaseConsumer<Told>,
    topic: String,
    batch: usize,
    /// The next offset of each partition that was settled here.
    settled: Mutex<BTreeMap<i32, i64>>,
}

const WAIT: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(5);

fn failed(error: KafkaError) -> Failure {
    Failure::stream("Kafka", error)
}

impl Kafka {
    /// `settings` are librdkafka's, and go before ours.
    pub fn open(brokers: &str, topic: &str, group: &str, batch: usize, settings: &[(String, String)]) -> Result<Self> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("group.id", group)
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100")
            .set("queued.max.messages.kbytes", "32768");
        for (name, value) in settings {
            config.set(name, value);
        }
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        let consumer: BaseConsumer<Told> = config.create_with_context(Told).map_err(failed)?;
        // Told now when there is no broker, and not waited for in silence.
        consumer.fetch_metadata(Some(topic), PATIENCE).map_err(failed)?;
        consumer.subscribe(&[topic]).map_err(failed)?;
        Ok(Kafka { consumer, topic: topic.into(), batch, settled: Mutex::default() })
    }
}

impl Feed for Kafka {
    fn name(&self) -> String {
        format!("kafka {}", self.topic)
    }

    fn read(&self, to: &SyncSender<Chunk>, stop: &Arc<AtomicBool>) -> Result<()> {
        let mut chunk = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            match self.consumer.poll(if chunk.is_empty() { WAIT } else { Duration::ZERO }) {
                Some(Ok(message)) => {
                    chunk.push(Message {
                        position: Position::Kafka { partition: message.partition(), offset: message.offset() },
                        payload: message.payload().map_or(Payload::Gone, |payload| Payload::Json(payload.to_vec())),
                        sent_us: message.timestamp().to_millis().map(|ms| ms.saturating_mul(1000)),
                    });
                    if chunk.len() < self.batch {
                        continue;
                    }
                }
                // The library goes on by itself after these.
                Some(Err(error)) if chunk.is_empty() && is_fatal(&error) => return Err(failed(error)),
                _ => {}
            }
            if !chunk.is_empty() && to.send(Ok(std::mem::take(&mut chunk))).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.consumer.assignment().is_ok_and(|partitions| partitions.count() > 0)
    }

    fn settle(&self, positions: &[Position]) -> Result<()> {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        for position in positions {
            if let Position::Kafka { partition, offset } = position {
                let end = next.entry(*partition).or_insert(0);
                *end = (*end).max(offset + 1);
            }
        }
        let mut list = TopicPartitionList::new();
        for (partition, offset) in &next {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset)).map_err(failed)?;
        }
        settled.extend(next);
        match self.consumer.commit(&list, CommitMode::Sync) {
            // A partition that went to another consumer meanwhile is read there once more, and its events are there already.
            Ok(()) | Err(KafkaError::ConsumerCommit(_)) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    fn close(&self) {
        self.consumer.unsubscribe();
    }

    /// Messages behind what was settled, in the partitions this consumer reads.
    fn lag(&self) -> Option<u64> {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut lag = 0;
        for (partition, next) in settled {
            let (_, end) = self.consumer.fetch_watermarks(&self.topic, partition, PATIENCE).ok()?;
            lag += (end - next).max(0).unsigned_abs();
        }
        Some(lag)
    }

    fn event_id(&self, position: &Position) -> Option<String> {
        Some(format!("kafka-{}-{position}", self.topic))
    }
}

fn is_fatal(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode::{Authentication, Fatal, GroupAuthorizationFailed, TopicAuthorizationFailed};
    error
        .rdkafka_error_code()
        .is_some_and(|code| [Authentication, Fatal, GroupAuthorizationFailed, TopicAuthorizationFailed].contains(&code))
}
