-- preferred_days: on which days each user watches: events of positive weight by day of the week; ties from Monday on
-- key: user_id text
-- argument: zone text
-- column: user_id text
-- column: day text
-- column: events bigint
-- column: share double
-- column: smoothed_share double
-- column: rank bigint
-- kept plan
select
  user_id,
  day,
  events,
  coalesce(cast(events as double precision) / nullif(total, 0), 0.0) as share,
  (events + cast(4 as double precision) / 7) / (total + 4) as smoothed_share,
  row_number() over (partition by user_id order by events desc, position) as rank
from (
  select
    c.user_id,
    d.day,
    d.position,
    c.total,
    case d.day
      when 'monday' then c.monday
      when 'tuesday' then c.tuesday
      when 'wednesday' then c.wednesday
      when 'thursday' then c.thursday
      when 'friday' then c.friday
      when 'saturday' then c.saturday
      else c.sunday
    end as events
  from (
    select
      user_id,
      cast(sum(case when day = 'monday' then events else 0 end) as bigint) as monday,
      cast(sum(case when day = 'tuesday' then events else 0 end) as bigint) as tuesday,
      cast(sum(case when day = 'wednesday' then events else 0 end) as bigint) as wednesday,
      cast(sum(case when day = 'thursday' then events else 0 end) as bigint) as thursday,
      cast(sum(case when day = 'friday' then events else 0 end) as bigint) as friday,
      cast(sum(case when day = 'saturday' then events else 0 end) as bigint) as saturday,
      cast(sum(case when day = 'sunday' then events else 0 end) as bigint) as sunday,
      cast(sum(case when day is not null then events else 0 end) as bigint) as total
    from (
      -- Grouped first, so that a day is told once an event and not once a sum.
      select user_id, day, count(*) as events
      from (
        select
          e.user_id,
          case when e.weight > 0 then coalesce(e.day_of_week, day_of_week(e.occurred_at, coalesce($zone, p.time_zone))) end as day
        from (select * from cotaste_events /* where key */) e
        cross join cotaste_parameters p
        cross join cotaste_clock k
        where e.occurred_us <= k.now_us
      ) e
      group by user_id, day
    ) s
    group by user_id
  ) c
  cross join cotaste_days d
) counted
order by user_id, rank
