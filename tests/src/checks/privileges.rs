//! Who may do what: docs/privileges.md is the promise, and every action is tried as every role.

use crate::engine::Engine;
use crate::postgres::{Postgres, PostgresHost};
use crate::reads;
use crate::report::Report;
use anyhow::{ensure, Context, Result};
use std::collections::BTreeMap;

pub fn run(host: &mut PostgresHost, report: &mut Report) -> Result<()> {
    report.case("every action on every table and view by reader, writer and owner is as documented", || tables(host));
    report.case("every function that writes may be called by whom the document says, and by nobody else", || {
        functions(host)
    });
    report.case("each role does its work", || at_work(host));
    report.case("policies of the log hold for everything derived of a user, in every state of the queue", || {
        policies(host)
    });
    report.case("two spaces in one database do not see each other, whatever they are called", || tenants(host));
    Ok(())
}

/// The cells of a table of the document, by the names in the first: one map for each of the two tables.
fn documented() -> Result<[BTreeMap<String, Vec<String>>; 2]> {
    let text = std::fs::read_to_string(crate::repository().join("docs/privileges.md"))?;
    let mut tables = Vec::new();
    for part in text.split("|---|---|---|---|\n").skip(1) {
        let rows = part.lines().take_while(|line| line.starts_with('|'));
        let mut map = BTreeMap::new();
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let (names, cells) = cells.split_first().context("an empty row")?;
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace(' ', "")).collect();
            match names.contains('`') {
                true => {
                    names.split('`').skip(1).step_by(2).for_each(|name| drop(map.insert(name.into(), cells.clone())))
                }
                false => drop(map.insert(names.to_string(), cells)),
            }
        }
        tables.push(map);
    }
    tables.try_into().ok().context("two tables of privileges were expected")
}

/// A database whose space belongs to one role, with a reader and a writer, and a role that was given nothing.
fn with_roles(host: &mut PostgresHost) -> Result<(Postgres, [String; 4])> {
    let mut engine = host.database("space")?;
    let database = engine.value("select current_database()::text")?;
    // Roles belong to the whole server; their names are hostile.
    let roles = ["reader", "writer", "owner", "nobody"].map(|role| format!("{role} \"of\" {database}'s; --"));
    for role in &roles {
        engine.exec(&format!("create role {} login", identifier(role)))?;
    }
    for (function, role) in [("grant_reader", &roles[0]), ("grant_writer", &roles[1]), ("set_owner", &roles[2])] {
        engine.exec(&format!("select cotaste_{function}({})", crate::engine::quote(role)))?;
    }
    Ok((engine, roles))
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether a statement is allowed: any other error than a missing privilege is one of the test. Nothing stays.
fn allowed(engine: &mut Postgres, role: &str, sql: &str) -> Result<bool> {
    engine.exec(&format!("begin; set local role {}", identifier(role)))?;
    let outcome = engine.exec(sql);
    engine.exec("rollback")?;
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.sqlstate.as_deref() == Some("42501") => Ok(false),
        Err(error) => anyhow::bail!("{sql}: {error}"),
    }
}

fn tables(host: &mut PostgresHost) -> Result<()> {
    let [documented, _] = documented()?;
    let (mut engine, roles) = with_roles(host)?;
    let relations = engine.query(
        "select c.relname::text, c.relkind::text, a.attname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum = 1
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') order by 1",
    )?;
    let mut tried = 0;
    for relation in &relations {
        let (name, is_view, column) = (&relation[0], relation[1] == "v", &relation[2]);
        let cells = documented
            .get(if is_view { "every view" } else { name })
            .with_context(|| format!("{name} is not documented"))?;
        for (role, cell) in roles.iter().zip(cells.iter().map(String::as_str).chain([""])) {
            let mut actions = vec![('S', format!("select {column} from {name} limit 0"))];
            if !is_view {
                actions.extend([
                    ('I', format!("insert into {name} ({column}) select {column} from {name} where false")),
                    ('U', format!("update {name} set {column} = {column} where false")),
                    ('D', format!("delete from {name} where false")),
                    ('T', format!("truncate {name}")),
                ]);
            }
            for (letter, sql) in actions {
                let may = allowed(&mut engine, role, &sql)?;
                ensure!(may == cell.contains(letter), "{role}: {sql}: {may}, documented {cell:?}");
                tried += 1;
            }
        }
    }
    let unknown: Vec<_> =
        documented.keys().filter(|name| *name != "every view" && !relations.iter().any(|r| r[0] == **name)).collect();
    ensure!(unknown.is_empty() && tried > 300, "{tried} tried; documented and not there: {unknown:?}");
    Ok(())
}

