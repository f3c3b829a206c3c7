//! Both engines offer the same: functions by name, number of arguments and purity, relations by name and columns.

use crate::compare::Answers;
use crate::engine::{Engine, Host, Kind};
use crate::report::Report;
use anyhow::{ensure, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Those of embeddings and of what contents have in common.
#[rustfmt::skip]
const EMBEDDING_FUNCTIONS: [&str; 16] = [
    "block_touching", "check_embedding", "check_model", "cotaste_learn_embeddings", "cotaste_refresh_embeddings",
    "embedding_json", "embedding_mean", "embedding_similarity", "genre_dimensions", "nearest_contents", "posting_bitmap",
    "posting_length", "posting_shared", "set_content_embedding", "taste_embedding", "to_embedding",
];

/// What the README promises. A function of the extension that is missing here fails the test as one that is missing there.
#[rustfmt::skip]
const FUNCTIONS: [&str; 74] = [
    "always_valid_p", "apply_block", "apply_postings", "block_changes", "chance_to_win", "check_action", "check_content_id", "check_occurred_at", "check_progress",
    "check_rating", "check_user_id", "chi_square_p", "confidence_sequence_lower", "confidence_sequence_upper",
    "context_day_of_week", "context_device", "context_experiment", "context_location", "context_status",
    "context_time_of_day", "context_variant", "cosine_similarity", "cotaste_init", "cotaste_rebuild", "cotaste_refresh",
    "cotaste_refresh_neighbours", "cotaste_refresh_recommendations", "cotaste_version", "critical_z", "day_of_week", "decay", "decayed_weight",
    "expected_loss", "fisher_exact", "follow_events", "follow_taste", "followed_sums", "followed_taste", "forget_user", "from_epoch_us", "genre_list", "genre_vector",
    "half_lives", "jaccard_similarity", "latest_value", "lift_lower", "lift_upper", "newcombe_lower",
    "newcombe_upper", "ordered_json_array", "pooled_z", "posting_changes", "purge_behaviors", "record_behavior", "reproducible_sum", "taste_agg",
    "taste_changes", "taste_genre_shares", "taste_has",
    "taste_genre_cosine", "taste_items", "taste_jaccard", "taste_json", "taste_rollup", "taste_shared_items",
    "taste_similarity", "time_slot", "to_epoch_us", "two_proportion_method", "two_proportion_p", "user_similarity",
    "weighted_similarity", "wilson_lower", "wilson_upper",
];

/// Those of contents' measures.
#[rustfmt::skip]
const MEASURE_FUNCTIONS: [&str; 18] = [
    "base_action", "base_number", "pair_base",
    "day_start_us", "sample_sd", "content_changes", "content_count", "content_merge", "content_number", "content_trend", "cotaste_content_measures", "cotaste_mean_rating",
    "follow_content", "pair_facts", "rating_changes", "set_content_extent", "trend_score", "z_score",
];

/// Those of experiments.
#[rustfmt::skip]
const EXPERIMENT_FUNCTIONS: [&str; 32] = [
    "achieved_power", "barnard_exact", "bh_adjust", "check_dimension", "clopper_pearson_interval",
    "confidence_sequence", "cuped_test", "event_changes", "experiment_arms", "experiment_assign", "experiment_user", "holm_adjust", "lift_intervals",
    "moments", "moments_count", "moments_json", "moments_merge", "msprt_p",
    "newcombe_interval", "omnibus_test", "posterior_difference", "posterior_interval", "prob_best",
    "rating_goal", "ratio_test", "required_sample_size", "result_number", "sample_sizes",
    "srm_test", "two_proportion_test", "welch_test", "wilson_interval",
];

/// The row-returning surface, a view each.
pub const RELATIONS: [&str; 26] = [
    "activity_by_day",
    "activity_by_slot",
    "also_watched",
    "content_metrics",
    "context_quality",
    "cotaste_health",
    "cotaste_health_checks",
    "cotaste_stats",
    "device_usage",
    "experiment_numeric",
    "experiment_results",
    "experiment_segments",
    "experiment_summary",
    "experiment_timeline",
    "favorite_genres",
    "genre_metrics",
    "neighbours_progress",
    "preferred_days",
    "preferred_time_slots",
    "recommendations",
    "similar_content",
    "similar_users",
    "trending_content",
    "trending_zscore",
    "user_analytics",
    "user_genre_embeddings",
];

pub fn run(host: &mut dyn Host, report: &mut Report, answers: &Answers) -> Result<()> {
    let mut engine = host.space()?;
    let functions = functions(engine.as_mut())?;
    report.case("the functions offered are the functions listed", || {
        let offered: BTreeSet<&str> = functions.keys().map(String::as_str).collect();
        let listed: BTreeSet<&str> = FUNCTIONS
            .into_iter()
            .chain(EMBEDDING_FUNCTIONS)
            .chain(MEASURE_FUNCTIONS)
            .chain(EXPERIMENT_FUNCTIONS)
            .collect();
        let missing: Vec<_> = listed.difference(&offered).collect();
        let unlisted: Vec<_> = offered.difference(&listed).collect();
        ensure!(missing.is_empty() && unlisted.is_empty(), "missing {missing:?}, not listed {unlisted:?}");
        Ok(())
    });
    for (name, forms) in functions {
        answers.leave(
            "functions and their purity",
            &name,
            &forms.into_iter().map(|form| vec![form]).collect::<Vec<_>>(),
        )?;
    }
    let columns = columns(engine.as_mut())?;
    report.case("the relations offered include the relations listed", || {
        let missing: Vec<_> = RELATIONS.iter().filter(|name| !columns.contains_key(**name)).collect();
        ensure!(missing.is_empty(), "missing {missing:?}");
        Ok(())
    });
    for (name, columns) in columns {
        let typed = RELATIONS.contains(&name.as_str()) || TABLES.contains(&name.as_str());
        let rows: Vec<_> =
            columns.into_iter().map(|(column, ty)| if typed { vec![column, ty] } else { vec![column] }).collect();
        answers.leave("relations and their columns", &name, &rows)?;
    }
    Ok(())
}

const TABLES: [&str; 6] =
    ["contents", "user_behaviors", "content_embeddings", "neighbours", "cotaste_settings", "cotaste_meta"];

/// By name: `arity purity`, one for each number of arguments.
fn functions(engine: &mut dyn Engine) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let rows = match engine.kind() {
        Kind::Sqlite => engine.query(
            // 0x800 deterministic, 0x200000 innocuous, 0x80000 only from top-level SQL.
            "select name, narg, narg,
               case when type in ('a', 'w') then 'aggregate, ' else '' end ||
               case when flags & 0x80000 then 'writes' when flags & 0x800 and flags & 0x200000 then 'pure'
                 when flags & 0x200000 then 'reads' else 'unmarked' end
             from pragma_function_list where not builtin and name not in ('cotaste_counter', 'cotaste_counters', 'cotaste_log_taste', 'cotaste_pragma')",
        )?,
        Kind::Postgres => engine.query(
            // What aggregates are made of and what only Postgres has is not offered in both.
            "select p.proname::text, p.pronargs - p.pronargdefaults, p.pronargs,
               case when p.prokind = 'a' then 'aggregate, ' else '' end ||
               case when p.provolatile = 'v' then 'writes' when p.proparallel <> 's' then 'unmarked'
                 when p.provolatile = 'i'
                   and (p.proisstrict or p.prokind = 'a' or p.proname in ('follow_events', 'follow_taste', 'follow_content', 'apply_postings', 'apply_block'))
                   then 'pure'
                 when p.provolatile = 's' then 'reads' else 'unmarked' end
             from pg_proc p
             where p.pronamespace = 'public'::regnamespace and not p.proretset and p.prorettype <> 'trigger'::regtype
               and p.oid not in (select unnest(array[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn]::oid[]) from pg_aggregate)
               and p.oid not in (select unnest(array[typinput, typoutput, typreceive, typsend]::oid[]) from pg_type)
               and not exists (select from unnest(p.proargtypes::oid[]) t where t = 'cotaste_unset'::regtype)
               and p.proname not in ('cotaste_add_columns', 'cotaste_drop_relations', 'cotaste_carry_row_security', 'cotaste_grant_reader',
                 'cotaste_grant_writer', 'cotaste_refuse_hidden_rows', 'cotaste_current_similarity', 'cotaste_set_owner',
                 'context_jsonb', 'context_storable', 'embedding_bytes', 'cotaste_not_initialized', 'cotaste_fold',
                 'cotaste_fold_alone', 'cotaste_fold_bulk', 'cotaste_fold_pending', 'cotaste_fold_when_due', 'cotaste_may_fold', 'cotaste_lock', 'cotaste_purge', 'count_postings', 'counted', 'similarity_at_most', 'pending_bounds', 'pending_ords', 'pending_reaching',
                 'extend_genre_order', 'find_finalists', 'gather_lists', 'rank_users', 'recommend_rows', 'taste_contents', 'cotaste_write_learned',
                 'learn_embeddings', 'fold_in_embeddings', 'learned_contents', 'learned_fingerprint', 'learned_embedding')",
        )?,
    };
    let hosts_own = if engine.kind() == Kind::Sqlite { plain_sqlite()? } else { BTreeSet::new() };
    let mut functions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows.into_iter().filter(|row| !hosts_own.contains(&row[0])) {
        let (least, most): (i64, i64) = (row[1].parse()?, row[2].parse()?);
        functions.entry(row[0].clone()).or_default().extend((least..=most).map(|arity| format!("{arity} {}", row[3])));
    }
    if engine.kind() == Kind::Postgres {
        // The schema to put the space in; a SQLite file has only one.
        functions.entry("cotaste_init".into()).or_default().remove("1 writes");
    }
    Ok(functions)
}

