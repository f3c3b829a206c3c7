//! What a query costs in all: rows and bytes between the coordinator and 1, 2 and 4 shards, and the CPU of every server.
//! Two cores cannot show that more machines are faster; they can show that each has less to do.

use super::{setting, Figures, Subject};
use crate::cluster::Cluster;
use crate::engine::Engine;
use crate::scale_out::Clusters;
use crate::Options;
use anyhow::{Context, Result};
use std::fs;
use std::time::Duration;

/// The name, the query, and how often it runs for a figure.
const QUERIES: [(&str, &str, u32); 13] = [
    ("one user's analytics", "select * from user_analytics('u7')", 20),
    ("one user's taste", "select taste from cotaste_current_tastes where user_id = 'u7'", 50),
    ("user_similarity", "select user_similarity('u7', 'u8')", 50),
    ("similar_users, k = 10", "select * from similar_users('u7', 10)", 20),
    ("recommend, k = 10", "select * from recommend('u7', 10)", 3),
    ("one content's metrics", "select * from content_metrics(7)", 20),
    ("metrics of all contents", "select * from content_metrics", 3),
    ("trending_content", "select * from trending_content(20)", 3),
    ("genre_metrics", "select * from genre_metrics", 3),
    ("similar_content, k = 10", "select * from similar_content(7, 10)", 5),
    ("experiment_results", "select * from experiment_results('ranker')", 5),
    ("activity_by_slot", "select * from activity_by_slot", 2),
    ("record_behavior", "select record_behavior('u7', 7, 'view')", 50),
];

pub fn run(options: &Options, figures: &mut Figures) -> Result<()> {
    let (users, events) = (setting("COTASTE_BENCH_USERS", 8_000)?, setting("COTASTE_BENCH_EVENTS", 400_000)?);
    let data = format!("{users} users, {events} events");
    let library = options.target.join("build-pg15/release/libcotaste.so");
    let settings = "shared_buffers = 256MB\nautovacuum = off\njit = off\n";
    for number in [1, 2, 4] {
        let clusters = Clusters::start(&options.pg15, &library, number, settings)?;
        let mut space = clusters.space("bench", number)?;
        load(&mut space, users, events)?;
        for i in 0..number {
            clusters.connect(i, "bench")?.exec("analyze")?;
        }
        let subject = |work, unit| Subject { work, engine: "pg15", data: &data, unit };
        let shards = format!("{number} shard{}", if number > 1 { "s" } else { "" });
        let bytes: f64 = (0..number)
            .map(|i| {
                clusters
                    .connect(i, "bench")?
                    .value("select pg_database_size(current_database())")?
                    .parse::<f64>()
                    .context("a size")
            })
            .sum::<Result<f64>>()?;
        figures.once(subject("size of the shards", "bytes"), &shards, bytes)?;
        for (name, sql, times) in QUERIES {
            space.query(sql)?;
            std::thread::sleep(Duration::from_millis(50));
            let (moved, cpu) = (clusters.moved(), cpu(&clusters)?);
            for _ in 0..times {
                space.query(sql)?;
            }
            std::thread::sleep(Duration::from_millis(50));
            let since = clusters.moved().since(moved);
            let after = self::cpu(&clusters)?;
            let each = |value: f64| value / f64::from(times);
            figures.once(subject(name, "rows"), &shards, each(since.rows as f64))?;
            figures.once(subject(name, "bytes"), &shards, each(since.bytes as f64))?;
            figures.once(subject(name, "ms CPU coordinator"), &shards, each(after.0 - cpu.0))?;
            figures.once(subject(name, "ms CPU all shards"), &shards, each(after.1 - cpu.1))?;
        }
    }
    Ok(())
}

/// Users of a few tastes, contents by popularity, an experiment; the same for any number of shards.
fn load(space: &mut dyn Engine, users: u32, events: u32) -> Result<()> {
    space.exec(
        "insert into contents (content_id, title, genres)
         select i, 'title ' || i, (array['[\"Drama\",\"War\"]', '[\"Comedy\"]', '[\"Drama\"]', '[\"Comedy\",\"Noir\"]', '[\"War\"]'])[1 + i % 5]
         from generate_series(1, 2000) i",
    )?;
    space.exec(&format!(
        "insert into user_behaviors (user_id, content_id, action, rating, context, occurred_at)
         select 'u' || u, 1 + cast(2000 * power(r, 2) as bigint) % 2000,
           (array['view', 'complete', 'view', 'like', 'skip', 'rate'])[1 + i % 6], case when i % 6 = 5 then i % 11 end,
           case when u % 4 = 0 then json_build_object('device', 'tv', 'experimentName', 'ranker',
             'experimentVariant', case when u % 8 = 0 then 'control' else 'enhanced' end)::text else '{{\"device\":\"phone\"}}' end,
           timestamptz '2026-03-01 00:00Z' + i * interval '5 seconds'
         from (
           select i, (hashint8(i) & 2147483647) % {users} as u, (hashint8(i + 1000000000) & 2147483647) / 2147483648.0 as r
           from generate_series(1, {events}) i
         ) e"
    ))?;
    Ok(space.exec("select cotaste_rebuild()")?)
}

/// Milliseconds on a CPU so far of the coordinator's processes and of all shards'.
fn cpu(clusters: &Clusters) -> Result<(f64, f64)> {
    let shards = clusters.data.iter().flatten().map(cpu_of).sum::<Result<f64>>()?;
    Ok((cpu_of(&clusters.coordinator)?, shards))
}

/// Of the server's processes that run now: a session's connections stay open.
fn cpu_of(cluster: &Cluster) -> Result<f64> {
    let pid = fs::read_to_string(cluster.directory().join("run/data/postmaster.pid"))?;
    let postmaster = pid.lines().next().context("no process id")?.to_string();
    let mut nanoseconds = 0.0;
    for process in fs::read_dir("/proc")?.flatten() {
        let Ok(stat) = fs::read_to_string(process.path().join("stat")) else { continue };
        // After the name in parentheses: the state and the parent.
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
        if parent == Some(&postmaster) {
            let Ok(spent) = fs::read_to_string(process.path().join("schedstat")) else { continue };
            nanoseconds += spent.split(' ').next().and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
        }
    }
    Ok(nanoseconds / 1e6)
}
