//! Full disks, failing writes and too little memory: the statement fails with an error that says so, the session or the
//! next one goes on, and nothing is lost or half done.

use super::ledger::{self, Ledger};
use super::victim::Victim;
use super::{workload, Fault};
use crate::engine::{Engine, SqlError};
use crate::report::Report;
use crate::run::Scratch;
use crate::scale;
use crate::sqlite::SqliteHost;
use anyhow::{ensure, Context, Result};
use std::path::Path;
use std::process::{Command, Stdio};

/// A small file system of its own, gone at the end. Only root may have one.
struct SmallDisk(Scratch);

impl SmallDisk {
    fn mount(megabytes: usize) -> Result<Self> {
        let scratch = Scratch::new("disk")?;
        let options = format!("size={megabytes}m,mode=777");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "cotaste"]).arg(&scratch.0).stderr(Stdio::null());
        ensure!(mount.status().is_ok_and(|status| status.success()), "no file system can be mounted here");
        Ok(SmallDisk(scratch))
    }

    fn path(&self) -> &Path {
        &self.0 .0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

const FILL: &str = "insert into user_behaviors (user_id, content_id, action, context)
    select 'user ' || cast(content_id % 12 as text), content_id, 'view', '{\"filler\":\"' || ";

pub fn sqlite(host: &mut SqliteHost, report: &mut Report) -> Result<()> {
    failing_writes(host, report)?;
    disk_of_sqlite(host, report);
    memory_of_sqlite(host, report)
}

/// Processes whose reads, writes and syncs fail at random (libfiu), as the victims of SIGKILL otherwise.
fn failing_writes(host: &mut SqliteHost, report: &mut Report) -> Result<()> {
    const WRAPPER: &str = "fiu-run";
    let name = "failing reads and writes give an error, and nothing is lost or half done";
    if Command::new(WRAPPER).stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        report.skip(name, "fiu-run is not installed: scripts/setup faults");
        return Ok(());
    }
    let (wanted, mut failed, mut ran) = (scale::of(30, 150), 0, 0);
    let found = report.failed;
    report.case(name, || {
        while failed < wanted && ran < wanted * 8 {
            let path = host.fresh_path();
            let mut file = host.open(&path)?;
            file.exec("select cotaste_init()")?;
            file.exec(&workload::catalogue())?;
            drop(file);
            let journal = ["wal", "delete"][ran % 2];
            let point = ["posix/io/rw/*", "posix/io/sync/*", "posix/io/rw/pwrite*"][ran % 3];
            let fault = format!("enable_random name={point},probability=0.00{}", 2 + ran % 7);
            let words =
                [&path.to_string_lossy(), &host.extension().to_string_lossy(), journal, "v", &ran.to_string(), "60"]
                    .map(|word| word.to_string());
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let victim = Victim::start(&[WRAPPER, "-x", "-f", "", "-c", &fault], &words)?;
            let mut ledger = Ledger::default();
            let told = victim.end(&mut ledger)?;
            ran += 1;
            ensure!(told.status.code().is_some(), "the process died: {:?}", told.status);
            failed += usize::from(told.error.is_some());
            let mut file = host.open(&path)?;
            ensure!(file.value("pragma integrity_check")? == "ok", "the file is damaged");
            let log = ledger::by_client(&mut file)?.remove("v").unwrap_or_default();
            ledger.settle(log).and_then(|()| ledger::sound(&mut file)).with_context(|| format!("{:?}", told.error))?;
        }
        ensure!(failed >= wanted, "only {failed} of {ran} met an error");
        Ok(())
    });
    if report.failed == found {
        report.figure("injected I/O errors", &format!("{failed} clean errors in {ran} processes, nothing lost"));
    }
    Ok(())
}

