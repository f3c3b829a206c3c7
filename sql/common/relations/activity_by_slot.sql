-- activity_by_slot: how many events of how many users there are in each time slot, by the clock
-- argument: zone text
-- argument: from_time timestamp
-- argument: to_time timestamp
-- column: slot text
-- column: hours bigint
-- column: events bigint
-- column: users bigint
-- column: share double
-- column: events_per_hour double
select
  s.slot,
  s.hours,
  coalesce(c.events, 0) as events,
  coalesce(c.users, 0) as users,
  coalesce(cast(c.events as double precision) / sum(c.events) over (), 0.0) as share,
  cast(coalesce(c.events, 0) as double precision) / s.hours as events_per_hour
from cotaste_slots s
left join (
  select e.slot, cast(count(*) as bigint) as events, cast(count(distinct e.user_id) as bigint) as users
  from (
    select e.user_id, time_slot(e.occurred_at, coalesce($zone, p.time_zone)) as slot
    from cotaste_events e
    cross join cotaste_parameters p
    cross join cotaste_clock k
    where e.occurred_us <= k.now_us
      and e.occurred_us >= coalesce(to_epoch_us($from_time), -62135596800000000)
      and e.occurred_us < coalesce(to_epoch_us($to_time), 253402300800000000)
  ) e
  group by e.slot
) c on c.slot = s.slot
order by s.position
