-- The building blocks of the relations, the same text in both engines. They are internal: their columns may change.

-- The settings as one row of numbers, what is missing at its default. A trigger keeps cotaste_parameters like this.
create view cotaste_settings_row as
select
  coalesce((select cast(value as double precision) from cotaste_settings where key = 'jaccard_weight'), 0.7) as jaccard_weight,
  coalesce((select cast(value as double precision) from cotaste_settings where key = 'cosine_weight'), 0.3) as cosine_weight,
  coalesce((select cast(value as bigint) from cotaste_settings where key = 'similar_users_k'), 10) as similar_users_k,
  coalesce((select cast(value as bigint) from cotaste_settings where key = 'neighbours_k'), 20) as neighbours_k,
  coalesce((select cast(value as double precision) from cotaste_settings where key = 'cache_ttl_hours'), 24) as cache_ttl_hours,
  coalesce((select cast(value as bigint) from cotaste_settings where key = 'fold_at'), 250) as fold_at,
  coalesce((select cast(value as bigint) from cotaste_settings where key = 'trending_k'), 20) as trending_k,
  coalesce((select cast(value as double precision) from cotaste_settings where key = 'taste_half_life_hours'), 720)
    as taste_half_life_hours,
  coalesce((select cast(value as double precision) from cotaste_settings where key = 'trending_half_life_hours'), 24)
    as trending_half_life_hours,
  coalesce((select cast(value as double precision) from cotaste_settings where key = 'rating_prior_weight'), 10)
    as rating_prior_weight,
  coalesce((select value from cotaste_settings where key = 'conversion_action'), 'complete') as conversion_action,
  (select taste_settings from cotaste_taste_settings) as taste_settings;

-- One row per user and content: what all per-content measures are made of.
create view cotaste_pairs as
select
  e.user_id,
  e.content_id,
  count(*) as events,
  sum(case when e.action = 'view' then 1 else 0 end) as views,
  sum(case when e.action = 'complete' then 1 else 0 end) as completes,
  sum(case when e.action = 'skip' then 1 else 0 end) as skips,
  count(case when e.action = 'rate' then e.rating end) as ratings,
  reproducible_sum(case when e.action = 'rate' then e.rating end) as rating_sum,
  latest_value(case when e.action = 'rate' then e.rating end, e.occurred_us, e.id) as last_rating,
  reproducible_sum(
    case when e.occurred_us <= k.now_us then decay(e.weight, k.now_us - e.occurred_us, p.trending_half_life_hours) end
  ) as trend,
  min(e.occurred_us) as first_us,
  max(e.occurred_us) as last_us
from cotaste_events e
cross join cotaste_clock k
cross join cotaste_parameters p
group by e.user_id, e.content_id;

-- The mean of every user's last rating of every content: what a content without ratings is expected to get.
create view cotaste_rating_prior as
select reproducible_sum(last_rating) / nullif(count(last_rating), 0) as mean_rating
from (
  select latest_value(e.rating, to_epoch_us(e.occurred_at), e.id) as last_rating
  from user_behaviors e
  where e.action = 'rate' and e.rating is not null
  group by e.user_id, e.content_id
) last_ratings;

-- The four slots with their hours, in their order.
create view cotaste_slots as
select 1 as position, 'morning' as slot, 7 as hours
union all select 2, 'afternoon', 5
union all select 3, 'evening', 4
union all select 4, 'night', 8;
