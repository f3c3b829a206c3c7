//! What is promised of Postgres: the catalogue, plans, read-only servers, roles, search_path.

use crate::cluster::ask;
use crate::engine::{Engine, Host};
use crate::postgres::{Postgres, PostgresHost};
use crate::report::Report;
use anyhow::{ensure, Result};
use std::path::Path;

pub fn run(host: &mut PostgresHost, pg_config: &Path, report: &mut Report) -> Result<()> {
    let mut engine = host.database("space")?;
    report.case("the server is the one that was asked for", || {
        let (server, asked) = (engine.value("show server_version")?, ask(pg_config, "--version")?);
        ensure!(asked.contains(&server), "{asked} was asked for, {server} runs");
        Ok(())
    });
    report.case("every value function is IMMUTABLE, STRICT and PARALLEL SAFE, every aggregate PARALLEL SAFE", || {
        pure(&mut engine)
    });
    report.case("every function and view has a comment", || {
        let bare = engine.query(
            "select p.oid::regprocedure::text from pg_proc p
               where p.pronamespace = 'public'::regnamespace and obj_description(p.oid, 'pg_proc') is null
                 and p.prorettype <> 'cotaste_unset'::regtype
                 and not exists (select from unnest(p.proargtypes::oid[]) t where t = 'cotaste_unset'::regtype)
             union all
             select c.oid::regclass::text from pg_class c
               where c.relnamespace = 'public'::regnamespace and c.relkind = 'v' and obj_description(c.oid, 'pg_class') is null",
        )?;
        ensure!(bare.is_empty(), "without a comment: {bare:?}"); Ok(())
    });
    report.case("the GIN index serves context_json @> '{\"device\":\"tv\"}'", || gin(host));
    report.case("an aggregate of parallel parts has the bytes of the serial one", || parallel(host));
    report.case("reads take no transaction id and work in a read-only transaction", || read_only(host));
    report.case("a hostile search_path changes nothing", || search_path(host));
    report.case("writing is granted, not given", || roles(host));
    report.case("a database that is not UTF-8 is refused with INIT_ERROR", || encoding(host));
    report.case("user ids may be bigint and uuid", || {
        let mut engine = host.database("space")?;
        engine.exec("select record_behavior(42::bigint, 1, 'view'), record_behavior('0b8f7a52-3d1e-4c7e-9d52-1c2f7a3b4c5d'::uuid, 1, 'view')")?;
        ensure!(engine.value("select user_similarity(42::bigint, 42::bigint)")? == engine.value("select user_similarity('42', '42')")?);
        let rows = engine.query("select user_id from similar_users(42::bigint, 1)")?;
        ensure!(rows.len() == 1, "{rows:?}");
        ensure!(engine.query("select 1 from user_analytics('0b8f7a52-3d1e-4c7e-9d52-1c2f7a3b4c5d'::uuid)")?.len() == 1);
        Ok(())
    });
    Ok(())
}

fn pure(engine: &mut Postgres) -> Result<()> {
    // Functions of the extension that are no value functions: the installer, stand-ins, parts of aggregates, rows.
    let impure = engine.query(
        "select p.oid::regprocedure::text, p.provolatile::text, p.proisstrict, p.proparallel::text from pg_proc p
           join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
           join pg_extension e on e.oid = d.refobjid and e.extname = 'cotaste'
         where p.prokind = 'f' and not p.proretset and p.proname not in ('cotaste_init', 'cotaste_not_initialized', 'cotaste_add_columns', 'cotaste_drop_relations')
           and not exists (select from unnest(p.proargtypes::oid[]) t where t = 'cotaste_unset'::regtype)
           and p.oid not in (select unnest(array[aggtransfn, aggfinalfn, aggcombinefn]::oid[]) from pg_aggregate)
           and (p.provolatile, p.proisstrict, p.proparallel) <> ('i', true, 's')
           -- What takes NULL for a state that is not there yet.
           and not (p.proname in ('follow_taste', 'follow_content', 'follow_events', 'apply_postings', 'apply_block') and p.provolatile = 'i' and p.proparallel = 's')
         union all
         select p.oid::regprocedure::text, p.provolatile::text, p.proisstrict, p.proparallel::text from pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.prokind = 'a' and p.proparallel <> 's'",
    )?;
    ensure!(impure.is_empty(), "{impure:?}");
    let aggregates = engine.query(
        "select p.proname::text from pg_proc p join pg_aggregate a on a.aggfnoid = p.oid
         where p.pronamespace = 'public'::regnamespace and a.aggcombinefn = 0::oid
           -- Parts of the fold and of a search, over states that are large or pointers.
           and p.proname not in ('content_changes', 'count_postings', 'extend_genre_order', 'fold_in_embeddings', 'gather_lists',
             'genre_dimensions', 'learn_embeddings', 'pair_base', 'pair_facts', 'pending_bounds', 'rank_users', 'rating_changes', 'recommend_rows', 'similarity_at_most')",
    )?;
    ensure!(aggregates.is_empty(), "without a combine function: {aggregates:?}");
    let count: i64 = engine
        .value("select count(*) from pg_depend where classid = 'pg_proc'::regclass and deptype = 'e'")?
        .parse()?;
    ensure!(count > 40, "only {count} functions were looked at");
    Ok(())
}

