//! Random steps of a history: concrete SQL, so that a history can be printed, repeated and cut down.

use super::model::Model;
use crate::engine::{print_timestamp, quote, quote_or_null, Engine, Kind, SqlError};
use crate::random::Random;
use anyhow::{bail, Result};

/// In the order of bytes, which is no language's.
pub const USERS: [&str; 6] = ["B", "a", "aa", "b-1", "u10", "\u{e9}"];
pub const CONTENTS: usize = 8;
const EVENT_COLUMNS: [&str; 7] = ["user_id", "content_id", "action", "rating", "occurred_at", "event_id", "context"];
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1440 * MINUTE;

/// What is done to the database at once.
#[derive(Clone, Debug)]
pub enum Act {
    Sql(String),
    /// COPY, or SQLite's prepared inserts, into the log.
    Load(Vec<Vec<Option<String>>>),
    /// The answers are compared here as well, inside a transaction.
    Compare,
}

/// One act, or a transaction.
pub type Step = Vec<Act>;

impl Act {
    /// Starts a transaction.
    pub fn begins(&self) -> bool {
        matches!(self, Act::Sql(sql) if sql.starts_with("begin"))
    }

    /// Does it; false when a unique key refused it, which changes nothing.
    pub fn perform(&self, engine: &mut dyn Engine) -> Result<bool> {
        let done = match self {
            Act::Sql(sql) => engine.exec(sql),
            Act::Load(rows) => match engine.load("user_behaviors", &EVENT_COLUMNS, &mut rows.iter().cloned()) {
                Ok(()) => return Ok(true),
                Err(error) if format!("{error:?}").to_lowercase().contains("unique") => return Ok(false),
                Err(error) => return Err(error),
            },
            Act::Compare => Ok(()),
        };
        match done {
            Ok(()) => Ok(true),
            Err(error) if refused(&error) => Ok(false),
            Err(error) => bail!("{error}: {self}"),
        }
    }
}

fn refused(error: &SqlError) -> bool {
    error.sqlstate.as_deref() == Some("23505") || error.message.contains("UNIQUE constraint failed")
}

impl std::fmt::Display for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Act::Sql(sql) => write!(f, "{sql};"),
            Act::Load(rows) => {
                let row = |row: &Vec<Option<String>>| {
                    row.iter().map(|cell| quote_or_null(cell.as_deref())).collect::<Vec<_>>().join(", ")
                };
                let rows: Vec<String> = rows.iter().map(|cells| format!("({})", row(cells))).collect();
                let columns = EVENT_COLUMNS.join(", ");
                write!(f, "insert into user_behaviors ({columns}) values {}; -- as a bulk load", rows.join(", "))
            }
            Act::Compare => f.write_str("-- compare"),
        }
    }
}

/// Makes the steps of one history.
pub struct Steps {
    pub random: Random,
    kind: Kind,
    now: i64,
    ids: Vec<i64>,
    times: Vec<i64>,
    /// Events are purged in this history. Half-lives and caps then stay: what is purged keeps those it had.
    purges: bool,
}

impl Steps {
    pub fn new(seed: u64, kind: Kind) -> Self {
        let mut random = Random::new(seed);
        let purges = random.percent(40);
        Steps { random, kind, now: 0, ids: Vec::new(), times: Vec::new(), purges }
    }

    /// The catalogue, half of it, and a few events.
    pub fn first(&mut self) -> Step {
        let mut step: Step = (0..CONTENTS / 2).map(|_| self.content()).collect();
        if self.kind == Kind::Sqlite && self.random.percent(25) {
            step.insert(0, Act::Sql("pragma recursive_triggers = on".into()));
        }
        if self.purges {
            let (cap, half_life) = (self.random.pick(&["0", "0", "1", "2"]), self.random.pick(&["24", "6", "720"]));
            step.extend([("trending_user_cap", cap), ("trending_half_life_hours", half_life)].map(|(key, value)| {
                Act::Sql(format!("update cotaste_settings set value = '{value}' where key = '{key}'"))
            }));
        }
        step
    }

