//! One node against several: the same SQL, the same rows, and what happens when a shard is gone.

use crate::cluster::Cluster;
use crate::engine::{quote, Engine, SqlError};
use crate::postgres::Postgres;
use crate::reads::{self, Read};
use crate::report::Report;
use crate::scale_out::{self, Clusters};
use anyhow::{ensure, Context, Result};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Of the shared list, what a coordinator does not have: these are tables of each shard's own state.
const OF_EACH_SHARD: [&str; 2] = ["level 1", "users of the state"];

/// Changes of every kind, each on both sides before the reads are compared again.
const CHANGES: &[(&str, &str)] = &[
    ("folded", "select cotaste_refresh()"),
    (
        "new, changed and deleted events",
        "insert into user_behaviors (user_id, content_id, action, rating, occurred_at) values
           ('u3', 5, 'rate', 9.5, '2026-03-24T10:00:00Z'), ('u4', 5, 'view', null, '2026-03-24T11:00:00Z'),
           ('newcomer', 31, 'like', null, '2026-03-24T12:00:00Z'), ('Ä\u{1F600}', 7, 'complete', null, '2026-03-24T13:00:00Z');
         update user_behaviors set rating = 1 where user_id = 'u7' and action = 'rate' and content_id < 15;
         delete from user_behaviors where user_id = 'u8' and content_id = 9;
         delete from user_behaviors where user_id = 'u10'",
    ),
    (
        "recorded events, one of them twice",
        "select record_behavior('u1', 30, 'complete', null, '{\"device\":\"tv\"}', '2026-03-25T01:00:00Z', 'once');
         select record_behavior('u1', 30, 'complete', null, '{\"device\":\"tv\"}', '2026-03-25T01:00:00Z', 'once');
         select record_behavior('u22', 2, 'view', null, null, '2026-03-25T02:00:00Z', 'once')",
    ),
    (
        "changed contents",
        "insert into contents (content_id, title, genres) values (31, 'new', '[\"Western\"]');
         update contents set genres = '[\"Noir\"]' where content_id in (3, 4);
         delete from contents where content_id = 12",
    ),
    ("folded again", "select cotaste_refresh()"),
    (
        "changed settings",
        "update cotaste_settings set value = '5' where key = 'action_weight.like';
         insert into cotaste_settings (key, value) values ('experiment_weight.ranker.control', '0.3'), ('experiment_weight.ranker.enhanced', '0.7');
         update cotaste_settings set value = '0.4' where key = 'jaccard_weight'",
    ),
    ("a forgotten user", "select forget_user('u2')"),
    ("made anew", "select cotaste_rebuild()"),
];

pub fn run(pg_config: &Path, library: &Path, report: &mut Report) -> Result<()> {
    // What is committed outlives a kill; the power stays on.
    let mut clusters = Clusters::start(pg_config, library, 4, "synchronous_commit = on\n")?;
    let mut one = scale_out::space(&clusters.coordinator, "one")?;
    reads::load(&mut one)?;
    let mut two = clusters.space("two", 2)?;
    reads::load(&mut two)?;
    let mut four = clusters.space("four", 4)?;
    reads::load(&mut four)?;
    same_answers(&mut one, [("two", &mut two), ("four", &mut four)], report)?;
    rules(&clusters, report)?;
    plans(&mut four, report);
    moved(&clusters, &mut four, report);
    errors(&mut two, report);
    split(&clusters, &mut one, &mut two, report)?;
    drop((two, four));
    grown(&clusters, report)?;
    killed(&mut clusters, report)?;
    down(&mut clusters, report)
}

