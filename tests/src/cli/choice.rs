//! Which database, what is told when it is not there, and the commands that look after one.

use super::tool::{finish, Tool};
use crate::report::Report;
use anyhow::{ensure, Result};

pub fn run(tool: &Tool, report: &mut Report) -> Result<()> {
    if tool.is_sqlite() {
        report.case("production requires the URL, and says so", || {
            for variable in ["COTASTE_ENV", "NODE_ENV"] {
                let mut command = tool.command();
                command.args(["health", "--json"]).env(variable, "production");
                let ended = finish(command)?;
                ensure!((ended.code, ended.error()) == (3, "CONNECTION_ERROR"), "{} {}", ended.code, ended.json);
            }
            Ok(())
        });
        report.case("without a URL it is data/cotaste.db, which init makes", || {
            let mut command = tool.command();
            command.args(["health", "--json"]);
            ensure!(finish(command)?.code == 3, "a file that is not there is no database");
            let mut command = tool.command();
            command.args(["init", "--json"]);
            finish(command)?.ok()?;
            let mut command = tool.command();
            command.args(["health", "--json"]);
            let health = finish(command)?.ok()?;
            ensure!(health.json["journal_mode"] == "wal", "{}", health.json);
            Ok(())
        });
        report.case("a file that is no database, and an extension that is none, are told", || {
            let file = tool.file("text.db", &"no database ".repeat(100))?;
            let mut command = tool.command();
            command.args(["health", "--json", "--sqlite"]).arg(&file);
            ensure!(finish(command)?.code == 3);
            let database = tool.space()?;
            let mut command = database.command(&["health"]);
            command.arg("--extension").arg(&file);
            let ended = finish(command)?;
            ensure!((ended.code, ended.error()) == (3, "EXTENSION_ERROR"), "{} {}", ended.code, ended.json);
            Ok(())
        });
    } else {
        report.case("a server that is not there is told at once", || {
            let mut command = tool.command();
            command.args(["health", "--json", "--url", "postgres://nobody@127.0.0.1:1/none"]);
            let ended = finish(command)?;
            ensure!((ended.code, ended.error()) == (3, "CONNECTION_ERROR"), "{} {}", ended.code, ended.json);
            Ok(())
        });
        report.case("--schema makes and finds a space of its own", || {
            let database = tool.space()?;
            database.run(&["init", "--schema", "Tenant 1"])?.ok()?;
            let health = database.run(&["health", "--schema", "Tenant 1"])?.ok()?;
            ensure!(health.json["status"] == "healthy", "{}", health.json);
            ensure!(database.count(r#"select count(*) from "Tenant 1".user_behaviors"#)? == 0);
            ensure!(
                database.run(&["health", "--schema", "Tenant 2"])?.ok().is_ok(),
                "the search_path goes on behind it"
            );
            Ok(())
        });
    }
    report.case("without a space every command says how to make one", || {
        let database = tool.database()?;
        if tool.is_sqlite() {
            database.connect()?.exec("create table mine (a)")?;
        }
        for command in ["health", "verify", "refresh"] {
            let ended = database.run(&[command])?;
            ensure!((ended.code, ended.error()) == (4, "NOT_INITIALIZED"), "{command}: {} {}", ended.code, ended.json);
            ensure!(
                ended.json["error"]["hint"].as_str().is_some_and(|hint| hint.contains("cotaste init")),
                "{}",
                ended.json
            );
        }
        Ok(())
    });
    report.case("--quiet tells nothing of what was done, and what was asked for all the same", || {
        let database = tool.space()?;
        database
            .connect()?
            .exec("insert into user_behaviors (user_id, content_id, action) values ('ann', 1, 'view')")?;
        let csv = tool.file("quiet.csv", "user_id,content_id,action,occurred_at\nann,1,view,1767600000\n")?;
        let quiet = |arguments: &[&str]| {
            let mut command = tool.command();
            command.args(arguments).args(["--quiet", "--url", &database.url]);
            finish(command)
        };
        let import = ["import", csv.to_str().unwrap_or_default()];
        for done in [&["refresh", "--neighbours"][..], &["init"], &import, &["purge", "--user", "ann"]] {
            let ended = quiet(done)?;
            ensure!((ended.code, ended.stderr.as_str()) == (0, ""), "{done:?}: {} {}", ended.code, ended.stderr);
            ensure!(ended.json == "", "{done:?} tells {}", ended.json);
        }
        for asked in ["health", "verify"] {
            ensure!(quiet(&[asked])?.json != "", "{asked} tells nothing");
        }
        Ok(())
    });
    report.case("init is idempotent; health, verify and refresh answer", || {
        let database = tool.space()?;
        let again = database.run(&["init"])?.ok()?;
        ensure!(again.json["message"].as_str().is_some_and(|text| text.ends_with("up to date")), "{}", again.json);
        database.connect()?.exec(
            "insert into user_behaviors (user_id, content_id, action) values ('ann', 1, 'view'), ('bob', 1, 'like')",
        )?;
        ensure!(database.run(&["refresh", "--neighbours"])?.ok()?.number("neighbours")? == 2);
        ensure!(database.run(&["health"])?.ok()?.number("record_count")? == 2);
        ensure!(database.run(&["verify"])?.ok()?.json["differences"].as_array().is_some_and(Vec::is_empty));
        Ok(())
    });
    report.case("verify finds a state that was changed, and refresh --rebuild mends it", || {
        let database = tool.space()?;
        database
            .connect()?
            .exec("insert into user_behaviors (user_id, content_id, action) values ('ann', 1, 'view')")?;
        database.run(&["refresh"])?.ok()?;
        database.connect()?.exec("update cotaste_user_contents set touches = 2")?;
        let ended = database.run(&["verify"])?;
        ensure!(
            ended.code == 5 && ended.json["differences"].as_array().is_some_and(|rows| !rows.is_empty()),
            "{}",
            ended.json
        );
        database.run(&["refresh", "--rebuild"])?.ok()?;
        database.run(&["verify"])?.ok()?;
        Ok(())
    });
    report.case("the demo answers its eight questions", || {
        let database = tool.database()?;
        let demo = database.run(&["demo"])?.ok()?;
        let answers = demo.json["answers"].as_array().map(Vec::len);
        ensure!(answers == Some(8), "{answers:?} {}", demo.stderr);
        ensure!(
            demo.json["answers"]
                .as_array()
                .is_some_and(|answers| answers.iter().all(|answer| answer["rows"] != serde_json::json!([]))),
            "{}",
            demo.json
        );
        database.run(&["verify"])?.ok()?;
        let events = database.count("select count(*) from user_behaviors")?;
        database.run(&["demo"])?.ok()?;
        ensure!(events > 80_000 && database.count("select count(*) from user_behaviors")? == events, "a second time");
        let other = tool.space()?;
        other.connect()?.exec("insert into user_behaviors (user_id, content_id, action) values ('ann', 1, 'view')")?;
        ensure!(other.run(&["demo"])?.error() == "INVALID_ARGUMENT", "it does not mix with events of one's own");
        Ok(())
    });
    Ok(())
}
