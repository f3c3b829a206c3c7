//! The plans of the statements behind similar_users, printed: in Postgres those that ran, by auto_explain; in SQLite
//! the plan of the call.

use super::super::figures::Figures;
use super::{space::Space, top};
use crate::engine::{quote, Kind};
use anyhow::Result;

const AUTO_EXPLAIN: &str = "
load 'auto_explain';
set auto_explain.log_min_duration = 0;
set auto_explain.log_analyze = on;
set auto_explain.log_buffers = on;
set auto_explain.log_timing = off;
set auto_explain.log_nested_statements = on;
set client_min_messages = log";
const QUIET: &str = "
set auto_explain.log_min_duration = -1;
set client_min_messages = notice";

pub fn run(space: &mut Space<'_>, _: &mut Figures) -> Result<()> {
    let mut engine = space.engine.borrow_mut();
    let call = top::OURS.replace("$1", &quote(&space.sample[0]));
    println!("plan of {call}, {}, {}:", space.name, space.data.name);
    if space.kind == Kind::Sqlite {
        for row in engine.query(&format!("explain query plan {call}"))? {
            println!("    {}", row.last().map_or("", String::as_str));
        }
        return Ok(());
    }
    engine.exec(AUTO_EXPLAIN)?;
    engine.notices();
    engine.query(&call)?;
    let plans = engine.notices();
    engine.exec(QUIET)?;
    for plan in plans.iter().filter(|plan| plan.contains("Query Text")) {
        println!("    {}", plan.replace('\n', "\n    "));
    }
    Ok(())
}