fn same_answers(one: &mut Postgres, spaces: [(&str, &mut Postgres); 2], report: &mut Report) -> Result<()> {
    let mut reads = reads::list()?;
    reads.retain(|read| !OF_EACH_SHARD.contains(&read.name.as_str()));
    ensure!(reads.len() >= 60, "only {} reads", reads.len());
    reads.extend(reads::of("scale_out.sql")?);
    let (mut two, mut four) = {
        let [(_, two), (_, four)] = spaces;
        (two, four)
    };
    let number = reads.len();
    report.case(&format!("{number} reads on 2 and 4 shards are those of one node: just loaded"), || {
        compare(&reads, one, &mut [&mut two, &mut four])
    });
    // What costs one question a pair is asked once.
    reads.retain(|read| read.name != "all pairs");
    let every = crate::scale::soaking().is_some();
    for (place, (name, sql)) in CHANGES.iter().enumerate() {
        report.case(&format!("the same: {name}"), || {
            one.exec(sql)?;
            two.exec(sql)?;
            four.exec(sql)?;
            // In the quick form the two take turns, and some changes are read only together with the next one.
            match place {
                last if every || last + 1 == CHANGES.len() => compare(&reads, one, &mut [&mut two, &mut four]),
                0 => compare(&reads, one, &mut [&mut four]),
                3 => compare(&reads, one, &mut [&mut two]),
                // Stale: everybody's taste from the log, for each user in turn.
                5 => {
                    let dear = |read: &Read| read.name == "similar users";
                    let kept: Vec<Read> = reads.iter().filter(|read| !dear(read)).cloned().collect();
                    compare(&kept, one, &mut [&mut four])
                }
                _ => Ok(()),
            }
        });
    }
    Ok(())
}

fn compare(reads: &[Read], one: &mut Postgres, others: &mut [&mut Postgres]) -> Result<()> {
    let mut with_rows = 0;
    for read in reads {
        let expected = one.query(&read.sql).with_context(|| read.name.clone())?;
        with_rows += usize::from(!expected.is_empty());
        for (n, other) in others.iter_mut().enumerate() {
            let answer = other.query(&read.sql).with_context(|| format!("{}, space {n}", read.name))?;
            let differing = expected.iter().zip(&answer).find(|(a, b)| a != b);
            ensure!(
                expected == answer,
                "{}: {} and {} rows, first difference {differing:?}",
                read.name,
                expected.len(),
                answer.len()
            );
        }
    }
    ensure!(with_rows * 10 > reads.len() * 8, "only {with_rows} of {} reads gave a row", reads.len());
    Ok(())
}

/// What keeps a distributed engine such as Citus possible, asserted from the catalogue of a space.
fn rules(clusters: &Clusters, report: &mut Report) -> Result<()> {
    let mut space = clusters.shard(0, "rules")?;
    report.case("every table with a user has the user first in its primary key", || {
        let others = space.query(
            "select c.relname::text from pg_class c
             join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname <> 'cotaste_queue'
               and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indkey[0] = a.attnum)",
        )?;
        ensure!(others.is_empty(), "{others:?}");
        let unique = space.query(
            "select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid
             join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id'
             where c.relnamespace = 'public'::regnamespace and i.indisunique and not a.attnum = any (i.indkey::int2[])
               and i.indexrelid <> 'cotaste_users_ord_key'::regclass",
        )?;
        ensure!(unique.is_empty(), "a user's uniqueness would need every shard: {unique:?}");
        Ok(())
    });
    report.case("tables without a user are reference data, or one shard's state", || {
        let tables = space.query(
            "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
               and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped)
             order by 1",
        )?;
        let names: Vec<&str> = tables.iter().map(|row| row[0].as_str()).collect();
        let expected = [
            // Reference data.
            "content_embeddings", "contents", "cotaste_settings",
            // State of a shard's own users, or of the space.
            "cotaste_blocks", "cotaste_contents", "cotaste_experiments", "cotaste_fold_state", "cotaste_learned",
            "cotaste_learned_contents", "cotaste_meta", "cotaste_parameters", "cotaste_postings", "cotaste_rating_totals",
        ];
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        ensure!(names == expected, "{names:?}");
        Ok(())
    });
    report.case("no foreign key and no trigger joins users", || {
        let keys = space.query(
            "select conname::text from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace",
        )?;
        ensure!(keys.is_empty(), "{keys:?}");
        Ok(())
    });
    report.case("aggregates merge: a typed state and a combine function, but for the fold's and the searches' own", || {
        let internal = space.query(
            "select p.proname::text from pg_aggregate a join pg_proc p on p.oid = a.aggfnoid
             where p.pronamespace = 'public'::regnamespace and (a.aggcombinefn = 0::oid or a.aggtranstype = 'internal'::regtype)
             order by 1",
        )?;
        let names: Vec<&str> = internal.iter().map(|row| row[0].as_str()).collect();
        // What a shard does with its own rows; of these content_changes, experiment_arms and pair_facts end in values that merge.
        let expected = [
            "content_changes", "count_postings", "embedding_mean", "experiment_arms", "extend_genre_order", "fold_in_embeddings",
            "gather_lists", "genre_dimensions", "learn_embeddings", "nearest_contents", "pair_base", "pair_facts", "pending_bounds", "rank_users",
            "rating_changes", "recommend_rows", "similarity_at_most",
        ];
        ensure!(names == expected, "{names:?}");
        Ok(())
    });
    Ok(())
}

