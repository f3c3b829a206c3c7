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
    output.done(&table.card(), table.object(&row));
    Ok((status.as_deref() != Some("healthy")).then_some(Exit::NotWell))
}

/// `cotaste verify`: what of the state differs from the log.
pub fn verify(mut database: Database, output: Output) -> Ended {
    let table = database.query("select * from cotaste_verify()", &[])?;
    let text = match table.rows.len() {
        0 => "the state equals the log".to_string(),
        n => format!("{}\n\n{n} differences. Make the state anew: cotaste refresh --rebuild", table.text()),
    };
    output.done(&text, json!({"differences": table.json()}));
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
    let dry = Value::Bool(arguments.dry_run);
    let table = match (&arguments.what.days, &arguments.what.user) {
        (Some(days), _) => database.query("select purge_behaviors($1, $2) as events", &[Value::Int(*days), dry])?,
        (_, Some(user)) => {
            database.query("select forget_user($1, $2) as events", &[Value::from(user.as_str()), dry])?
        }
        _ => return Ok(None),
    };
    let row = table.rows.first().cloned().unwrap_or_default();
    output.done(&table.card(), table.object(&row));
    Ok(None)
}
