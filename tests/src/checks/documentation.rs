//! What the pages promise is what happens: their SQL runs, gives what they show, and the reference is what a space offers.

use crate::compare::Answers;
use crate::docs::{dead_links, first_difference, names, pages, read, reference, Page};
use crate::engine::{Host, Kind};
use crate::report::Report;
use anyhow::{ensure, Context, Result};
use std::time::Instant;

pub fn run(host: &mut dyn Host, report: &mut Report, _: &Answers) -> Result<()> {
    let (kind, start) = (host.kind(), Instant::now());
    let mut blocks = 0;
    for name in pages()? {
        report.case(&format!("{name} runs, gives what it shows, and links to what is there"), || {
            let (text, page) = read(&name)?;
            let dead = dead_links(&name, &text);
            ensure!(dead.is_empty(), "dead links: {dead:?}");
            blocks += page.blocks(kind);
            if page.blocks(kind) > 0 {
                agrees(&text, &page.filled(host)?.print())?;
            }
            Ok(())
        });
    }
    report.case("every page of docs/ is in its index", || {
        let (index, _) = read("docs/README.md")?;
        let is_there = |page: &String| {
            page.split_once('/').is_none_or(|(_, name)| name == "README.md" || index.contains(&format!("]({name})")))
        };
        let missing: Vec<_> = pages()?.into_iter().filter(|page| !is_there(page)).collect();
        ensure!(missing.is_empty(), "docs/README.md lacks {missing:?}");
        Ok(())
    });
    if kind == Kind::Postgres {
        report.case("the reference has every function and view as this server has them", || {
            let (_, committed) = read("docs/reference.md")?;
            let offered = Page::parse(&reference(host.space()?.as_mut())?, true)?;
            agrees(&committed.without_outputs(), &offered.print())
        });
    }
    if kind == Kind::Sqlite {
        report.case("what the reference does not call Postgres' alone is here, and the other way round", || {
            let mut space = host.space()?;
            let here = space.query(
                "select name from pragma_function_list union select name from pragma_module_list
                 union select name from sqlite_master",
            )?;
            let is_here = |name: &String| here.iter().any(|row| row[0] == *name);
            let wrong: Vec<_> =
                names()?.into_iter().filter(|(name, is_postgres)| is_here(name) == *is_postgres).collect();
            ensure!(wrong.is_empty(), "{wrong:?}");
            Ok(())
        });
    }
    report.case("a wrong output, a failing block and SQL without a language are found", || finds(host));
    report.note(&format!("{blocks} blocks of SQL in {:.1} s", start.elapsed().as_secs_f64()));
    ensure!(blocks > 130, "only {blocks} blocks of SQL were run");
    Ok(())
}

fn agrees(committed: &str, now: &str) -> Result<()> {
    match first_difference(committed, now) {
        None => Ok(()),
        Some(differs) => anyhow::bail!("stale, make docs writes it anew: {differs}"),
    }
}

/// The check itself, on pages that are wrong.
fn finds(host: &mut dyn Host) -> Result<()> {
    let shows = |sql: &str, output: &str| format!("```sql\n{sql}\n```\n\n```text\n{output}\n```\n");
    let mut fill =
        |page: &str, is_undone: bool| -> Result<String> { Ok(Page::parse(page, is_undone)?.filled(host)?.print()) };
    let title = shows("select title from contents where content_id = 1;", "Alien");
    let refused = "select record_behavior('ann', 1, 'rate', 11);";
    let told = "INVALID_ARGUMENT: rating: 11 is not between 0 and 10. Pass a value of the documented range.";
    let right = shows(refused, told) + &title;
    let given = fill(&right, false)?;
    agrees(&right, &given).context("a right page")?;
    ensure!(agrees(&right.replace("Alien", "Aliens"), &given).is_err(), "a wrong output is not found");
    for wrong in [right.replace("= 1", "= 2"), right.replace("'rate', 11", "'rate', 12")] {
        ensure!(agrees(&wrong, &fill(&wrong, false)?).is_err(), "SQL that gives something else is not found");
    }
    let failing = format!("```sql\n{refused}\n```\n");
    ensure!(fill(&failing, false).is_err(), "an error that is not shown passes");
    ensure!(fill("```\nselect 1;\n```\n", false).is_err(), "a block without a language passes");
    // What is undone leaves nothing behind for the next block.
    let twice = shows("delete from contents;\nselect count(*) from contents;", "0") + &title;
    ensure!(fill(&twice, true)? == twice, "an example is not undone");
    Ok(())
}
