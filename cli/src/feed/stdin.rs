//! Standard input, a JSON object a line.

use super::{Chunk, Feed, Message, Payload, Position};
use crate::failure::{Failure, Result};
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

pub struct Stdin;

/// Messages a chunk.
const CHUNK: usize = 1000;

impl Feed for Stdin {
    fn name(&self) -> String {
        "stdin".into()
    }

    fn read(&self, to: &SyncSender<Chunk>, stop: &Arc<AtomicBool>) -> Result<()> {
        let mut input = BufReader::with_capacity(1 << 16, std::io::stdin().lock());
        let (mut chunk, mut number) = (Vec::new(), 0);
        while !stop.load(Ordering::Relaxed) {
            let mut line = Vec::new();
            let more = input.read_until(b'\n', &mut line).map_err(|error| Failure::stream("standard input", error))?;
            number += 1;
            if !line.trim_ascii().is_empty() {
                let sent_us = UNIX_EPOCH.elapsed().ok().and_then(|now| i64::try_from(now.as_micros()).ok());
                chunk.push(Message { position: Position::Line(number), payload: Payload::Json(line), sent_us });
            }
            // Hands over what there is before it waits for more.
            let waits = !input.buffer().contains(&b'\n');
            if (waits || chunk.len() >= CHUNK || more == 0)
                && !chunk.is_empty()
                && to.send(Ok(std::mem::take(&mut chunk))).is_err()
            {
                return Ok(());
            }
            if more == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    fn settle(&self, _: &[Position]) -> Result<()> {
        Ok(())
    }

    fn lag(&self) -> Option<u64> {
        None
    }

    fn event_id(&self, _: &Position) -> Option<String> {
        None
    }
}