fn functions(host: &mut PostgresHost) -> Result<()> {
    let [_, documented] = documented()?;
    let (mut engine, roles) = with_roles(host)?;
    let functions = engine.query(
        "select p.proname::text, p.oid::regprocedure::text, (p.provolatile = 'v')::text
         from cotaste_own_functions('public') o join pg_proc p on p.oid = o.oid where p.prorettype <> 'trigger'::regtype",
    )?;
    let writing = functions.iter().filter(|f| f[2] == "true").count();
    ensure!(writing >= 15 && functions.len() > 60, "{writing} of {}", functions.len());
    for function in &functions {
        let cells = match function[2].as_str() {
            "true" => {
                documented.get(&function[0]).with_context(|| format!("{} is not documented", function[0]))?.clone()
            }
            _ => vec!["yes".to_string(); 3],
        };
        let nobody = if function[2] == "true" { "no" } else { "yes" };
        for (role, cell) in roles.iter().zip(cells.iter().map(String::as_str).chain([nobody])) {
            let may = engine.value(&format!(
                "select case when has_function_privilege({}, {}::regprocedure, 'execute') then 'yes' else 'no' end",
                crate::engine::quote(role),
                crate::engine::quote(&function[1])
            ))?;
            ensure!(may == cell, "{role}: {}: {may}, documented {cell}", function[1]);
        }
    }
    let unknown: Vec<_> = documented.keys().filter(|name| !functions.iter().any(|f| f[0] == **name)).collect();
    ensure!(unknown.is_empty(), "documented and not there: {unknown:?}");
    Ok(())
}

fn at_work(host: &mut PostgresHost) -> Result<()> {
    let (mut engine, [reader, writer, owner, nobody]) = with_roles(host)?;
    let database = engine.value("select current_database()::text")?;
    let mut writer = Postgres::connect(host.cluster(), &writer, &database)?;
    reads::load(&mut writer)?;
    writer.exec(
        "select record_behavior('ann', 1, 'view'); select cotaste_refresh(); select cotaste_refresh_neighbours(3);
         insert into user_behaviors(user_id, content_id, action) values ('bob', 1, 'like'); update contents set genres = '[\"X\"]' where content_id = 1;
         delete from user_behaviors where user_id = 'bob'; select forget_user('ann'); select cotaste_rebuild()",
    )?;
    let mut reader = Postgres::connect(host.cluster(), &reader, &database)?;
    for read in reads::list()? {
        reader.query(&read.sql).with_context(|| read.name)?;
    }
    for relation in super::catalogue::RELATIONS {
        reader.query(&format!("select * from {relation} limit 5"))?;
    }
    let mut owner = Postgres::connect(host.cluster(), &owner, &database)?;
    owner.exec(
        "update cotaste_settings set value = '0.6' where key = 'jaccard_weight'; truncate user_behaviors; select cotaste_refresh();
         select cotaste_init()",
    )?;
    ensure!(owner.value("select count(*) from cotaste_users")? == "0");
    owner.exec("update cotaste_meta set value = '' where key = 'fingerprint'")?;
    ensure!(owner.value("select cotaste_init()")?.ends_with("space updated"), "the owner upgrades");
    let mut nobody = Postgres::connect(host.cluster(), &nobody, &database)?;
    for sql in
        ["select * from user_analytics", "select user_similarity('u1', 'u2')", "select record_behavior('a', 1, 'view')"]
    {
        let error = nobody.query(sql).err().unwrap_or_default();
        ensure!(error.sqlstate.as_deref() == Some("42501"), "{sql}: {error:?}");
    }
    Ok(())
}

