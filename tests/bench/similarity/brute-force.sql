-- The ten users most similar to $1, every stored taste compared: what similar_users must equal to the last bit.
select user_id, similarity
from (
  select other.user_id, taste_similarity(me.taste, other.taste) as similarity
  from cotaste_users me
  cross join cotaste_users other
  where me.user_id = cast($1 as text) and other.user_id <> me.user_id
) scored
where similarity > 0
order by similarity desc, user_id
limit 10
