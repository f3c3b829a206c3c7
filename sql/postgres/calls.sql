-- What ran, by the server's own counters: of PL/pgSQL functions with track_functions on, and of statements that name a
-- function or view of ours where pg_stat_statements is. Whoever may not see them, or where they are off, gets no rows.
create or replace function cotaste_count_calls() returns table (
  function text, source text, calls bigint, total_ms double precision, worst_ms double precision, row_count bigint, errors bigint
)
language plpgsql stable rows 50
set search_path from current
as $$
declare
  statements text;
begin
  return query
  select
    cast(f.funcname as text), 'pg_stat_user_functions', cast(sum(f.calls) as bigint), sum(f.total_time), cast(null as double precision),
    cast(null as bigint), cast(null as bigint)
  from pg_stat_user_functions f
  where f.schemaname = (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = cast('cotaste_queue' as regclass))
  group by f.funcname;
  select format('%I.pg_stat_statements', n.nspname) into statements
  from pg_extension e join pg_namespace n on n.oid = e.extnamespace
  where e.extname = 'pg_stat_statements';
  if statements is null then
    return;
  end if;
  return query execute
    'select o.name, ''pg_stat_statements'', cast(sum(s.calls) as bigint), sum(s.total_exec_time), max(s.max_exec_time),
       cast(sum(s.rows) as bigint), cast(null as bigint)
     from (select distinct o.name from cotaste_space_objects() o where o.kind in (''function'', ''view'')) o
     join ' || statements || ' s on s.query ~* (''\m'' || o.name || ''\M'')
     where s.dbid = (select d.oid from pg_database d where d.datname = current_database())
       and s.query !~* ''^\s*(create|drop|alter|comment|grant|revoke)\s''
     group by o.name';
exception
  -- Not loaded with the server, or not for this role.
  when object_not_in_prerequisite_state or insufficient_privilege then return;
end
$$;
comment on function cotaste_count_calls() is 'part of cotaste_stats: calls as the server counts them';

-- Calls of functions, by source.
create view cotaste_calls as
select c.function, c.source, c.calls, c.total_ms, c.worst_ms, c.row_count, c.errors from cotaste_count_calls() c;
