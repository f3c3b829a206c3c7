-- content_metrics: what happened to each content: counts, completion and skip rates, ratings, trend
-- key: content_id bigint
-- column: content_id bigint
-- column: title text
-- column: genres text
-- column: total_views bigint
-- column: completions bigint
-- column: skips bigint
-- column: completion_rate double
-- column: skip_rate double
-- column: orphan_completions bigint
-- column: starters bigint
-- column: user_completion_rate double
-- column: user_completion_lower double
-- column: user_completion_upper double
-- column: user_skip_rate double
-- column: user_skip_lower double
-- column: user_skip_upper double
-- column: rating_count bigint
-- column: average_rating double
-- column: rating_users bigint
-- column: average_rating_latest double
-- column: bayes_rating double
-- column: wilson_rating double
-- column: unique_users bigint
-- column: unique_viewers bigint
-- column: trending_score double
-- column: first_activity timestamp
-- column: last_activity timestamp
select
  m.content_id,
  c.title,
  c.genres,
  total_views,
  completions,
  skips,
  cast(completions as double precision) / nullif(total_views, 0) as completion_rate,
  cast(skips as double precision) / nullif(total_views, 0) as skip_rate,
  orphan_completions,
  starters,
  cast(completers as double precision) / nullif(starters, 0) as user_completion_rate,
  wilson_lower(cast(completers as double precision), cast(starters as double precision)) as user_completion_lower,
  wilson_upper(cast(completers as double precision), cast(starters as double precision)) as user_completion_upper,
  cast(skippers as double precision) / nullif(starters, 0) as user_skip_rate,
  wilson_lower(cast(skippers as double precision), cast(starters as double precision)) as user_skip_lower,
  wilson_upper(cast(skippers as double precision), cast(starters as double precision)) as user_skip_upper,
  rating_count,
  rating_sum / nullif(rating_count, 0) as average_rating,
  rating_users,
  last_rating_sum / nullif(rating_users, 0) as average_rating_latest,
  (p.rating_prior_weight * r.mean_rating + coalesce(last_rating_sum, 0.0)) / nullif(p.rating_prior_weight + rating_users, 0)
    as bayes_rating,
  10 * wilson_lower(last_rating_sum / 10, cast(rating_users as double precision)) as wilson_rating,
  unique_users,
  unique_viewers,
  coalesce(trending_score, 0.0) as trending_score,
  from_epoch_us(first_us) as first_activity,
  from_epoch_us(last_us) as last_activity
from (
  select
    content_id,
    cast(sum(views) as bigint) as total_views,
    cast(sum(completes) as bigint) as completions,
    cast(sum(skips) as bigint) as skips,
    cast(sum(case when views = 0 then completes else 0 end) as bigint) as orphan_completions,
    cast(sum(case when views + completes + skips > 0 then 1 else 0 end) as bigint) as starters,
    cast(sum(case when completes > 0 then 1 else 0 end) as bigint) as completers,
    cast(sum(case when skips > 0 then 1 else 0 end) as bigint) as skippers,
    cast(sum(ratings) as bigint) as rating_count,
    reproducible_sum(rating_sum) as rating_sum,
    cast(count(last_rating) as bigint) as rating_users,
    reproducible_sum(last_rating) as last_rating_sum,
    cast(count(user_id) as bigint) as unique_users,
    cast(sum(case when views > 0 then 1 else 0 end) as bigint) as unique_viewers,
    reproducible_sum(trend) as trending_score,
    min(first_us) as first_us,
    max(last_us) as last_us
  from (
    select content_id, user_id, views, completes, skips, ratings, rating_sum, last_rating, trend, first_us, last_us
    from cotaste_pairs /* where key */
    union all
    select content_id, null, 0, 0, 0, 0, null, null, null, null, null
    from contents /* where key */
  ) pairs
  group by content_id
) m
left join contents c on c.content_id = m.content_id
cross join cotaste_parameters p
cross join cotaste_rating_prior r
