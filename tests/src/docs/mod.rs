//! The pages people read: README.md and docs/*.md. Their SQL is run and its output compared, docs/reference.md is written
//! from what a space offers. `make docs` writes both anew, section "documentation" of the tests fails when they are stale.

mod output;
mod page;
mod reference;

use crate::cluster::Cluster;
use crate::engine::{Engine, Host};
use crate::postgres::PostgresHost;
use crate::run::Scratch;
use crate::sqlite::SqliteHost;
use crate::Options;
use anyhow::{bail, ensure, Context, Result};
pub use page::Page;
use std::fs;
use std::path::{Path, PathBuf};

/// The page that is written from docs/reference.sql.
const REFERENCE: &str = "docs/reference.md";

/// The pages by their paths in the repository.
pub fn pages() -> Result<Vec<String>> {
    let mut pages = vec!["README.md".to_string()];
    for entry in fs::read_dir(crate::repository().join("docs"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages.sort();
    Ok(pages)
}

fn place(page: &str) -> PathBuf {
    crate::repository().join(page)
}

/// The page as it is committed. An example of the reference is undone after it ran: it stands alone.
pub fn read(page: &str) -> Result<(String, Page)> {
    let text = fs::read_to_string(place(page)).with_context(|| page.to_string())?;
    let parsed = Page::parse(&text, page == REFERENCE).with_context(|| page.to_string())?;
    Ok((text, parsed))
}

/// The names of the reference, each with whether it is in Postgres only.
pub fn names() -> Result<Vec<(String, bool)>> {
    let text = fs::read_to_string(place(REFERENCE))?;
    let entries = text.split("\n### ").skip(1).filter_map(|entry| entry.split_once('\n'));
    let of_entry = |(names, rest): (&str, &str)| {
        let text = rest.split("\n#").next().unwrap_or_default();
        let is_postgres = text.contains(reference::POSTGRES_ONLY);
        names.split(", ").map(|name| (name.to_string(), is_postgres)).collect::<Vec<_>>()
    };
    Ok(entries.flat_map(of_entry).collect())
}

/// The reference without its outputs, of a space in Postgres.
pub fn reference(engine: &mut dyn Engine) -> Result<String> {
    let source = fs::read_to_string(place("docs/reference.sql"))?;
    reference::skeleton(engine, &source)
}

/// The first line in which two texts differ.
pub fn first_difference(old: &str, new: &str) -> Option<String> {
    let (mut old, mut new) = (old.lines(), new.lines());
    (1..)
        .map_while(|number| match (old.next(), new.next()) {
            (None, None) => None,
            (old, new) => Some((number, old, new)),
        })
        .find(|(_, old, new)| old != new)
        .map(|(number, old, new)| {
            format!("line {number}\n- {}\n+ {}", old.unwrap_or_default(), new.unwrap_or_default())
        })
}

/// `make docs`: writes the reference and the outputs of every page. The engines have to agree.
pub fn write(options: &Options) -> Result<()> {
    let scratch = Scratch::new("docs")?;
    let extension = options.target.join("cotaste0.so");
    let mut sqlite = SqliteHost::new(scratch.0.clone(), extension.clone(), extension);
    let cluster = Cluster::start(&options.pg15, &options.target.join("build-pg15/release/libcotaste.so"))?;
    let mut postgres = PostgresHost::new(cluster, || bail!("nothing is planted"))?;
    let skeleton = Page::parse(&reference(postgres.space()?.as_mut())?, true)?.with_outputs();
    let mut wrong = Vec::new();
    for name in pages()? {
        let (text, committed) = read(&name)?;
        let page = if name == REFERENCE { &skeleton } else { &committed };
        let with_sqlite = page.filled(&mut sqlite).with_context(|| format!("{name}, SQLite"))?;
        let with_both = with_sqlite.filled(&mut postgres).with_context(|| format!("{name}, Postgres"))?.print();
        // Filled by SQLite once more it tells whether the two agree.
        let again = Page::parse(&with_both, name == REFERENCE)?.filled(&mut sqlite)?.print();
        wrong.extend(first_difference(&again, &with_both).map(|differs| format!("{name} {differs}")));
        if with_both != text {
            fs::write(place(&name), with_both)?;
            println!("{name} written");
        }
    }
    ensure!(wrong.is_empty(), "SQLite (-) and Postgres (+) differ\n{}", wrong.join("\n"));
    Ok(())
}

/// Every file a page links to is there.
pub fn dead_links(page: &str, text: &str) -> Vec<String> {
    let folder = place(page).parent().map(Path::to_path_buf).unwrap_or_default();
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://") && !link.starts_with('#'))
        .map(|link| link.split('#').next().unwrap_or_default())
        .filter(|link| !folder.join(link).exists())
        .map(str::to_string)
        .collect()
}
