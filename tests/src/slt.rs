//! The case files under cases/: sqllogictest, the same text for every engine, each file in a fresh space.

use crate::engine::{Engine, Host, Kind, SqlError};
use crate::report::Report;
use anyhow::Result;
use sqllogictest::{DBOutput, DefaultColumnType, Record, Runner, DB};
use std::path::PathBuf;

pub fn run(host: &mut dyn Host, report: &mut Report) -> Result<()> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(crate::repository().join("tests/cases"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "slt"));
    files.sort();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if report.section(&format!("cases/{name}.slt")) {
            let before = report.passed;
            match run_file(host, report, &file) {
                Ok(()) => report.rows_done("statements and queries", before),
                Err(error) => report.fail("the file runs", &format!("{error:#}")),
            }
        }
    }
    Ok(())
}

fn run_file(host: &mut dyn Host, report: &mut Report, file: &std::path::Path) -> Result<()> {
    let kind = host.kind();
    let mut first = Some(host.space()?);
    let mut runner = Runner::new(|| {
        let engine =
            first.take().ok_or_else(|| SqlError { message: "one connection a file".into(), ..SqlError::default() });
        async move { Ok(Session { engine: engine?, kind }) }
    });
    runner.with_column_validator(|_, _| true);
    for record in sqllogictest::parse_file::<DefaultColumnType>(file)? {
        let line = match &record {
            Record::Statement { loc, .. } | Record::Query { loc, .. } => loc.line(),
            _ => {
                runner.run(record)?;
                continue;
            }
        };
        report.row(&format!("line {line}"), || Ok(runner.run(record).map(drop)?));
    }
    Ok(())
}

struct Session {
    engine: Box<dyn Engine>,
    kind: Kind,
}

impl DB for Session {
    type Error = SqlError;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, SqlError> {
        if sql.trim_end().trim_end_matches(';').contains(";\n") {
            self.engine.exec(sql)?;
            return Ok(DBOutput::StatementComplete(0));
        }
        let mut rows = self.engine.query(sql)?;
        for cell in rows.iter_mut().flatten().filter(|cell| cell.is_empty()) {
            *cell = "(empty)".to_string();
        }
        let types = vec![DefaultColumnType::Any; rows.first().map_or(0, Vec::len)];
        Ok(DBOutput::Rows { types, rows })
    }

    fn engine_name(&self) -> &str {
        match self.kind {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
        }
    }

    fn error_sql_state(error: &SqlError) -> Option<String> {
        error.sqlstate.clone()
    }
}
