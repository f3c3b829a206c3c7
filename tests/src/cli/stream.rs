//! Events as they come: standard input, Redis Streams and Kafka, with the consumer killed again and again. Every event is
//! counted once.

use super::brokers::{Kafka, Redis};
use super::tool::{Database, Tool};
use crate::random::Random;
use crate::report::Report;
use anyhow::{ensure, Context, Result};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is no event, among those that are.
const BAD: [&str; 3] = [
    "{",
    r#"{"user_id":"u","content_id":1,"action":"dance"}"#,
    r#"{"user_id":"u","content_id":1,"action":"rate","rating":11}"#,
];

pub fn run(tool: &Tool, report: &mut Report) -> Result<()> {
    report.case("standard input is recorded while it goes on, and ends with it", || stdin(tool));
    match Redis::start(tool) {
        Ok(redis) => {
            report.case("Redis: the consumer is killed, every event is counted once", || from_redis(tool, &redis))
        }
        Err(error) => report.fail("redis-server runs (scripts/setup cli)", &format!("{error:#}")),
    }
    match Kafka::start(tool) {
        Ok(kafka) => {
            report.case("Kafka: the consumer is killed, every event is counted once", || from_kafka(tool, &kafka))
        }
        Err(error) => report.fail("the Kafka broker runs (scripts/setup cli)", &format!("{error:#}")),
    }
    Ok(())
}

/// How many are streamed.
fn events() -> u64 {
    super::asked("COTASTE_EVENTS").unwrap_or(20_000)
}

/// An event's JSON; one in ten is sent twice, by a producer that is not sure.
pub fn event(n: u64) -> String {
    format!(r#"{{"user_id":"u{}","content_id":{},"action":"view","event_id":"e{n}"}}"#, n % 997, n % 499)
}

fn messages(events: u64) -> Vec<String> {
    let mut messages = Vec::new();
    for n in 0..events {
        messages.push(event(n));
        if n % 10 == 0 {
            messages.push(event(n));
        }
    }
    messages.extend(BAD.map(str::to_string));
    messages
}

fn check(database: &Database, events: u64) -> Result<()> {
    ensure!(
        database.count("select count(*) from user_behaviors")? == events,
        "{} of {events}",
        database.count("select count(*) from user_behaviors")?
    );
    ensure!(database.count("select count(distinct event_id) from user_behaviors")? == events);
    ensure!(
        database.count("select count(*) from cotaste_dead_letters where length(reason) > 10")? == BAD.len() as u64,
        "dead letters"
    );
    database.run(&["refresh"])?.ok()?;
    database.run(&["verify"])?.ok()?;
    Ok(())
}

fn stdin(tool: &Tool) -> Result<()> {
    let database = tool.space()?;
    let mut command = database.command(&["stream", "stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("no standard input")?;
    writeln!(input, "{}", event(0))?;
    input.flush()?;
    let begun = Instant::now();
    while database.count("select count(*) from user_behaviors")? == 0 {
        ensure!(begun.elapsed() < Duration::from_secs(20), "the first event waits for more");
        std::thread::sleep(Duration::from_millis(50));
    }
    for message in messages(3000) {
        writeln!(input, "{message}")?;
    }
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(output.status.code() == Some(6), "dead letters are exit code 6: {:?}", output.status);
    check(&database, 3000)
}

fn from_redis(tool: &Tool, redis: &Redis) -> Result<()> {
    let database = tool.space()?;
    let events = events();
    redis.send("events", &messages(events))?;
    let url = redis.url();
    consume(&database, &["stream", "redis", &url, "events"], events)?;
    ensure!(redis.pending("events", "cotaste")? == 0, "entries are not acknowledged");
    check(&database, events)
}

fn from_kafka(tool: &Tool, kafka: &Kafka) -> Result<()> {
    let database = tool.space()?;
    let events = events();
    kafka.send("events", &messages(events))?;
    let brokers = kafka.brokers();
    // A killed consumer's partitions are dealt out again when its session has ended: here after a second, not 45.
    let mut arguments = vec!["stream", "kafka", &brokers, "events"];
    for setting in ["session.timeout.ms=1000", "max.poll.interval.ms=6000", "heartbeat.interval.ms=300"] {
        arguments.extend(["--set", setting]);
    }
    consume(&database, &arguments, events)?;
    check(&database, events)
}

/// How far the consumer has come: ids that were given, which are quickly asked.
fn given(database: &Database) -> Result<u64> {
    database.count(match database.is_sqlite() {
        true => "select coalesce(max(id), 0) from user_behaviors",
        false => "select case when is_called then last_value else 0 end from user_behaviors_id_seq",
    })
}

/// Kills the consumer at random points of its way, then lets it finish.
fn consume(database: &Database, arguments: &[&str], events: u64) -> Result<()> {
    let kills = super::asked("COTASTE_KILLS").unwrap_or(1);
    let mut random = Random::new(9);
    let mut arguments = arguments.to_vec();
    // Of so few events some are folded before the kill.
    if super::asked("COTASTE_EVENTS").is_none() {
        arguments.extend(["--batch", "500", "--fold-every", "1"]);
    }
    let mut points: Vec<u64> = (0..kills).map(|_| random.below(1_000_000) as u64 * events / 1_000_000).collect();
    points.sort_unstable();
    let begun = Instant::now();
    for point in points {
        let before = given(database)?;
        let mut child = Running(database.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        let started = Instant::now();
        while given(database)? <= before.max(point) && before < events && started.elapsed() < Duration::from_secs(600) {
            ensure!(child.0.try_wait()?.is_none(), "the consumer ended by itself");
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(random.below(100) as u64));
        child.0.kill()?;
    }
    arguments.extend(["--stop-when-idle", "3"]);
    let ended = database.run(&arguments)?;
    let seconds = begun.elapsed().as_secs_f64() - 3.0;
    println!(
        "          {}: {events} events, {kills} kills: {:.0} events/s from the first start to the last event",
        arguments.get(1).unwrap_or(&""),
        events as f64 / seconds
    );
    ensure!([0, 6].contains(&ended.code), "{} {} {}", ended.code, ended.json, ended.stderr);
    Ok(())
}

/// A child that is ended with the case.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that is given lines and must end well.
pub fn feed(mut command: Command, lines: &str) -> Result<String> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("no standard input")?;
    let text = lines.to_string();
    let writing = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    writing.join().ok().context("the writing thread panicked")??;
    ensure!(output.status.success(), "{:?}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
