//! docs/errors.md is the promise: every code that is raised anywhere is in its table with its SQLSTATEs, both engines raise
//! it with the same text, and a message tells no more than it should.

use crate::compare::Answers;
use crate::engine::{quote, Engine, Host, Kind, SqlError};
use crate::report::Report;
use anyhow::{ensure, Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub fn run(host: &mut dyn Host, report: &mut Report, answers: &Answers) -> Result<()> {
    let documented = documented()?;
    report.case(
        "every code in the sources is in the document's table with its SQLSTATEs, and the other way round",
        || sources(&documented),
    );
    report.case("every code of the core has its messages explained, and these are messages of the sources", symptoms);
    report.case("every code that SQL can provoke is raised as documented", || raised(host, &documented, answers));
    report.case("a message repeats little of a value, nothing of a context, and no backtrace", || discreet(host));
    Ok(())
}

/// The table of docs/errors.md: SQLSTATEs by code.
fn documented() -> Result<BTreeMap<String, Vec<String>>> {
    let text = std::fs::read_to_string(crate::repository().join("docs/errors.md"))?;
    let (_, table) = text.split_once("|---|---|---|---|\n").context("no table")?;
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let row = |line: &str| -> Option<(String, Vec<String>)> {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [code, states, cause, cure] = cells.as_slice() else { return None };
        let whole = !cause.is_empty() && !cure.is_empty();
        whole.then(|| (code.trim_matches('`').to_string(), states.split(", ").map(str::to_string).collect()))
    };
    rows.map(|line| row(line).with_context(|| line.to_string())).collect()
}

/// Every file below a directory whose name ends so.
fn files(directory: &Path, endings: &[&str], found: &mut Vec<(String, String)>) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.display().to_string();
        if path.is_dir() {
            files(&path, endings, found)?;
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push((name, std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// The word of capitals with a `_` that ends where `text` ends, if there is one after a quote.
fn code_before(text: &str) -> Option<&str> {
    let start = text.rfind(|c: char| !c.is_ascii_uppercase() && c != '_')? + 1;
    let code = &text[start..];
    (code.contains('_') && text[..start].ends_with(['\'', '"'])).then_some(code)
}

fn sources(documented: &BTreeMap<String, Vec<String>>) -> Result<()> {
    let root = crate::repository();
    let mut texts = Vec::new();
    for directory in ["sql", "core/src", "pg_ext/src", "sqlite_ext/src"] {
        files(&root.join(directory), &[".sql", ".rs"], &mut texts)?;
    }
    let mut raised: BTreeSet<String> = BTreeSet::new();
    for (file, text) in &texts {
        let ends: Vec<usize> = text.match_indices(": ").map(|(at, _)| at).collect();
        for code in ends.into_iter().filter_map(|at| code_before(&text[..at])) {
            ensure!(documented.contains_key(code), "{file} raises {code}, which docs/errors.md does not explain");
            raised.insert(code.to_string());
        }
        // raise exception using errcode = '..', message = '..: ..': the state belongs to the code that follows.
        // Inside a text that makes functions each quote is two.
        for part in text.replace("''", "'").split("errcode = '").skip(1) {
            let (state, rest) = part.split_once('\'').context("an errcode without an end")?;
            let message = rest.split(';').next().unwrap_or_default();
            let code = message.match_indices(": ").find_map(|(at, _)| code_before(&message[..at]));
            let code = code.with_context(|| format!("{file}: errcode {state} without one of our codes"))?;
            ensure!(documented[code].iter().any(|s| s == state), "{file}: {code} with {state} is not documented");
        }
    }
    // The core's: the arms of code() and sqlstate(), in pairs by variant.
    let error = std::fs::read_to_string(root.join("core/src/error.rs"))?;
    let arms = |function: &str| -> Result<BTreeMap<String, String>> {
        let (_, body) = error.split_once(&format!("pub const fn {function}(")).context("no such function")?;
        let mut arms = BTreeMap::new();
        for line in body.lines().take_while(|line| !line.starts_with("    }")).filter(|line| line.contains("=>")) {
            let (variants, value) = line.split_once("=>").context("no arm")?;
            for variant in variants.split("Self::").skip(1) {
                let name: String = variant.chars().take_while(char::is_ascii_alphanumeric).collect();
                arms.insert(name, value.trim().trim_matches([',', '"']).to_string());
            }
        }
        Ok(arms)
    };
    let (codes, states) = (arms("code")?, arms("sqlstate")?);
    ensure!(codes.len() >= 8 && codes.len() == states.len(), "{codes:?} {states:?}");
    for (variant, code) in &codes {
        let documented = documented.get(code).with_context(|| format!("{code} is not documented"))?;
        ensure!(documented.contains(&states[variant]), "{code} has {}", states[variant]);
        raised.insert(code.clone());
    }
    let unknown: Vec<_> = documented.keys().filter(|code| !raised.contains(*code)).collect();
    ensure!(unknown.is_empty(), "documented and never raised: {unknown:?}");
    Ok(())
}

/// Below "By message" docs/errors.md has a section a code, whose rows begin with a message; `..` stands for a value.
fn symptoms() -> Result<()> {
    let root = crate::repository();
    let page = std::fs::read_to_string(root.join("docs/errors.md"))?;
    let (_, messages) = page.split_once("## By message\n").context("no messages")?;
    let messages = messages.split("\n## ").next().unwrap_or_default();
    let sections: BTreeMap<&str, &str> =
        messages.split("\n### ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    let error = std::fs::read_to_string(root.join("core/src/error.rs"))?;
    let (_, codes) = error.split_once("pub const CODES:").context("no list of codes")?;
    let (codes, _) =
        codes.split_once(';').and_then(|(_, rest)| rest.split_once(';')).context("a list without an end")?;
    let codes: BTreeSet<&str> = codes.split('"').skip(1).step_by(2).collect();
    let explained: BTreeSet<&str> = sections.keys().copied().collect();
    ensure!(codes == explained, "the codes {codes:?} are explained as {explained:?}");

    let mut texts = Vec::new();
    for directory in ["sql", "core/src", "pg_ext/src", "sqlite_ext/src"] {
        files(&root.join(directory), &[".sql", ".rs"], &mut texts)?;
    }
    for (code, section) in sections {
        let rows: Vec<&str> =
            section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| you see")).collect();
        ensure!(!rows.is_empty(), "{code} has no message");
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            ensure!(cells.len() == 3 && cells.iter().all(|cell| !cell.is_empty()), "{row}");
            for message in cells[0].split('`').skip(1).step_by(2).filter(|text| text.contains(": ")) {
                let text = message.strip_prefix(code).with_context(|| format!("{message} below {code}"))?;
                let parts = text.split(": ").flat_map(|part| part.split("..")).map(str::trim);
                let missing: Vec<&str> =
                    parts.filter(|part| !texts.iter().any(|(_, source)| source.contains(part))).collect();
                ensure!(missing.is_empty(), "no source says {missing:?} of {message}");
            }
        }
    }
    Ok(())
}

fn error(engine: &mut dyn Engine, sql: &str) -> Result<SqlError> {
    engine.query(sql).err().with_context(|| format!("{sql} did not fail"))
}

fn raised(host: &mut dyn Host, documented: &BTreeMap<String, Vec<String>>, answers: &Answers) -> Result<()> {
    let mut space = host.space()?;
    let not_a_taste = space.blob(b"not a taste");
    let mut provoked = vec![
        error(host.uninitialised()?.as_mut(), "select * from user_analytics('ann')")?,
        error(space.as_mut(), "select record_behavior('ann', 1, 'rate', 11)")?,
        error(space.as_mut(), "select check_rating(10.5)")?,
        error(space.as_mut(), &format!("select taste_json({not_a_taste})"))?,
        error(space.as_mut(), "select time_slot('2026-03-01T00:00:00Z', 'Nowhere/Land')")?,
        error(space.as_mut(), "select rating_goal('rating > 8')")?,
        error(space.as_mut(), "select check_dimension('shoe size')")?,
    ];
    // The same text in both engines.
    for failed in &provoked {
        answers.leave(
            "errors",
            failed.code().unwrap_or_default(),
            &[vec![failed.message.split(". ").next().unwrap_or_default().to_string()]],
        )?;
    }
    space.exec("update cotaste_meta set value = '99.0.0' where key = 'schema_version'")?;
    provoked.push(error(space.as_mut(), "select cotaste_init()")?);
    let mut space = host.space()?;
    match space.kind() {
        Kind::Sqlite => {
            space.exec("create trigger mine before insert on user_behaviors begin select raise(ignore); end")?;
            provoked.push(error(space.as_mut(), "select record_behavior('ann', 1, 'view')")?);
            space.exec(
                "drop trigger mine; insert into user_behaviors(user_id, content_id, action) values ('ann', 1, 'view')",
            )?;
            space.exec(
                "create trigger mine before insert on cotaste_users begin select raise(abort, 'not today'); end",
            )?;
            provoked.push(error(space.as_mut(), "select cotaste_refresh()")?);
        }
        Kind::Postgres => {
            space.exec(
                "create function mine() returns trigger language plpgsql as 'begin return null; end';
                 create trigger mine before insert on user_behaviors for each row execute function mine()",
            )?;
            provoked.push(error(space.as_mut(), "select record_behavior('ann', 1, 'view')")?);
            space.exec("begin isolation level repeatable read")?;
            provoked.push(error(space.as_mut(), "select cotaste_refresh()")?);
            space.exec("rollback")?;
        }
    }
    let mut codes = BTreeSet::new();
    for failed in &provoked {
        let code = failed.code().with_context(|| format!("no code: {failed:?}"))?;
        let states = documented.get(code).with_context(|| format!("{code} is not documented"))?;
        if space.kind() == Kind::Postgres {
            let state = failed.sqlstate.clone().unwrap_or_default();
            ensure!(states.contains(&state), "{failed:?}: {state} is not documented");
            ensure!(failed.hint.is_some(), "{failed:?} has no hint");
        } else {
            ensure!(failed.message.contains(". ") || code == "RECORD_ERROR", "{failed:?} has no hint");
        }
        codes.insert(code.to_string());
    }
    let unprovoked: Vec<_> = documented.keys().filter(|code| !codes.contains(*code)).map(String::as_str).collect();
    // Memory refused and caught panics have tests of their own.
    // The last three are a coordinator's.
    let others = ["INTERNAL_ERROR", "NOT_COMMITTED", "NOT_OFFERED", "OUT_OF_MEMORY", "PARTIAL_ANSWER", "SHARD_DOWN"];
    ensure!(unprovoked == others, "{unprovoked:?}");
    Ok(())
}

fn discreet(host: &mut dyn Host) -> Result<()> {
    let mut engine = host.space()?;
    let secret = "s3cret".repeat(3000);
    let long = quote(&secret);
    let context = quote("{\"device\":\"s3cret\"}");
    let calls = [
        format!("select record_behavior({long}, 1, 'view', null, {context})"),
        format!("select record_behavior('ann', 1, {long}, null, {context})"),
        format!("select record_behavior('ann', 1, 'rate', 11, {context})"),
        format!("select record_behavior('ann', 1, 'view', null, {context}, '10000-01-01T00:00:00Z')"),
        format!("insert into user_behaviors(user_id, content_id, action, context) values ({long}, 1, 'view', {context})"),
        format!("insert into user_behaviors(user_id, content_id, action, rating, context) values ('ann', 1, 'rate', 11, {context})"),
        format!("insert into user_behaviors(user_id, content_id, action, context) values ('ann', 1, {long}, {context})"),
        format!("select check_user_id({long})"),
        format!("select check_action({long})"),
        format!("select time_slot('2026-03-01T00:00:00Z', {long})"),
        format!("select rating_goal('rating > ' || {long})"),
        format!("select check_dimension({long})"),
        format!("select * from experiment_results('x', null, null, 'rating > ' || {long})"),
        format!("select * from experiment_segments('x', {long})"),
        format!("select srm_test({long}, '[1]')"),
        format!("select prob_best({long})"),
        format!("select experiment_assign('x', 'y', {long})"),
        format!("select welch_test({0}, {0})", engine.blob(secret.as_bytes())),
        format!("select taste_json({})", engine.blob(secret.as_bytes())),
        format!("select forget_user({long})"),
    ];
    let mut failed = 0;
    for sql in &calls {
        let Err(error) = engine.query(sql) else { continue };
        failed += 1;
        let told = [Some(error.message.clone()), error.detail.clone(), error.hint.clone()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("\n");
        let start: String = sql.chars().take(60).collect();
        ensure!(error.code().is_some(), "{start}: {}", told.chars().take(300).collect::<String>());
        ensure!(told.len() < 600 && told.matches("s3cret").count() <= 11, "{start}: {} characters", told.len());
        ensure!(!sql.contains("11, '{") || !told.contains("s3cret"), "{start}: tells a context: {told}");
        ensure!(!told.contains("backtrace") && !told.contains(".rs:"), "{start}: {told}");
    }
    ensure!(failed >= 14, "only {failed} of {} calls failed", calls.len());
    Ok(())
}
