//! What `cotaste_init()` executes: the texts of `sql/postgres` and `sql/common`, and the relations of the core's
//! catalogue written as Postgres views and functions. Pure text; nothing here runs SQL.

use crate::convert::report;
use cotaste_core::catalogue::{
    relations, Named, Relation, Type, ADOPT, CONTENTS, CONTENT_MEASURES, EXPERIMENT_VIEWS, HEALTH, MEAN_RATING,
    SETTINGS, STATE, VIEWS,
};
use cotaste_core::Error;
use pgrx::prelude::*;

const TABLES: &str = include_str!("../../sql/postgres/tables.sql");
const ENGINE_VIEWS: &str = include_str!("../../sql/postgres/views.sql");
const STATE_TABLES: &str = include_str!("../../sql/postgres/state.sql");
const FOLD: &str = include_str!("../../sql/postgres/fold.sql");
const MEASURES: &str = include_str!("../../sql/postgres/measures.sql");
const NEIGHBOURS: &str = include_str!("../../sql/postgres/neighbours.sql");
const RECOMMEND: &str = include_str!("../../sql/postgres/recommend.sql");
const TRIGGERS: &str = include_str!("../../sql/postgres/triggers.sql");
const CALLS: &str = include_str!("../../sql/postgres/calls.sql");
const OPERATE: &str = include_str!("../../sql/postgres/operate.sql");
const TASTES: &str = include_str!("../../sql/postgres/tastes.sql");
const ENGINE_CONTENTS: &str = include_str!("../../sql/postgres/contents.sql");
const EMBEDDINGS: &str = include_str!("../../sql/postgres/embeddings.sql");
const FUNCTIONS: &str = include_str!("../../sql/postgres/functions.sql");

/// Without it the planner takes one-row tables for tables of hundreds of rows, and joins of them for work worth JIT.
/// And the queue, which is empty now, for one that is cheaper to scan than to look up in.
const ANALYZE: &str = "analyze cotaste_parameters, cotaste_fold_state, cotaste_queue, cotaste_settings, cotaste_meta";

/// The texts in order; each is executed as a whole and may hold several statements. `@space@` stands for the schema.
#[pg_extern]
fn cotaste_space_sql() -> SetOfIterator<'static, String> {
    let tables = [TABLES, STATE_TABLES].map(String::from);
    let views = [ENGINE_VIEWS, VIEWS, EXPERIMENT_VIEWS, STATE, HEALTH].map(replaceable);
    let measures = MEASURES.replace("@content_measures@", CONTENT_MEASURES).replace("@mean_rating@", MEAN_RATING);
    let functions_of_state = [
        FOLD.to_string(),
        replaceable(TASTES),
        NEIGHBOURS.to_string(),
        RECOMMEND.to_string(),
        measures,
        replaceable(CALLS),
    ];
    let contents = [ENGINE_CONTENTS, CONTENTS].map(replaceable).into_iter().chain([EMBEDDINGS.to_string()]);
    let relations = relations().iter().map(|relation| [view(relation), functions(relation)].concat());
    let rest = [FUNCTIONS, OPERATE, TRIGGERS, SETTINGS, ADOPT, ANALYZE].map(String::from);
    let parts = tables.into_iter().chain(views).chain(functions_of_state).chain(contents).chain(relations).chain(rest);
    SetOfIterator::new(parts)
}

/// Functions of the relations' names for a schema that has no space yet: they answer NOT_INITIALIZED. Their text
/// parameters are of a domain, so that the space's own functions always win once they exist; one that may be left out
/// would not decide.
#[pg_extern]
fn cotaste_stand_in_sql() -> SetOfIterator<'static, String> {
    let takes_text = |relation: &&Relation| {
        parameters(relation).iter().any(|p| p.r#type == Type::Text && default(relation, p).is_empty())
    };
    SetOfIterator::new(relations().iter().filter(takes_text).map(stand_in))
}

/// Stands in for every function of a space before there is one.
#[pg_extern]
fn cotaste_not_initialized() -> bool {
    report(&Error::not_initialized())
}

