//! What a client was told about its events, beside what the log holds.

use crate::engine::Engine;
use anyhow::{ensure, Result};
use std::collections::BTreeMap;

/// What a transaction does to the log: events come and go by their ids.
#[derive(Clone, Debug)]
pub enum Change {
    Add(String),
    Remove(String),
}

/// The events of one client. A transaction is open until its commit is acknowledged: when the client or the server dies
/// in between, the log holds all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    present: BTreeMap<String, usize>,
    open: Option<Vec<Change>>,
    pub acknowledged: usize,
}

impl Ledger {
    pub fn begin(&mut self, changes: Vec<Change>) {
        self.open = Some(changes);
    }

    pub fn committed(&mut self) {
        self.present = self.with_open();
        self.open = None;
        self.acknowledged += 1;
    }

    fn with_open(&self) -> BTreeMap<String, usize> {
        let mut present = self.present.clone();
        for change in self.open.iter().flatten() {
            match change {
                Change::Add(id) => drop(present.insert(id.clone(), 1)),
                Change::Remove(id) => drop(present.remove(id)),
            }
        }
        present
    }

    /// Compares with the log's events of this client, each with how often it is there, and settles what was open.
    pub fn settle(&mut self, log: BTreeMap<String, usize>) -> Result<()> {
        if log != self.present {
            let whole = self.with_open();
            let lost: Vec<_> = self.present.keys().filter(|id| !log.contains_key(*id)).collect();
            let doubled: Vec<_> = log.iter().filter(|(_, times)| **times > 1).collect();
            let unknown: Vec<_> = log.keys().filter(|id| !self.present.contains_key(*id)).collect();
            ensure!(
                log == whole,
                "lost {lost:?}, doubled {doubled:?}, not acknowledged {unknown:?}, open {:?}",
                self.open
            );
        }
        (self.present, self.open) = (log, None);
        Ok(())
    }

    /// An event that is there, chosen by a number.
    pub fn any(&self, number: u64) -> Option<&String> {
        let place = number.checked_rem(self.present.len() as u64)?;
        self.present.keys().nth(place as usize)
    }
}

/// The log's events by client, the part of their ids before the dash.
pub fn by_client(engine: &mut dyn Engine) -> Result<BTreeMap<String, BTreeMap<String, usize>>> {
    let mut clients: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for row in engine.query("select event_id from user_behaviors where event_id is not null")? {
        let client = row[0].split('-').next().unwrap_or_default().to_string();
        *clients.entry(client).or_default().entry(row[0].clone()).or_default() += 1;
    }
    Ok(clients)
}

/// The state is that of the log, before a fold and after it, and so are the answers.
pub fn sound(engine: &mut dyn Engine) -> Result<()> {
    for fold in ["", "select cotaste_refresh()"] {
        engine.exec(fold)?;
        let problems = engine.query("select * from cotaste_verify()")?;
        ensure!(problems.is_empty(), "cotaste_verify after {fold:?}: {problems:?}");
        let wrong = engine.query(
            "with t as materialized (select user_id, taste from cotaste_tastes)
             select a.user_id, b.user_id from t a cross join t b
             where user_similarity(a.user_id, b.user_id) <> taste_similarity(a.taste, b.taste)",
        )?;
        ensure!(wrong.is_empty(), "user_similarity is not that of the log after {fold:?}: {wrong:?}");
    }
    let pending = engine.value("select count(*) from cotaste_queue where due_us < 9223372036854775807")?;
    ensure!(pending == "0", "{pending} keys are left after a fold");
    Ok(())
}
