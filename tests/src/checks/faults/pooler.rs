//! PgBouncer in transaction mode: many clients over two connections, each of whose transactions may meet another server
//! process. Every read gives what it gives without it, and what is recorded is there once.
//!
//! PgBouncer before 1.21 does not know named prepared statements; those work inside a transaction, and ones without a name
//! everywhere.

use super::{ledger, workload, Fault};
use crate::cluster::PORT;
use crate::engine::Engine;
use crate::postgres::{print_row, sql_error, Postgres};
use crate::report::Report;
use crate::surface::{self, Asked, Read};
use anyhow::{bail, ensure, Context, Result};
use postgres::types::Type;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CLIENTS: usize = 6;
const EVENTS: usize = 100;

const SETTINGS: &str = "
[pgbouncer]
listen_addr =
auth_type = trust
pool_mode = transaction
default_pool_size = 2
max_client_conn = 100
ignore_startup_parameters = extra_float_digits
";

struct Pooler {
    process: Child,
    directory: PathBuf,
}

impl Pooler {
    fn start(fault: &Fault) -> Result<Self> {
        let directory = fault.cluster.directory().join("pooler");
        std::fs::create_dir(&directory)?;
        let (users, settings) = (directory.join("users"), directory.join("settings"));
        std::fs::write(&users, "\"postgres\" \"\"\n")?;
        let lines = [
            format!("[databases]\n* = host={} port={PORT}{SETTINGS}", fault.cluster.socket().display()),
            format!("unix_socket_dir = {}\nlisten_port = {PORT}", directory.display()),
            format!("auth_file = {}\nlogfile = {}\n", users.display(), directory.join("log").display()),
        ];
        std::fs::write(&settings, lines.join("\n"))?;
        for path in [&directory, &users, &settings] {
            fault.cluster.give(path)?;
        }
        let mut command = fault.cluster.command(&program().context("pgbouncer")?)?;
        let process = command.arg("-q").arg(&settings).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let pooler = Pooler { process: process.spawn()?, directory };
        let start = Instant::now();
        while pooler.connect("postgres").is_err() {
            let log = std::fs::read_to_string(pooler.directory.join("log")).unwrap_or_default();
            ensure!(start.elapsed() < Duration::from_secs(20), "pgbouncer does not start: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(pooler)
    }

    fn connect(&self, database: &str) -> Result<Postgres> {
        let mut engine = Postgres::connect_to(&self.directory, "postgres", database)?;
        engine.is_pooled = true;
        Ok(engine)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the program is; Debian puts it where only root looks.
fn program() -> Option<String> {
    let runs = |path: &&str| Command::new(path).arg("--version").stdout(Stdio::null()).status().is_ok();
    ["/usr/sbin/pgbouncer", "pgbouncer"].into_iter().find(runs).map(str::to_string)
}

pub fn run(fault: &mut Fault, report: &mut Report) -> Result<()> {
    if program().is_none() {
        report.skip("PgBouncer in transaction mode", "pgbouncer is not installed: scripts/setup faults");
        return Ok(());
    }
    let (database, mut direct) = fault.space()?;
    direct.exec(&workload::catalogue())?;
    direct.exec(
        "insert into user_behaviors (user_id, content_id, action, context)
         select 'user ' || g % 12, g * 7 % 40, 'view', '{\"experimentName\":\"ranker\",\"experimentVariant\":\"a\"}' from generate_series(1, 300) g;
         select cotaste_refresh(); select cotaste_refresh_neighbours();
         insert into user_behaviors (user_id, content_id, action) values ('user 5', 3, 'like')",
    )?;
    let pooler = Pooler::start(fault)?;
    let asked = Asked { user: "user 1".into(), other: "user 5".into(), content: 7, experiment: "ranker".into() };
    let mut reads = surface::reads(&mut direct, &asked)?;
    reads
        .retain(|read| !["cotaste_clock", "cotaste_calls", "cotaste_stats"].iter().any(|of| read.name.starts_with(of)));
    let failed = report.failed;
    report.case("every read through PgBouncer gives what it gives without", || {
        let expected: Vec<_> =
            reads.iter().map(|read| surface::rows(&mut direct, &read.sql)).collect::<Result<_, _>>()?;
        at_once(|client| {
            let mut engine = pooler.connect(&database)?;
            for turn in 0..reads.len() {
                let place = (turn * 7 + client * 11) % reads.len();
                alike(&mut engine, &reads[place], &expected[place], turn % 2 == 0)?;
            }
            Ok(())
        })
    });
    report.case("what is recorded through PgBouncer is there once, with folds in between", || {
        at_once(|client| {
            let mut engine = pooler.connect(&database)?;
            for event in 0..EVENTS {
                record(&mut engine, client, event).with_context(|| format!("client {client}, event {event}"))?;
                if event % 10 == client {
                    engine.exec("select cotaste_refresh()")?;
                    engine.exec("select cotaste_refresh_neighbours(3)")?;
                }
            }
            Ok(())
        })?;
        let recorded = direct.value("select count(*) from user_behaviors where event_id like 'pooled-%'")?;
        ensure!(recorded == (CLIENTS * EVENTS).to_string(), "{recorded} events");
        ledger::sound(&mut direct)?;
        let locks = direct.query("select mode::text from pg_locks where locktype = 'advisory'")?;
        ensure!(locks.is_empty(), "locks are left behind: {locks:?}");
        Ok(())
    });
    if report.failed == failed {
        let value = format!(
            "{} reads by {CLIENTS} clients over 2 connections equal, {} events recorded once",
            reads.len(),
            CLIENTS * EVENTS
        );
        report.figure("PgBouncer, transaction mode", &value);
    }
    Ok(())
}

fn at_once(work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let work = &work;
        let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || work(client))).collect();
        clients.into_iter().try_for_each(|client| client.join().unwrap_or_else(|_| bail!("a thread panicked")))
    })
}

