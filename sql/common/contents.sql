-- What contents have in common: who touched them, by the state and by what is not folded yet. The same text in both engines.

-- The pairs of a user and a content with something pending: whether the state has the content in the user's taste, and
-- whether the log of now does.
create view cotaste_pending_touches as
select
  p.user_id,
  p.content_id,
  case when exists (
    select 1 from cotaste_user_contents s
    where s.user_id = p.user_id and s.content_id = p.content_id and s.touches > 0
  ) then 1 else 0 end as was,
  case when exists (
    select 1 from user_behaviors b
    where b.user_id = p.user_id and b.content_id = p.content_id and b.action <> 'skip'
      and to_epoch_us(b.occurred_at) <= p.now_us
  ) or exists (
    select 1 from cotaste_base b where b.user_id = p.user_id and b.content_id = p.content_id and b.touches > 0
  ) then 1 else 0 end as is_now
from (
  select q.user_id, q.content_id, k.now_us
  from cotaste_queue q
  cross join cotaste_clock k
  where q.content_id is not null and q.due_us <= k.now_us
  union
  select s.user_id, s.content_id, k.now_us
  from cotaste_clock k
  cross join (select distinct q.user_id from cotaste_queue q where q.content_id is null and q.due_us <= (select c.now_us from cotaste_clock c)) q
  cross join cotaste_user_contents s
  where s.user_id = q.user_id
  union
  select b.user_id, b.content_id, k.now_us
  from cotaste_clock k
  cross join (select distinct q.user_id from cotaste_queue q where q.content_id is null and q.due_us <= (select c.now_us from cotaste_clock c)) q
  cross join user_behaviors b
  where b.user_id = q.user_id
  union
  select b.user_id, b.content_id, k.now_us
  from cotaste_clock k
  cross join (select distinct q.user_id from cotaste_queue q where q.content_id is null and q.due_us <= (select c.now_us from cotaste_clock c)) q
  cross join cotaste_base b
  where b.user_id = q.user_id
) p
where not (select m.stale from cotaste_parameters m);

-- Whatever content there is something about, each once. SQLite pushes a content into a union only when it is one of all
-- rows.
create view cotaste_known_contents as
select c.content_id from contents c
union all
select b.content_id
from (select distinct b.content_id from user_behaviors b) b
where not exists (select 1 from contents c where c.content_id = b.content_id)
union all
select b.content_id
from (select distinct b.content_id from cotaste_base b) b
where not exists (select 1 from contents c where c.content_id = b.content_id)
  and not exists (select 1 from user_behaviors o where o.content_id = b.content_id)
union all
select e.content_id
from (select distinct e.content_id from content_embeddings e) e
where not exists (select 1 from contents c where c.content_id = e.content_id)
  and not exists (select 1 from user_behaviors b where b.content_id = e.content_id)
  and not exists (select 1 from cotaste_base b where b.content_id = e.content_id);

-- Where contents that nobody touched are placed among what a model has learned: the mean of their genres, and those the
-- mean of what has them.
create view cotaste_genre_places as
with means as materialized (
  select e.model, o.genre, embedding_mean(e.embedding) as embedding
  from cotaste_learned_contents l
  join content_embeddings e on e.content_id = l.content_id and e.model = l.model
  join content_genres o on o.content_id = l.content_id
  group by e.model, o.genre
)
select m.model, g.content_id, embedding_mean(m.embedding) as embedding
from content_genres g
cross join means m
where m.genre = g.genre
  and not exists (
    select 1 from cotaste_learned_contents l where l.model = m.model and l.content_id = g.content_id
  )
group by m.model, g.content_id;
