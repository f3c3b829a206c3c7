//! What the benches run on: MovieLens latest-small, and the synthetic behaviour of `bench/gen_synth.py`.

use crate::engine::{print_timestamp, Engine};
use crate::golden::{movielens, read_csv, shared};
use anyhow::{ensure, Context, Result};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

const COLUMNS: [&str; 6] = ["user_id", "content_id", "action", "rating", "context", "occurred_at"];

/// MovieLens latest-small, one rating an event, its 0.5 to 5 as 1 to 10; false when it is not here.
pub fn load_movielens(engine: &mut dyn Engine) -> Result<bool> {
    let directory = movielens();
    if !directory.join("ratings.csv").is_file() {
        println!("SKIPPED: no MovieLens in {}; set COTASTE_DATA", directory.display());
        return Ok(false);
    }
    let movies = read_csv(directory.join("movies.csv"))?;
    let mut contents = movies.iter().map(|movie| {
        let genres: Vec<&str> = movie.text("genres").split('|').filter(|genre| !genre.starts_with('(')).collect();
        vec![Some(movie.text("movieId").into()), Some(movie.text("title").into()), serde_json::to_string(&genres).ok()]
    });
    engine.load("contents", &["content_id", "title", "genres"], &mut contents)?;
    let ratings = read_csv(directory.join("ratings.csv"))?;
    let mut events = ratings.iter().map(|rating| {
        let stars: f64 = rating.text("rating").parse().unwrap_or_default();
        let at = rating.text("timestamp").parse::<i64>().unwrap_or_default();
        vec![
            Some(rating.text("userId").into()),
            Some(rating.text("movieId").into()),
            Some("rate".into()),
            Some((stars * 2.0).to_string()),
            None,
            Some(print_timestamp(at * 1_000_000)),
        ]
    });
    engine.load("user_behaviors", &COLUMNS, &mut events)?;
    engine.exec("analyze")?;
    Ok(true)
}

/// The synthetic set of so many users and items, made once and kept under the target directory.
pub fn synthetic(target: &Path, users: u32, items: u32) -> Result<Option<PathBuf>> {
    let directory = target.join(format!("synthetic-{users}-{items}"));
    if directory.join("contents.tsv").is_file() {
        return Ok(Some(directory));
    }
    let script = shared().join("bench/gen_synth.py");
    if !script.is_file() {
        println!("SKIPPED: no {}; set COTASTE_SHARED", script.display());
        return Ok(None);
    }
    println!(
        "making the synthetic set of {users} users and {items} items (numpy and pandas in a virtual environment) ..."
    );
    let venv = target.join("venv");
    if !venv.join("bin/python").is_file() {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        succeed(Command::new(venv.join("bin/pip")).args(["install", "-q", "numpy", "pandas"]))?;
    }
    let python = venv.join("bin/python");
    let mut make = Command::new(&python);
    make.arg(script)
        .args(["--users", &users.to_string(), "--items", &items.to_string(), "--csv", "--out"])
        .arg(&directory);
    succeed(&mut make)?;
    let contents = "import numpy, sys\n\
        names = ['genre%02d' % g for g in range(20)]\n\
        mask = numpy.load(sys.argv[1] + '/items.npz')['mask']\n\
        with open(sys.argv[1] + '/contents.tsv', 'w') as f:\n\
        \x20   for i, m in enumerate(mask):\n\
        \x20       g = ','.join('\"%s\"' % names[k] for k in range(20) if m >> k & 1)\n\
        \x20       f.write('%d\\t[%s]\\n' % (1000 + i, g))\n";
    succeed(Command::new(&python).args(["-c", contents]).arg(&directory))?;
    Ok(Some(directory))
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// Loads a synthetic set; its ratings of 0.5 to 5 as 1 to 10.
pub fn load_synthetic(engine: &mut dyn Engine, directory: &Path) -> Result<()> {
    let lines = |file: &str| -> Result<_> {
        let reader = BufReader::new(File::open(directory.join(file))?);
        Ok(reader.lines().map_while(std::result::Result::ok))
    };
    let mut contents = lines("contents.tsv")?.map(|line| line.split('\t').map(|cell| Some(cell.to_string())).collect());
    engine.load("contents", &["content_id", "genres"], &mut contents)?;
    let mut events = lines("events.csv")?.map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [user, item, action, rating, context, at] = cells[..] else { return Vec::new() };
        let rating: Option<f64> = rating.parse().ok();
        let at = print_timestamp(at.parse::<i64>().unwrap_or_default() * 1_000_000);
        vec![
            Some(user.into()),
            Some(item.into()),
            Some(action.into()),
            rating.map(|r| (r * 2.0).to_string()),
            Some(context.into()),
            Some(at),
        ]
    });
    engine.load("user_behaviors", &COLUMNS, &mut events)?;
    engine.exec("analyze").map_err(Into::into)
}
