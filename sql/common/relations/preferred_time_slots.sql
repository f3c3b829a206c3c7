-- preferred_time_slots: when each user watches: events of positive weight by slot, smoothed by the slot's hours
-- key: user_id text
-- argument: zone text
-- column: user_id text
-- column: slot text
-- column: events bigint
-- column: share double
-- column: smoothed_share double
-- column: events_per_hour double
-- column: rank bigint
-- kept plan
select
  user_id,
  slot,
  events,
  coalesce(cast(events as double precision) / nullif(total, 0), 0.0) as share,
  (events + cast(4 * hours as double precision) / 24) / (total + 4) as smoothed_share,
  cast(events as double precision) / hours as events_per_hour,
  row_number() over (partition by user_id order by events desc, position) as rank
from (
  select
    c.user_id,
    s.slot,
    s.hours,
    s.position,
    c.morning + c.afternoon + c.evening + c.night as total,
    case s.slot
      when 'morning' then c.morning
      when 'afternoon' then c.afternoon
      when 'evening' then c.evening
      else c.night
    end as events
  from (
    select
      user_id,
      cast(sum(case when slot = 'morning' then events else 0 end) as bigint) as morning,
      cast(sum(case when slot = 'afternoon' then events else 0 end) as bigint) as afternoon,
      cast(sum(case when slot = 'evening' then events else 0 end) as bigint) as evening,
      cast(sum(case when slot = 'night' then events else 0 end) as bigint) as night
    from (
      -- Grouped first, so that a slot is told once an event and not once a sum.
      select user_id, slot, count(*) as events
      from (
        select
          e.user_id,
          case when e.weight > 0 then coalesce(e.time_of_day, time_slot(e.occurred_at, coalesce($zone, p.time_zone))) end as slot
        from (select * from cotaste_events /* where key */) e
        cross join cotaste_parameters p
        cross join cotaste_clock k
        where e.occurred_us <= k.now_us
      ) e
      group by user_id, slot
    ) s
    group by user_id
  ) c
  cross join cotaste_slots s
) counted
order by user_id, rank
