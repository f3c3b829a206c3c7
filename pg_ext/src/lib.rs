//! cotaste for PostgreSQL: the pure functions and aggregates of `cotaste-core` as SQL functions, one line each.
//!
//! Nothing here runs SQL. What SQL sees is written by hand in `sql/postgres/cotaste--*.sql`, where `x_wrapper` is the
//! symbol of the function `x` below; what `cotaste_init()` creates is told by [`space`].

mod aggregates;
mod convert;
mod embeddings;
mod experiment_aggregates;
mod experiment_functions;
mod functions;
mod measures;
#[cfg(feature = "planted")]
mod planted;
mod recommend;
mod space;
mod state;
mod text;

pgrx::pg_module_magic!(name, version);

/// A panic becomes an ERROR; where it happened belongs into the server's log, while pgrx would tell the client.
#[pgrx::pg_guard]
#[allow(non_snake_case)]
extern "C-unwind" fn _PG_init() {
    std::panic::set_hook(Box::new(|panic| {
        if panic.payload().is::<&str>() || panic.payload().is::<String>() {
            eprintln!("cotaste: {panic}");
        }
    }));
}