/// The views' text serves SQLite too, so what only Postgres has is added here. The lines before a view become its
/// comment.
fn replaceable(views: &str) -> String {
    let mut sql = String::new();
    let mut comments = String::new();
    let mut words: Vec<&str> = Vec::new();
    for line in views.lines() {
        let name = line.strip_prefix("create view ").and_then(|rest| rest.strip_suffix(" as"));
        if let Some(name) = name {
            comments += &format!("comment on view {name} is '{}';\n", words.join(" ").replace('\'', "''"));
            sql.extend([create_view(name).as_str(), "\n"]);
        } else {
            sql.extend([line, "\n"]);
        }
        match line.strip_prefix("-- ") {
            Some(more) => words.push(more),
            None => words.clear(),
        }
    }
    sql + &comments
}

/// Who reads a view needs the rights on its tables, and their row-level security holds.
fn create_view(name: &str) -> String {
    format!("create or replace view {name} with (security_invoker = true) as")
}

fn view(relation: &Relation) -> String {
    if !relation.is_view {
        return String::new();
    }
    let (name, comment, columns) = (relation.name, comment(relation), columns(relation));
    let body = without_parameters(&relation.body, &parameters(relation));
    format!("{}\nselect {columns}\nfrom (\n{body}\n) r;\ncomment on view {name} is '{comment}';\n", create_view(name))
}

/// The function with the arguments, and for relations about users the same for ids of other types.
fn functions(relation: &Relation) -> String {
    let parameters = parameters(relation);
    if parameters.is_empty() && relation.is_view {
        return String::new();
    }
    let wanted = relation.key.map_or(String::new(), |key| format!("\nwhere r.{} = $1", quote(key.name)));
    let body = format!("select {}\nfrom (\n{}\n) r{wanted}", columns(relation), relation.body);
    let mut sql = if relation.is_kept {
        kept(relation, &parameters, &body)
    } else {
        function(relation, &parameters, "text", &body)
    };
    if parameters.iter().any(is_user) {
        let passed: Vec<String> = (1..)
            .zip(&parameters)
            .map(|(n, p)| if is_user(p) { format!("cast(${n} as text)") } else { format!("${n}") })
            .collect();
        let body = format!("select * from {}({})", relation.name, passed.join(", "));
        sql.extend(["bigint", "uuid"].map(|id| function(relation, &parameters, id, &body)));
    }
    sql
}

/// PL/pgSQL keeps the plan of what it calls, and what is called is bound when it is created. A plan costs its start even
/// where nothing is read, so the one without [`MORE`] is tried first.
fn kept(relation: &Relation, parameters: &[Named], body: &str) -> String {
    let passed = list(&(1..=parameters.len()).collect::<Vec<_>>(), |n| format!("${n}"));
    let part = |ending: &str, body: &str| {
        let name = format!("cotaste_{}_{ending}", relation.name);
        let definition = bound(body);
        let sql = declaration(&name, &format!("part of {}", relation.name), relation, parameters, "text", &definition);
        (sql, format!("  return query select * from @space@.{name}({passed});\n"))
    };
    let (mut sql, mut calls) = part("of", body);
    if let Some(short) = without_more(body) {
        let (short, call) = part("short", &short);
        sql += &short;
        calls = format!("{call}  if not found then\n  {calls}  end if;\n");
    }
    let call = format!(
        "language plpgsql stable parallel safe rows 100\nset plan_cache_mode = force_generic_plan\nset jit = off\n\
         as $$\nbegin\n{calls}end\n$$;\n"
    );
    sql + &declaration(relation.name, &comment(relation), relation, parameters, "text", &call)
}

/// Around the part of a body that has a row only where the rest has none.
const MORE: [&str; 2] = ["/* more */", "/* end more */"];

fn without_more(body: &str) -> Option<String> {
    let (before, rest) = body.split_once(MORE[0])?;
    let (_, after) = rest.split_once(MORE[1])?;
    Some([before, after].concat())
}

