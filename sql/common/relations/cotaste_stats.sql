-- cotaste_stats: how often each function ran and how long, by whoever counts it: pg_stat_user_functions and pg_stat_statements where they are on, in SQLite this process
-- column: function text
-- column: source text
-- column: calls bigint
-- column: total_ms double
-- column: mean_ms double
-- column: worst_ms double
-- column: rows bigint
-- column: errors bigint
select
  c.function, c.source, c.calls, c.total_ms, c.total_ms / nullif(c.calls, 0) as mean_ms, c.worst_ms, c.row_count as rows, c.errors
from cotaste_calls c
order by c.total_ms desc, c.function, c.source