fn plan(space: &mut Postgres, sql: &str) -> Result<Vec<String>, SqlError> {
    Ok(space.query(&format!("explain (verbose, costs off) {sql}"))?.into_iter().flatten().collect())
}

fn remote(plan: &[String]) -> Vec<&str> {
    plan.iter().filter_map(|line| Some(line.split_once("Remote SQL: ")?.1)).collect()
}

fn plans(four: &mut Postgres, report: &mut Report) {
    report.case("a user's reads and writes go to one shard", || {
        for sql in [
            "select * from user_behaviors where user_id = 'u7'",
            "select * from user_analytics where user_id = 'u7'",
            "select * from favorite_genres where user_id = 'u7'",
            "select * from preferred_time_slots('u7')",
            "select * from device_usage('u7')",
            "select taste from cotaste_current_tastes where user_id = 'u7'",
            "update user_behaviors set rating = 5 where user_id = 'u7' and action = 'rate'",
        ] {
            let plan = plan(four, sql)?;
            if plan.iter().any(|line| line.contains("Function Scan")) {
                continue; // A function that asks one shard by name: `moved` counts what it asks.
            }
            let shards: BTreeSet<_> = plan
                .iter()
                .filter_map(|line| line.split_once("Foreign Scan on ")?.1.split_whitespace().next()?.rsplit('_').next())
                .collect();
            ensure!(shards.len() == 1 && !remote(&plan).is_empty(), "{sql}: {plan:#?}");
        }
        Ok(())
    });
    report.case("states are shipped, and no rows of the log", || {
        for (sql, from) in [
            ("select * from content_metrics", &["contents_now", "ratings_now"][..]),
            ("select * from content_metrics where content_id = 7", &["contents_now", "ratings_now"]),
            ("select * from genre_metrics", &["contents_now", "ratings_now"]),
            ("select * from trending_content", &["contents_now"]),
            ("select * from context_quality", &["statuses"]),
            ("select * from experiment_results", &["experiment_results"]),
            ("select * from experiment_summary", &["experiment_results"]),
            ("select * from experiment_timeline", &["experiment_timeline"]),
            ("select * from experiment_segments", &["experiment_segments"]),
            ("select * from experiment_numeric", &["experiment_numeric"]),
            ("select * from cotaste_health", &["facts", "latest"]),
        ] {
            let plan = plan(four, sql)?;
            let remote = remote(&plan);
            ensure!(
                remote.len() >= 4 && remote.len().is_multiple_of(4),
                "{sql} asks {} times: {plan:#?}",
                remote.len()
            );
            for asked in remote {
                ensure!(
                    from.iter().any(|view| asked.contains(&format!("FROM cotaste_sharding.{view}"))),
                    "{sql}: {asked}"
                );
            }
        }
        // The key reaches every shard.
        let plan = plan(four, "select * from content_metrics where content_id = 7")?;
        let keyed =
            remote(&plan).iter().filter(|sql| sql.contains("contents_now") && sql.contains("content_id = 7")).count();
        ensure!(keyed >= 4, "{plan:#?}");
        Ok(())
    });
}

