-- What cotaste_health and cotaste_stats are made of. Everything here must stay cheap in a space of many million events.

-- How many events there are, purged ones too, without counting the log: all that are folded, and what of each pair in the queue is not. An
-- event of the future is not folded, and its pair is in the queue. With very much in the queue counting is cheaper.
create view cotaste_event_count as
select cast(case
  when p.stale or (select count(*) from (select 1 as one from cotaste_queue q limit 20001) few) > 20000
    then (select count(*) from user_behaviors) + coalesce((select sum(b.events) from cotaste_base b), 0)
  else coalesce((select sum(c.events) from cotaste_contents c), 0)
    + coalesce((
      select sum(
        (select count(*) from user_behaviors b where b.user_id = k.user_id and b.content_id = k.content_id)
        + coalesce((
          select b.events from cotaste_base b where b.user_id = k.user_id and b.content_id = k.content_id
        ), 0)
        - coalesce((
          select s.events from cotaste_user_contents s where s.user_id = k.user_id and s.content_id = k.content_id
        ), 0)
      )
      from (select distinct q.user_id, q.content_id from cotaste_queue q where q.content_id is not null) k
      where not exists (select 1 from cotaste_queue w where w.user_id = k.user_id and w.content_id is null)
    ), 0)
    + coalesce((
      select sum(
        (select count(*) from user_behaviors b where b.user_id = k.user_id)
        + coalesce((select sum(b.events) from cotaste_base b where b.user_id = k.user_id), 0)
        - coalesce((select sum(s.events) from cotaste_user_contents s where s.user_id = k.user_id), 0)
      )
      from (
        select distinct q.user_id from cotaste_queue q
        where q.content_id is null and q.due_us < 9223372036854775807
      ) k
    ), 0)
end as bigint) as events
from cotaste_parameters p;

-- The thresholds of cotaste_health, what is missing at its default.
create view cotaste_health_limits as
select
  coalesce((select cast(value as bigint) from cotaste_settings where key = 'health_pending_keys'), 10000) as pending_keys,
  coalesce((select cast(value as double precision) from cotaste_settings where key = 'health_pending_minutes'), 15)
    as pending_minutes,
  coalesce((select cast(value as double precision) from cotaste_settings where key = 'health_expired_share'), 0.5)
    as expired_share,
  coalesce((select cast(value as double precision) from cotaste_settings where key = 'health_bad_context_share'), 0.05)
    as bad_context_share;

-- Everything that is looked at, once, one row.
create view cotaste_health_facts as
select
  (select c.events from cotaste_event_count c) as record_count,
  (select cast(count(*) as bigint) from contents) as content_count,
  (select cast(count(*) as bigint) from cotaste_users) as user_count,
  (select l.last_us from cotaste_last_activity l) as last_us,
  (select m.value from cotaste_meta m where m.key = 'schema_version') as schema_version,
  cotaste_version() as library_version,
  (select p.stale from cotaste_parameters p) as is_stale,
  q.pending_keys,
  cast(k.now_us - q.oldest_us as double precision) / 1000000 as oldest_pending_seconds,
  (select cast(count(*) as bigint) from cotaste_neighbour_runs) as cached_users,
  (
    select cast(count(*) as bigint) from cotaste_neighbour_runs r, cotaste_parameters p
    where r.computed_us <= k.now_us - p.cache_ttl_hours * 3600000000.0
  ) as expired_users,
  (select min(r.computed_us) from cotaste_neighbour_runs r) as oldest_cached_us,
  c.contexts,
  c.bad_contexts,
  e.db_type, e.engine_version, e.extension_version, e.journal_mode, e.in_recovery, e.engine_settings, e.busy_timeout, e.row_security_carried,
  e.jit
from cotaste_clock k
cross join cotaste_engine e
cross join (
  -- A key that waited for its time is pending since then.
  select
    cast(count(*) as bigint) as pending_keys,
    min(case when q.due_us > to_epoch_us(q.queued_at) then q.due_us else to_epoch_us(q.queued_at) end) as oldest_us
  from cotaste_queue q
  where q.due_us <= (select n.now_us from cotaste_clock n)
) q
cross join (
  select
    cast(count(case when r.context_status <> 'empty' then 1 end) as bigint) as contexts,
    cast(count(case when r.context_status in ('malformed', 'not_object') then 1 end) as bigint) as bad_contexts
  from (select l.context_status from cotaste_latest_contexts l) r
) c;