/// The read as a statement without a name, or prepared under a name inside a transaction.
fn alike(engine: &mut Postgres, read: &Read, expected: &[Vec<String>], unnamed: bool) -> Result<()> {
    let mut got = if unnamed {
        engine.query(&read.sql)
    } else {
        let mut named = || {
            let mut transaction = engine.client.transaction()?;
            let statement = transaction.prepare(&read.sql)?;
            transaction.query(&statement, &[])?;
            let rows = transaction.query(&statement, &[])?;
            transaction.commit()?;
            Ok(rows)
        };
        named().map_err(sql_error).and_then(|rows| rows.iter().map(print_row).collect())
    }
    .with_context(|| read.sql.clone())?;
    got.sort();
    // Which process answers is a matter of the place.
    let of_the_place = ["cotaste_health", "cotaste_engine"].iter().any(|place| read.name.starts_with(place));
    ensure!(of_the_place || surface::same(&got, expected), "{}: {got:?} instead of {expected:?}", read.sql);
    Ok(())
}

/// One event: with parameters, by a statement prepared in SQL, or as a plain insert.
fn record(engine: &mut Postgres, client: usize, event: usize) -> Result<()> {
    let (user, content, id) = (format!("user {}", event % 12), event as i64 % 40, format!("pooled-{client}-{event}"));
    let write = "record_behavior($1, $2, 'view', null, null, null, $3)";
    match event % 3 {
        0 => drop(engine.client.query_typed(
            &format!("select {write}"),
            &[(&user, Type::TEXT), (&content, Type::INT8), (&id, Type::TEXT)],
        )?),
        1 => engine.exec(&format!(
            "begin; prepare pooled (text, bigint, text) as select {write};
             execute pooled('{user}', {content}, '{id}'); deallocate pooled; commit"
        ))?,
        _ => engine.exec(&format!(
            "insert into user_behaviors (user_id, content_id, action, event_id) values ('{user}', {content}, 'view', '{id}')"
        ))?,
    }
    Ok(())
}