    /// The next step, knowing what the log holds.
    pub fn next(&mut self, model: &Model) -> Step {
        (self.now, self.ids, self.times) = (model.now, model.ids.clone(), model.times.clone());
        match self.random.below(100) {
            0..12 => self.transaction(),
            12..18 => vec![Act::Load((0..self.random.below(40)).map(|_| self.loaded()).collect())],
            18..20 => vec![self.everything()],
            20..34 => vec![self.fold()],
            34..40 if self.purges => self.purge(),
            _ => vec![self.act()],
        }
    }

    fn transaction(&mut self) -> Step {
        let begin = match self.kind {
            Kind::Postgres => self.random.pick(&["begin", "begin", "begin isolation level repeatable read"]),
            Kind::Sqlite => self.random.pick(&["begin", "begin immediate"]),
        };
        let mut step = vec![Act::Sql(begin.into())];
        let savepoint = self.random.percent(30);
        for part in 0..1 + self.random.below(3) {
            if savepoint && part == 1 {
                step.push(Act::Sql("savepoint half".into()));
            }
            // A fold must see what others have committed, so it refuses a transaction that does not.
            let folds = self.random.percent(15) && !begin.ends_with("repeatable read");
            let act = if folds { self.fold() } else { self.act() };
            step.push(act);
            if self.random.percent(30) {
                step.push(Act::Compare);
            }
        }
        if savepoint && step.iter().any(|act| matches!(act, Act::Sql(sql) if sql == "savepoint half")) {
            step.extend([Act::Sql("rollback to savepoint half".into()), Act::Compare, self.act()]);
        }
        step.push(Act::Sql(self.random.pick(&["commit", "rollback"]).into()));
        step
    }

    fn fold(&mut self) -> Act {
        let fold =
            ["cotaste_refresh()", "cotaste_refresh()", "cotaste_refresh(3)", "cotaste_refresh(3)", "cotaste_rebuild()"];
        Act::Sql(format!("select {}", self.random.pick(&fold)))
    }