/// What the sockets say was moved.
fn moved(clusters: &Clusters, four: &mut Postgres, report: &mut Report) {
    let rows_of = |four: &mut Postgres, sql: &str| -> Result<(u64, usize)> {
        four.query(sql)?;
        let before: Vec<_> = clusters.proxies.iter().map(|proxy| proxy.moved()).collect();
        four.query(sql)?;
        std::thread::sleep(Duration::from_millis(20));
        let since: Vec<_> =
            clusters.proxies.iter().zip(before).map(|(proxy, before)| proxy.moved().since(before)).collect();
        Ok((since.iter().map(|moved| moved.rows).sum(), since.iter().filter(|moved| moved.bytes > 0).count()))
    };
    report.case("the k most similar users cost at most k rows a shard, the probe and its taste", || {
        for k in [1, 3, 10] {
            let (rows, _) = rows_of(four, &format!("select * from similar_users('u6', {k})"))?;
            ensure!(rows > 0 && rows <= 4 * k + 2, "{rows} rows for k = {k}");
        }
        Ok(())
    });
    report.case("a function of one user asks one shard", || {
        for sql in [
            "select * from favorite_genres('u1', 2, '2026-03-26T00:00:00Z')",
            "select * from preferred_time_slots('u3', 'America/New_York')",
            "select * from user_analytics('u7')",
            "select * from cotaste_traces('u4')",
        ] {
            let (rows, shards) = rows_of(four, sql)?;
            ensure!(shards == 1 && rows <= 10, "{sql}: {rows} rows of {shards} shards");
        }
        Ok(())
    });
    report.case("a content costs a state a shard, an experiment sums of its variants", || {
        let (rows, _) = rows_of(four, "select * from content_metrics(7)")?;
        ensure!(rows <= 4 * 3, "{rows} rows for a content");
        let (rows, _) = rows_of(four, "select * from experiment_results('ranker', '2026-03-02T00:00:00Z')")?;
        ensure!(rows <= 4 * 6, "{rows} rows for an experiment");
        let (rows, _) = rows_of(four, "select * from activity_by_slot")?;
        ensure!(rows <= 4 * 4, "{rows} rows for the slots");
        Ok(())
    });
    report.case("a recommendation among too many users moves the tastes of those that are looked at", || {
        // As if 4 users were too many for one answer: the nearest 3 of each shard, and the users of the last events.
        four.exec(
            "insert into cotaste_settings (key, value) values ('recommend_all_users', '4'), ('recommend_nearest', '3')
             on conflict (key) do update set value = excluded.value;
             insert into user_behaviors (user_id, content_id, action, occurred_at)
             select 'u5', 1 + i % 30, 'view', timestamptz '2026-04-01 00:00Z' + i * interval '1 second' from generate_series(1, 1000) i",
        )?;
        four.exec("select cotaste_refresh()")?;
        let plan = plan(four, "select * from cotaste_current_tastes where user_id = any ('{u5,u6}')")?;
        ensure!(remote(&plan).iter().all(|sql| sql.contains("user_id = ANY")), "{plan:#?}");
        let (rows, _) = rows_of(four, "select * from recommend('u5', 5)")?;
        // Of each shard its facts, up to 1,000 last events, 3 of the nearest; 4 tastes; the user's 30 pairs.
        let known = 4 + 1000 * 2 + 4 * 3 + 1 + 4 + 30;
        ensure!(rows <= known, "{rows} rows, {known} expected at most");
        Ok(())
    });
}

