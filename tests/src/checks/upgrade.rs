//! A space made by an older version becomes one of this version in place: with its rows, with what its owner added, and
//! with nothing else. The older version is that of tests/fixtures.

use crate::engine::Engine;
use crate::extension_update;
use crate::postgres::PostgresHost;
use crate::reads::{self, Answers};
use crate::report::Report;
use crate::sqlite::SqliteHost;
use anyhow::{ensure, Context, Result};
use std::fs;
use std::process::Command;

const OLD: &str = "0.0.1";

fn fixture(name: &str) -> Result<String> {
    let path = crate::repository().join("tests/fixtures").join(name);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

pub fn sqlite(host: &mut SqliteHost, report: &mut Report) -> Result<()> {
    report.case("cotaste_init() upgrades a space of 0.1.0's beginnings, with its rows and its owner's objects", || {
        let path = host.fresh_path();
        let mut old = host.open(&path)?;
        old.exec(&fixture("space-0.1.0.sqlite.sql")?)?;
        reads::load(&mut old)?;
        old.exec(
            "create index mine on user_behaviors(device);
             create table audit(n integer);
             create trigger audited after insert on user_behaviors begin insert into audit values (new.id); end;
             create view my_view as select user_id, count(*) as n from user_behaviors group by user_id;
             alter table contents add column shelf text default 'a';
             create trigger cotaste_gone after insert on contents begin select 1; end",
        )?;
        let said = old.value("select cotaste_init()")?;
        ensure!(said.ends_with("space updated"), "{said}");
        let said = old.value("select cotaste_init()")?;
        ensure!(said.ends_with("space is up to date"), "{said}");
        let fresh_path = host.fresh_path();
        let mut fresh = host.open(&fresh_path)?;
        fresh.exec("select cotaste_init()")?;
        let objects = "select type, name from sqlite_master
            where name not in ('mine', 'audit', 'audited', 'my_view') and name not like 'sqlite\\_%' escape '\\' order by 1, 2";
        ensure!(old.query(objects)? == fresh.query(objects)?, "the objects differ from those of a fresh space");
        let columns = "select m.name, c.name, c.type, c.\"notnull\" from sqlite_master m, pragma_table_info(m.name) c
            where m.type in ('table', 'view') and m.name not in ('audit', 'my_view') and c.name <> 'shelf' order by 1, 2";
        ensure!(old.query(columns)? == fresh.query(columns)?, "the columns differ from those of a fresh space");
        reads::load(&mut fresh)?;
        same_answers(&mut old, &mut fresh)?;
        old.exec("insert into user_behaviors(user_id, content_id, action) values ('ann', 1, 'view')")?;
        ensure!(old.value("select count(*) from audit")? == "1", "the owner's trigger");
        ensure!(old.value("select count(*) from my_view")? == "41", "the owner's view");
        ensure!(old.value("select count(*) from contents where shelf = 'a'")? == "30", "the owner's column");
        ensure!(old.value("pragma integrity_check")? == "ok");
        Ok(())
    });
    report.case("a space of a newer version is refused with what to do", || {
        let path = host.fresh_path();
        let mut engine = host.open(&path)?;
        engine.exec("select cotaste_init(); update cotaste_meta set value = '99.0.0' where key = 'schema_version'")?;
        drop(engine);
        let mut engine = host.open(&path)?;
        for sql in [
            "select cotaste_init()",
            "select * from user_analytics",
            "select user_similarity('a', 'b')",
            "select record_behavior('a', 1, 'view')",
            "select cotaste_refresh()",
        ] {
            let error = engine.query(sql).err().unwrap_or_default();
            ensure!(error.code() == Some("INIT_ERROR") && error.message.contains("99.0.0"), "{sql}: {error:?}");
            ensure!(error.message.contains("newer library"), "{sql}: {error:?}");
        }
        Ok(())
    });
    Ok(())
}

/// Before and after a fold: the answers of both, and that the state is what the log gives.
fn same_answers(upgraded: &mut dyn Engine, fresh: &mut dyn Engine) -> Result<()> {
    for round in 0..2 {
        if round == 1 {
            upgraded.exec("select cotaste_refresh()")?;
            fresh.exec("select cotaste_refresh()")?;
            Answers::of(upgraded)?.same_as(&Answers::of(fresh)?)?;
        } else {
            let similar = "select for_user_id, rank, user_id, similarity from similar_users order by for_user_id, rank";
            ensure!(upgraded.query(similar)? == fresh.query(similar)?, "similar users differ before the fold");
        }
        let wrong = upgraded.query("select * from cotaste_verify()")?;
        ensure!(wrong.is_empty(), "{wrong:?}");
    }
    Ok(())
}

pub fn postgres(host: &mut PostgresHost, report: &mut Report) -> Result<()> {
    let extensions = {
        let config = host.cluster().bin()?.join("pg_config");
        std::path::PathBuf::from(crate::cluster::ask(&config, "--sharedir")?).join("extension")
    };
    let current = fs::read_to_string(crate::repository().join("pg_ext/cotaste.control"))?;
    let current =
        current.split("default_version = '").nth(1).and_then(|rest| rest.split('\'').next()).context("no version")?;
    let new = fs::read_to_string(extensions.join(format!("cotaste--{current}.sql")))?;
    let old = fixture("extension-0.1.0.postgres.sql")?;
    fs::write(extensions.join(format!("cotaste--{OLD}.sql")), &old)?;
    let update = extension_update::script(&old, &new);
    fs::write(extensions.join(format!("cotaste--{OLD}--{current}.sql")), update)?;

    report.case("alter extension update gives what create extension gives, and cotaste_init() upgrades the space in place", || {
        let mut engine = host.database("template0")?;
        engine.exec(&format!("create extension cotaste version '{OLD}'"))?;
        engine.exec(&fixture("space-0.1.0.postgres.sql")?.replace("@space@", "public"))?;
        reads::load(&mut engine)?;
        engine.exec("select cotaste_refresh()")?;
        engine.exec(
            "create index mine on user_behaviors(device);
             create table audit(n bigint);
             create function audit() returns trigger language plpgsql as 'begin insert into audit values (new.id); return null; end';
             create trigger audited after insert on user_behaviors for each row execute function audit();
             create view my_view as select user_id, count(*) as n from user_behaviors group by user_id;
             alter table contents add column shelf text default 'a';
             create policy mine on user_behaviors using (true);
             create function similar_users(x int) returns int language sql as 'select 1';
             do $$ begin create role upgrade_reader; exception when duplicate_object then null; end $$;
             grant select on cotaste_meta to upgrade_reader",
        )?;
        engine.exec("alter extension cotaste update")?;
        let mut fresh = host.database("space")?;
        // What is gone from the new version stays in an updated one.
        let members = "select pg_describe_object(d.classid, d.objid, 0)::text as member,
              coalesce(pg_get_functiondef(case when p.prokind = 'f' then p.oid end), '')::text as definition,
              coalesce(obj_description(d.objid, 'pg_proc'), '')::text as told
            from pg_depend d join pg_extension e on e.oid = d.refobjid and e.extname = 'cotaste'
            left join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
            where d.deptype = 'e' order by 1";
        let (updated, created) = (engine.query(members)?, fresh.query(members)?);
        let missing: Vec<_> = created.iter().filter(|row| !updated.contains(row)).map(|row| &row[0]).collect();
        ensure!(missing.is_empty() && created.len() > 100, "not as created: {missing:?}");
        let said = engine.value("select cotaste_init()")?;
        ensure!(said.ends_with("space updated"), "{said}");
        let said = engine.value("select cotaste_init()")?;
        ensure!(said.ends_with("space is up to date"), "{said}");
        for (what, sql) in CATALOGUE {
            let (upgraded, fresh) = (engine.query(sql)?, fresh.query(sql)?);
            let missing: Vec<_> = fresh.iter().filter(|row| !upgraded.contains(row)).collect();
            let surplus: Vec<_> = upgraded.iter().filter(|row| !fresh.contains(row)).collect();
            ensure!(missing.is_empty() && surplus.is_empty(), "{what}: missing {missing:?}, surplus {surplus:?}");
        }
        reads::load(&mut fresh)?;
        same_answers(&mut engine, &mut fresh)?;
        engine.exec("select record_behavior('ann', 1, 'view')")?;
        ensure!(engine.value("select count(*) from audit")? == "1", "the owner's trigger");
        ensure!(engine.value("select count(*) from my_view")? == "41", "the owner's view");
        ensure!(engine.value("select count(*) from contents where shelf = 'a'")? == "30", "the owner's column");
        ensure!(engine.value("select count(*) from pg_policy where polname = 'mine'")? == "1", "the owner's policy");
        ensure!(engine.value("select count(*) from pg_class where relname = 'mine'")? == "1", "the owner's index");
        ensure!(engine.value("select similar_users(1)")? == "1", "the owner's overload");
        ensure!(
            engine.value("select has_table_privilege('upgrade_reader', 'cotaste_health_checks', 'select')")? == "1",
            "who could read can read what is new"
        );
        Ok(())
    });
    report.case("an owner's view on a view of ours is named and nothing is changed, when its columns change", || {
        let mut engine = host.database("space")?;
        engine.exec(
            "drop view content_metrics cascade; create view content_metrics as select 1 as x;
             create view my_view as select x from content_metrics; update cotaste_meta set value = '' where key = 'fingerprint'",
        )?;
        let error = engine.query("select cotaste_init()").err().unwrap_or_default();
        ensure!(error.code() == Some("INIT_ERROR") && error.message.contains("my_view"), "{error:?}");
        ensure!(engine.value("select x from my_view")? == "1");
        engine.exec("drop view my_view; grant select on content_metrics to pg_monitor; select cotaste_init()")?;
        ensure!(engine.query("select total_views from content_metrics")?.is_empty());
        ensure!(engine.value("select has_table_privilege('pg_monitor', 'content_metrics', 'select')")? == "1");
        ensure!(engine.value("select count(*) from pg_proc where proname = 'content_metrics'")? == "1");
        Ok(())
    });
    report.case("a space of a newer version is refused with what to do", || {
        let mut engine = host.database("space")?;
        engine.exec("update cotaste_meta set value = '99.0.0' where key = 'schema_version'")?;
        let error = engine.query("select cotaste_init()").err().unwrap_or_default();
        ensure!(error.code() == Some("INIT_ERROR") && error.message.contains("99.0.0"), "{error:?}");
        ensure!(error.hint.is_some_and(|hint| hint.contains("newer library")));
        let health = engine.query("select status, reason from cotaste_health")?;
        ensure!(health[0][0] == "degraded" && health[0][1].contains("newer library"), "{health:?}");
        Ok(())
    });
    Ok(())
}

const CATALOGUE: [(&str, &str); 4] = [
    (
        "columns",
        "select c.relname::text, a.attname::text, format_type(a.atttypid, null), a.attnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), '')
         from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
           and c.relname not in ('audit', 'my_view') and a.attname <> 'shelf'",
    ),
    (
        "functions",
        "select p.oid::regprocedure::text, md5(pg_get_functiondef(p.oid)), coalesce(obj_description(p.oid, 'pg_proc'), ''), regexp_replace(coalesce(p.proacl, acldefault('f', p.proowner))::text, ',upgrade_reader=[^,}]*', '')
         from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' and p.proname <> 'audit'
           and p.oid::regprocedure::text <> 'similar_users(integer)'
           and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')",
    ),
    (
        "triggers",
        "select pg_get_triggerdef(t.oid) from pg_trigger t where not t.tgisinternal and t.tgname <> 'audited'",
    ),
    (
        "indexes and constraints",
        "select pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indrelid
         where c.relnamespace = 'public'::regnamespace and i.indexrelid <> coalesce(to_regclass('mine'), 0)
         union all select conrelid::regclass::text || ' ' || pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace and contype <> 'n'",
    ),
];

/// A script of a released version is never edited, and the next version starts with freezing it.
pub fn releases(report: &mut Report) -> Result<()> {
    let root = crate::repository();
    let control = fs::read_to_string(root.join("pg_ext/cotaste.control"))?;
    let version =
        control.split("default_version = '").nth(1).and_then(|rest| rest.split('\'').next()).context("no version")?;
    let directory = root.join("sql/postgres");
    report.case("scripts of released versions are as released, and every older version's is frozen", || {
        frozen(&directory, version)?;
        let cargo = fs::read_to_string(root.join("Cargo.toml"))?;
        ensure!(
            cargo.contains(&format!("\nversion = \"{version}\"\n")),
            "cotaste.control and Cargo.toml differ in version"
        );
        ensure!(directory.join(format!("cotaste--{version}.sql")).is_file());
        Ok(())
    });
    report.case("an edited, a missing and a forgotten script are found", || {
        let scratch = crate::run::Scratch::new("releases")?;
        let write = |name: &str, text: &str| fs::write(scratch.0.join(name), text);
        write("cotaste--0.1.0.sql", "one")?;
        write("cotaste--0.2.0.sql", "two")?;
        write("released.sha256", "")?;
        ensure!(frozen(&scratch.0, "0.1.0").is_err(), "a script newer than the version is there");
        fs::remove_file(scratch.0.join("cotaste--0.2.0.sql"))?;
        frozen(&scratch.0, "0.1.0")?;
        write("cotaste--0.2.0.sql", "two")?;
        ensure!(frozen(&scratch.0, "0.2.0").is_err(), "0.1.0 is not frozen");
        write("cotaste--0.1.0--0.2.0.sql", "between")?;
        let output = Command::new("sha256sum").current_dir(&scratch.0).arg("cotaste--0.1.0.sql").output()?;
        write("released.sha256", &String::from_utf8(output.stdout)?)?;
        frozen(&scratch.0, "0.2.0")?;
        write("cotaste--0.1.0.sql", "edited")?;
        ensure!(frozen(&scratch.0, "0.2.0").is_err(), "it was edited");
        fs::remove_file(scratch.0.join("cotaste--0.1.0.sql"))?;
        ensure!(frozen(&scratch.0, "0.2.0").is_err(), "it is gone");
        Ok(())
    });
    Ok(())
}

/// `released.sha256` names every script but those that lead to the version at work, and each is unchanged.
fn frozen(directory: &std::path::Path, version: &str) -> Result<()> {
    let list = fs::read_to_string(directory.join("released.sha256"))?;
    let checked: Vec<&str> = list.lines().filter_map(|line| Some(line.split_once("  ")?.1)).collect();
    if !checked.is_empty() {
        let output = Command::new("sha256sum")
            .args(["--check", "--strict", "released.sha256"])
            .current_dir(directory)
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let Some(versions) = name.strip_prefix("cotaste--").and_then(|rest| rest.strip_suffix(".sql")) else {
            continue;
        };
        let leads_here = versions == version || versions.ends_with(&format!("--{version}"));
        ensure!(leads_here || checked.contains(&name.as_str()), "{name} is not in released.sha256");
    }
    for name in &checked {
        let old = name.strip_prefix("cotaste--").and_then(|rest| rest.strip_suffix(".sql")).unwrap_or_default();
        if !old.contains("--") {
            let from = format!("cotaste--{old}--");
            let leads_on = fs::read_dir(directory)?
                .filter_map(Result::ok)
                .any(|e| e.file_name().to_string_lossy().starts_with(&from));
            ensure!(leads_on, "nothing leads on from {old}: make extension-update FROM={old}");
        }
    }
    Ok(())
}
