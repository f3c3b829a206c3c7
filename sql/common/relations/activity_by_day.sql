-- activity_by_day: what happened on each day; time is when the day began
-- argument: zone text
-- argument: from_time timestamp
-- argument: to_time timestamp
-- column: time timestamp
-- column: events bigint
-- column: users bigint
-- column: contents bigint
-- column: views bigint
-- column: completions bigint
-- column: skips bigint
-- column: rating_count bigint
-- column: average_rating double
select
  from_epoch_us(day_us) as "time",
  cast(count(*) as bigint) as events,
  cast(count(distinct user_id) as bigint) as users,
  cast(count(distinct content_id) as bigint) as contents,
  cast(sum(case when action = 'view' then 1 else 0 end) as bigint) as views,
  cast(sum(case when action = 'complete' then 1 else 0 end) as bigint) as completions,
  cast(sum(case when action = 'skip' then 1 else 0 end) as bigint) as skips,
  cast(count(case when action = 'rate' then rating end) as bigint) as rating_count,
  reproducible_sum(case when action = 'rate' then rating end)
    / nullif(count(case when action = 'rate' then rating end), 0) as average_rating
from (
  select e.user_id, e.content_id, e.action, e.rating, day_start_us(e.occurred_us, coalesce($zone, p.time_zone)) as day_us
  from cotaste_events e
  cross join cotaste_parameters p
  cross join cotaste_clock k
  where e.occurred_us <= k.now_us
    and e.occurred_us >= coalesce(to_epoch_us($from_time), -62135596800000000)
    and e.occurred_us < coalesce(to_epoch_us($to_time), 253402300800000000)
) e
group by day_us
order by day_us