fn errors(two: &mut Postgres, report: &mut Report) {
    report.case("bad input gives the errors of one node", || {
        for (sql, code) in [
            ("select record_behavior('u1', 1, 'rate', 11)", "INVALID_ARGUMENT"),
            ("select record_behavior('u1', 1, 'unheard')", "INVALID_ARGUMENT"),
            ("select record_behavior(null::text, 1, 'view')", "INVALID_ARGUMENT"),
            ("insert into user_behaviors (user_id, content_id, action) values ('', 1, 'view')", "INVALID_ARGUMENT"),
            ("select * from experiment_segments('ranker', 'colour')", "INVALID_ARGUMENT"),
            ("select cotaste_refresh_neighbours()", "NOT_OFFERED"),
        ] {
            let error = two.query(sql).err().with_context(|| format!("{sql} succeeds"))?;
            ensure!(error.code() == Some(code), "{sql}: {error}");
        }
        Ok(())
    });
    report.case("what a transaction wrote is read back, or refused, never left out", || {
        let before = two.value("select count(*) from user_behaviors where user_id = 'u1'")?;
        two.exec("begin; select record_behavior('u1', 1, 'view')")?;
        let inside = two.value("select count(*) from user_behaviors where user_id = 'u1'")?;
        let refused = two.query("select * from similar_users('u1')").err().context("an answer without the write")?;
        two.exec("rollback")?;
        ensure!(refused.code() == Some("NOT_COMMITTED"), "{refused}");
        ensure!(inside.parse::<i64>()? == before.parse::<i64>()? + 1);
        ensure!(two.value("select count(*) from user_behaviors where user_id = 'u1'")? == before);
        Ok(())
    });
    report.case("a shard refuses a user that is another's, and calling cotaste_init() again changes nothing", || {
        ensure!(two.value("select cotaste_init()")?.ends_with("space is up to date"));
        two.exec("select * from content_metrics(7)")?;
        Ok(())
    });
}

fn split(clusters: &Clusters, one: &mut Postgres, two: &mut Postgres, report: &mut Report) -> Result<()> {
    let mut reads = reads::list()?;
    reads.retain(|read| !OF_EACH_SHARD.contains(&read.name.as_str()) && read.name != "all pairs");
    reads.extend(reads::of("scale_out.sql")?);
    clusters.shard(2, "two")?;
    report.case("a split moves half of a shard's users and changes no answer", || {
        let host = quote(&clusters.host(2).to_string_lossy());
        let port = crate::cluster::PORT;
        two.exec(&format!("call cotaste_split_shard('s1', 's3', {host}, {port}, 'two')"))?;
        let shards = two.query(
            "select name, modulus, remainder, status, pending_keys, record_count > 0 from cotaste_shards order by name",
        )?;
        let expected =
            [["s1", "4", "0", "up", "0", "1"], ["s2", "2", "1", "up", "0", "1"], ["s3", "4", "2", "up", "0", "1"]];
        ensure!(shards == expected, "{shards:?}");
        ensure!(two.query("select * from cotaste_verify()")?.is_empty());
        compare(&reads, one, &mut [two])
    });
    report.case("each shard refuses the users of the others", || {
        let mut shard = clusters.connect(0, "two")?;
        let refused = (0..40)
            .filter(|user| {
                shard
                    .exec(&format!(
                        "insert into user_behaviors (user_id, content_id, action) values ('x{user}', 1, 'view')"
                    ))
                    .is_err()
            })
            .count();
        shard.exec("delete from user_behaviors where user_id like 'x%'; select cotaste_refresh()")?;
        ensure!((20..40).contains(&refused), "{refused} of 40 users were refused by a shard of a quarter of them");
        Ok(())
    });
    Ok(())
}

