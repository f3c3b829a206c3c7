//! Writes the script ALTER EXTENSION cotaste UPDATE runs, from the scripts of two versions. The extension owns functions,
//! aggregates and one domain and no table, so what is new or changed is created or replaced; what is gone stays, because
//! spaces that have not been upgraded yet call it.

use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// Prints the script from `old` to `new`.
pub fn print(old: &Path, new: &Path) -> Result<()> {
    let read = |path: &Path| std::fs::read_to_string(path).with_context(|| path.display().to_string());
    print!("{}", script(&read(old)?, &read(new)?));
    Ok(())
}

/// The statements of `new` that `old` does not have, as an update may run them.
pub fn script(old: &str, new: &str) -> String {
    let old: BTreeSet<String> = statements(old).into_iter().collect();
    let mut script = String::from("\\echo Use \"alter extension cotaste update\" to load this file. \\quit\n");
    // The stand-ins return rows of the relations, which may have other columns now. Nothing uses them.
    script += "
do $$
declare
  stand_in text;
begin
  for stand_in in
    select format('drop type %s cascade', t.oid::regtype)
    from pg_type t
    join pg_depend d on d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e'
    join pg_extension e on e.oid = d.refobjid and e.extname = 'cotaste'
    where t.typname like 'cotaste\\_unset\\_%'
  loop
    execute stand_in;
  end loop;
end
$$;
";
    for statement in statements(new) {
        if old.contains(&statement) && !statement.starts_with("do ") {
            continue;
        }
        let statement = match statement.strip_prefix("create ") {
            Some(rest) if rest.starts_with("function ") || rest.starts_with("aggregate ") => {
                format!("create or replace {rest}")
            }
            _ => statement,
        };
        script += &format!("\n{statement}\n");
    }
    script
}

/// Each statement with its `;`, without the comments between them. A body stands between `$$` or `begin atomic` and `end`.
fn statements(script: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut statement = String::new();
    let (mut in_dollars, mut in_atomic) = (false, false);
    for line in script.lines() {
        if statement.is_empty() && (line.trim().is_empty() || line.starts_with("--") || line.starts_with('\\')) {
            continue;
        }
        statement += line;
        in_dollars ^= line.matches("$$").count() % 2 == 1;
        in_atomic = (in_atomic || line == "begin atomic") && line != "end;";
        if line.trim_end().ends_with(';') && !in_dollars && !in_atomic {
            statements.push(std::mem::take(&mut statement));
        } else {
            statement.push('\n');
        }
    }
    statements
}
