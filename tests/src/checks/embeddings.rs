//! Embeddings: the search against looking at every row, plain writes held to the rules, hostile bytes, older spaces.

use crate::compare::Answers;
use crate::engine::{print_double, Engine, Host, Kind};
use crate::random::Random;
use crate::report::Report;
use anyhow::{bail, ensure, Result};

const CONTENTS: usize = 400;
const DIM: usize = 7;
const HOSTILE: usize = 600;

pub fn run(host: &mut dyn Host, report: &mut Report, _: &Answers) -> Result<()> {
    search(host.space()?.as_mut(), report)?;
    plain_writes(host.space()?.as_mut(), report)?;
    hostile(host.space()?.as_mut(), report)?;
    older(host.space()?.as_mut(), report)
}

/// Small whole numbers: every sum is exact, and many cosines are equal.
fn vectors() -> Vec<[i64; DIM]> {
    let mut random = Random::new(20_260_401);
    (0..CONTENTS).map(|_| [(); DIM].map(|()| random.below(5) as i64 - 2)).collect()
}

fn json(vector: &[i64]) -> String {
    format!("[{}]", vector.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
}

/// By looking at every row.
fn naive(vectors: &[[i64; DIM]], of: usize, k: usize) -> Vec<Vec<String>> {
    let dot = |a: &[i64; DIM], b: &[i64; DIM]| a.iter().zip(b).map(|(x, y)| x * y).sum::<i64>() as f64;
    let mut found: Vec<(f64, usize)> = (0..vectors.len())
        .filter(|other| *other != of)
        .filter_map(|other| {
            let (a, b) = (&vectors[of], &vectors[other]);
            let squares = dot(a, a) * dot(b, b);
            (squares > 0.0).then(|| (dot(a, b) / squares.sqrt() + 0.0, other))
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    found.truncate(k);
    found.into_iter().map(|(similarity, other)| vec![other.to_string(), print_double(similarity)]).collect()
}

fn search(engine: &mut dyn Engine, report: &mut Report) -> Result<()> {
    let vectors = vectors();
    for (chunk, some) in vectors.chunks(100).enumerate() {
        let rows: Vec<String> = (chunk * 100..)
            .zip(some)
            .map(|(id, vector)| format!("({id}, 'v', {DIM}, to_embedding('{}'))", json(vector)))
            .collect();
        let insert = "insert into content_embeddings (content_id, model, dim, embedding) values";
        engine.exec(&format!("{insert} {}", rows.join(", ")))?;
    }
    let compare = |engine: &mut dyn Engine| -> Result<()> {
        for of in (0..CONTENTS).step_by(13) {
            for k in [1, 10, CONTENTS] {
                let rows = engine.query(&format!(
                    "select content_id, similarity from similar_content({of}, {k}, 'v') order by rank"
                ))?;
                let expected = naive(&vectors, of, k);
                ensure!(rows == expected, "similar_content({of}, {k}) is {rows:?}, {expected:?} expected");
            }
        }
        Ok(())
    };
    report.case("similar_content is what looking at every row finds, ties by id", || compare(engine));
    if engine.kind() == Kind::Postgres {
        report.case("the same by parallel workers", || {
            engine.exec(
                "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
                 set max_parallel_workers_per_gather = 3; analyze content_embeddings",
            )?;
            let probe = "select e.embedding from content_embeddings e where e.content_id = 1";
            let plan = engine.query(&format!(
                "explain select nearest_contents(s.content_id, s.embedding, ({probe}), 3) from content_embeddings s where s.model = 'v'"
            ))?;
            ensure!(plan.iter().any(|row| row[0].contains("Gather")), "{plan:?}");
            compare(engine)
        });
    }
    Ok(())
}

fn refused(engine: &mut dyn Engine, sql: &str, message: &str) -> Result<()> {
    match engine.query(sql) {
        Ok(rows) => bail!("accepted, {rows:?}: {sql}"),
        Err(error) => ensure!(error.message.starts_with(message), "{message} expected, got {error:?} from {sql}"),
    }
    Ok(())
}

fn plain_writes(engine: &mut dyn Engine, report: &mut Report) -> Result<()> {
    let (columns, kind) = ("content_embeddings (content_id, model, dim, embedding)", engine.kind());
    report.case("a statement that mixes dimensions writes nothing", || {
        let rows = "(1, 'm', 1, to_embedding('[1]')), (2, 'm', 2, to_embedding('[1,2]'))";
        refused(engine, &format!("insert into {columns} values {rows}"), "INVALID_ARGUMENT: dim: ")?;
        ensure!(engine.value("select count(*) from content_embeddings")? == "0");
        Ok(())
    });
    report.case("what is no embedding is refused, or told when it is read", || match kind {
        Kind::Postgres => {
            for (value, dim) in [
                ("array['NaN']::real[]", 1),
                ("array['Infinity']::real[]", 1),
                ("array[null]::real[]", 1),
                ("array[array[1,2],array[3,4]]::real[]", 4),
                ("'{}'::real[]", 0),
                ("array_fill(1::real, array[16001])", 16_001),
            ] {
                let sql = format!("insert into {columns} values (1, 'm', {dim}, {value})");
                refused(engine, &sql, "INVALID_ARGUMENT: embedding: ")?;
            }
            Ok(())
        }
        Kind::Sqlite => {
            for (value, dim) in
                [("'[1]'", 1), ("x''", 0), ("x'0000803f00'", 1), ("zeroblob(64004)", 16_001), ("1.0", 1)]
            {
                let sql = format!("insert into {columns} values (1, 'm', {dim}, {value})");
                refused(engine, &sql, "INVALID_ARGUMENT: embedding: ")?;
            }
            // Built-in functions do not see that a number is not finite.
            engine.exec(&format!("insert into {columns} values (1, 'm', 1, x'0000803f'), (2, 'm', 1, x'0000c07f')"))?;
            let told = "INVALID_ARGUMENT: embedding: of 2 holds a number that is not finite";
            refused(engine, "select * from similar_content(1, 1, 'm')", told)?;
            engine.exec("delete from content_embeddings")?;
            Ok(())
        }
    });
    report.case("or replace and on conflict write over a content's embedding", || {
        engine.exec(&format!("insert into {columns} values (1, 'm', 1, to_embedding('[1]'))"))?;
        let update = "on conflict (content_id, model) do update set dim = excluded.dim, embedding = excluded.embedding";
        engine.exec(&format!("insert into {columns} values (1, 'm', 2, to_embedding('[1,2]')) {update}"))?;
        ensure!(engine.value("select embedding_json(embedding) from content_embeddings")? == "[1.0,2.0]");
        Ok(())
    });
    Ok(())
}

/// Whatever the bytes: a value or one of these, and the session goes on.
fn survives(engine: &mut dyn Engine, sql: &str) -> Result<()> {
    if let Err(error) = engine.query(sql) {
        ensure!(matches!(error.code(), Some("CORRUPT_STATE" | "INVALID_ARGUMENT")), "{error:?} from {sql}");
    }
    ensure!(engine.value("select 1")? == "1");
    Ok(())
}

fn hostile(engine: &mut dyn Engine, report: &mut Report) -> Result<()> {
    engine.exec(
        "insert into user_behaviors(user_id, content_id, action) values ('a', 1, 'view'), ('a', 2, 'view'), ('b', 2, 'view'), ('b', 3, 'view');
         select cotaste_refresh(); select cotaste_learn_embeddings(2)",
    )?;
    let sound: Vec<Vec<u8>> =
        ["users from cotaste_postings", "users from cotaste_blocks", "learned from cotaste_learned"]
            .into_iter()
            .map(|what| Ok(crate::engine::unhex(&engine.value(&format!("select {what} limit 1"))?)))
            .collect::<Result<_>>()?;
    let calls = [
        "posting_length(?)",
        "posting_bitmap(?)",
        "posting_shared(?, ?)",
        "block_touching(?)",
        "embedding_json(to_embedding(?))",
        "embedding_similarity(?, ?)",
        "taste_embedding(?, '[\"a\"]')",
    ];
    let mut random = Random::new(20_260_402);
    report.case(&format!("{HOSTILE} hostile values end in an answer or an error"), || {
        for number in 0..HOSTILE {
            let mut bytes = sound[number % sound.len()].clone();
            for _ in 0..=random.below(4) {
                match random.below(3) {
                    0 => bytes.truncate(random.below(bytes.len() + 1)),
                    1 => bytes.push(random.below(256) as u8),
                    _ if bytes.is_empty() => {}
                    _ => {
                        let at = random.below(bytes.len());
                        bytes[at] = random.below(256) as u8;
                    }
                }
            }
            let blob = engine.blob(&bytes);
            for call in calls {
                survives(engine, &format!("select {}", call.replace('?', &blob)))?;
            }
            if number % 10 == 2 {
                engine.exec(&format!("update cotaste_learned set learned = {blob}"))?;
                survives(engine, "select cotaste_refresh_embeddings()")?;
            }
        }
        Ok(())
    });
    Ok(())
}

/// A space of a version that had user_genre_embeddings as a table, and in SQLite embeddings as JSON arrays.
fn older(engine: &mut dyn Engine, report: &mut Report) -> Result<()> {
    let postgres = engine.kind() == Kind::Postgres;
    let array = if postgres { "real[]" } else { "text" };
    let size = if postgres { "cardinality(embedding)" } else { "json_array_length(embedding)" };
    engine.exec(if postgres {
        "drop function user_genre_embeddings(bigint); drop function user_genre_embeddings(uuid);
         drop function user_genre_embeddings(text); drop function cotaste_user_genre_embeddings_of(text);
         drop view user_genre_embeddings"
    } else {
        "drop table user_genre_embeddings; drop table content_embeddings"
    })?;
    engine.exec(&format!(
        "create table user_genre_embeddings (
           user_id text primary key not null, genres text not null, dim integer not null, embedding {array} not null,
           updated_at text, constraint user_genre_embeddings_dim check (dim = {size}))"
    ))?;
    if postgres {
        engine.exec(
            "insert into content_embeddings (content_id, model, dim, embedding) values (1, 'm', 2, array[1, 0.5])",
        )?;
    } else {
        engine.exec(&format!(
            "create table content_embeddings (
               content_id integer not null, model text not null, dim integer not null, embedding text not null,
               updated_at text not null default 'then', primary key (content_id, model),
               constraint content_embeddings_dim check (json_valid(embedding) and dim = {size}));
             insert into content_embeddings (content_id, model, dim, embedding) values (1, 'm', 2, '[1, 0.5]')"
        ))?;
    }
    report.case("an older space becomes one of this version, with its embeddings", || {
        let said = engine.value("select cotaste_init()")?;
        ensure!(said.contains("updated"), "{said}");
        ensure!(engine.value("select embedding_json(embedding) from content_embeddings")? == "[1.0,0.5]");
        ensure!(engine.value("select count(*) from user_genre_embeddings")? == "0");
        engine.exec("select set_content_embedding(2, 'm', '[2, 1]')")?;
        ensure!(engine.value("select similarity from similar_content(1)")? == "1.0");
        let said = engine.value("select cotaste_init()")?;
        ensure!(said.contains("up to date"), "{said}");
        Ok(())
    });
    Ok(())
}
