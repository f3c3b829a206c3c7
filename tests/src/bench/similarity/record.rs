//! `record_behavior`, a transaction each, from one client, against a plain insert into a table with the same indexes.

use super::super::data::{load_events, Data, Event};
use super::super::figures::{Contender, Figures, Sample, Subject};
use super::super::Spaces;
use super::runs;
use crate::engine::{Engine, Kind, Value};
use anyhow::Result;
use std::cell::RefCell;
use std::time::Duration;

/// Events that are there before.
const BEFORE: usize = 100_000;
const CALLS: usize = 5_000;
const OURS: &str = "select record_behavior(cast($1 as text), cast($2 as bigint), 'view', null, cast($3 as text))";
const PLAIN: &str = "insert into plain (user_id, content_id, action, context) values ($1, $2, 'view', $3) returning id";

pub fn run(fresh: Spaces<'_>, engine: &str, data: &Data, figures: &mut Figures) -> Result<()> {
    let mut space = fresh()?;
    if space.kind() == Kind::Sqlite {
        space.exec("pragma journal_mode = wal; pragma synchronous = normal")?;
    }
    data.load_contents(space.as_mut())?;
    plain(space.as_mut())?;
    for table in ["user_behaviors", "plain"] {
        load_events(space.as_mut(), table, data.events()?.take(BEFORE))?;
    }
    space.query("select cotaste_refresh()")?;
    if space.kind() == Kind::Postgres {
        space.exec("vacuum analyze")?;
    }
    let space = RefCell::new(space);
    let contender = |name: &str, sql: &'static str| -> Result<Contender<'_>> {
        let mut events = data.events()?.skip(BEFORE % 7);
        let space = &space;
        Ok(Contender::measured(name, move || {
            let calls: Vec<Vec<Value>> = events.by_ref().take(CALLS).map(call).collect();
            let times = space.borrow_mut().each(sql, &calls, Duration::from_secs(20))?;
            Ok(Sample::Rate { units: times.len() as u64, seconds: times.iter().sum::<Duration>().as_secs_f64() })
        }))
    };
    let mut contenders = [contender("plain insert, the same indexes", PLAIN)?, contender("record_behavior", OURS)?];
    let subject = Subject { work: "recording, a transaction each", engine, data: &data.name, unit: "calls/s" };
    figures.compare(subject, runs()?, &mut contenders)
}

fn call(event: Event) -> Vec<Value> {
    let context = event.context.unwrap_or_default();
    vec![Value::Text(event.user), Value::Int(event.content), Value::Text(context)]
}

/// The table `plain`: the columns, checks and indexes of the log and nothing else.
pub fn plain(engine: &mut dyn Engine) -> Result<()> {
    if engine.kind() == Kind::Postgres {
        return Ok(engine.exec("create table plain (like user_behaviors including all)")?);
    }
    let definitions = engine.query(
        "select sql from sqlite_schema where tbl_name = 'user_behaviors' and type in ('table', 'index') and sql is not null",
    )?;
    for definition in definitions {
        engine.exec(&definition[0].replace("user_behaviors", "plain"))?;
    }
    Ok(())
}