/// A node with events becomes the first shard, and is split; the split is interrupted where that hurts most.
fn grown(clusters: &Clusters, report: &mut Report) -> Result<()> {
    let mut reads = reads::list()?;
    reads.retain(|read| {
        !OF_EACH_SHARD.contains(&read.name.as_str()) && read.name != "all pairs" && read.name != "similar users"
    });
    let mut node = clusters.shard(3, "grown")?;
    reads::load(&mut node)?;
    node.exec("update cotaste_settings set value = '4' where key = 'action_weight.like'; select cotaste_refresh()")?;
    let before: Vec<_> = reads.iter().map(|read| node.query(&read.sql)).collect::<Result<_, _>>()?;
    let mut space = clusters.empty("grown")?;
    let (first, second) = (clusters.host(3), clusters.host(2));
    let (first, second) = (quote(&first.to_string_lossy()), quote(&second.to_string_lossy()));
    let port = crate::cluster::PORT;
    clusters.shard(2, "grown")?;
    let same = |space: &mut Postgres| -> Result<()> {
        for (read, expected) in reads.iter().zip(&before) {
            ensure!(space.query(&read.sql)? == *expected, "{} differs", read.name);
        }
        Ok(())
    };
    report.case("a node that is there becomes the first shard", || {
        space.exec(&format!("select cotaste_add_shard('first', {first}, {port}, 'grown', 1, 0, adopt => true)"))?;
        same(&mut space)
    });
    report.case("an interrupted split answers partially and says so, and goes on when it is called again", || {
        for step in ["begin('first', 'second', @host@, @port@, 'grown', 'public', null, null)", "copy()", "switch()"] {
            let step = step.replace("@host@", &second).replace("@port@", &port.to_string());
            space.exec(&format!("select cotaste_shards.split_{step}"))?;
        }
        space.notices();
        space.query("select count(*) from user_analytics")?;
        let told = space.notices();
        ensure!(told.iter().any(|told| told.contains("PARTIAL_ANSWER")), "{told:?}");
        ensure!(space.query("select cotaste_take_in('first')").is_err(), "users would be counted twice");
        space.exec(&format!("call cotaste_split_shard('first', 'second', {second}, {port}, 'grown')"))?;
        ensure!(space.query("select * from cotaste_verify()")?.is_empty());
        let shards = space.query("select name, modulus, remainder, status from cotaste_shards order by name")?;
        ensure!(shards == [["first", "2", "0", "up"], ["second", "2", "1", "up"]], "{shards:?}");
        same(&mut space)
    });
    Ok(())
}

/// A writer that tries each event until it is told that it is recorded, while servers are killed.
fn killed(clusters: &mut Clusters, report: &mut Report) -> Result<()> {
    let space = clusters.space("killed", 2)?;
    drop(space);
    let socket = clusters.coordinator.socket();
    let kills = crate::scale::of(4, 60);
    report.case("killed shards and a killed coordinator lose and double nothing", || {
        let done = AtomicBool::new(false);
        let (events, retries) = std::thread::scope(|scope| -> Result<(usize, usize)> {
            let writer = scope.spawn(|| write_until(&done, &socket));
            let mut kill_all = || -> Result<()> {
                for kill in 0..kills {
                    std::thread::sleep(Duration::from_millis(300));
                    match kill % 3 {
                        0 => clusters.data[0].as_mut().map_or(Ok(()), Cluster::crash)?,
                        1 => clusters.coordinator.crash()?,
                        _ => clusters.data[1].as_mut().map_or(Ok(()), Cluster::crash)?,
                    }
                }
                Ok(())
            };
            let killed = kill_all();
            done.store(true, Ordering::SeqCst);
            let written = writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))?;
            killed?;
            written
        })?;
        let mut space = Postgres::connect(&clusters.coordinator, "postgres", "killed")?;
        let counted = space.query("select count(*), count(distinct event_id) from user_behaviors")?;
        ensure!(counted == [[events.to_string(), events.to_string()]], "{counted:?} of {events}, {retries} retries");
        space.exec("select cotaste_refresh()")?;
        ensure!(space.value("select record_count from cotaste_health")? == events.to_string());
        ensure!(space.query("select * from cotaste_verify()")?.is_empty());
        ensure!(retries > 0, "no kill was felt");
        Ok(())
    });
    Ok(())
}

