-- genre_metrics: what happened to the contents of each genre; a content of several genres counts in each
-- column: genre text
-- column: contents bigint
-- column: total_views bigint
-- column: completions bigint
-- column: skips bigint
-- column: completion_rate double
-- column: skip_rate double
-- column: rating_count bigint
-- column: average_rating double
-- column: trending_score double
select
  genre,
  contents,
  total_views,
  completions,
  skips,
  cast(completions as double precision) / nullif(total_views, 0) as completion_rate,
  cast(skips as double precision) / nullif(total_views, 0) as skip_rate,
  rating_count,
  rating_sum / nullif(rating_count, 0) as average_rating,
  trending_score
from (
  select
    g.genre,
    cast(count(*) as bigint) as contents,
    cast(sum(m.total_views) as bigint) as total_views,
    cast(sum(m.completions) as bigint) as completions,
    cast(sum(m.skips) as bigint) as skips,
    cast(sum(m.rating_count) as bigint) as rating_count,
    reproducible_sum(m.average_rating * m.rating_count) as rating_sum,
    reproducible_sum(m.trending_score) as trending_score
  from content_metrics m
  join (select distinct content_id, genre from content_genres) g on g.content_id = m.content_id
  group by g.genre
) counted
