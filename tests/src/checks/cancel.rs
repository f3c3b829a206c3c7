//! Long work can be cancelled: an interrupt ends it within a quarter of a second, and the session goes on.

use crate::engine::Engine;
use crate::postgres::PostgresHost;
use crate::report::Report;
use crate::sqlite::SqliteHost;
use anyhow::{ensure, Result};
use std::time::{Duration, Instant};

const DATA: &str = include_str!("../../cases/cancel-data.sql");
/// When the statement is interrupted.
const AFTER: Duration = Duration::from_millis(20);
/// How long it may go on after that.
const LATENCY: Duration = Duration::from_millis(250);

/// Each takes well over [`AFTER`].
const LONG: [&str; 10] = [
    "select cotaste_learn_embeddings(256)",
    "select sum(n.similarity) from user_behaviors b, similar_users(b.user_id, 10) n",
    "select sum(user_similarity(a.user_id, b.user_id)) from cotaste_users a, cotaste_users b",
    "select sum(taste_similarity(a.taste, b.taste)) from cotaste_users a, cotaste_users b, cotaste_users c",
    "select cotaste_rebuild()",
    "select cotaste_refresh_neighbours()",
    "select count(*) from cotaste_verify()",
    "select count(*) from recommend_for_all(1000)",
    "select count(*) from evaluate_recommender('random20', 1000)",
    "select cotaste_refresh_recommendations()",
];

pub fn postgres(host: &mut PostgresHost, report: &mut Report) -> Result<()> {
    let mut engine = host.database("space")?;
    engine.exec(DATA)?;
    engine.exec("select cotaste_refresh(); analyze")?;
    for sql in LONG {
        report.case(&format!("a timeout ends {sql}"), || {
            engine.exec(&format!("set statement_timeout = {}", AFTER.as_millis()))?;
            let start = Instant::now();
            let outcome = engine.query(sql);
            let took = start.elapsed();
            engine.exec("reset statement_timeout")?;
            let error = outcome.err().unwrap_or_default();
            ensure!(error.sqlstate.as_deref() == Some("57014"), "{error:?} after {took:?}");
            ensure!(took < AFTER + LATENCY, "{took:?}");
            ensure!(engine.value("select count(*) from cotaste_users")? == "600", "the work was half done");
            Ok(())
        });
    }
    Ok(())
}

pub fn sqlite(host: &mut SqliteHost, report: &mut Report) -> Result<()> {
    let path = host.fresh_path();
    let mut engine = host.open(&path)?;
    engine.exec("select cotaste_init()")?;
    engine.exec(DATA)?;
    engine.exec("select cotaste_refresh()")?;
    for sql in LONG {
        report.case(&format!("an interrupt ends {sql}"), || {
            let handle = engine.connection.get_interrupt_handle();
            let alarm = std::thread::spawn(move || {
                std::thread::sleep(AFTER);
                handle.interrupt();
            });
            let start = Instant::now();
            let outcome = engine.query(sql);
            let took = start.elapsed();
            let _ = alarm.join();
            let error = outcome.err().unwrap_or_default();
            ensure!(error.message.contains("interrupt"), "{error:?} after {took:?}");
            ensure!(took < AFTER + LATENCY, "{took:?}");
            ensure!(engine.value("select count(*) from cotaste_users")? == "600", "the work was half done");
            Ok(())
        });
    }
    Ok(())
}
