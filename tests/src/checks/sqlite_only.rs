//! What is promised of a SQLite file and of the program that loads the extension.

use crate::engine::Engine;
use crate::report::Report;
use crate::sqlite::{shell, SqliteHost};
use anyhow::{ensure, Result};
use rusqlite::{Connection, OpenFlags};

/// The process got the SQLite it was started for.
pub fn library(newer: bool, newer_version: &str, report: &mut Report) {
    let version = rusqlite::version();
    report.case(&format!("this process runs SQLite {version}"), || {
        ensure!(
            newer == (version == newer_version),
            "{newer_version} was built beside the system's, {version} is loaded"
        );
        ensure!(rusqlite::version_number() >= 3_040_001, "older than 3.40.1");
        Ok(())
    });
}

pub fn run(host: &mut SqliteHost, report: &mut Report) -> Result<()> {
    report.case("a file stays writable, checked and readable without the extension", || {
        let path = host.fresh_path();
        let mut with = host.open(&path)?;
        with.exec("select cotaste_init()")?;
        drop(with);
        let mut plain = host.open_plain(&path)?;
        plain.exec(
            "insert into contents(content_id, title, genres) values (550, 'Fight Club', '[\"Drama\"]');
             insert into user_behaviors(user_id, content_id, action, context) values ('ann', 550, 'view', '{\"device\":\"tv\"}');
             insert into user_behaviors(user_id, content_id, action, rating) values ('ann', 550, 'rate', 9), ('bob', 550, 'view', null);
             update user_behaviors set rating = 8 where action = 'rate';
             delete from user_behaviors where user_id = 'bob';
             vacuum",
        )?;
        ensure!(plain.value("pragma integrity_check")? == "ok");
        let refused = plain.exec("insert into user_behaviors(user_id, content_id, action, rating) values ('ann', 550, 'rate', 11)");
        ensure!(refused.is_err_and(|error| error.code() == Some("INVALID_ARGUMENT")), "a plain insert is checked as well");
        let mut with = host.open(&path)?;
        let rows = with.query("select user_id, device, rating from cotaste_events order by id")?;
        ensure!(rows == [["ann", "tv", "NULL"], ["ann", "NULL", "8.0"]], "{rows:?}");
        Ok(())
    });
    report.case("loading writes nothing", || {
        let path = host.fresh_path();
        let with = host.open(&path)?;
        ensure!(with.connection.total_changes() == 0);
        ensure!(std::fs::metadata(&path)?.len() == 0, "the file grew");
        Ok(())
    });
    report.case("a closed connection is closed", || {
        let path = host_path(host)?;
        let mut with = host.open(&path)?;
        with.query("select user_similarity('ann', 'bob')")?;
        with.query("select * from user_analytics")?;
        with.connection.close().map_err(|(_, error)| error.into())
    });
    report.case("reads work on a read-only file under an untrusted schema", || {
        let path = host_path(host)?;
        let with = host.open(&path)?;
        drop(with);
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut read_only = crate::sqlite::Sqlite::new(connection);
        read_only.load(host.extension())?;
        read_only.exec("pragma trusted_schema = off")?;
        for relation in super::catalogue::RELATIONS {
            read_only.query(&format!("select * from {relation}"))?;
        }
        read_only.exec("create temp view v as select jaccard_similarity('[1]', '[1,2]') as j")?;
        ensure!(read_only.value("select j from v")? == "0.5");
        Ok(())
    });
    report.case("a host that shows a database to others loads a library that cannot write", || {
        let path = host_path(host)?;
        let mut engine = host.open_plain(&path)?;
        // SAFETY: the library is the one this project built; loading is disabled again at once.
        unsafe {
            engine.connection.load_extension_enable()?;
            let loaded = engine.connection.load_extension(host.extension(), Some("sqlite3_cotaste_readonly_init"));
            engine.connection.load_extension_disable()?;
            loaded?;
        }
        engine.exec("pragma trusted_schema = off")?;
        engine.connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        let writers = engine.query(
            "select name from pragma_function_list where flags & 0x80000 and name not like 'fts%' and not builtin",
        )?;
        ensure!(writers.is_empty(), "{writers:?}");
        for relation in super::catalogue::RELATIONS {
            engine.query(&format!("select * from {relation}"))?;
        }
        ensure!(engine.value("select user_similarity('ann', 'bob')")? != "0.0");
        for sql in ["record_behavior('ann', 1, 'view')", "cotaste_refresh()", "cotaste_init()", "forget_user('ann')"] {
            let error = engine.query(&format!("select {sql}")).err().unwrap_or_default();
            ensure!(error.message.contains("no such function"), "{sql}: {error:?}");
        }
        Ok(())
    });
    report.case("a file brought along cannot call what writes, and defensive mode changes nothing", || {
        let path = host_path(host)?;
        let mut engine = host.open(&path)?;
        engine.connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        engine.exec("pragma trusted_schema = off")?;
        engine.exec(
            "create view hostile as select forget_user('ann') as n;
             create trigger hostile_too after insert on contents begin select record_behavior('eve', 1, 'view'); end",
        )?;
        let error = engine.query("select n from hostile").err().unwrap_or_default();
        ensure!(error.message.contains("unsafe use of forget_user"), "{error:?}");
        let error = engine.exec("insert into contents(content_id) values (77)").err().unwrap_or_default();
        ensure!(error.message.contains("unsafe use of record_behavior"), "{error:?}");
        engine.exec("drop trigger hostile_too; drop view hostile")?;
        engine.exec("insert into contents(content_id, genres) values (77, '[\"War\"]'); select record_behavior('ann', 77, 'view')")?;
        engine.exec("select cotaste_refresh(); select cotaste_refresh_neighbours(); select cotaste_rebuild(); select forget_user('bob')")?;
        for relation in super::catalogue::RELATIONS {
            engine.query(&format!("select * from {relation}"))?;
        }
        Ok(())
    });
    report.case("sqlite3 -safe reads and records once the extension is loaded", || {
        let path = host_path(host)?;
        let extension = host.extension().with_extension("");
        let output = shell()
            .arg("-cmd").arg(format!(".load {}", extension.display())).arg("-safe").arg(&path)
            .arg("select record_behavior('eve', 550, 'like') > 0, count(*) from user_analytics, cotaste_health where status is not null")
            .output()?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && told.trim_end().starts_with("1|"), "{told}");
        let output = shell()
            .arg("-safe").arg(&path).arg(format!(".load {}", extension.display())).output()?;
        ensure!(!output.status.success(), "-safe is what it says: .load is refused");
        Ok(())
    });
    report.case("analysed, with nothing pending, no read of the state walks the log", || {
        let path = host.fresh_path();
        let mut engine = host.open(&path)?;
        engine.exec("select cotaste_init()")?;
        engine.exec(include_str!("../../cases/cancel-data.sql"))?;
        engine.exec("select cotaste_refresh(); analyze")?;
        for view in
            ["cotaste_touch_changes", "cotaste_other_events", "cotaste_unfolded_contents", "cotaste_pending_touches"]
        {
            let plan = engine.query(&format!("explain query plan select * from {view}"))?;
            let lines = plan.iter().filter_map(|row| row.last()).map(String::as_str);
            // The flag is asked for a second time, for Postgres: once, of one row.
            let is_flag = |line: &str| line.starts_with("SCALAR SUBQUERY") || line == "SCAN g";
            let lines: Vec<&str> = lines.filter(|line| !is_flag(line)).collect();
            for (before, line) in lines.iter().zip(&lines[1..]) {
                let log =
                    ["SCAN b", "SCAN e"].iter().any(|scan| *line == *scan || line.starts_with(&format!("{scan} ")));
                ensure!(!log || before.starts_with("SCAN p"), "{view}: {lines:#?}");
            }
        }
        Ok(())
    });
    report.case("what is forgotten is not in the file's bytes after secure_delete or VACUUM", || {
        for (before, after) in [("pragma secure_delete = on", "select 1"), ("pragma secure_delete = off", "vacuum")] {
            let path = host.fresh_path();
            let mut engine = host.open(&path)?;
            engine.exec(before)?;
            engine.exec("select cotaste_init(); insert into contents(content_id, genres) values (1, '[\"Drama\"]')")?;
            for user in ["remarkable-name", "other-name"] {
                engine.exec(&format!(
                    "select record_behavior('{user}', 1, 'view', null, '{{\"device\":\"tv of {user}\"}}')"
                ))?;
            }
            engine.exec(
                "select cotaste_refresh(); select cotaste_refresh_neighbours(); select forget_user('remarkable-name')",
            )?;
            engine.exec(after)?;
            drop(engine);
            let bytes = std::fs::read(&path)?;
            let found = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
            ensure!(found(b"other-name"), "the file is read");
            ensure!(!found(b"remarkable-name"), "with {before} and {after} a trace is left in the file");
        }
        Ok(())
    });
    report.case("two connections of one process see each other's events", || {
        let path = host_path(host)?;
        let (mut a, mut b) = (host.open(&path)?, host.open(&path)?);
        a.query("select record_behavior('cyd', 550, 'view')")?;
        ensure!(b.value("select total_views from user_analytics where user_id = 'cyd'")? == "1");
        b.query("select record_behavior('cyd', 550, 'view')")?;
        ensure!(a.value("select total_views from user_analytics where user_id = 'cyd'")? == "2");
        Ok(())
    });
    Ok(())
}

/// A space with a little in it.
fn host_path(host: &mut SqliteHost) -> Result<std::path::PathBuf> {
    let path = host.fresh_path();
    let mut with = host.open(&path)?;
    with.exec(
        "select cotaste_init();
         insert into contents(content_id, title, genres) values (550, 'Fight Club', '[\"Drama\"]');
         select record_behavior('ann', 550, 'view');
         select record_behavior('bob', 550, 'rate', 8)",
    )?;
    Ok(path)
}