    /// Old events go, or some of them, and the model keeps them.
    fn purge(&mut self) -> Step {
        let (days, batch) = (self.random.pick(&["0", "5", "20", "40"]), self.random.pick(&["null", "null", "3"]));
        let no = if self.kind == Kind::Postgres { "false" } else { "0" };
        let weight = "coalesce((
            select cast(s.value as double precision) from cotaste_settings s where s.key = 'action_weight.' || b.action
          ), 0.0) * case when b.action = 'rate' then coalesce((b.rating - 5) / 2.5, 0.0) else 1.0 end";
        [
            "begin".into(),
            format!(
                "insert into before_purge select b.user_id, b.content_id, b.action, b.rating, b.occurred_at, b.id, {weight}
                 from user_behaviors b"
            ),
            format!("select purge_behaviors({days}, {no}, {batch})"),
            "insert into purged select * from before_purge where id not in (select id from user_behaviors)".into(),
            "delete from before_purge".into(),
            "commit".into(),
        ]
        .map(Act::Sql)
        .into()
    }

    /// All of the log goes.
    fn everything(&mut self) -> Act {
        let sql = match self.kind {
            Kind::Postgres => self.random.pick(&[
                "truncate user_behaviors",
                "truncate user_behaviors, contents",
                "truncate contents",
                "delete from user_behaviors",
            ]),
            Kind::Sqlite => {
                self.random.pick(&["delete from user_behaviors", "delete from user_behaviors", "delete from contents"])
            }
        };
        Act::Sql(sql.into())
    }

    /// One statement that changes the log, the catalogue or a setting.
    fn act(&mut self) -> Act {
        match self.random.below(20) {
            0..3 => self.insert(),
            3..5 => self.insert_select(),
            5..8 => self.record(),
            8..12 => self.update(),
            12..15 => self.delete(),
            15 => self.upsert(),
            16..19 => self.content(),
            _ => self.setting(),
        }
    }

    fn insert(&mut self) -> Act {
        let timed = self.random.percent(75);
        let rows = if self.random.percent(50) { 1 } else { 2 + self.random.below(5) };
        let rows: Vec<String> = (0..rows)
            .map(|_| {
                let at = if timed { format!(", {}", quote(&self.time())) } else { String::new() };
                let (event, event_id, context) = (self.event(), self.event_id(), self.context());
                format!("({event}, {}, {context}{at})", quote_or_null(event_id.as_deref()))
            })
            .collect();
        let verb = match self.kind {
            Kind::Sqlite => {
                self.random.pick(&["insert", "insert", "insert or replace", "insert or ignore", "insert or fail"])
            }
            Kind::Postgres => "insert",
        };
        let columns = if timed { ", occurred_at" } else { "" };
        Act::Sql(format!(
            "{verb} into user_behaviors (user_id, content_id, action, rating, event_id, context{columns}) values {}",
            rows.join(", ")
        ))
    }

    fn insert_select(&mut self) -> Act {
        let (user, filter, time) = (quote(self.user()), self.filter(), quote(&self.time()));
        let columns = "user_id, content_id, action, rating, occurred_at, context";
        Act::Sql(match self.random.below(if self.kind == Kind::Postgres { 3 } else { 2 }) {
            0 => format!(
                "insert into user_behaviors ({columns}) select {user}, content_id, action, rating, occurred_at, context from user_behaviors where {filter} order by id limit 6"
            ),
            1 => format!(
                "insert into user_behaviors ({columns}) select u.user_id, c.content_id, 'view', null, {}, {} from (select distinct user_id from user_behaviors) u cross join contents c where c.content_id % 3 = 1",
                if self.kind == Kind::Postgres { format!("timestamptz {time}") } else { time },
                self.context()
            ),
            _ => format!(
                "with moved as (delete from user_behaviors where {filter} returning content_id, action, rating, occurred_at, context) insert into user_behaviors ({columns}) select {user}, content_id, action, rating, occurred_at, context from moved"
            ),
        })
    }

    fn record(&mut self) -> Act {
        let at = if self.random.percent(60) { quote(&self.time()) } else { "null".into() };
        Act::Sql(format!(
            "select record_behavior({}, {}, {at}, {})",
            self.event(),
            self.context(),
            quote_or_null(self.event_id().as_deref())
        ))
    }

    fn update(&mut self) -> Act {
        let mut sets = Vec::new();
        for column in self.random.sample(8, 1).into_iter().chain(self.random.sample(8, 2)) {
            sets.push(match column {
                0 => format!("user_id = {}", quote(self.user())),
                1 => format!("content_id = {}", self.content_id()),
                2 => format!("action = {}", quote(self.action())),
                3 => format!("rating = {}", self.rating()),
                4 => format!("occurred_at = {}", quote(&self.time())),
                5 => format!("context = {}", self.context()),
                6 if self.kind == Kind::Sqlite => self.random.pick(&["variant = 'a'", "experiment = 'y'"]).into(),
                _ => format!("event_id = {}", quote_or_null(self.event_id().as_deref())),
            });
        }
        sets.sort();
        sets.dedup_by(|a, b| a.split(' ').next() == b.split(' ').next());
        if self.random.percent(50) {
            sets.truncate(1);
        }
        let id = self.id();
        if self.kind == Kind::Sqlite && self.random.percent(20) {
            sets = vec![format!("id = {id}")];
        }
        let verb = match self.kind {
            Kind::Sqlite => {
                self.random.pick(&["update", "update", "update or replace", "update or replace", "update or ignore"])
            }
            Kind::Postgres => "update",
        };
        Act::Sql(format!("{verb} user_behaviors set {} where {}", sets.join(", "), self.filter()))
    }

    fn delete(&mut self) -> Act {
        Act::Sql(format!("delete from user_behaviors where {}", self.filter()))
    }

    fn upsert(&mut self) -> Act {
        let (event, id, time) = (self.event(), self.event_id().unwrap_or("e1".into()), self.time());
        let replace = self.kind == Kind::Sqlite && self.random.percent(50);
        if replace {
            return Act::Sql(format!(
                "insert or replace into user_behaviors (id, user_id, content_id, action, rating, occurred_at, event_id) values ({}, {event}, {}, {})",
                self.id(), quote(&time), quote(&id)
            ));
        }
        Act::Sql(format!(
            "insert into user_behaviors (user_id, content_id, action, rating, occurred_at, event_id) values ({event}, {}, {}) on conflict (user_id, event_id) do update set content_id = excluded.content_id, action = excluded.action, rating = excluded.rating",
            quote(&time), quote(&id)
        ))
    }

    fn content(&mut self) -> Act {
        let (id, genres) = (self.content_id(), self.genres());
        let upsert = format!(
            "insert into contents (content_id, genres) values ({id}, {genres}) on conflict (content_id) do update set genres = excluded.genres"
        );
        Act::Sql(match self.random.below(8) {
            0..3 => upsert,
            3..5 => format!("update contents set genres = {genres} where content_id = {id}"),
            5 => format!("update contents set content_id = {id} where content_id = {}", self.content_id()),
            6 if self.kind == Kind::Sqlite => {
                format!("insert or replace into contents (content_id, title, genres) values ({id}, 'again', {genres})")
            }
            6 => upsert,
            _ => format!("delete from contents where content_id = {id}"),
        })
    }

    fn setting(&mut self) -> Act {
        let chosen = self.random.below(11);
        let (key, value) = match if self.purges && [0, 8, 9].contains(&chosen) { 10 } else { chosen } {
            8 => ("trending_half_life_hours", self.random.pick(&["24", "6", "720", "0.5"])),
            9 => ("trending_user_cap", self.random.pick(&["0", "0", "1", "2"])),
            10 => ("rating_prior_weight", self.random.pick(&["10", "0", "2.5"])),
            0 => ("taste_half_life_hours", self.random.pick(&["720", "168", "24", "100000"])),
            1 => ("jaccard_weight", self.random.pick(&["0.7", "0.5", "0", "1"])),
            2 => ("cosine_weight", self.random.pick(&["0.3", "0.5", "0", "1"])),
            3 if self.random.percent(60) => return self.experiment_setting(),
            3 => ("action_weight.rate", self.random.pick(&["1", "2"])),
            4 => ("action_weight.skip", self.random.pick(&["-1", "-2", "0", "0.5"])),
            5 => ("action_weight.like", self.random.pick(&["3", "0.25"])),
            _ => ("action_weight.view", self.random.pick(&["1", "1", "2", "0", "-1"])),
        };
        Act::Sql(format!("update cotaste_settings set value = '{value}' where key = '{key}'"))
    }

    /// What experiments are asked when nothing is said, or that a user's events are to be left in the log.
    fn experiment_setting(&mut self) -> Act {
        let (key, value) = match self.random.below(5) {
            0 => ("experiment_goal.x", self.random.pick(&["view", "rating >= 7.5"])),
            1 => ("experiment_window_hours.x", self.random.pick(&["24", "480"])),
            2 => ("conversion_action", self.random.pick(&["complete", "like"])),
            _ => {
                let user = quote(self.user());
                return Act::Sql(format!("update cotaste_user_events set events = null where user_id = {user}"));
            }
        };
        Act::Sql(format!(
            "insert into cotaste_settings (key, value) values ('{key}', '{value}') on conflict (key) do update set value = excluded.value"
        ))
    }

    /// A literal: mostly none, or an experiment and a variant.
    fn context(&mut self) -> String {
        const CONTEXTS: [&str; 6] = [
            r#"{"experimentName":"x","experimentVariant":"a"}"#,
            r#"{"experimentName":"x","experimentVariant":"b"}"#,
            r#"{"experimentName":"y","experimentVariant":"a"}"#,
            r#"{"device":"tv","experimentName":"y","experimentVariant":"\"b\\ \u00e9"}"#,
            r#"{"experimentName":"x"}"#,
            "{",
        ];
        match self.random.below(10) {
            0..4 => "null".into(),
            // The same again and again, or everybody would be in two variants.
            4..7 => quote(CONTEXTS[0]),
            7 => quote(CONTEXTS[3]),
            _ => quote(self.random.pick(&CONTEXTS)),
        }
    }

    fn loaded(&mut self) -> Vec<Option<String>> {
        let rating = Some(self.rating()).filter(|rating| rating != "null");
        let (user, content, action) = (self.user().into(), self.content_id().to_string(), self.action().into());
        // A repeated event id would refuse the whole load.
        let event_id = (self.random.percent(5)).then(|| format!("l{}", self.random.below(100_000)));
        let context = Some(self.context()).filter(|context| context != "null");
        let context = context.map(|literal| literal.trim_matches('\'').to_string());
        vec![Some(user), Some(content), Some(action), rating, Some(self.time()), event_id, context]
    }

    /// `user_id, content_id, action, rating`.
    fn event(&mut self) -> String {
        format!("{}, {}, {}, {}", quote(self.user()), self.content_id(), quote(self.action()), self.rating())
    }

    fn user(&mut self) -> &'static str {
        self.random.pick(&USERS)
    }

    fn content_id(&mut self) -> usize {
        1 + self.random.below(CONTENTS).min(self.random.below(CONTENTS))
    }

    fn action(&mut self) -> &'static str {
        self.random
            .pick(&["view", "view", "view", "complete", "like", "dislike", "skip", "skip", "rate", "rate", "search"])
    }

    /// Ratings whose weights are whole numbers.
    fn rating(&mut self) -> String {
        self.random.pick(&["null", "0", "2.5", "5", "7.5", "10"]).into()
    }

    fn event_id(&mut self) -> Option<String> {
        self.random.percent(20).then(|| format!("e{}", self.random.below(4)))
    }

    /// Some of the last 60 days; sometimes that of another event, sometimes soon, sometimes far ahead.
    fn time(&mut self) -> String {
        let at = match self.random.below(100) {
            0..15 if !self.times.is_empty() => self.random.pick(&self.times.clone()),
            15..20 => self.now + 1000 * self.random.below(300) as i64,
            20..22 => self.now + 2_000_000,
            22..25 => self.now + 400 * DAY,
            _ => self.now - self.random.below(60 * 1440) as i64 * MINUTE - self.random.below(60_000_000) as i64,
        };
        print_timestamp(at)
    }

    /// An id of the log, mostly.
    fn id(&mut self) -> i64 {
        match self.ids.len() {
            0 => 1,
            n => self.ids[self.random.below(n)],
        }
    }

    fn filter(&mut self) -> String {
        match self.random.below(6) {
            0 | 1 => format!("id = {}", self.id()),
            2 => format!("id in ({}, {}, {})", self.id(), self.id(), self.id()),
            3 => format!("user_id = {}", quote(self.user())),
            4 => format!("content_id = {}", self.content_id()),
            _ => format!("id % 4 = {}", self.random.below(4)),
        }
    }

    fn genres(&mut self) -> String {
        const SETS: [&str; 12] = [
            "[\"drama\"]",
            "[\"war\"]",
            "[\"comedy\"]",
            "[\"drama\",\"war\"]",
            "[\"comedy\",\"war\"]",
            "[\"drama\",\"comedy\",\"war\",\"noir\"]",
            "[\"Drama\",\" drama \"]",
            "[\"noir\",\"war\",\"drama\"]",
            "[7,\"noir\",\"\"]",
            "[]",
            "drama|war",
            "null",
        ];
        match self.random.below(SETS.len() + 1) {
            n if n < SETS.len() => quote(SETS[n]),
            _ => "null".into(),
        }
    }
}
