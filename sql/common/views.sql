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
  coalesce((select cast(value as bigint) from cotaste_settings where key = 'trending_user_cap'), 0) as trending_user_cap,
  coalesce((select value from cotaste_settings where key = 'time_zone'), 'UTC') as time_zone,
  (select taste_settings from cotaste_taste_settings) as taste_settings;

-- The settings that are numbers, by patterns of LIKE, and which of them are whole.
create view cotaste_number_settings as
select 'jaccard_weight' as key, 0 as is_whole
union all select 'similar_users_k', 1 union all select 'neighbours_k', 1 union all select 'recommend_k', 1
union all select 'recommend_all_users', 1 union all select 'recommend_nearest', 1 union all select 'fold_at', 1
union all select 'trending_k', 1 union all select 'trending_user_cap', 1 union all select 'similar_content_k', 1
union all select 'retention_days', 1 union all select 'cosine_weight', 0 union all select 'cache_ttl_hours', 0
union all select 'recommend_recency', 0 union all select 'recommend_lambda', 0 union all select 'recommend_heavy_users', 0
union all select 'recommend_genre_weight', 0 union all select 'recommend_self_weight', 0
union all select 'recommend_novelty', 0 union all select 'recommend_model_weight', 0
union all select 'taste_half_life_hours', 0 union all select 'trending_half_life_hours', 0
union all select 'rating_prior_weight', 0 union all select 'co_occurrence_shrinkage', 0
union all select 'health_pending_keys', 0 union all select 'health_pending_minutes', 0
union all select 'health_expired_share', 0 union all select 'health_bad_context_share', 0
union all select 'action_weight.%', 0 union all select 'experiment_weight.%', 0;

-- The four slots with their hours, in their order.
create view cotaste_slots as
select 1 as position, 'morning' as slot, 7 as hours
union all select 2, 'afternoon', 5
union all select 3, 'evening', 4
union all select 4, 'night', 8;

-- The days of the week in their order.
create view cotaste_days as
select 1 as position, 'monday' as day
union all select 2, 'tuesday'
union all select 3, 'wednesday'
union all select 4, 'thursday'
union all select 5, 'friday'
union all select 6, 'saturday'
union all select 7, 'sunday';
