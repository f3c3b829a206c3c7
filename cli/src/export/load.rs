//! What other systems load the export by: a list of its files, and a statement for each system.

use super::manifest::replace;
use super::Manifest;
use crate::failure::Result;
use std::path::Path;

/// Writes `files.txt` and `load-*.sql`. `prefix` is where the folder will be read from: a bucket's URI, or a path.
pub fn write(folder: &Path, manifest: &Manifest, prefix: &str) -> Result<()> {
    let prefix = prefix.trim_end_matches('/');
    let uris: Vec<String> = manifest.files.values().map(|file| format!("{prefix}/{}", file.path)).collect();
    replace(&folder.join("files.txt"), &uris.iter().map(|uri| format!("{uri}\n")).collect::<String>())?;
    replace(&folder.join("load-duckdb.sql"), &duckdb(&uris))?;
    replace(&folder.join("load-bigquery.sql"), &bigquery(prefix))?;
    replace(&folder.join("load-snowflake.sql"), &snowflake(manifest))
}

fn quoted(texts: &[String]) -> String {
    let lines: Vec<String> = texts.iter().map(|text| format!("  '{}'", text.replace('\'', "''"))).collect();
    lines.join(",\n")
}

fn duckdb(uris: &[String]) -> String {
    let files = quoted(uris);
    format!("create or replace view user_behaviors as\nselect * from read_parquet([\n{files}\n], hive_partitioning = true, hive_types = {{'day': date}});\n")
}

/// The list of files is a manifest that BigQuery reads itself.
fn bigquery(prefix: &str) -> String {
    format!(
        "-- Put a dataset's name before the table's.\ncreate or replace external table user_behaviors\nwith partition columns (day date)\noptions (\n  \
         format = 'PARQUET',\n  file_set_spec_type = 'NEW_LINE_DELIMITED_MANIFEST',\n  uris = ['{prefix}/files.txt'],\n  hive_partition_uri_prefix = '{prefix}'\n);\n"
    )
}

/// COPY takes a thousand files at most, so there are as many statements as that needs.
fn snowflake(manifest: &Manifest) -> String {
    let mut text = String::from(
        "-- @cotaste is a stage on the export's folder.\ncreate or replace table user_behaviors (\n  id number, user_id varchar, content_id number, action varchar, rating double, progress double,\n  \
         context varchar, occurred_at timestamp_tz, event_id varchar, time_of_day varchar, day_of_week varchar, device varchar,\n  location varchar, experiment varchar, variant varchar, context_status varchar\n);\n",
    );
    let paths: Vec<String> = manifest.files.values().map(|file| file.path.clone()).collect();
    for some in paths.chunks(1000) {
        text += &format!(
            "copy into user_behaviors from @cotaste\nfiles = (\n{}\n)\nfile_format = (type = parquet use_logical_type = true) match_by_column_name = case_insensitive;\n",
            quoted(some)
        );
    }
    text
}
