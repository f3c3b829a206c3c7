//! A copy of a space by any of the engine's own tools answers as the original, and takes the next event.

use crate::cluster::{self, Owner};
use crate::engine::Engine;
use crate::postgres::{Postgres, PostgresHost};
use crate::reads::{self, Answers};
use crate::report::Report;
use crate::run::Scratch;
use crate::sqlite::{shell, Sqlite, SqliteHost};
use anyhow::{ensure, Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folded for the most part, with a cache, with something pending and an event of the future, and with a setting changed.
fn fill(engine: &mut dyn Engine) -> Result<()> {
    reads::load(engine)?;
    engine.exec("update cotaste_settings set value = '0.65' where key = 'jaccard_weight'")?;
    engine.exec("select cotaste_refresh()")?;
    engine.exec(
        "insert into user_behaviors(user_id, content_id, action, occurred_at) values
           ('u3', 29, 'view', '2026-03-28T00:00:00Z'), ('u5', 1, 'like', '2090-01-01T00:00:00Z'), ('ann', 7, 'like', '2026-03-28T00:00:00Z');
         delete from user_behaviors where user_id = 'u9' and content_id < 10;
         update contents set genres = '[\"Noir\"]' where content_id = 12",
    )?;
    // Last, so that the cache holds what would be computed: a copy need not find it fresh.
    Ok(engine.exec("select cotaste_refresh_neighbours(20)")?)
}

/// The answers are the original's, the next event gets the next id, and the copy folds to what its log gives.
fn check(copy: &mut dyn Engine, original: &Answers, last_id: i64) -> Result<()> {
    Answers::of(copy)?.same_as(original)?;
    let id: i64 = copy.value("select record_behavior('ann', 3, 'view')")?.parse()?;
    ensure!(id > last_id, "the next event got the id {id} after {last_id}");
    copy.exec("insert into user_behaviors(user_id, content_id, action) values ('bob', 3, 'view')")?;
    copy.exec("select cotaste_refresh()")?;
    let wrong = copy.query("select * from cotaste_verify()")?;
    ensure!(wrong.is_empty(), "{wrong:?}");
    ensure!(copy.value("select count(*) from user_analytics where user_id = 'bob'")? == "1");
    let said = copy.value("select cotaste_init()")?;
    ensure!(said.ends_with("space is up to date"), "{said}");
    Ok(())
}

fn last_id(engine: &mut dyn Engine) -> Result<i64> {
    Ok(engine.value("select max(id) from user_behaviors")?.parse()?)
}

fn done(mut command: Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{command:?}: {told}");
    Ok(())
}

pub fn sqlite(host: &mut SqliteHost, report: &mut Report) -> Result<()> {
    let path = host.fresh_path();
    let mut original = host.open(&path)?;
    original.exec("pragma journal_mode = wal; select cotaste_init()")?;
    fill(&mut original)?;
    let answers = Answers::of(&mut original)?;
    let last = last_id(&mut original)?;
    report.case(&format!("most of the {} reads have rows", reads::list()?.len()), || {
        ensure!(answers.with_rows() >= 55, "{}", answers.with_rows());
        Ok(())
    });
    let mut copy = |report: &mut Report, name: &str, make: &dyn Fn(&Sqlite, &Path, &Path) -> Result<()>| {
        let to = host.fresh_path();
        report.case(&format!("{name}: every read is the same and the next event is written"), || {
            make(&original, &path, &to)?;
            check(&mut host.open(&to)?, &answers, last)
        });
    };
    copy(report, "VACUUM INTO", &|original, _, to| {
        Ok(original.connection.execute("vacuum into ?1", [to.to_str()]).map(drop)?)
    });
    copy(report, ".backup", &|_, path, to| {
        let mut backup = shell();
        backup.arg(path).arg(format!(".backup '{}'", to.display()));
        done(backup)
    });
    // The shell knows nothing of the extension: its views are listed and not read.
    copy(report, ".dump", &|_, path, to| {
        let dump = to.with_extension("sql");
        let mut dumping = shell();
        dumping.arg(path).arg(".dump").stdout(File::create(&dump)?);
        ensure!(dumping.status()?.success());
        let mut reading = shell();
        reading.arg("-bail").arg(to).stdin(File::open(&dump)?);
        done(reading)
    });
    Ok(())
}

pub fn postgres(host: &mut PostgresHost, report: &mut Report) -> Result<()> {
    let mut original = host.database("space")?;
    fill(&mut original)?;
    let answers = Answers::of(&mut original)?;
    let last = last_id(&mut original)?;
    let name = original.value("select current_database()::text")?;
    let scratch = Scratch::new("dump")?;
    let file = |name: &str| scratch.0.join(name);
    let (bin, socket) = (host.cluster().bin()?, host.cluster().socket());
    let tool = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(bin.join(program));
        command
            .env_clear()
            .env("PGHOST", &socket)
            .env("PGUSER", "postgres")
            .env("PGPORT", host.cluster().port().to_string());
        command.args(arguments).stdin(Stdio::null());
        done(command)
    };
    let path = |file: &PathBuf| file.display().to_string();
    type Way<'a> = (&'a str, Box<dyn Fn(&str) -> Result<()> + 'a>);
    let ways: [Way<'_>; 4] = [
        (
            "plain",
            Box::new(|to| {
                tool("pg_dump", &["-f", &path(&file("plain.sql")), &name])?;
                tool("psql", &["-q", "-v", "ON_ERROR_STOP=1", "-f", &path(&file("plain.sql")), to])
            }),
        ),
        (
            "custom -j4",
            Box::new(|to| {
                tool("pg_dump", &["-Fc", "-f", &path(&file("custom")), &name])?;
                tool("pg_restore", &["-e", "-j4", "-d", to, &path(&file("custom"))])
            }),
        ),
        (
            "directory -j4 both ways",
            Box::new(|to| {
                tool("pg_dump", &["-Fd", "-j4", "-f", &path(&file("directory")), &name])?;
                tool("pg_restore", &["-e", "-j4", "-d", to, &path(&file("directory"))])
            }),
        ),
        (
            "schema-only, then data-only with the triggers in place",
            Box::new(|to| {
                tool("pg_dump", &["-s", "-f", &path(&file("schema.sql")), &name])?;
                tool("pg_dump", &["-a", "-f", &path(&file("data.sql")), &name])?;
                tool("psql", &["-q", "-v", "ON_ERROR_STOP=1", "-f", &path(&file("schema.sql")), to])?;
                tool("psql", &["-q", "-v", "ON_ERROR_STOP=1", "-f", &path(&file("data.sql")), to])
            }),
        ),
    ];
    for (number, (name, way)) in ways.iter().enumerate() {
        report.case(&format!("pg_dump {name}: every read is the same and the next event is written"), || {
            let to = format!("restored_{number}");
            Postgres::connect(host.cluster(), "postgres", "postgres")?
                .exec(&format!("create database {to} template template0"))?;
            way(&to)?;
            check(&mut Postgres::connect(host.cluster(), "postgres", &to)?, &answers, last)
        });
    }
    Ok(())
}

