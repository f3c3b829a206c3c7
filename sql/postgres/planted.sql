-- Declares the entry points of a build with the feature "planted". For tests; never installed.

create function planted_panic(text) returns text language c strict as '$libdir/cotaste', 'planted_panic_wrapper';
create function planted_panic_index(bigint) returns bigint language c strict as '$libdir/cotaste', 'planted_panic_index_wrapper';
create function planted_panic_rows(text) returns setof bigint language c strict as '$libdir/cotaste', 'planted_panic_rows_wrapper';

create function planted_panic_agg_step(bytea, text) returns bytea
  language c parallel safe as '$libdir/cotaste', 'planted_panic_agg_step_wrapper';
create function planted_panic_agg_combine(bytea, bytea) returns bytea
  language c strict parallel safe as '$libdir/cotaste', 'planted_panic_agg_combine_wrapper';
create function planted_panic_agg_final(bytea) returns text
  language c strict parallel safe as '$libdir/cotaste', 'planted_panic_agg_final_wrapper';
create aggregate planted_panic_agg(text) (
  sfunc = planted_panic_agg_step, stype = bytea, combinefunc = planted_panic_agg_combine,
  finalfunc = planted_panic_agg_final, parallel = safe
);

create function planted_unguarded(integer) returns integer language c strict as '$libdir/cotaste', 'planted_unguarded';
create function planted_busy(double precision) returns double precision language c strict as '$libdir/cotaste', 'planted_busy_wrapper';
create function planted_length(bytea) returns bigint language c strict as '$libdir/cotaste', 'planted_length_wrapper';
