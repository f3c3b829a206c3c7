facts as materialized (
  select f.*, l.pending_keys as pending_limit, l.pending_minutes, l.expired_share, l.bad_context_share
  from cotaste_health_facts f
  cross join cotaste_health_limits l
),
checks as materialized (
  select
    1 as place, 'schema_version' as name,
    case when schema_version = library_version then 'ok' else 'degraded' end as status,
    schema_version as value, library_version as threshold,
    'the space and the library differ in version: install the newer library, then run select cotaste_init()' as advice
  from facts
  union all
  select
    2, 'extension_version', case when extension_version = library_version then 'ok' else 'degraded' end,
    extension_version, library_version,
    'the extension and the library differ in version: run alter extension cotaste update, then select cotaste_init()'
  from facts
  where extension_version is not null
  union all
  select
    3, 'state', case when is_stale then 'degraded' else 'ok' end, case when is_stale then 'stale' else 'current' end, 'current',
    'the state is out of date as a whole and every answer comes from the log: run select cotaste_refresh()'
  from facts
  union all
  select
    4, 'pending_keys',
    case when pending_keys > 10 * pending_limit then 'unhealthy' when pending_keys > pending_limit then 'degraded' else 'ok' end,
    cast(pending_keys as text), cast(pending_limit as text),
    'reads slow down with every pending key: run select cotaste_refresh(), and have a scheduler run it'
  from facts
  union all
  -- Rounded down, here and below: not every SQLite has floor().
  select
    5, 'oldest_pending_minutes',
    case
      when oldest_pending_seconds > 600 * pending_minutes then 'unhealthy'
      when oldest_pending_seconds > 60 * pending_minutes then 'degraded'
      else 'ok'
    end,
    cast(cast(round(oldest_pending_seconds / 60 - 0.499999) as bigint) as text), cast(cast(pending_minutes as bigint) as text),
    'nothing folds: have a scheduler run select cotaste_refresh()'
  from facts
  union all
  select
    6, 'expired_neighbours', case when expired_users > expired_share * cached_users then 'degraded' else 'ok' end,
    cast(expired_users as text), cast(cast(round(expired_share * cached_users - 0.499999) as bigint) as text),
    'the cache of neighbours is old and similar_users computes anew: have a scheduler run select cotaste_refresh_neighbours()'
  from facts
  union all
  select
    7, 'bad_contexts', case when bad_contexts >= 10 and bad_contexts > bad_context_share * contexts then 'degraded' else 'ok' end,
    cast(bad_contexts as text), cast(cast(round(bad_context_share * contexts - 0.499999) as bigint) as text),
    'of the contexts of the latest 1,000 events so many are no JSON objects: see context_quality, and mend the client that sends them'
  from facts
  union all
  select
    8, 'journal_mode', case when journal_mode in ('wal', 'memory') then 'ok' else 'notice' end, journal_mode, 'wal',
    'readers and the writer wait for each other: run sql/sqlite/tune.sql'
  from facts
  where journal_mode is not null
  union all
  select
    9, 'busy_timeout', case when busy_timeout > 0 then 'ok' else 'notice' end, cast(busy_timeout as text), '5000',
    'a writer that meets another fails at once: run pragma busy_timeout = 5000 on every connection'
  from facts
  where busy_timeout is not null
  union all
  select
    10, 'in_recovery', case when in_recovery then 'notice' else 'ok' end, case when in_recovery then 'yes' else 'no' end, 'no',
    'a standby answers and does not fold: refresh on the primary'
  from facts
  union all
  select
    11, 'row_security', case when row_security_carried then 'ok' else 'unhealthy' end,
    case when row_security_carried then 'carried' else 'not carried' end, 'carried',
    'the policies of user_behaviors do not hold for what is derived of it: run select cotaste_carry_row_security()'
  from facts
  union all
  select
    12, 'jit', case when jit then 'notice' else 'ok' end, case when jit then 'on' else 'off' end, 'off',
    'views that answer from the state in milliseconds are compiled for a second at every call: run alter database ... set jit = off'
  from facts
  where jit is not null
)