fn events(engine: &mut Postgres, number: usize) -> Result<()> {
    engine.exec(&format!(
        "insert into contents(content_id, title, genres)
           select g, 'title ' || g, case when g % 3 = 0 then '[\"Drama\",\"War\"]' else '[\"Comedy\"]' end from generate_series(1, 500) g;
         insert into user_behaviors(user_id, content_id, action, context, occurred_at)
           select 'u' || g % 200, g % 500, case when g % 4 = 0 then 'complete' else 'view' end,
             case when g % 100 = 0 then '{{\"device\":\"tv\"}}' else '{{\"device\":\"phone\"}}' end,
             timestamptz '2026-03-01 00:00Z' + g * interval '1 minute'
           from generate_series(1, {number}) g;
         analyze contents; analyze user_behaviors"
    ))?;
    Ok(())
}

fn gin(host: &mut PostgresHost) -> Result<()> {
    let mut engine = host.database("space")?;
    events(&mut engine, 20_000)?;
    let plan =
        engine.query("explain select user_id from user_behaviors where context_json @> '{\"device\":\"tv\"}'")?;
    let plan: Vec<String> = plan.into_iter().flatten().collect();
    let index = engine.value(
        "select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
         where i.indrelid = 'user_behaviors'::regclass and a.amname = 'gin'",
    )?;
    ensure!(plan.iter().any(|line| line.contains("Bitmap Index Scan") && line.contains(&index)), "{plan:#?}");
    let found = engine.value("select count(*) from user_behaviors where context_json @> '{\"device\":\"tv\"}'")?;
    ensure!(found == "200", "{found} rows");
    Ok(())
}

fn parallel(host: &mut PostgresHost) -> Result<()> {
    let mut engine = host.database("space")?;
    events(&mut engine, 40_000)?;
    let aggregates = "select taste_agg(content_id, '[\"Drama\",\"' || action || '\"]', 0.1 * (id % 7)), reproducible_sum(0.1 * (id % 11)),
        taste_agg(content_id, '[\"War\"]', 1.0, half_lives(to_epoch_us(occurred_at), 24)), ordered_json_array(action, id) from user_behaviors";
    let serial = {
        engine.exec("set max_parallel_workers_per_gather = 0")?;
        engine.query(aggregates)?
    };
    engine.exec(
        "set max_parallel_workers_per_gather = 4; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
         set min_parallel_table_scan_size = 0",
    )?;
    let plan: Vec<String> = engine.query(&format!("explain {aggregates}"))?.into_iter().flatten().collect();
    ensure!(plan.iter().any(|line| line.contains("Partial Aggregate")), "no parallel plan: {plan:#?}");
    ensure!(engine.query(aggregates)? == serial, "the parallel plan gives other bytes");
    Ok(())
}

fn read_only(host: &mut PostgresHost) -> Result<()> {
    let mut engine = host.database("space")?;
    events(&mut engine, 2_000)?;
    engine.exec("begin read only")?;
    for relation in super::catalogue::RELATIONS {
        engine.query(&format!("select * from {relation} limit 50"))?;
    }
    engine.query("select user_similarity('u1', 'u2') from user_similarity_detail('u1', 'u2')")?;
    let id = engine.value("select pg_current_xact_id_if_assigned()::text")?;
    engine.exec("commit")?;
    ensure!(id == "NULL", "a read took transaction id {id}");
    Ok(())
}

