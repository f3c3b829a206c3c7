//! The row-returning things of a space, from the headers of `sql/common/relations/*.sql`: one list from which both
//! engines make their views and functions, and the documentation its tables.
//!
//! A file starts with comment lines, then one select:
//!
//! ```sql
//! -- favorite_genres: a user's genres by decayed weight
//! -- key: user_id text
//! -- argument: k bigint
//! -- column: user_id text
//! -- column: genre text
//! select ...
//! ```
//!
//! The key is an output column the function filters by; arguments are optional, NULL meaning the default. The select
//! calls them `$1`, `$2`, ... in order, the key first, or by their names: `$k`. `-- with: NAME` puts the common table
//! expressions of `sql/common/parts/NAME.sql` in front of the select.

use std::sync::LazyLock;

/// The building blocks: `create view` statements, the same text in both engines.
pub const VIEWS: &str = include_str!("../../sql/common/views.sql");

/// The building blocks of experiments, after those of [`VIEWS`].
pub const EXPERIMENT_VIEWS: &str = include_str!("../../sql/common/experiment_views.sql");

/// The state computed from scratch, and what is current: views again.
pub const STATE: &str = include_str!("../../sql/common/state.sql");

/// The measures of one content, with what is not folded yet: a select of `$1`, the content, and `$2`, the time.
pub const CONTENT_MEASURES: &str = include_str!("../../sql/common/content_measures.sql");

/// The mean of every user's last rating of every content: a select.
pub const MEAN_RATING: &str = include_str!("../../sql/common/mean_rating.sql");

/// What contents have in common: views over the state.
pub const CONTENTS: &str = include_str!("../../sql/common/contents.sql");

/// What health is told by: views again.
pub const HEALTH: &str = include_str!("../../sql/common/health.sql");

/// What makes a space that is older than its state's tables whole.
pub const ADOPT: &str = include_str!("../../sql/common/adopt.sql");

/// The settings every space starts with.
pub const SETTINGS: &str = include_str!("../../sql/common/settings.sql");

/// A column's type, one of five plain ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Type {
    Text,
    Bigint,
    Double,
    Timestamp,
    Boolean,
}

impl Type {
    /// Its name in Postgres.
    pub const fn postgres(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bigint => "bigint",
            Self::Double => "double precision",
            Self::Timestamp => "timestamptz",
            Self::Boolean => "boolean",
        }
    }

    /// Its name in SQLite; times are ISO 8601 texts, booleans 0 and 1.
    pub const fn sqlite(self) -> &'static str {
        match self {
            Self::Text | Self::Timestamp => "TEXT",
            Self::Bigint | Self::Boolean => "INTEGER",
            Self::Double => "REAL",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Self::Text,
            "bigint" => Self::Bigint,
            "double" => Self::Double,
            "timestamp" => Self::Timestamp,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }
}

/// A column or an argument: its name and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Named {
    pub name: &'static str,
    pub r#type: Type,
}

/// One row-returning thing: a view and, where it has a key or arguments, a function of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its name in SQL.
    pub name: &'static str,
    /// What it is, in one line.
    pub comment: &'static str,
    /// What its rows hold.
    pub columns: Vec<Named>,
    /// The column the function's first argument filters by.
    pub key: Option<Named>,
    /// The optional arguments after the key.
    pub arguments: Vec<Named>,
    /// Whether it exists without arguments, as a view.
    pub is_view: bool,
    /// Whether planning takes longer than answering: the function keeps its plan where an engine lets it.
    pub is_kept: bool,
    /// One select giving the columns in order.
    pub body: String,
}

macro_rules! relation_files {
    ($($name:literal),* $(,)?) => {
        [$(include_str!(concat!("../../sql/common/relations/", $name, ".sql"))),*]
    };
}

