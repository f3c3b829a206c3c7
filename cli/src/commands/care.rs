//! What looks after a space: health, verify, refresh, purge.

use crate::args::{Purge, Refresh};
use crate::database::{Database, Value};
use crate::failure::Exit;
use crate::output::{grouped, Output};
use crate::Ended;
use serde_json::json;
use std::time::Instant;

/// `cotaste health`: the row of cotaste_health.
pub fn health(mut database: Database, output: Output) -> Ended {
    let table = database.query("select * from cotaste_health", &[])?;
    let row = table.rows.first().cloned().unwrap_or_default();
    let status = table.columns.iter().position(|name| name == "status").and_then(|i| row.get(i)).map(Value::text);
    output.answer(&table.card(), table.object(&row));
    Ok((status.as_deref() != Some("healthy")).then_some(Exit::NotWell))
}

/// `cotaste verify`: what of the state differs from the log.
pub fn verify(mut database: Database, output: Output) -> Ended {
    let table = database.query("select * from cotaste_verify()", &[])?;
    let text = match table.rows.len() {
        0 => "the state equals the log".to_string(),
        n => format!("{}\n\n{n} differences. Make the state anew: cotaste refresh --rebuild", table.text()),
    };
    output.answer(&text, json!({"differences": table.json()}));
    Ok((!table.rows.is_empty()).then_some(Exit::NotWell))
}

/// Users whose neighbours are computed in one transaction.
const NEIGHBOURS: i64 = 500;

/// `cotaste refresh`: folds, or makes the state anew; fills the cache of neighbours.
pub fn refresh(mut database: Database, arguments: &Refresh, output: Output) -> Ended {
    let begun = Instant::now();
    let (what, sql) =
        if arguments.rebuild { ("users", "select cotaste_rebuild()") } else { ("keys", "select cotaste_refresh()") };
    let done = database.integer(sql, &[])?.unsigned_abs();
    let mut neighbours = 0;
    if arguments.neighbours {
        let bar = output.bar(0, "{human_pos} users with neighbours, {per_sec}");
        loop {
            let more = database.integer("select cotaste_refresh_neighbours($1)", &[Value::Int(NEIGHBOURS)])?;
            neighbours += more.unsigned_abs();
            bar.set_position(neighbours);
            if more < NEIGHBOURS {
                break;
            }
        }
        bar.finish_and_clear();
    }
    let seconds = begun.elapsed().as_secs_f64();
    let mut text = match arguments.rebuild {
        true => format!("state made anew for {} users", grouped(done)),
        false => format!("{} keys folded", grouped(done)),
    };
    if arguments.neighbours {
        text += &format!(", neighbours of {} users computed", grouped(neighbours));
    }
    output.done(&format!("{text}, {seconds:.1} s"), json!({what: done, "neighbours": neighbours, "seconds": seconds}));
    Ok(None)
}

/// `cotaste purge`: retention, or one user's erasure.
pub fn purge(mut database: Database, arguments: &Purge, output: Output) -> Ended {
    let table = match (&arguments.what.days, &arguments.what.user) {
        (Some(days), _) if arguments.dry_run => {
            database.query("select * from purge_preview($1)", &[Value::Int(*days)])?
        }
        (Some(days), _) => return purge_old(database, *days, output),
        (_, Some(user)) if arguments.dry_run => {
            database.query("select * from cotaste_traces(cast($1 as text))", &[Value::from(user.as_str())])?
        }
        (_, Some(user)) => {
            database.query("select forget_user(cast($1 as text)) as events", &[Value::from(user.as_str())])?
        }
        _ => return Ok(None),
    };
    if arguments.dry_run {
        output.answer(&table.text(), table.json());
        return Ok(None);
    }
    let row = table.rows.first().cloned().unwrap_or_default();
    output.done(&table.card(), table.object(&row));
    Ok(None)
}

/// Events purged in one transaction.
const PURGED: i64 = 100_000;

fn purge_old(mut database: Database, days: i64, output: Output) -> Ended {
    let (mut purged, begun) = (0, Instant::now());
    let bar = output.bar(0, "{human_pos} events purged, {per_sec}");
    loop {
        let sql = "select purge_behaviors($1, $2, $3)";
        let more = database.integer(sql, &[Value::Int(days), Value::Bool(false), Value::Int(PURGED)])?;
        purged += more.unsigned_abs();
        bar.set_position(purged);
        if more < PURGED {
            break;
        }
    }
    bar.finish_and_clear();
    let seconds = begun.elapsed().as_secs_f64();
    let text = format!("{} events purged, {seconds:.1} s", grouped(purged));
    output.done(&text, json!({"events": purged, "seconds": seconds}));
    Ok(None)
}
