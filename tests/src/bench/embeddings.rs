//! The exact cosine top-10 of 100,000 embeddings of 384 numbers, and how long learning takes and how good it is.

use super::data::{load_events, python, succeed, Data};
use super::figures::{Contender, Figures, Sample, Subject};
use super::helper::Helper;
use super::{Spaces, RUNS};
use crate::engine::{Engine, Kind, Value};
use crate::random::Random;
use crate::Options;
use anyhow::{ensure, Result};
use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const ROWS: usize = 100_000;
const DIM: usize = 384;
const RUN: Duration = Duration::from_secs(2);
const OURS: &str = "select content_id, similarity from similar_content($1, 10, 'bench')";

pub fn run(spaces: Spaces<'_>, engine: &str, options: &Options, figures: &mut Figures) -> Result<()> {
    nearest(spaces()?, engine, options, figures)?;
    if let Some(data) = Data::movielens()? {
        learning(spaces()?.as_mut(), engine, &data, figures)?;
    }
    if let Some(data) = Data::synthetic(&options.target, 10_000, 20_000)? {
        learning(spaces()?.as_mut(), engine, &data, figures)?;
    }
    Ok(())
}

/// Each number the sum of three uniform ones, from a seed.
fn vectors() -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random::new(384);
    let mut number = move || (0..3).map(|_| (random.next() >> 40) as f32 / (1 << 24) as f32 - 0.5).sum::<f32>();
    (0..ROWS).map(move |_| (0..DIM).flat_map(|_| number().to_le_bytes()).collect())
}

fn nearest(mut space: Box<dyn Engine>, name: &str, options: &Options, figures: &mut Figures) -> Result<()> {
    let file = write(&options.target)?;
    let sqlite = space.kind() == Kind::Sqlite;
    if sqlite {
        space.exec("pragma page_size = 16384; vacuum; pragma mmap_size = 1073741824")?;
    }
    space.exec("begin")?;
    for (chunk, rows) in vectors().collect::<Vec<_>>().chunks(500).enumerate() {
        let rows: Vec<String> = (chunk * 500..)
            .zip(rows)
            .map(|(id, bytes)| format!("({id}, 'bench', {DIM}, to_embedding({}))", space.blob(bytes)))
            .collect();
        let columns = "content_id, model, dim, embedding";
        space.exec(&format!("insert into content_embeddings ({columns}) values {}", rows.join(",")))?;
    }
    space.exec("commit")?;
    let vector = !sqlite && space.query("create extension vector").is_ok();
    if vector {
        space.exec(&format!(
            "create table items (id bigint primary key, v vector({DIM}));
             insert into items select content_id, embedding::vector({DIM}) from content_embeddings order by content_id"
        ))?;
    }
    space.exec(if sqlite { "analyze" } else { "vacuum analyze" })?;
    let space = RefCell::new(space);
    let asked = |sql: &'static str| {
        let (space, mut first) = (&space, 0);
        move || {
            let probes: Vec<_> = (0..1000).map(|i| vec![Value::Int((first + i * 7) % ROWS as i64)]).collect();
            first += 13;
            let times = space.borrow_mut().each(sql, &probes, RUN)?;
            Ok(Sample::Latencies(times.iter().map(|time| time.as_secs_f64() * 1000.0).collect()))
        }
    };
    let mut contenders = vec![helper("numpy, in RAM", numpy(&options.target, &file)?)];
    if sqlite {
        match sqlite_vec(&options.target, &file) {
            Ok(started) => contenders.push(helper("sqlite-vec", started)),
            Err(error) => println!("SKIPPED: sqlite-vec: {error:#}"),
        }
    }
    if vector {
        const PGVECTOR: &str =
            "select i.id, 1 - (i.v <=> p.v) from items i, (select v from items where id = $1) p order by i.v <=> p.v limit 11";
        contenders.push(Contender::measured("pgvector, exact", asked(PGVECTOR)));
    }
    contenders.push(Contender::measured("similar_content(c, 10, model)", asked(OURS)));
    let subject = Subject { work: "exact cosine top-10", engine: name, data: "100k x 384", unit: "ms" };
    figures.compare(subject, RUNS, &mut contenders)
}