/// What a user sees is what a space has in which there is nobody else than the users seen.
fn policies(host: &mut PostgresHost) -> Result<()> {
    let seen = "'u1', 'u4', 'u7', 'u11', 'u13', 'u22', 'u39', 'ann'";
    let reads = [
        "select user_id, total_events, average_rating, favorite_genres, preferred_time_slots from user_analytics order by user_id",
        "select user_id, genre, events from favorite_genres order by user_id, genre",
        "select for_user_id, rank, user_id, similarity, jaccard, genre_cosine, shared_items from similar_users order by 1, 2",
        "select rank, user_id, similarity from similar_users('u1', 3) order by rank",
        "select user_id, similarity from similar_users('u2', 3) order by rank",
        "select user_similarity('u1', 'u4'), user_similarity('u1', 'u2'), user_similarity('u2', 'u3'), user_similarity('ann', 'u1')",
        "select * from user_similarity_detail('u1', 'u2')",
        "select * from shared_content('u1', 'u2')",
        "select * from shared_genres('u1', 'u2')",
        "select * from shared_genres('u1', 'u4') order by genre",
        "select user_id, content_id, events from cotaste_user_contents order by 1, 2",
        "select user_id, items from cotaste_users order by 1",
        "select distinct user_id from neighbours where user_id not in (select user_id from user_behaviors)",
        "select distinct neighbour_id from neighbours where neighbour_id not in (select user_id from user_behaviors)",
        "select user_id from cotaste_queue where due_us = 0 order by 1",
        "select * from cotaste_traces('u2') where table_name <> 'cotaste_queue'",
        "select experiment, variant, users from experiment_results order by 1, 2",
    ];
    let (mut engine, [reader, writer, ..]) = with_roles(host)?;
    let database = engine.value("select current_database()::text")?;
    reads::load(&mut engine)?;
    engine.exec("alter table user_behaviors enable row level security")?;
    let unhealthy = engine.query("select status, reason from cotaste_health")?;
    ensure!(unhealthy[0][0] == "unhealthy" && unhealthy[0][1].contains("cotaste_carry_row_security"), "{unhealthy:?}");
    let carried: i64 = engine.value("select cotaste_carry_row_security()")?.parse()?;
    ensure!(carried == 9 && engine.value("select cotaste_carry_row_security()")? == "9", "{carried} tables");
    // Made after the call, and it holds.
    engine.exec(&format!("create policy seen on user_behaviors using (user_id in ({seen}))"))?;
    let mut reader = Postgres::connect(host.cluster(), &reader, &database)?;
    let mut writer = Postgres::connect(host.cluster(), &writer, &database)?;
    let mut alone = host.database("space")?;
    reads::load(&mut alone)?;
    alone.exec(&format!("delete from user_behaviors where user_id not in ({seen})"))?;
    for step in [
        "",
        "select cotaste_refresh()",
        "select cotaste_refresh_neighbours()",
        "insert into user_behaviors(user_id, content_id, action, occurred_at) values ('ann', 3, 'view', '2026-03-20T00:00:00Z'), ('u1', 29, 'like', '2026-03-20T00:00:00Z')",
        "update contents set genres = '[\"Noir\"]' where content_id = 3",
        "select cotaste_refresh()",
        "update cotaste_parameters set stale = true",
    ] {
        if !step.is_empty() {
            engine.exec(step)?;
            // A cache may be older than other users' events; under a policy it is not used.
            if !step.contains("neighbours") {
                alone.exec(step)?;
            }
        }
        for sql in reads {
            let (mine, others) = (reader.query(sql)?, alone.query(sql)?);
            // The queue of the space without others has the keys of their deletion.
            let same = mine == others || sql.contains("cotaste_queue") && mine.iter().all(|row| seen.contains(&format!("'{}'", row[0])));
            ensure!(same, "after {step:?}: {sql}: {mine:?} instead of {others:?}");
        }
    }
    engine.exec("select cotaste_refresh()")?;
    writer.exec(
        "select record_behavior('ann', 4, 'view'); update contents set genres = '[\"War\"]' where content_id = 4",
    )?;
    for sql in [
        "select cotaste_refresh()",
        "select cotaste_rebuild()",
        "select cotaste_refresh_neighbours()",
        "select forget_user('ann')",
    ] {
        let error = writer.query(sql).err().unwrap_or_default();
        ensure!(error.code() == Some("UPDATE_ERROR") && error.sqlstate.as_deref() == Some("42501"), "{sql}: {error:?}");
    }
    let error = writer.query("select record_behavior('u2', 4, 'view')").err().unwrap_or_default();
    ensure!(error.sqlstate.as_deref() == Some("42501"), "an event of a user that is not seen: {error:?}");
    engine.exec("select cotaste_refresh()")?;
    let wrong = engine.query("select * from cotaste_verify()")?;
    ensure!(wrong.is_empty(), "a writer under a policy changed genres: {wrong:?}");
    Ok(())
}

