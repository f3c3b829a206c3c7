-- days of postgres
select cast(floor(e.occurred_us / 86400000000.0) as bigint) as day, count(*),
  cast(sum(cast(hashtextextended(cast(row(e.id, e.user_id, e.content_id, e.action, e.rating, e.progress, e.context, e.occurred_us, e.event_id) as text), 0) as numeric)) as text)
from cotaste_events e
group by 1 order by 1

-- rows of sqlite
select id, user_id, content_id, action, rating, progress, context, occurred_us, event_id from cotaste_events

-- day of sqlite
select id, user_id, content_id, action, rating, progress, context, occurred_us, event_id,
  time_of_day, day_of_week, device, location, experiment, variant, context_status
from cotaste_events
where occurred_at >= $1 and occurred_at < $2 and occurred_us >= $3 and occurred_us < $4
order by occurred_us, id

-- day of postgres
select id, user_id, content_id, action, rating, progress, context, occurred_us, event_id,
  time_of_day, day_of_week, device, location, experiment, variant, context_status
from cotaste_events
where occurred_at >= cast(cast($1 as text) as timestamptz) and occurred_at < cast(cast($2 as text) as timestamptz) and occurred_us >= $3 and occurred_us < $4
order by occurred_us, id
