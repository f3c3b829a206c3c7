-- cotaste_similar_of: the contents most similar to one, part of similar_content
-- function only
-- argument: of_content_id bigint
-- argument: k bigint
-- argument: model text
-- column: content_id bigint
-- column: similarity double
-- column: rank bigint
-- column: method text
-- column: model text
-- column: shared_users bigint
-- column: lift double
with probe as (
  select
    e.model,
    e.embedding,
    max(coalesce($k, (select cast(value as integer) from cotaste_settings where key = 'similar_content_k'), 10), 0) as k
  from content_embeddings e
  where e.content_id = $of_content_id and e.model = coalesce($model, e.model)
  order by e.model <> coalesce((select value from cotaste_settings where key = 'embedding_model'), ''), e.model
  limit 1
)
select
  n.content_id,
  n.similarity,
  row_number() over (order by n.similarity desc, n.content_id) as rank,
  'embedding' as method,
  n.model,
  null as shared_users,
  null as lift
from (
  select e.content_id, embedding_similarity(p.embedding, e.embedding) as similarity, p.model
  from probe p
  -- Of what is found the content itself is left out, so one more is asked for. The table is read from its start to its
  -- end, which costs less than to look up each row of the model.
  cross join json_each((
    select nearest_contents(s.content_id, s.embedding, p.embedding, p.k + 1)
    from content_embeddings s not indexed
    where s.model = p.model
  )) i
  cross join content_embeddings e on e.content_id = i.value and e.model = p.model
  where e.content_id <> $of_content_id
  order by similarity desc, e.content_id
  limit coalesce((select k from probe), 0)
) n
union all
select u.content_id, u.similarity, u.rank, 'co_occurrence', null, u.shared_users, u.lift
from cotaste_similar_by_users($of_content_id, $k) u
where $model is null and not exists (select 1 from probe)
