-- The ten users most similar to $1, every packed user compared.
select y.user_id, s.similarity
from packed x
cross join packed y
cross join lateral (
  select packed_parts(icount(x.items & y.items), icount(x.items), icount(y.items), packed_cosine(x.genres, y.genres)) as similarity
) s
where x.user_id = cast($1 as text) and y.user_id <> x.user_id and s.similarity > 0
order by s.similarity desc, y.user_id
limit 10