/// How many events were recorded, and how often one had to be tried again.
fn write_until(done: &AtomicBool, socket: &Path) -> Result<(usize, usize)> {
    let connect = || Postgres::connect_to(socket, "postgres", "killed");
    let (mut event, mut retries, mut connection) = (0, 0, connect().ok());
    while !done.load(Ordering::SeqCst) {
        let sql =
            format!("select record_behavior('u{}', {}, 'view', null, null, null, 'e{event}')", event % 50, event % 20);
        loop {
            if let Some(space) = connection.as_mut() {
                match space.exec(&sql) {
                    Ok(()) => break,
                    // Only the coordinator's end ends the connection.
                    Err(error) if error.sqlstate.as_deref().is_none_or(|state| state.starts_with("57P")) => {
                        connection = None
                    }
                    Err(_) => {}
                }
            }
            retries += 1;
            ensure!(retries < 10_000, "{sql} never succeeds");
            std::thread::sleep(Duration::from_millis(10));
            connection = connection.or_else(|| connect().ok());
        }
        event += 1;
    }
    Ok((event, retries))
}

fn down(clusters: &mut Clusters, report: &mut Report) -> Result<()> {
    let mut two = Postgres::connect(&clusters.coordinator, "postgres", "two")?;
    let all: i64 = two.value("select count(*) from user_behaviors")?.parse()?;
    let of_second: i64 = two.value("select record_count from cotaste_shards where name = 's2'")?.parse()?;
    let owner = |two: &mut Postgres, user: &str| two.value(&format!("select cotaste_shards.shard_of('{user}')"));
    let (mut mine, mut lost) = (None, None);
    for i in 3..40 {
        let user = format!("u{i}");
        match owner(&mut two, &user)?.as_str() {
            "s2" => lost = Some(user),
            _ => mine = Some(user),
        }
    }
    let (mine, lost) = (mine.context("no user")?, lost.context("no user")?);
    clusters.data[1] = None;
    report.case("a shard that is down is named in the error, and the users of the others are served", || {
        for sql in [
            "select * from similar_users('%')",
            "select count(*) from content_metrics",
            "select * from activity_by_slot",
            "select * from experiment_results('ranker')",
        ] {
            let sql = sql.replace('%', &mine);
            let error = two.query(&sql).err().with_context(|| format!("{sql} succeeds"))?;
            ensure!(error.sqlstate.as_deref().is_some_and(|state| state.starts_with("08")), "{sql}: {error:?}");
            ensure!(error.message.contains("s2"), "{sql}: {error}");
        }
        ensure!(two.query(&format!("select * from user_analytics('{lost}')")).is_err());
        ensure!(two.query(&format!("select record_behavior('{lost}', 1, 'view')")).is_err());
        ensure!(two.query(&format!("select * from user_analytics('{mine}')"))?.len() == 1);
        two.exec(&format!("begin; select record_behavior('{mine}', 1, 'view'); rollback"))?;
        let status = two.query("select name, status from cotaste_shards order by name")?;
        ensure!(status == [["s1", "up"], ["s2", "down"], ["s3", "up"]], "{status:?}");
        Ok(())
    });
    report.case("a catalogue that cannot reach every shard is not changed", || {
        ensure!(two.exec("insert into contents (content_id, title) values (999, 'lost')").is_err());
        ensure!(two.query("select * from contents where content_id = 999")?.is_empty());
        Ok(())
    });
    report.case("answers without a shard come when they are asked for, and say so", || {
        two.exec("select cotaste_leave_out('s2')")?;
        two.notices();
        for sql in [
            "select count(*) from user_analytics",
            "select * from activity_by_slot",
            "select * from similar_users('%')",
            "select count(*) from content_metrics",
            "select count(*) from experiment_results",
        ] {
            two.query(&sql.replace('%', &mine))?;
            let told = two.notices();
            ensure!(told.iter().any(|told| told.contains("PARTIAL_ANSWER") && told.contains("s2")), "{sql}: {told:?}");
        }
        let counted: i64 = two.value("select record_count from cotaste_health")?.parse()?;
        ensure!(counted == all - of_second, "{counted} of {all} without {of_second}");
        ensure!(two.query(&format!("select record_behavior('{lost}', 1, 'view')")).is_err(), "a write was lost");
        ensure!(two.value("select status from cotaste_shards where name = 's2'")? == "down");
        Ok(())
    });
    Ok(())
}
