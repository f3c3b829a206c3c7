//! `make bench-analytics`: measures of contents and users beside plain indexed aggregates on the same log, on the synthetic
//! set (`COTASTE_BENCH_USERS`, `COTASTE_BENCH_ITEMS`: 100000 and 20000; `COTASTE_BENCH_RUNS`: 5).

use super::data::{load_events, Data};
use super::figures::{Contender, Figures, Sample, Subject};
use super::{runs, setting, Spaces};
use crate::engine::{Engine, Kind, Value};
use crate::Options;
use anyhow::Result;
use std::cell::RefCell;
use std::time::{Duration, Instant};

const CALLS: usize = 200;
const RUN: Duration = Duration::from_secs(4);

const ONE: &str = "select * from content_metrics($1)";
const ONE_PLAIN: &str = "select count(*), sum(case when action = 'view' then 1 else 0 end), sum(case when action = 'complete' then 1 else 0 end),
  sum(case when action = 'skip' then 1 else 0 end), avg(rating), count(distinct user_id), min(occurred_at), max(occurred_at)
  from user_behaviors where content_id = $1";
const ALL: &str = "select * from content_metrics";
const ALL_PLAIN: &str = "select content_id, count(*), sum(case when action = 'view' then 1 else 0 end), sum(case when action = 'complete' then 1 else 0 end),
  sum(case when action = 'skip' then 1 else 0 end), avg(rating), min(occurred_at), max(occurred_at)
  from user_behaviors group by content_id";
const TRENDING: &str = "select * from trending_content($1)";
const USER: &str = "select * from user_analytics($1)";
const USER_PLAIN: &str = "select count(*), count(distinct content_id), avg(rating), min(occurred_at), max(occurred_at) from user_behaviors where user_id = cast($1 as text)";

pub fn run(fresh: Spaces<'_>, engine: &str, options: &Options, figures: &mut Figures) -> Result<()> {
    let (users, items) = (setting("COTASTE_BENCH_USERS", 100_000)?, setting("COTASTE_BENCH_ITEMS", 20_000)?);
    let Some(data) = Data::synthetic(&options.target, users, items)? else { return Ok(()) };
    let mut space = fresh()?;
    let once = |work, unit| Subject { work, engine, data: &data.name, unit };
    let start = Instant::now();
    data.load_contents(space.as_mut())?;
    load_events(space.as_mut(), "user_behaviors", data.events()?)?;
    figures.once(once("load", "s"), "bulk load of the log, with its fold", start.elapsed().as_secs_f64())?;
    space.query("select cotaste_refresh()")?;
    if space.kind() == Kind::Postgres {
        space.exec("vacuum analyze user_behaviors")?;
        space.exec("vacuum analyze cotaste_contents")?;
    } else {
        space.exec("analyze")?;
    }
    let ids = |sql: &str, space: &mut dyn Engine| -> Result<Vec<i64>> {
        space.query(sql)?.iter().map(|row| Ok(row[0].parse()?)).collect()
    };
    let hot = ids("select content_id from cotaste_contents order by events desc limit 1", space.as_mut())?;
    let some = ids(
        &format!("select content_id from cotaste_contents where content_id % 97 = 5 limit {CALLS}"),
        space.as_mut(),
    )?;
    let names = space.query(&format!("select user_id from cotaste_users where ord % 331 = 7 limit {CALLS}"))?;
    let names: Vec<Vec<Value>> = names.into_iter().map(|row| vec![Value::Text(row[0].clone())]).collect();
    let space = RefCell::new(space);
    let each = |name: &str, sql: &'static str, parameters: Vec<Vec<Value>>| {
        let space = &space;
        Contender::measured(name, move || {
            let times = space.borrow_mut().each(sql, &parameters, RUN)?;
            Ok(Sample::Latencies(times.iter().map(|time| time.as_secs_f64() * 1e3).collect()))
        })
    };
    let numbers = |ids: &[i64]| -> Vec<Vec<Value>> { ids.iter().map(|id| vec![Value::Int(*id)]).collect() };
    let hot: Vec<i64> = hot.iter().cycle().take(CALLS).copied().collect();
    for (work, ids) in [("one content's metrics", &some), ("the hottest content's metrics", &hot)] {
        let mut contenders = [
            each("an indexed aggregate of the log", ONE_PLAIN, numbers(ids)),
            each("content_metrics(c)", ONE, numbers(ids)),
        ];
        figures.compare(once(work, "ms"), runs()?, &mut contenders)?;
    }
    let one_call = vec![vec![]];
    let mut contenders =
        [each("an aggregate of the log", ALL_PLAIN, one_call.clone()), each("content_metrics", ALL, one_call)];
    figures.compare(once("all contents' metrics", "ms"), runs()?, &mut contenders)?;
    let plain = match space.borrow().kind() {
        Kind::Postgres => "select content_id, sum(power(2, -extract(epoch from now() - occurred_at) / 86400)) as score from user_behaviors
           where occurred_at > (select max(occurred_at) from user_behaviors) - interval '7 days' group by content_id order by score desc limit $1",
        Kind::Sqlite => "select content_id, sum(exp((julianday(occurred_at) - julianday('now')) * 0.6931471805599453)) as score from user_behaviors
           where occurred_at > (select strftime('%Y-%m-%dT%H:%M:%fZ', max(occurred_at), '-7 days') from user_behaviors) group by content_id order by score desc limit $1",
    };
    let twenty = vec![vec![Value::Int(20)]; 20];
    let mut contenders = [
        each("an aggregate of the last 7 days", plain, twenty.clone()),
        each("trending_content(20)", TRENDING, twenty),
    ];
    figures.compare(once("trending top 20", "ms"), runs()?, &mut contenders)?;
    let mut contenders =
        [each("an indexed aggregate, totals only", USER_PLAIN, names.clone()), each("user_analytics(u)", USER, names)];
    figures.compare(once("one user's analytics", "ms"), runs()?, &mut contenders)
}