/// The body is bound when it is created, so that no search_path changes it, and inlined where it is called.
fn function(relation: &Relation, parameters: &[Named], user_id: &str, body: &str) -> String {
    declaration(relation.name, &comment(relation), relation, parameters, user_id, &bound(body))
}

fn bound(body: &str) -> String {
    format!("language sql stable parallel safe rows 100\nbegin atomic\n{body};\nend;\n")
}

fn declaration(
    name: &str,
    comment: &str,
    relation: &Relation,
    parameters: &[Named],
    user_id: &str,
    definition: &str,
) -> String {
    let type_of = |p: &Named| if is_user(p) { user_id } else { p.r#type.postgres() };
    let declared = list(parameters, |p| format!("{} {}{}", quote(p.name), type_of(p), default(relation, p)));
    let types = list(parameters, |p| type_of(p).to_string());
    let returns = if relation.is_view {
        format!("setof {}", relation.name)
    } else {
        format!("table ({})", typed_columns(relation))
    };
    format!(
        "create or replace function {name}({declared}) returns {returns}\n{definition}\
         comment on function {name}({types}) is '{comment}';\n"
    )
}

/// It returns the relation's columns, so that a query naming them gets as far as the error.
fn stand_in(relation: &Relation) -> String {
    let parameters = parameters(relation);
    let type_of = |p: &Named| if p.r#type == Type::Text { "cotaste_unset" } else { p.r#type.postgres() };
    let declared = list(&parameters, |p| format!("{} {}{}", quote(p.name), type_of(p), default(relation, p)));
    let types = list(&parameters, |p| type_of(p).to_string());
    let (name, row) = (relation.name, format!("cotaste_unset_{}", relation.name));
    format!(
        "create type {row} as ({});\n\
         comment on type {row} is 'a row of {name}, until cotaste_init() has run';\n\
         create function {name}({declared}) returns setof {row} language c stable parallel safe\n\
         as '$libdir/cotaste', 'cotaste_not_initialized_wrapper';\n\
         comment on function {name}({types}) is 'stands in until cotaste_init() has run';\n",
        typed_columns(relation)
    )
}

fn parameters(relation: &Relation) -> Vec<Named> {
    relation.key.iter().chain(&relation.arguments).copied().collect()
}

/// The key and users are required; all else has a default, which NULL asks for.
fn default(relation: &Relation, parameter: &Named) -> &'static str {
    if relation.key == Some(*parameter) || is_user(parameter) {
        ""
    } else {
        " default null"
    }
}

/// A relation about users takes their ids as bigint and uuid too.
fn is_user(parameter: &Named) -> bool {
    parameter.r#type == Type::Text && matches!(parameter.name, "user_id" | "for_user_id" | "a" | "b")
}

/// The casts hold the published types, whatever the engine computes with.
fn columns(relation: &Relation) -> String {
    list(&relation.columns, |c| format!("cast(r.{0} as {1}) as {0}", quote(c.name), c.r#type.postgres()))
}

fn typed_columns(relation: &Relation) -> String {
    list(&relation.columns, |c| format!("{} {}", quote(c.name), c.r#type.postgres()))
}

/// The body as a view has it: each `$n` is its default, NULL.
fn without_parameters(body: &str, parameters: &[Named]) -> String {
    let mut parts = body.split('$');
    let mut text = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = part.split_at(digits);
        match number.parse::<usize>().ok().and_then(|n| parameters.get(n.checked_sub(1)?)) {
            Some(p) => text.extend(["cast(null as ", p.r#type.postgres(), ")", rest]),
            None => text.extend(["$", part]),
        }
    }
    text
}

fn comment(relation: &Relation) -> String {
    relation.comment.replace('\'', "''")
}

fn list<T>(items: &[T], each: impl Fn(&T) -> String) -> String {
    items.iter().map(each).collect::<Vec<_>>().join(", ")
}

fn quote(name: &str) -> String {
    format!("\"{name}\"")
}