/// What SQLite has without the extension: some of it (full-text search) is not marked as built in.
fn plain_sqlite() -> Result<BTreeSet<String>> {
    let connection = rusqlite::Connection::open_in_memory()?;
    let mut statement = connection.prepare("select name from pragma_function_list")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// By relation: its columns in order, each with SQLite's name for its type.
fn columns(engine: &mut dyn Engine) -> Result<BTreeMap<String, Vec<(String, String)>>> {
    let rows = match engine.kind() {
        Kind::Sqlite => engine.query(
            "select m.name, c.name, upper(c.type) from sqlite_master m, pragma_table_xinfo(m.name) c
             where m.type in ('table', 'view') and m.name not like 'sqlite_%' and c.hidden <> 1 order by m.name, c.cid",
        )?,
        Kind::Postgres => engine.query(
            "select c.relname::text, a.attname::text, case format_type(a.atttypid, null)
                 when 'bigint' then 'INTEGER' when 'integer' then 'INTEGER' when 'boolean' then 'INTEGER' when 'double precision' then 'REAL'
                 when 'timestamp with time zone' then 'TEXT' when 'text' then 'TEXT' when 'jsonb' then 'TEXT'
                 when 'bytea' then 'BLOB' when 'real[]' then 'BLOB'
                 else format_type(a.atttypid, null) end
             from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') and a.attname <> 'context_json'
             order by c.relname, a.attnum",
        )?,
    };
    let mut relations: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for row in rows {
        relations.entry(row[0].clone()).or_default().push((row[1].clone(), row[2].clone()));
    }
    Ok(relations)
}
