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
-- kept plan
select
  m.content_id,
  c.title,
  c.genres,
  m.views as total_views,
  m.completes as completions,
  m.skips,
  cast(m.completes as double precision) / nullif(m.views, 0) as completion_rate,
  cast(m.skips as double precision) / nullif(m.views, 0) as skip_rate,
  m.orphans as orphan_completions,
  m.starters,
  cast(m.completers as double precision) / nullif(m.starters, 0) as user_completion_rate,
  wilson_lower(cast(m.completers as double precision), cast(m.starters as double precision)) as user_completion_lower,
  wilson_upper(cast(m.completers as double precision), cast(m.starters as double precision)) as user_completion_upper,
  cast(m.skippers as double precision) / nullif(m.starters, 0) as user_skip_rate,
  wilson_lower(cast(m.skippers as double precision), cast(m.starters as double precision)) as user_skip_lower,
  wilson_upper(cast(m.skippers as double precision), cast(m.starters as double precision)) as user_skip_upper,
  m.ratings as rating_count,
  m.rating_sum / nullif(m.ratings, 0) as average_rating,
  m.rating_users,
  m.last_rating_sum / nullif(m.rating_users, 0) as average_rating_latest,
  (p.rating_prior_weight * (select cotaste_mean_rating()) + m.last_rating_sum)
    / nullif(p.rating_prior_weight + m.rating_users, 0) as bayes_rating,
  10 * wilson_lower(m.last_rating_sum / 10, cast(m.rating_users as double precision)) as wilson_rating,
  m.users as unique_users,
  m.viewers as unique_viewers,
  coalesce(trend_score(m.trend, k.now_us, p.trending_half_life_hours), 0.0) as trending_score,
  from_epoch_us(m.first_us) as first_activity,
  from_epoch_us(m.last_us) as last_activity
from (
  -- Contents without anything pending, from the state.
  select
    s.content_id, s.views, s.completes, s.skips, s.orphans, s.starters, s.completers, s.skippers, s.viewers, s.ratings,
    s.rating_users, s.users, s.rating_sum, s.last_rating_sum, s.trend, s.first_us, s.last_us
  from (select * from cotaste_contents /* where key */) s
  where not (select p.stale from cotaste_parameters p)
    and not exists (
      select 1 from cotaste_queue q
      where coalesce(q.content_id, q.lost_id) = s.content_id and q.due_us <= (select k.now_us from cotaste_clock k)
    )
  /* more */
  union all
  -- The others.
  select
    x.content_id,
    coalesce(content_count(x.measures, 'views'), 0),
    coalesce(content_count(x.measures, 'completes'), 0),
    coalesce(content_count(x.measures, 'skips'), 0),
    coalesce(content_count(x.measures, 'orphans'), 0),
    coalesce(content_count(x.measures, 'starters'), 0),
    coalesce(content_count(x.measures, 'completers'), 0),
    coalesce(content_count(x.measures, 'skippers'), 0),
    coalesce(content_count(x.measures, 'viewers'), 0),
    coalesce(content_count(x.measures, 'ratings'), 0),
    coalesce(content_count(x.measures, 'rating_users'), 0),
    coalesce(content_count(x.measures, 'users'), 0),
    coalesce(content_number(x.measures, 'rating_sum'), 0.0),
    coalesce(content_number(x.measures, 'last_rating_sum'), 0.0),
    content_trend(x.measures),
    content_count(x.measures, 'first_us'),
    content_count(x.measures, 'last_us')
  from (
    -- Distinct already; said again, the function is called once a content and not once a column.
    select distinct u.content_id, cotaste_content_measures(u.content_id, (select k.now_us from cotaste_clock k)) as measures
    from (select * from cotaste_unfolded_contents /* where key */) u
    union all
    -- Those of the catalogue without events.
    select a.content_id, cast(null as bytea)
    from (select content_id from contents /* where key */) a
    where case when (select p.stale from cotaste_parameters p)
      then not exists (select 1 from user_behaviors b where b.content_id = a.content_id)
        and not exists (select 1 from cotaste_base b where b.content_id = a.content_id)
      else not exists (select 1 from cotaste_contents s where s.content_id = a.content_id)
        and not exists (
          select 1 from cotaste_queue q
          where coalesce(q.content_id, q.lost_id) = a.content_id and q.due_us <= (select k.now_us from cotaste_clock k)
        )
      end
  ) x
  where x.measures is not null or exists (select 1 from contents a where a.content_id = x.content_id)
  /* end more */
) m
left join contents c on c.content_id = m.content_id
cross join cotaste_parameters p
cross join cotaste_clock k