/// What a space answered, and the last event's id.
type Before = (Answers, i64);

/// An installation: its pg_config, and the library built for it.
type Installation<'a> = (&'a Path, &'a Path);

/// pg_upgrade from the older to the newer server, and from the newer to itself. A server that cannot be upgraded with one
/// plain table and no extension says nothing about ours: that is tried first, and told.
pub fn upgrade(pg15: Installation<'_>, pg18: Installation<'_>, report: &mut Report) -> Result<()> {
    for (name, from) in [("15 to 18", pg15), ("18 to 18", pg18)] {
        let case = format!("pg_upgrade {name}: every read is the same and the next event is written");
        match upgraded(from, pg18, &|engine| Ok(engine.exec("create table plain(n integer)")?), &|_, _| Ok(())) {
            Ok(()) => report.case(&case, || {
                upgraded(
                    from,
                    pg18,
                    &|engine| {
                        engine.exec("create extension cotaste; select cotaste_init()")?;
                        fill(engine)
                    },
                    &|old, new| check(new, &old.0, old.1),
                )
            }),
            Err(error) => {
                let why = format!("{error:#}");
                let why: String =
                    why.lines().find(|line| line.contains("ERROR")).unwrap_or(&why).chars().take(200).collect();
                report.skip(&case, &format!("these servers cannot do it with one plain table either: {why}"));
            }
        }
    }
    Ok(())
}

