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
  cotaste_journal_mode() as journal_mode,
  0 as in_recovery;

-- The settings the state is made with, as one text.
create view cotaste_taste_settings as
select coalesce(group_concat(s.setting, ';'), '') as taste_settings
from (
  select key || '=' || value as setting
  from cotaste_settings
  where key glob 'action_weight.*' or key in ('taste_half_life_hours', 'trending_half_life_hours', 'trending_user_cap')
  order by key
) s;
