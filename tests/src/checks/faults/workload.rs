//! Transactions of a client that records, changes, deletes and folds, in words both engines understand.

use super::ledger::{Change, Ledger};
use crate::random::Random;

pub const USERS: usize = 12;
pub const CONTENTS: usize = 40;

/// The catalogue, in words both engines understand.
pub fn catalogue() -> String {
    let genres = ["[\"drama\"]", "[\"war\",\"drama\"]", "[\"comedy\"]", "[\"comedy\",\"noir\"]"];
    let rows: Vec<String> = (0..CONTENTS).map(|id| format!("({id}, '{}')", genres[id % genres.len()])).collect();
    format!("insert into contents (content_id, genres) values {}", rows.join(", "))
}

/// One transaction.
pub struct Transaction {
    pub statements: Vec<String>,
    pub changes: Vec<Change>,
}

pub struct Workload {
    client: String,
    random: Random,
    events: usize,
}

impl Workload {
    /// `client` is what the ids of its events begin with.
    pub fn new(client: &str, seed: u64) -> Self {
        Workload { client: client.into(), random: Random::new(seed), events: 0 }
    }

    pub fn next(&mut self, ledger: &Ledger) -> Transaction {
        let mut transaction = Transaction { statements: Vec::new(), changes: Vec::new() };
        let fold = match self.random.below(100) {
            0..8 => Some("select cotaste_refresh()"),
            8..10 => Some("select cotaste_refresh(5)"),
            10 => Some("select cotaste_rebuild()"),
            11 => Some("select cotaste_refresh_neighbours(3)"),
            _ => None,
        };
        match fold {
            Some(fold) => transaction.statements.push(fold.into()),
            None => (0..1 + self.random.below(4)).for_each(|_| self.write(ledger, &mut transaction)),
        }
        transaction
    }

    /// One writing statement. An event is changed or removed once a transaction at most.
    fn write(&mut self, ledger: &Ledger, transaction: &mut Transaction) {
        let action = self.random.pick(&["view", "like", "skip", "complete"]);
        let content = self.random.below(CONTENTS);
        let known = ledger.any(self.random.next()).cloned();
        let known = known.filter(|_| transaction.changes.iter().all(|change| matches!(change, Change::Add(_))));
        let sql = match (self.random.below(10), known) {
            (0, Some(id)) => {
                let sql = format!("delete from user_behaviors where event_id = '{id}'");
                transaction.changes.push(Change::Remove(id));
                sql
            }
            (1, Some(id)) => {
                format!("update user_behaviors set content_id = {content}, action = '{action}' where event_id = '{id}'")
            }
            (2..6, _) => {
                let rows: Vec<String> = (0..1 + self.random.below(6))
                    .map(|_| {
                        let (user, content) = (self.random.below(USERS), self.random.below(CONTENTS));
                        format!("('user {user}', {content}, '{action}', '{}')", self.event(transaction))
                    })
                    .collect();
                format!("insert into user_behaviors (user_id, content_id, action, event_id) values {}", rows.join(", "))
            }
            _ => {
                let (user, id) = (self.random.below(USERS), self.event(transaction));
                let context = r#"{"device":"tv","timeOfDay":"evening"}"#;
                format!("select record_behavior('user {user}', {content}, '{action}', 5, '{context}', null, '{id}')")
            }
        };
        transaction.statements.push(sql);
    }

    fn event(&mut self, transaction: &mut Transaction) -> String {
        self.events += 1;
        let id = format!("{}-{}", self.client, self.events);
        transaction.changes.push(Change::Add(id.clone()));
        id
    }
}
