-- user_similarity of the first $1 pairs on the materialised tables, a pair at a time.
select sum(
  0.7 * coalesce(cast(shared as double precision) / nullif(items_a + items_b - shared, 0), 0) + 0.3 * coalesce(cosine, 0)
)
from (
  select
    (
      select count(*) from plain_items x join plain_items y on y.content_id = x.content_id
      where x.user_id = p.a and y.user_id = p.b
    ) as shared,
    coalesce((select items from plain_sizes where user_id = p.a), 0) as items_a,
    coalesce((select items from plain_sizes where user_id = p.b), 0) as items_b,
    (
      select sum(x.weight * y.weight) from plain_genres x join plain_genres y on y.genre = x.genre
      where x.user_id = p.a and y.user_id = p.b
    ) as cosine
  from pairs p
  where p.n <= $1
) parts