/// In the order of creation: a relation may read those before it.
const FILES: [&str; 37] = relation_files![
    "user_similarity_detail",
    "similar_users",
    "shared_content",
    "shared_genres",
    "neighbours_progress",
    "recommend",
    "recommend_for_all",
    "recommendations",
    "evaluate_recommender",
    "content_metrics",
    "trending_content",
    "trending_zscore",
    "genre_metrics",
    "favorite_genres",
    "preferred_time_slots",
    "preferred_days",
    "device_usage",
    "user_analytics",
    "cotaste_watched_with",
    "cotaste_similar_by_users",
    "also_watched",
    "similar_content",
    "user_genre_embeddings",
    "experiment_results",
    "experiment_summary",
    "experiment_timeline",
    "experiment_segments",
    "experiment_numeric",
    "activity_by_slot",
    "activity_by_day",
    "context_quality",
    "cotaste_health",
    "cotaste_health_checks",
    "cotaste_stats",
    "cotaste_verify",
    "cotaste_traces",
    "purge_preview",
];

/// Common table expressions that several relations start with.
const PARTS: [(&str, &str); 7] = [
    ("experiment_log", include_str!("../../sql/common/parts/experiment_log.sql")),
    ("experiment_others", include_str!("../../sql/common/parts/experiment_others.sql")),
    ("health_checks", include_str!("../../sql/common/parts/health_checks.sql")),
    ("experiment_units", include_str!("../../sql/common/parts/experiment_units.sql")),
    ("experiment_users", include_str!("../../sql/common/parts/experiment_users.sql")),
    ("experiment_arms", include_str!("../../sql/common/parts/experiment_arms.sql")),
    ("experiment_everyone", include_str!("../../sql/common/parts/experiment_everyone.sql")),
];

/// All relations, in the order of creation.
pub fn relations() -> &'static [Relation] {
    static RELATIONS: LazyLock<Vec<Relation>> = LazyLock::new(|| FILES.into_iter().filter_map(read).collect());
    &RELATIONS
}

/// A relation from the text of its file.
pub fn read(file: &'static str) -> Option<Relation> {
    let (first, mut rest) = file.split_once('\n')?;
    let (name, comment) = first.strip_prefix("-- ")?.split_once(": ")?;
    let mut relation = Relation {
        name,
        comment,
        columns: vec![],
        key: None,
        arguments: vec![],
        is_view: true,
        is_kept: false,
        body: String::new(),
    };
    let mut parts = Vec::new();
    while let Some(line) = rest.strip_prefix("-- ") {
        let (line, after) = line.split_once('\n')?;
        match line.split_once(": ") {
            Some(("key", text)) => relation.key = Some(named(text)?),
            Some(("argument", text)) => relation.arguments.push(named(text)?),
            Some(("column", text)) => relation.columns.push(named(text)?),
            Some(("with", name)) => parts.push(PARTS.iter().find(|(part, _)| *part == name)?.1.trim()),
            _ if line == "function only" => relation.is_view = false,
            _ if line == "kept plan" => relation.is_kept = true,
            _ => return None,
        }
        rest = after;
    }
    let select = rest.trim().trim_end_matches(';');
    let with = if parts.is_empty() { String::new() } else { format!("with {}\n", parts.join(",\n")) };
    relation.body = with_numbers(with + select, &relation);
    Some(relation)
}

/// Parameters called by their names get their numbers.
fn with_numbers(body: String, relation: &Relation) -> String {
    let mut names: Vec<(&str, usize)> =
        relation.key.iter().chain(&relation.arguments).map(|p| p.name).zip(1..).collect();
    // A name may be the beginning of another.
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names.into_iter().fold(body, |body, (name, number)| body.replace(&format!("${name}"), &format!("${number}")))
}

fn named(text: &'static str) -> Option<Named> {
    let (name, r#type) = text.split_once(' ')?;
    Some(Named { name, r#type: Type::named(r#type)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_relation() {
        assert_eq!(relations().len(), FILES.len());
        for relation in relations() {
            assert!(!relation.columns.is_empty() && relation.body.starts_with(['s', 'w']), "{}", relation.name);
            let unknown = relation.body.split('$').skip(1).find(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()));
            assert_eq!(unknown, None, "{}", relation.name);
            assert!(relation.key.is_none_or(|key| relation.columns.contains(&key)), "{}", relation.name);
        }
    }
}
