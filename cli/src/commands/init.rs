//! `cotaste init`: makes the space, or brings it up to this version.

use crate::args::Connect;
use crate::database::Database;
use crate::failure::Result;
use crate::output::Output;
use crate::Ended;
use serde_json::json;

pub fn run(connect: &Connect, output: Output) -> Ended {
    let mut database = Database::open(connect, true)?;
    let message = space(&mut database, connect)?;
    output.done(&format!("{}: {message}", database.name()), json!({"database": database.name(), "message": message}));
    Ok(None)
}

/// Makes or upgrades the space and says what was done.
pub fn space(database: &mut Database, connect: &Connect) -> Result<String> {
    if let Database::Postgres(postgres) = database {
        let mut client = postgres.client()?;
        if let Some(schema) = &connect.schema {
            let quoted = format!("\"{}\"", schema.replace('"', "\"\""));
            client.batch_execute(&format!("create schema if not exists {quoted}"))?;
        }
        // Asked first: the statement wants a superuser even where there is nothing to do.
        if client.query("select from pg_extension where extname = 'cotaste'", &[])?.is_empty() {
            // Where a schema of its own is not asked for, it stands with the space.
            client.batch_execute("create extension cotaste schema public")?;
        }
    }
    Ok(database.value("select cotaste_init()", &[])?.text())
}
