-- What the common views stand on: the same columns as in SQLite, in Postgres' words.

-- The time of the statement, one row.
create view cotaste_clock as
select statement_timestamp() as now, to_epoch_us(statement_timestamp()) as now_us;

-- The engine this space is in, one row.
create view cotaste_engine as
select
  'postgres' as db_type,
  current_setting('server_version') as engine_version,
  (select cast(e.extversion as text) from pg_extension e where e.extname = 'cotaste') as extension_version,
  cast(null as text) as journal_mode,
  pg_is_in_recovery() as in_recovery,
  cast(null as bigint) as busy_timeout,
  pg_jit_available() as jit,
  -- Whether the policies of the log hold for what is derived of it.
  not exists (
    select from pg_class l
    join pg_class c on c.relnamespace = l.relnamespace and c.relkind = 'r'
    where l.oid = cast('user_behaviors' as regclass) and l.relrowsecurity and c.oid = cast('cotaste_users' as regclass)
      and not c.relrowsecurity
  ) as row_security_carried,
  cast(json_build_object(
    'autovacuum', current_setting('autovacuum'), 'jit', current_setting('jit'),
    'shared_buffers', current_setting('shared_buffers'), 'synchronous_commit', current_setting('synchronous_commit'),
    'track_functions', current_setting('track_functions'), 'work_mem', current_setting('work_mem')
  ) as text) as engine_settings;

-- When the last event occurred.
create view cotaste_last_activity as
select greatest(
  (select to_epoch_us(max(b.occurred_at)) from user_behaviors b), (select max(b.last_us) from cotaste_base b)
) as last_us;

-- The status of the latest contexts.
create view cotaste_latest_contexts as
select b.context_status from user_behaviors b order by b.occurred_at desc limit 1000;

-- The log with each event's time as a number and its weight as a sign of taste.
create view cotaste_events as
select
  b.user_id, b.id, b.content_id, b.action, b.rating, b.progress, b.context, b.occurred_at,
  to_epoch_us(b.occurred_at) as occurred_us, b.event_id,
  b.time_of_day, b.day_of_week, b.device, b.location, b.experiment, b.variant, b.context_status,
  coalesce(cast(s.value as double precision), 0)
    * case when b.action = 'rate' then coalesce((b.rating - 5) / 2.5, 0) else 1 end as weight
from user_behaviors b
left join cotaste_settings s on s.key = 'action_weight.' || b.action;

-- The usable genres of each content in their order, from 1, and the share of each.
create view content_genres as
select
  c.content_id, g.genre collate "C" as genre, g."position",
  1 / cast(json_array_length(cast(genre_list(c.genres) as json)) as double precision) as share
from contents c
cross join lateral json_array_elements_text(cast(genre_list(c.genres) as json)) with ordinality g(genre, "position");

-- The settings the state is made with, as one text.
create view cotaste_taste_settings as
select coalesce(string_agg(s.key || '=' || s.value, ';' order by s.key), '') as taste_settings
from cotaste_settings s
where s.key like 'action\_weight.%' or s.key in ('taste_half_life_hours', 'trending_half_life_hours', 'trending_user_cap');
