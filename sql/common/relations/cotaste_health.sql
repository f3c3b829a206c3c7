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
select
  case when schema_version = library_version then 'healthy' else 'degraded' end as status,
  case when schema_version = library_version then 'ok' else 'the space and the library differ in version: run select cotaste_init()' end
    as reason,
  record_count,
  content_count,
  from_epoch_us(last_us) as last_activity,
  db_type,
  engine_version,
  schema_version,
  library_version,
  journal_mode,
  in_recovery
from (
  select
    (select cast(count(*) as bigint) from user_behaviors) as record_count,
    (select cast(count(*) as bigint) from contents) as content_count,
    (select max(occurred_us) from cotaste_events) as last_us,
    (select value from cotaste_meta where key = 'schema_version') as schema_version,
    cotaste_version() as library_version,
    e.*
  from cotaste_engine e
) h
