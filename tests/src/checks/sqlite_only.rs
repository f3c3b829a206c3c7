//! What is promised of a SQLite file and of the program that loads the extension.

use crate::engine::Engine;
use crate::report::Report;
use crate::sqlite::SqliteHost;
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
        let mut read_only = crate::sqlite::Sqlite { connection };
        read_only.load(host.extension())?;
        read_only.exec("pragma trusted_schema = off")?;
        for relation in super::catalogue::RELATIONS {
            read_only.query(&format!("select * from {relation}"))?;
        }
        read_only.exec("create temp view v as select jaccard_similarity('[1]', '[1,2]') as j")?;
        ensure!(read_only.value("select j from v")? == "0.5");
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