fn tenants(host: &mut PostgresHost) -> Result<()> {
    let mut engine = host.database("template0")?;
    engine.exec("create schema ext; create extension cotaste schema ext")?;
    let names = ["one", "two \"of\" them; drop table x --", "Größe"];
    for name in names {
        engine
            .exec(&format!("create schema {0}; set search_path = {0}, ext; select cotaste_init()", identifier(name)))?;
        engine.exec(&format!("insert into contents(content_id, title) values (1, {})", crate::engine::quote(name)))?;
        engine.exec(
            "select record_behavior('ann', 1, 'view'), record_behavior('bob', 1, 'view'); select cotaste_refresh()",
        )?;
    }
    engine.exec("set search_path = one, ext; select record_behavior('only one', 1, 'view'); select cotaste_refresh(); select cotaste_refresh_neighbours()")?;
    // Called from another tenant's path, a function still means its own schema.
    for (name, users) in names.iter().zip(["3", "2", "2"]) {
        let (schema, title) = (identifier(name), format!("{name:?}"));
        for path in names {
            engine.exec(&format!("set search_path = {}, ext", identifier(path)))?;
            let counted = engine.value(&format!("select count(*) from {schema}.user_analytics"))?;
            ensure!(counted == users, "{title} from {path}: {counted} users");
            let counted = engine.value(&format!("select count(*) from {schema}.similar_users('ann', 10)"))?;
            ensure!(counted == (users.parse::<i64>()? - 1).to_string(), "{title} from {path}: {counted} similar users");
            ensure!(engine.value(&format!("select {schema}.user_similarity('ann', 'bob')"))? != "0.0");
            let status = engine.query(&format!("select * from {schema}.cotaste_verify()"))?;
            ensure!(status.is_empty());
        }
    }
    // Somebody's overloads, in front and beside.
    engine.exec(
        "create schema evil;
         create function evil.record_behavior(varchar, integer, varchar) returns bigint language sql as 'select -1::bigint';
         create function evil.cotaste_lock(integer) returns bigint language sql as 'select 1/0';
         create function one.cotaste_lock(smallint) returns bigint language sql as 'select 1/0';
         create function one.taste_similarity(bytea, bytea, double precision, double precision) returns double precision language sql as 'select -1.0::float8';
         create function evil.always(bigint, bigint) returns boolean language sql as 'select true';
         create operator evil.<= (leftarg = bigint, rightarg = bigint, function = evil.always);
         create function evil.nobody(text[], text[]) returns text[] language sql as 'select array[''evil'']';
         create operator evil.|| (leftarg = text[], rightarg = text[], function = evil.nobody);
         set search_path = evil, one, ext, pg_catalog",
    )?;
    ensure!(engine.value("select one.user_similarity('ann', 'bob')")? != "-1.0");
    engine.exec("select one.record_behavior('cyd', 1, 'view'), one.record_behavior('ann', 1, 'like')")?;
    // Of somebody whose event is not folded, too; with an event of her own ann is not read from the cache.
    let found = "select count(*) from one.similar_users('ann', 10) where user_id = 'cyd'";
    ensure!(engine.value(found)? == "1");
    engine.exec("select one.cotaste_refresh()")?;
    ensure!(engine.value(found)? == "1");
    ensure!(engine.value("select count(*) from one.user_analytics")? == "4");
    let role = format!("tenant of {}", engine.value("select current_database()::text")?);
    engine.exec(&format!("create role {0}; select one.cotaste_grant_reader('{role}')", identifier(&role)))?;
    ensure!(allowed(&mut engine, &role, "select * from one.user_analytics")?, "its own tenant");
    for schema in names.iter().skip(1).map(|name| identifier(name)) {
        ensure!(!allowed(&mut engine, &role, &format!("select * from {schema}.user_analytics"))?, "{schema}");
        ensure!(!allowed(&mut engine, &role, &format!("select {schema}.user_similarity('ann', 'bob')"))?, "{schema}");
    }
    Ok(())
}
