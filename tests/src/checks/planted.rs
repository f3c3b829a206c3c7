//! No SQL call ends the host: a panic in every kind of entry point is an error, and the session goes on. Runs on a build
//! whose `planted_*` entry points panic on purpose.

use crate::engine::{Engine, Host, Kind};
use crate::report::Report;
use anyhow::{ensure, Result};

/// What panics, and the statements to get there: the last one panics.
type Plant = (&'static str, &'static [&'static str]);

const POSTGRES: [Plant; 9] = [
    ("a scalar function", &["select planted_panic('now')"]),
    ("an index out of bounds", &["select planted_panic_index(7)"]),
    ("an aggregate's step", &["select planted_panic_agg('step')"]),
    ("an aggregate's final", &["select planted_panic_agg('final')"]),
    ("an aggregate's combination", &["select planted_panic_agg(action) from user_behaviors"]),
    ("a set-returning function, at once", &["select * from planted_panic_rows('now')"]),
    ("a set-returning function, after a row", &["select * from planted_panic_rows('later')"]),
    (
        "a parallel worker",
        &[
            "alter function planted_panic(text) parallel safe",
            "select count(planted_panic(action)) from user_behaviors",
        ],
    ),
    ("a transaction, which is aborted", &["begin", "select planted_panic('now')"]),
];

const SQLITE: [Plant; 13] = [
    ("a scalar function", &["select planted_panic('now')"]),
    ("an aggregate's step", &["select planted_panic_agg('step')"]),
    ("an aggregate's final", &["select planted_panic_agg('finish')"]),
    ("xConnect", &["create virtual table temp.connect using planted_panic_rows(connect)"]),
    ("xBestIndex", &["create virtual table temp.best using planted_panic_rows(best_index)", "select * from temp.best"]),
    ("xOpen", &["create virtual table temp.opened using planted_panic_rows(open)", "select * from temp.opened"]),
    ("xFilter", &["select * from planted_panic_rows('filter')"]),
    ("xNext", &["select * from planted_panic_rows('next')"]),
    ("xColumn", &["select * from planted_panic_rows('column')"]),
    ("xFilter by way of sqlite-loadable", &["select * from planted_panic_rows2('filter')"]),
    ("xNext by way of sqlite-loadable", &["select * from planted_panic_rows2('next')"]),
    ("xColumn by way of sqlite-loadable", &["select * from planted_panic_rows2('column')"]),
    ("a transaction, which goes on", &["begin", "select planted_panic('now')"]),
];

pub fn run(host: &mut dyn Host, report: &mut Report) -> Result<()> {
    let mut engine = host.planted()?;
    let kind = engine.kind();
    engine.exec("insert into contents(content_id, genres) values (1, '[\"Drama\"]')")?;
    let plants: &[Plant] = match kind {
        Kind::Postgres => {
            many_rows(engine.as_mut())?;
            &POSTGRES
        }
        Kind::Sqlite => &SQLITE,
    };
    for (what, statements) in plants {
        report.case(&format!("a panic in {what} is an error and the session goes on"), || {
            survives(engine.as_mut(), statements)
        });
    }
    Ok(())
}

/// A panic is an error of its statement, and nothing more.
pub fn survives(engine: &mut dyn Engine, statements: &[&str]) -> Result<()> {
    let session = match engine.kind() {
        Kind::Postgres => "select pg_backend_pid()",
        Kind::Sqlite => "select 1",
    };
    let before = engine.value(session)?;
    let [preparing @ .., panicking] = statements else { anyhow::bail!("nothing to run") };
    preparing.iter().try_for_each(|sql| engine.exec(sql))?;
    let Err(error) = engine.query(panicking) else { anyhow::bail!("no error from {panicking}") };
    match engine.kind() {
        Kind::Postgres => ensure!(error.sqlstate.as_deref() == Some("XX000"), "{error:?}"),
        Kind::Sqlite => ensure!(error.code() == Some("INTERNAL_ERROR"), "{error:?}"),
    }
    if preparing == ["begin"] {
        engine.exec("rollback")?;
    }
    ensure!(engine.value(session)? == before, "it is another session");
    let answer = engine.value("select taste_shared_items(taste_agg(content_id, genres, 1.0), taste_agg(content_id, genres, 1.0)) from contents")?;
    ensure!(answer == "1", "the next query gives {answer}");
    Ok(())
}

/// Enough rows for a parallel plan, so that partial states are combined.
fn many_rows(engine: &mut dyn Engine) -> Result<()> {
    engine.exec(
        "insert into user_behaviors(user_id, content_id, action)
           select 'u' || g % 100, g, 'view' from generate_series(1, 20000) g;
         insert into cotaste_settings(key, value) values ('action_weight.combine', '1') on conflict do nothing;
         insert into user_behaviors(user_id, content_id, action) select 'x', g, 'combine' from generate_series(1, 20000) g;
         analyze user_behaviors;
         set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
         set max_parallel_workers_per_gather = 4",
    )?;
    Ok(())
}
