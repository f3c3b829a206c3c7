//! Where a stream's messages come from. A feed reads in a thread of its own; the writer says which messages are settled
//! once they are committed, so that a message is delivered again until then.

#[cfg(feature = "kafka")]
mod kafka;
mod redis;
mod stdin;

use crate::failure::Result;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;
use std::sync::Arc;

#[cfg(feature = "kafka")]
pub use kafka::Kafka;
pub use redis::Redis;
pub use stdin::Stdin;

/// A message as it was sent.
pub struct Message {
    /// Its place in the stream, by which it is settled and named.
    pub position: Position,
    pub payload: Payload,
    /// When it was sent, microseconds since 1970.
    pub sent_us: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    Line(u64),
    Redis(String),
    Kafka { partition: i32, offset: i64 },
}

pub enum Payload {
    /// A JSON object.
    Json(Vec<u8>),
    /// Names and values.
    Fields(Vec<(String, String)>),
    /// Removed from the stream before it was read: nothing but to settle it.
    Gone,
}

/// The end of a feed, or messages.
pub type Chunk = Result<Vec<Message>>;

pub trait Feed: Send + Sync {
    /// What names the stream in dead letters and made ids.
    fn name(&self) -> String;
    /// Reads until it ends or `stop` is set. A full channel makes it wait.
    fn read(&self, to: &SyncSender<Chunk>, stop: &Arc<AtomicBool>) -> Result<()>;
    /// Whether messages could come: a Kafka group first deals out its partitions, which takes seconds.
    fn is_ready(&self) -> bool {
        true
    }
    /// These are committed and need not be delivered again.
    fn settle(&self, positions: &[Position]) -> Result<()>;
    /// Nothing more is read: a group can deal out what this consumer had.
    fn close(&self) {}
    /// Messages that are not settled yet, when that can be told.
    fn lag(&self) -> Option<u64>;
    /// The id of an event whose message has none; `None`: made from the event.
    fn event_id(&self, position: &Position) -> Option<String>;
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Position::Line(line) => write!(f, "{line}"),
            Position::Redis(id) => f.write_str(id),
            Position::Kafka { partition, offset } => write!(f, "{partition}-{offset}"),
        }
    }
}