fn helper<'a>(name: &str, helper: Helper) -> Contender<'a> {
    let (mut helper, mut first) = (helper, 0);
    Contender::measured(name, move || {
        first += 13;
        Ok(Sample::Latencies(helper.ask(&format!("{first} {}", RUN.as_millis()))?))
    })
}

fn write(target: &Path) -> Result<PathBuf> {
    let file = target.join("bench/vectors.f32");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&file)?);
    vectors().try_for_each(|vector| out.write_all(&vector))?;
    out.flush()?;
    Ok(file)
}

fn script(name: &str) -> PathBuf {
    crate::repository().join("tests/bench/embeddings").join(name)
}

fn numpy(target: &Path, file: &Path) -> Result<Helper> {
    let python = python(target, &["numpy"])?;
    Helper::start(Command::new(python).arg(script("numpy_top.py")).arg(file).arg(DIM.to_string()))
}

/// In an environment of its own: the other one may be shared and read-only.
fn sqlite_vec(target: &Path, file: &Path) -> Result<Helper> {
    let venv = target.join("venv2");
    let python = venv.join("bin/python");
    if !python.is_file() {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    if !Command::new(&python).args(["-c", "import apsw, sqlite_vec, numpy"]).status()?.success() {
        succeed(Command::new(venv.join("bin/pip")).args(["install", "-q", "apsw", "sqlite-vec", "numpy"]))?;
    }
    let database = target.join("bench/sqlite-vec.db");
    let _ = std::fs::remove_file(&database);
    let mut command = Command::new(python);
    Helper::start(command.arg(script("sqlite_vec_top.py")).arg(file).arg(DIM.to_string()).arg(database))
}

/// How long learning and refreshing take; and how much the genres of the ten nearest are those of a content, beside what
/// any ten contents have in common.
fn learning(space: &mut dyn Engine, name: &str, data: &Data, figures: &mut Figures) -> Result<()> {
    data.load_contents(space)?;
    load_events(space, "user_behaviors", data.events()?)?;
    space.query("select cotaste_rebuild()")?;
    if space.kind() == Kind::Postgres {
        space.exec("vacuum analyze")?;
    }
    let mut once = |contender: &str, unit: &str, value: f64| {
        figures.once(Subject { work: "learned embeddings", engine: name, data: &data.name, unit }, contender, value)
    };
    for (contender, sql) in [
        ("cotaste_learn_embeddings()", "select cotaste_learn_embeddings()"),
        ("cotaste_refresh_embeddings()", "select cotaste_refresh_embeddings()"),
    ] {
        let start = Instant::now();
        space.query(sql)?;
        once(contender, "s", start.elapsed().as_secs_f64())?;
    }
    let genres: std::collections::HashMap<i64, &Vec<String>> =
        data.contents.iter().map(|content| (content.id, &content.genres)).collect();
    let alike = |a: i64, b: i64| -> Option<f64> {
        let (a, b) = (genres.get(&a)?, genres.get(&b)?);
        let shared = a.iter().filter(|genre| b.contains(genre)).count();
        let all = a.len() + b.len() - shared;
        (all > 0).then(|| shared as f64 / all as f64)
    };
    let watched = space.query(
        "select b.content_id from user_behaviors b group by b.content_id having count(distinct b.user_id) >= 20 order by 1",
    )?;
    let watched: Vec<i64> = watched.iter().map(|row| Ok(row[0].parse()?)).collect::<Result<_>>()?;
    ensure!(!watched.is_empty(), "nothing was watched by 20 users");
    let mut random = Random::new(20);
    let (mut near, mut any) = (Vec::new(), Vec::new());
    for content in random.sample(watched.len(), 200).into_iter().filter_map(|place| watched.get(place)) {
        for row in space.query(&format!("select content_id from similar_content({content}, 10, 'learned')"))? {
            near.extend(alike(*content, row[0].parse()?));
        }
        any.extend((0..10).filter_map(|_| alike(*content, random.pick(&watched))));
    }
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len().max(1) as f64;
    once("genres of the 10 nearest, Jaccard", "", mean(&near))?;
    once("genres of any 10, Jaccard", "", mean(&any))?;
    Ok(())
}
