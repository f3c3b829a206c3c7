-- device_usage: the devices each user's contexts name, by events; ties by device
-- key: user_id text
-- column: user_id text
-- column: device text
-- column: events bigint
-- column: share double
-- column: last_used timestamp
-- column: rank bigint
-- kept plan
select
  user_id,
  device,
  events,
  cast(events as double precision) / sum(events) over (partition by user_id) as share,
  from_epoch_us(last_us) as last_used,
  row_number() over (partition by user_id order by events desc, device) as rank
from (
  select e.user_id, e.device, cast(count(*) as bigint) as events, max(e.occurred_us) as last_us
  from cotaste_events e
  cross join cotaste_clock k
  where e.device is not null and e.occurred_us <= k.now_us
  group by e.user_id, e.device
) counted
order by user_id, rank
