-- The building blocks of the relations, the same text in both engines. They are internal: their columns may change.

-- The numeric settings as one row.
create view cotaste_parameters as
select
  (select cast(value as double precision) from cotaste_settings where key = 'jaccard_weight') as jaccard_weight,
  (select cast(value as double precision) from cotaste_settings where key = 'cosine_weight') as cosine_weight,
  (select cast(value as bigint) from cotaste_settings where key = 'similar_users_k') as similar_users_k,
  (select cast(value as bigint) from cotaste_settings where key = 'trending_k') as trending_k,
  (select cast(value as double precision) from cotaste_settings where key = 'taste_half_life_hours') as taste_half_life_hours,
  (select cast(value as double precision) from cotaste_settings where key = 'trending_half_life_hours') as trending_half_life_hours,
  (select cast(value as double precision) from cotaste_settings where key = 'rating_prior_weight') as rating_prior_weight,
  (select value from cotaste_settings where key = 'conversion_action') as conversion_action;

-- One taste per user: the contents with an event other than a skip, and the genres by decayed weight. The weights are
-- in half-lives since 1970, so a taste does not change as time passes. Events dated in the future do not count yet.
create view cotaste_tastes as
select
  e.user_id,
  taste_agg(
    case when e.action <> 'skip' then e.content_id end,
    c.genres,
    e.weight,
    half_lives(e.occurred_us, (select taste_half_life_hours from cotaste_parameters))
  ) as taste
from cotaste_events e
left join contents c on c.content_id = e.content_id
where e.occurred_us <= (select now_us from cotaste_clock)
group by e.user_id;

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