fn disk_of_sqlite(host: &mut SqliteHost, report: &mut Report) {
    let name = "a full disk is an error, and with room again the file goes on";
    let disk = match SmallDisk::mount(6) {
        Ok(disk) => disk,
        Err(error) => return report.skip(name, &format!("{error:#}")),
    };
    report.case(name, || {
        let mut file = host.open(&disk.path().join("small.db"))?;
        file.query("pragma journal_mode = wal")?;
        file.exec("select cotaste_init()")?;
        file.exec(&workload::catalogue())?;
        let fill = format!("{FILL}hex(zeroblob(2000)) || '\"}}' from contents");
        until_full(&mut file, &fill, |error| error.message.contains("full"))?;
        // What fits no more is refused by every writing function, and reads go on.
        for sql in ["select cotaste_rebuild()", "select cotaste_refresh()"] {
            if let Err(error) = file.query(sql) {
                ensure!(error.message.contains("full") || error.message.contains("I/O"), "{sql}: {error:?}");
            }
        }
        file.query("select * from similar_users('user 1')")?;
        ensure!(file.query("select * from cotaste_verify()")?.is_empty(), "the state is half done");
        let freed = Command::new("mount").args(["-o", "remount,size=30m"]).arg(disk.path()).status()?;
        ensure!(freed.success(), "no more room could be given");
        file.query("select record_behavior('user 1', 3, 'view')")?;
        ensure!(file.value("pragma integrity_check")? == "ok");
        ledger::sound(&mut file)
    });
}

/// Writes until it no longer can.
fn until_full(engine: &mut dyn Engine, fill: &str, is_full: impl Fn(&SqlError) -> bool) -> Result<()> {
    for _ in 0..2000 {
        if let Err(error) = engine.query(fill) {
            ensure!(is_full(&error), "{error:?}");
            return Ok(());
        }
    }
    anyhow::bail!("the disk was never full")
}

/// With ever less memory every statement works or says that there is not enough.
fn memory_of_sqlite(host: &mut SqliteHost, report: &mut Report) -> Result<()> {
    let path = host.fresh_path();
    let mut file = host.open(&path)?;
    file.exec("select cotaste_init()")?;
    file.exec(&workload::catalogue())?;
    let fill = format!("{FILL}hex(zeroblob(20)) || '\"}}' from contents");
    (0..20).try_for_each(|_| file.exec(&fill))?;
    let levels = scale::of(40, 200);
    let mut refused = 0;
    report.case(&format!("{levels} limits of memory: an error that says so, and the session goes on"), || {
        for level in 0..levels {
            let limit = used() + (level * 400_000 / levels) as i64;
            set_limit(limit);
            for sql in STATEMENTS {
                if let Err(error) = file.query(sql) {
                    // The limit is the whole process': no message may need memory beyond it.
                    set_limit(0);
                    let said = error.message.contains("memory") || error.code() == Some("OUT_OF_MEMORY");
                    ensure!(said, "at {limit} bytes {sql}: {error:?}");
                    refused += 1;
                    set_limit(limit);
                }
            }
            set_limit(0);
            ledger::sound(&mut file).with_context(|| format!("after {limit} bytes"))?;
        }
        ensure!(refused > levels / 4, "only {refused} statements had too little");
        Ok(())
    });
    report.figure("limits of memory", &format!("{levels} limits, {refused} statements refused, the others right"));
    Ok(())
}

/// The most SQLite may have in use, 0 for as much as there is. A pragma could not be prepared under a low one.
fn set_limit(bytes: i64) {
    // SAFETY: no preconditions.
    unsafe { rusqlite::ffi::sqlite3_hard_heap_limit64(bytes) };
}

/// What SQLite has in use now.
fn used() -> i64 {
    // SAFETY: no preconditions.
    unsafe { rusqlite::ffi::sqlite3_memory_used() }
}

const STATEMENTS: [&str; 7] = [
    "select record_behavior('user 3', 9, 'view')",
    "select cotaste_refresh()",
    "select * from similar_users('user 1', 5)",
    "select user_similarity('user 1', 'user 5')",
    "select * from user_analytics",
    "select cotaste_rebuild()",
    "select cotaste_refresh_neighbours(3)",
];

pub fn postgres(fault: &mut Fault, report: &mut Report) -> Result<()> {
    disk_of_postgres(fault, report);
    memory_of_postgres(fault, report)
}