/// Shadows what the space's functions call, in a schema in front of everything.
fn search_path(host: &mut PostgresHost) -> Result<()> {
    let mut engine = host.database("space")?;
    events(&mut engine, 2_000)?;
    let questions = [
        "select public.user_similarity('u1', 'u2')",
        "select * from public.user_similarity_detail('u1', 'u2')",
        "select * from public.similar_users('u1', 5)",
        "select * from public.favorite_genres('u1')",
        "select * from public.content_metrics(7)",
        "select * from public.user_analytics('u1')",
    ];
    let honest: Vec<_> = questions.iter().map(|sql| engine.query(sql)).collect::<Result<_, _>>()?;
    engine.exec(
        "create schema evil;
         create table evil.user_behaviors as select * from public.user_behaviors where false;
         create table evil.contents as select * from public.contents where false;
         create table evil.cotaste_settings(key text, value text, description text);
         create function evil.coalesce_evil() returns int language sql as 'select 1';
         create function evil.taste_jaccard(bytea, bytea) returns double precision language sql as 'select -1.0::float8';
         create function evil.decay(double precision, bigint, double precision) returns double precision language sql as 'select -1.0::float8';
         create function evil.now() returns timestamptz language sql as $$select timestamptz '1999-01-01'$$;
         create function evil.lower(text) returns text language sql as $$select 'evil'$$;
         create function evil.eq(text, text) returns boolean language sql as 'select true';
         create operator evil.= (leftarg = text, rightarg = text, function = evil.eq);
         set search_path = evil, pg_catalog, public",
    )?;
    for (sql, honest) in questions.iter().zip(&honest) {
        let now = engine.query(sql)?;
        // Decayed weights move with the clock between the two reads: shape and keys must not.
        let keys = |rows: &[Vec<String>]| {
            rows.iter().map(|row| row.iter().take(2).cloned().collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        ensure!(now.len() == honest.len() && keys(&now) == keys(honest), "{sql}: {now:?} instead of {honest:?}");
    }
    engine.exec("select public.record_behavior('u1', 1, 'view')")?;
    ensure!(engine.value("select count(*) from evil.user_behaviors")? == "0", "the event went to another table");
    ensure!(engine.value("select count(*) from public.user_behaviors")? == "2001");
    Ok(())
}

fn roles(host: &mut PostgresHost) -> Result<()> {
    let mut owner = host.database("space")?;
    let database = owner.value("select current_database()::text")?;
    owner.exec(
        "do $$ begin create role reader login; exception when duplicate_object then null; end $$;
         grant usage on schema public to reader; grant select on all tables in schema public to reader",
    )?;
    let mut reader = Postgres::connect(host.cluster(), "reader", &database)?;
    reader.query("select * from user_analytics")?;
    let error = reader.query("select record_behavior('ann', 1, 'view')").err().unwrap_or_default();
    ensure!(error.sqlstate.as_deref() == Some("42501"), "a reader may record: {error:?}");
    let error = reader
        .exec("insert into user_behaviors(user_id, content_id, action) values ('ann', 1, 'view')")
        .err()
        .unwrap_or_default();
    ensure!(error.sqlstate.as_deref() == Some("42501"), "a reader may insert: {error:?}");
    Ok(())
}

fn encoding(host: &mut PostgresHost) -> Result<()> {
    host.database("template0")?.exec("create database latin encoding 'LATIN1' locale 'C' template template0")?;
    let mut latin = Postgres::connect(host.cluster(), "postgres", "latin")?;
    latin.exec("create extension cotaste")?;
    let error = latin.query("select cotaste_init()").err().unwrap_or_default();
    ensure!(error.code() == Some("INIT_ERROR"), "{error:?}");
    Ok(())
}

/// The log of the whole run: no backend died.
pub fn log(host: &mut PostgresHost, report: &mut Report) -> Result<()> {
    host.space()?;
    let log = host.cluster().log()?;
    report.case("no backend crashed in the whole run", || {
        let bad = log.lines().find(|line| line.contains("PANIC") || line.contains("was terminated by signal"));
        ensure!(bad.is_none(), "{bad:?}");
        Ok(())
    });
    Ok(())
}
