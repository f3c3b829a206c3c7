-- The views whose text differs between the engines; their columns do not.

-- The log with the context's columns always filled in and the weight of each event.
create view cotaste_events as
select
  b.user_id,
  b.id,
  b.content_id,
  b.action,
  b.rating,
  b.progress,
  b.context,
  b.occurred_at,
  to_epoch_us(b.occurred_at) as occurred_us,
  b.event_id,
  case when b.context_status is null then context_time_of_day(b.context) else b.time_of_day end as time_of_day,
  case when b.context_status is null then context_day_of_week(b.context) else b.day_of_week end as day_of_week,
  case when b.context_status is null then context_device(b.context) else b.device end as device,
  case when b.context_status is null then context_location(b.context) else b.location end as location,
  case when b.context_status is null then context_experiment(b.context) else b.experiment end as experiment,
  case when b.context_status is null then context_variant(b.context) else b.variant end as variant,
  coalesce(b.context_status, context_status(b.context), 'empty') as context_status,
  coalesce((select cast(s.value as real) from cotaste_settings s where s.key = 'action_weight.' || b.action), 0.0)
    * case when b.action = 'rate' then coalesce((b.rating - 5) / 2.5, 0.0) else 1.0 end as weight
from user_behaviors b;

-- One row a usable genre of a content.
create view content_genres as
select
  c.content_id,
  g.value as genre,
  g.key + 1 as position,
  -- json_array_length would do, were it not refused in views of an untrusted schema before 3.41.
  1.0 / (select count(*) from json_each(g.json)) as share
from contents c
join json_each(genre_list(c.genres)) g;

-- The statement's time.
create view cotaste_clock as
select t.now, to_epoch_us(t.now) as now_us
from (select strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') as now) t;

-- The engine, for cotaste_health.
create view cotaste_engine as
select
  'sqlite' as db_type,
  sqlite_version() as engine_version,
  null as extension_version,
  cotaste_pragma('journal_mode') as journal_mode,
  0 as in_recovery,
  cotaste_pragma('busy_timeout') as busy_timeout,
  null as jit,
  1 as row_security_carried,
  (
    select '{' || group_concat('"' || p.name || '":' || cotaste_pragma(p.name), ',') || '}'
    from (
      select 'auto_vacuum' as name union all select 'busy_timeout' union all select 'cache_size'
      union all select 'freelist_count' union all select 'page_count' union all select 'page_size'
      union all select 'secure_delete' union all select 'synchronous'
    ) p
  ) as engine_settings;

-- When the last event occurred. Times are texts, which sort as the instants do unless another tool wrote them in a form of
-- its own; but not by more than an offset.
create view cotaste_last_activity as
select max(t.last_us) as last_us
from (
  select max(to_epoch_us(b.occurred_at)) as last_us
  from user_behaviors b
  where b.occurred_at >= (select date(substr(max(l.occurred_at), 1, 10), '-2 days') from user_behaviors l)
  union all
  select max(b.last_us) from cotaste_base b
) t;

-- The status of the latest contexts.
create view cotaste_latest_contexts as
select coalesce(b.context_status, context_status(b.context), 'empty') as context_status
from user_behaviors b
order by b.occurred_at desc
limit 1000;

-- What ran in this process, whatever database it was asked of.
create view cotaste_calls as
select
  f.value as function,
  'process' as source,
  cotaste_counter(f.value, 'calls') as calls,
  cotaste_counter(f.value, 'total_ns') / 1e6 as total_ms,
  cotaste_counter(f.value, 'worst_ns') / 1e6 as worst_ms,
  cotaste_counter(f.value, 'rows') as row_count,
  cotaste_counter(f.value, 'errors') as errors
from json_each(cotaste_counters()) f;

-- The settings the state is made with, as one text.
create view cotaste_taste_settings as
select coalesce(group_concat(s.setting, ';'), '') as taste_settings
from (
  select key || '=' || value as setting
  from cotaste_settings
  where key glob 'action_weight.*' or key in ('taste_half_life_hours', 'trending_half_life_hours', 'trending_user_cap')
  order by key
) s;