fn disk_of_postgres(fault: &mut Fault, report: &mut Report) {
    let name = "a full disk is an error, and with room again the space goes on";
    let disk = match SmallDisk::mount(24) {
        Ok(disk) => disk,
        Err(error) => return report.skip(name, &format!("{error:#}")),
    };
    report.case(name, || {
        let directory = disk.path().join("space");
        std::fs::create_dir(&directory)?;
        fault.cluster.give(&directory)?;
        let mut admin = fault.connect("postgres")?;
        admin.exec(&format!("create tablespace small location '{}'", directory.display()))?;
        admin.exec("create database small tablespace small template template0")?;
        let mut engine = fault.connect("small")?;
        engine.exec("create extension cotaste; select cotaste_init()")?;
        engine.exec(&workload::catalogue())?;
        let fill = format!(
            "{FILL}(select string_agg(md5(random()::text), '') from generate_series(1, 60)) || '\"}}' from contents"
        );
        until_full(&mut engine, &fill, |error| error.sqlstate.as_deref() == Some("53100"))?;
        for sql in ["select cotaste_rebuild()", "select cotaste_refresh()"] {
            if let Err(error) = engine.query(sql) {
                ensure!(error.sqlstate.as_deref() == Some("53100"), "{sql}: {error:?}");
            }
        }
        engine.query("select * from similar_users('user 1')")?;
        ensure!(engine.query("select * from cotaste_verify()")?.is_empty(), "the state is half done");
        let freed = Command::new("mount").args(["-o", "remount,size=200m"]).arg(disk.path()).status()?;
        ensure!(freed.success(), "no more room could be given");
        engine.query("select record_behavior('user 1', 3, 'view')")?;
        let sound = ledger::sound(&mut engine);
        drop(engine);
        admin.exec("drop database small with (force)")?;
        admin.exec("drop tablespace small")?;
        sound
    });
}

/// Backends with ever less room to grow: an ERROR that says so, never the end of the backend, which would be the server's.
fn memory_of_postgres(fault: &mut Fault, report: &mut Report) -> Result<()> {
    let (database, mut engine) = fault.space()?;
    engine.exec(&workload::catalogue())?;
    let fill = format!("{FILL}repeat('x', 40) || '\"}}' from contents");
    (0..20).try_for_each(|_| engine.exec(&fill))?;
    let started = engine.value("select pg_postmaster_start_time()::text")?;
    let levels = scale::of(40, 200);
    let mut refused = 0;
    report.case(
        &format!("{levels} limits of a backend's memory: an error that says so, and the session goes on"),
        || {
            for level in 0..levels {
                let mut small = fault.connect(&database)?;
                if level % 2 == 0 {
                    // Libraries and plans are there already.
                    STATEMENTS.iter().try_for_each(|sql| small.query(sql).map(drop))?;
                }
                let process = small.value("select pg_backend_pid()")?;
                limit(fault, &process, (level * 6_000_000 / levels) as u64)?;
                for sql in STATEMENTS {
                    if let Err(error) = small.query(sql) {
                        // The second is Postgres' own, where a library of its does not fit any more.
                        let said = ["53200", "58P01"].contains(&error.sqlstate.as_deref().unwrap_or_default());
                        ensure!(said, "{sql}: {error:?}");
                        refused += 1;
                    }
                }
                ensure!(small.value("select 1")? == "1");
            }
            ensure!(refused > 0, "no statement had too little");
            ensure!(
                engine.value(
                    "select count(*)::text from pg_stat_activity where backend_start < pg_postmaster_start_time()"
                )? == "0"
            );
            ensure!(engine.value("select pg_postmaster_start_time()::text")? == started, "the server restarted");
            ledger::sound(&mut engine)
        },
    );
    report.figure(
        "limits of a backend's memory",
        &format!("{levels} limits, {refused} statements refused, the others right"),
    );
    Ok(())
}

/// Lets a process of the server grow by so many bytes and no more; the server's own user may say so.
fn limit(fault: &Fault, process: &str, room: u64) -> Result<()> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).context("no VmSize")?;
    let bytes = size.trim().trim_end_matches(" kB").parse::<u64>()? * 1024 + room;
    let mut prlimit = fault.cluster.command("prlimit")?;
    let set = prlimit.args(["--pid", process, &format!("--as={bytes}")]).status()?;
    ensure!(set.success(), "prlimit: {set}");
    Ok(())
}
