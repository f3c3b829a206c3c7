//! The events of users who are in an experiment, kept as one value a user.

use super::rows::Rows;
use crate::failure::Result;
use crate::pair::grow;
use cotaste_core::events::changes::{self, Event};
use cotaste_core::events::follow;
use cotaste_core::{context, time};
use rusqlite::{OptionalExtension, Row};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What was read of one user's events.
pub struct Told {
    changes: Vec<u8>,
    /// One of them names a variant.
    is_exposed: bool,
    /// The experiments of the table, and those to add.
    known: BTreeSet<String>,
    new: BTreeSet<String>,
}

impl Told {
    pub fn new(rows: &mut Rows<'_>) -> Result<Self> {
        let known = rows.experiments.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(Self { changes: Vec::new(), is_exposed: false, known, new: BTreeSet::new() })
    }

    /// The content's events are read next, all of them.
    pub fn content(&mut self, content: i64) -> Result<()> {
        Ok(changes::write_row(grow(&mut self.changes, changes::row_len(None)?)?, content, None)?)
    }

    /// Takes an event in: action, rating, time, id, experiment, variant, status and context are the columns from `at` on.
    pub fn event(&mut self, content: i64, event: &Row<'_>, at: usize) -> Result<()> {
        let text = |i: usize| -> Result<Option<&str>> {
            Ok(event.get_ref(at + i)?.as_bytes().ok().and_then(|bytes| std::str::from_utf8(bytes).ok()))
        };
        let (experiment, variant) = if text(6)?.is_some() {
            (text(4)?.map(Cow::Borrowed), text(5)?.map(Cow::Borrowed))
        } else {
            let parsed = context::parse_bytes(text(7)?.unwrap_or_default().as_bytes());
            (parsed.experiment, parsed.variant)
        };
        let arm = experiment.as_deref().zip(variant.as_deref());
        if let Some((experiment, _)) = arm {
            self.is_exposed = true;
            if !self.known.contains(experiment) {
                self.known.insert(experiment.to_owned());
                self.new.insert(experiment.to_owned());
            }
        }
        let event = Event {
            occurred_us: time::parse_timestamp(text(2)?.unwrap_or_default())?,
            action: text(0)?.unwrap_or_default(),
            rating: event.get(at + 1)?,
            arm,
        };
        let row = grow(&mut self.changes, changes::row_len(Some(event))?)?;
        Ok(changes::write_row(row, content, Some(event))?)
    }

    /// Writes the user's row from what was told, which is all there is or only what changed, and is ready for the next.
    pub fn write(&mut self, user: &str, is_all: bool, rows: &mut Rows<'_>) -> Result<()> {
        let kept: Option<Option<Vec<u8>>> = rows.kept_events.query_row([user], |row| row.get(0)).optional()?;
        let events = match &kept {
            _ if is_all => follow(None, &self.changes)?,
            // Too many: they stay in the log alone.
            Some(None) => Some(Vec::new()),
            Some(Some(events)) => follow(Some(events), &self.changes)?,
            None if self.is_exposed => self.all(user, rows)?,
            None => None,
        };
        match events {
            Some(events) => {
                let events = Some(events).filter(|events| !events.is_empty());
                rows.set_kept_events.execute((user, events))?;
            }
            None if kept.is_some() => drop(rows.drop_kept_events.execute([user])?),
            None => {}
        }
        for experiment in std::mem::take(&mut self.new) {
            rows.add_experiment.execute([experiment])?;
        }
        self.changes.clear();
        self.is_exposed = false;
        Ok(())
    }

    /// Everything of a user of whom nothing was kept.
    fn all(&mut self, user: &str, rows: &mut Rows<'_>) -> Result<Option<Vec<u8>>> {
        self.changes.clear();
        let mut events = rows.events_of.query([user])?;
        while let Some(event) = events.next()? {
            self.event(event.get(0)?, event, 1)?;
        }
        Ok(follow(None, &self.changes)?)
    }
}
