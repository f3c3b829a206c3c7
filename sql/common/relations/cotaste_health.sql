-- cotaste_health: whether the space is sound, how much it holds, and what it runs on
-- column: status text
-- column: reason text
-- column: record_count bigint
-- column: content_count bigint
-- column: last_activity timestamp
-- column: db_type text
-- column: engine_version text
-- column: schema_version text
-- column: library_version text
-- column: journal_mode text
-- column: in_recovery boolean
-- column: user_count bigint
-- column: pending_keys bigint
-- column: oldest_pending_seconds double
-- column: is_stale boolean
-- column: cached_users bigint
-- column: expired_users bigint
-- column: oldest_cached timestamp
-- column: recent_contexts bigint
-- column: recent_bad_contexts bigint
-- column: engine_settings text
-- with: health_checks
select
  case
    when exists (select 1 from checks where status = 'unhealthy') then 'unhealthy'
    when exists (select 1 from checks where status = 'degraded') then 'degraded'
    else 'healthy'
  end as status,
  coalesce(
    (select advice from checks where status = 'unhealthy' order by place limit 1),
    (select advice from checks where status = 'degraded' order by place limit 1),
    'ok'
  ) as reason,
  record_count,
  content_count,
  from_epoch_us(last_us) as last_activity,
  db_type,
  engine_version,
  schema_version,
  library_version,
  journal_mode,
  in_recovery,
  user_count,
  pending_keys,
  oldest_pending_seconds,
  is_stale,
  cached_users,
  expired_users,
  from_epoch_us(oldest_cached_us) as oldest_cached,
  contexts as recent_contexts,
  bad_contexts as recent_bad_contexts,
  engine_settings
from facts
