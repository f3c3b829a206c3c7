-- also_watched: what the users of a content touched too, by how many; ties by content id
-- key: for_content_id bigint
-- argument: k bigint
-- column: content_id bigint
-- column: title text
-- column: genres text
-- column: shared_users bigint
-- column: users bigint
-- column: support double
-- column: confidence double
-- column: lift double
-- column: rank bigint
-- column: for_content_id bigint
-- kept plan
select
  n.content_id,
  c.title,
  c.genres,
  n.shared_users,
  n.users,
  cast(n.shared_users as double precision) / n.all_users as support,
  cast(n.shared_users as double precision) / n.of_users as confidence,
  (n.shared_users + n.shrinkage) / (cast(n.of_users as double precision) * n.users / n.all_users + n.shrinkage) as lift,
  n.rank,
  n.for_content_id
from (
  select
    k.for_content_id,
    w.content_id,
    w.shared_users,
    w.users,
    w.of_users,
    w.all_users,
    s.shrinkage,
    s.k,
    row_number() over (partition by k.for_content_id order by w.shared_users desc, w.content_id) as rank
  from (
    select q.for_content_id from (select content_id as for_content_id from cotaste_known_contents) q /* where key */
  ) k
  cross join (
    select
      coalesce((select cast(value as double precision) from cotaste_settings where key = 'co_occurrence_shrinkage'), 10) as shrinkage,
      coalesce($2, (select cast(value as bigint) from cotaste_settings where key = 'similar_content_k'), 10) as k
  ) s
  cross join cotaste_watched_with(k.for_content_id) w
  where w.shared_users > 0 and w.content_id <> k.for_content_id
) n
left join contents c on c.content_id = n.content_id
where n.rank <= n.k
order by n.for_content_id, n.rank
