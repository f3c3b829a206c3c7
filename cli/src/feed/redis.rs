//! A Redis stream read by a consumer group. What a consumer has read and not acknowledged stays in the group's list of pending
//! entries: the consumer reads its own first when it starts, and takes over those of others that are gone for a while.

use super::{Chunk, Feed, Message, Payload, Position};
use crate::failure::{Failure, Result};
use redis::{cmd, Connection, Value};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub struct Redis {
    client: redis::Client,
    /// For acknowledging and asking; reading waits on one of its own.
    settling: Mutex<Connection>,
    stream: String,
    group: String,
    consumer: String,
    batch: usize,
}

/// An entry that its consumer has left for so long is taken over.
const ABANDONED: Duration = Duration::from_secs(60);
const WAIT_MS: u64 = 200;

fn failed(error: redis::RedisError) -> Failure {
    Failure::stream("Redis", error)
}

impl Redis {
    pub fn open(url: &str, stream: &str, group: &str, consumer: &str, batch: usize) -> Result<Self> {
        let client = redis::Client::open(url).map_err(failed)?;
        let mut settling = client.get_connection_with_timeout(Duration::from_secs(5)).map_err(failed)?;
        let made: redis::RedisResult<()> =
            cmd("XGROUP").arg("CREATE").arg(stream).arg(group).arg(0).arg("MKSTREAM").query(&mut settling);
        match made {
            Err(error) if error.code() != Some("BUSYGROUP") => Err(failed(error)),
            _ => Ok(Redis {
                client,
                settling: Mutex::new(settling),
                stream: stream.into(),
                group: group.into(),
                consumer: consumer.into(),
                batch,
            }),
        }
    }

    /// Entries after `id` of those pending for this consumer, or new ones (`>`).
    fn next(&self, connection: &mut Connection, id: &str) -> Result<Vec<Message>> {
        let reply: Value = cmd("XREADGROUP")
            .arg(&["GROUP", &self.group, &self.consumer, "COUNT"])
            .arg(self.batch)
            .arg("BLOCK")
            .arg(WAIT_MS)
            .arg(&["STREAMS", &self.stream, id])
            .query(connection)
            .map_err(failed)?;
        // [[stream, entries]], or nothing.
        let entries = array(reply).into_iter().next().map(array).and_then(|stream| stream.into_iter().nth(1));
        Ok(entries.map(array).unwrap_or_default().into_iter().filter_map(message).collect())
    }

    /// Takes over some of what other consumers have left.
    fn abandoned(&self, connection: &mut Connection) -> Result<Vec<Message>> {
        let reply: Value = cmd("XAUTOCLAIM")
            .arg(&[&self.stream, &self.group, &self.consumer])
            .arg(ABANDONED.as_millis() as u64)
            .arg("0-0")
            .arg("COUNT")
            .arg(self.batch)
            .query(connection)
            .map_err(failed)?;
        let entries = array(reply).into_iter().nth(1).map(array).unwrap_or_default();
        Ok(entries.into_iter().filter_map(message).collect())
    }
}

fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        _ => Vec::new(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        Value::Int(value) => value.to_string(),
        _ => String::new(),
    }
}

/// `[id, [name, value, ...]]`. A single field `event`, `data` or `json` holds the event as JSON.
fn message(entry: Value) -> Option<Message> {
    let mut entry = array(entry).into_iter();
    let id = text(&entry.next()?);
    let fields = array(entry.next().unwrap_or(Value::Nil));
    let sent_us = id.split('-').next().and_then(|ms| ms.parse::<i64>().ok()).map(|ms| ms.saturating_mul(1000));
    let payload = match fields.as_slice() {
        [] => Payload::Gone,
        [name, value] if ["event", "data", "json"].contains(&text(name).as_str()) => match value {
            Value::BulkString(bytes) => Payload::Json(bytes.clone()),
            other => Payload::Json(text(other).into_bytes()),
        },
        fields => Payload::Fields(
            fields.chunks_exact(2).filter_map(|pair| Some((text(pair.first()?), text(pair.last()?)))).collect(),
        ),
    };
    Some(Message { position: Position::Redis(id), payload, sent_us })
}

impl Feed for Redis {
    fn name(&self) -> String {
        format!("redis {}", self.stream)
    }

    fn read(&self, to: &SyncSender<Chunk>, stop: &Arc<AtomicBool>) -> Result<()> {
        let mut connection = self.client.get_connection_with_timeout(Duration::from_secs(5)).map_err(failed)?;
        let mut pending = Some("0".to_string());
        let mut looked = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let mut messages = self.next(&mut connection, pending.as_deref().unwrap_or(">"))?;
            if pending.is_some() {
                pending = messages.last().map(|last| last.position.to_string());
            } else if messages.is_empty() && looked.elapsed() > ABANDONED / 2 {
                messages = self.abandoned(&mut connection)?;
                looked = Instant::now();
            }
            if !messages.is_empty() && to.send(Ok(messages)).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn settle(&self, positions: &[Position]) -> Result<()> {
        let mut connection = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        for some in positions.chunks(5000) {
            let ids: Vec<String> = some.iter().map(Position::to_string).collect();
            let _: u64 =
                cmd("XACK").arg(&[&self.stream, &self.group]).arg(&ids).query(&mut *connection).map_err(failed)?;
        }
        Ok(())
    }

    /// Entries not delivered to the group yet, and those delivered and not acknowledged.
    fn lag(&self) -> Option<u64> {
        let mut connection = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        let reply: Value = cmd("XINFO").arg("GROUPS").arg(&self.stream).query(&mut *connection).ok()?;
        for group in array(reply) {
            let fields = array(group);
            let get = |name: &str| {
                fields
                    .chunks_exact(2)
                    .find(|pair| pair.first().map(text).as_deref() == Some(name))
                    .and_then(|pair| pair.last())
            };
            if get("name").map(text).as_deref() == Some(&self.group) {
                let number = |name| get(name).and_then(|value| text(value).parse::<u64>().ok());
                return Some(number("lag")? + number("pending")?);
            }
        }
        None
    }

    fn event_id(&self, position: &Position) -> Option<String> {
        Some(format!("redis-{}-{position}", self.stream))
    }
}
