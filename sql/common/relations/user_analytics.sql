-- user_analytics: what each user did: totals, ratings given, favourite genres, preferred slots, days and devices as JSON arrays
-- key: user_id text
-- column: user_id text
-- column: total_events bigint
-- column: total_views bigint
-- column: completions bigint
-- column: skips bigint
-- column: completion_rate double
-- column: skip_rate double
-- column: rating_count bigint
-- column: average_rating double
-- column: distinct_contents bigint
-- column: active_days bigint
-- column: favorite_genres text
-- column: preferred_time_slots text
-- column: preferred_days text
-- column: device_usage text
-- column: first_activity timestamp
-- column: last_activity timestamp
-- kept plan
select
  u.user_id,
  total_events,
  total_views,
  completions,
  skips,
  cast(completions as double precision) / nullif(total_views, 0) as completion_rate,
  cast(skips as double precision) / nullif(total_views, 0) as skip_rate,
  rating_count,
  rating_sum / nullif(rating_count, 0) as average_rating,
  distinct_contents,
  active_days,
  (
    select ordered_json_array(f.genre, f.rank) from favorite_genres f where f.user_id = u.user_id and f.score > 0
  ) as favorite_genres,
  (
    select ordered_json_array(s.slot, s.rank) from preferred_time_slots s where s.user_id = u.user_id and s.events > 0
  ) as preferred_time_slots,
  (
    select ordered_json_array(d.day, d.rank) from preferred_days d where d.user_id = u.user_id and d.events > 0
  ) as preferred_days,
  (
    select ordered_json_array(d.device, d.rank) from device_usage d where d.user_id = u.user_id
  ) as device_usage,
  from_epoch_us(first_us) as first_activity,
  from_epoch_us(last_us) as last_activity
from (
  select
    user_id,
    cast(count(*) as bigint) as total_events,
    cast(sum(case when action = 'view' then 1 else 0 end) as bigint) as total_views,
    cast(sum(case when action = 'complete' then 1 else 0 end) as bigint) as completions,
    cast(sum(case when action = 'skip' then 1 else 0 end) as bigint) as skips,
    cast(count(case when action = 'rate' then rating end) as bigint) as rating_count,
    reproducible_sum(case when action = 'rate' then rating end) as rating_sum,
    cast(count(distinct content_id) as bigint) as distinct_contents,
    -- Days since the year 1, so that none is below 0 and division rounds one way.
    cast(count(distinct (occurred_us + 62135596800000000) / 86400000000) as bigint) as active_days,
    min(occurred_us) as first_us,
    max(occurred_us) as last_us
  from cotaste_events
  cross join cotaste_clock
  where occurred_us <= now_us
  group by user_id
) u
