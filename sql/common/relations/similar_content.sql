-- similar_content: the contents most similar to one: by the cosine of a model's embeddings, or, where it has none, by who touched both; ties by content id
-- key: for_content_id bigint
-- argument: k bigint
-- argument: model text
-- column: content_id bigint
-- column: title text
-- column: genres text
-- column: similarity double
-- column: rank bigint
-- column: method text
-- column: model text
-- column: shared_users bigint
-- column: lift double
-- column: for_content_id bigint
select
  n.content_id,
  c.title,
  c.genres,
  n.similarity,
  n.rank,
  n.method,
  n.model,
  n.shared_users,
  n.lift,
  k.content_id as for_content_id
from cotaste_known_contents k
cross join cotaste_similar_of(k.content_id, $2, $3) n
left join contents c on c.content_id = n.content_id
order by for_content_id, n.rank
