//! cotaste for SQLite: glue between the engine and `cotaste_core`.
//!
//! Three kinds of file: [`convert`], [`guard`] and [`statement`] are the passage between the two worlds; [`functions`],
//! [`aggregates`] and [`relation`] register what SQL sees; [`space`] and [`install`] are all that runs SQL of its own.
//! The crate is a loadable extension and only that: it has no use for a SQLite of its own and speaks to the host's through
//! the API pointer passed to [`entry`]. Without the feature `loadable` it is empty.
#![cfg(feature = "loadable")]

mod aggregates;
mod calls;
mod convert;
mod embeddings;
mod entry;
mod experiment_aggregates;
mod experiment_functions;
mod failure;
mod fold;
mod functions;
mod guard;
mod host;
mod install;
mod kept;
mod measures;
mod neighbours;
mod pair;
mod parse_context;
#[cfg(feature = "planted")]
mod planted;
mod purge;
mod recommend;
mod relation;
mod scalar;
mod space;
mod statement;
