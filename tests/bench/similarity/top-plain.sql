-- The ten users most similar to $1 on the materialised tables.
select user_id, similarity
from (
  select
    other.user_id,
    0.7 * coalesce(cast(shared.n as double precision) / nullif(me.items + other.items - shared.n, 0), 0)
      + 0.3 * coalesce(genre.cosine, 0) as similarity
  from plain_sizes me
  join plain_sizes other on other.user_id <> me.user_id
  left join (
    select y.user_id, count(*) as n
    from plain_items x
    join plain_items y on y.content_id = x.content_id
    where x.user_id = cast($1 as text)
    group by y.user_id
  ) shared on shared.user_id = other.user_id
  left join (
    select y.user_id, sum(x.weight * y.weight) as cosine
    from plain_genres x
    join plain_genres y on y.genre = x.genre
    where x.user_id = cast($1 as text)
    group by y.user_id
  ) genre on genre.user_id = other.user_id
  where me.user_id = cast($1 as text)
) scored
where similarity > 0
order by similarity desc, user_id
limit 10