/// Fills a database of one server, upgrades it to another, and compares.
fn upgraded(
    from: Installation<'_>,
    to: Installation<'_>,
    fill: &dyn Fn(&mut Postgres) -> Result<()>,
    compare: &dyn Fn(&Before, &mut Postgres) -> Result<()>,
) -> Result<()> {
    let owner = Owner::find()?;
    let scratch = Scratch::new("pg-upgrade")?;
    owner.give(&scratch.0)?;
    let old_bin = cluster::installed(&scratch.0.join("old"), from.0, from.1)?;
    let new_bin = cluster::installed(&scratch.0.join("new"), to.0, to.1)?;
    let (old, new) = (scratch.0.join("old-data"), scratch.0.join("new-data"));
    for (bin, data) in [(&old_bin, &old), (&new_bin, &new)] {
        let mut initdb = owner.command(&bin.join("initdb"));
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        // Checksums are on by default from 18 on; both sides must agree.
        let help = owner.command(&bin.join("initdb")).arg("--help").output()?;
        if String::from_utf8_lossy(&help.stdout).contains("--no-data-checksums") {
            initdb.arg("--no-data-checksums");
        }
        initdb.arg("-D").arg(data);
        done(initdb)?;
    }
    let before = {
        let server = Running::start(&owner, &old_bin, &old, &scratch.0)?;
        server.connect("postgres")?.exec("create database space")?;
        let mut engine = server.connect("space")?;
        fill(&mut engine)?;
        match engine.value("select (to_regclass('cotaste_meta') is not null)::int")?.as_str() {
            "1" => (Answers::of(&mut engine)?, last_id(&mut engine)?),
            _ => (Answers::none(), 0),
        }
    };
    let mut pg_upgrade = owner.command(&new_bin.join("pg_upgrade"));
    pg_upgrade.args(["-U", "postgres", "--no-sync", "-s"]).arg(&scratch.0).current_dir(&scratch.0);
    pg_upgrade.arg("-b").arg(&old_bin).arg("-B").arg(&new_bin).arg("-d").arg(&old).arg("-D").arg(&new);
    done(pg_upgrade).map_err(|error| error.context(logs(&new.join("pg_upgrade_output.d"))))?;
    let server = Running::start(&owner, &new_bin, &new, &scratch.0)?;
    compare(&before, &mut server.connect("space")?)
}

/// The ends of the logs that tell of an error.
fn logs(directory: &Path) -> String {
    let mut told = String::new();
    for path in std::fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            told += &logs(&path);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let lines: Vec<&str> = text.lines().filter(|line| line.to_lowercase().contains("error")).collect();
            told += &lines.join("\n");
        }
    }
    told
}

/// A server that ends with its test.
struct Running<'a> {
    owner: &'a Owner,
    bin: &'a Path,
    data: &'a Path,
    socket: &'a Path,
}

impl<'a> Running<'a> {
    fn start(owner: &'a Owner, bin: &'a Path, data: &'a Path, socket: &'a Path) -> Result<Self> {
        let mut command = owner.command(&bin.join("pg_ctl"));
        let options = format!("-k {} -c listen_addresses='' -c fsync=off", socket.display());
        command.args(["-w", "-t", "60", "-o", &options, "-l"]).arg(data.join("log")).arg("-D").arg(data).arg("start");
        let started = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(started.success(), "{}", std::fs::read_to_string(data.join("log")).unwrap_or_default());
        Ok(Running { owner, bin, data, socket })
    }

    fn connect(&self, database: &str) -> Result<Postgres> {
        Postgres::connect_to(self.socket, "postgres", database)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut command = self.owner.command(&self.bin.join("pg_ctl"));
        let _ = command.args(["-w", "-m", "fast", "-D"]).arg(self.data).arg("stop").stdout(Stdio::null()).status();
    }
}
