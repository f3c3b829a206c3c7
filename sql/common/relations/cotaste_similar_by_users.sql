-- cotaste_similar_by_users: the contents most similar to one by who touched both; part of similar_content
-- function only
-- argument: of_content_id bigint
-- argument: k bigint
-- column: content_id bigint
-- column: similarity double
-- column: rank bigint
-- column: shared_users bigint
-- column: lift double
select r.content_id, r.similarity, r.rank, r.shared_users, r.lift
from (
  select
    w.content_id, w.similarity, w.shared_users, w.lift, w.k,
    row_number() over (order by w.similarity desc, w.content_id) as rank
  from (
    select
      w.content_id,
      w.shared_users,
      s.k,
      -- The root: not every SQLite has sqrt(), and the standard deviation of two numbers about 0 is one.
      w.shared_users / sample_sd(2, 0.0, cast(w.users as double precision) * w.of_users)
        * (w.shared_users / (w.shared_users + s.shrinkage))
        as similarity,
      (w.shared_users + s.shrinkage)
        / (cast(w.of_users as double precision) * w.users / w.all_users + s.shrinkage) as lift
    from cotaste_watched_with($1) w
    cross join (
      select
        coalesce((select cast(value as double precision) from cotaste_settings where key = 'co_occurrence_shrinkage'), 10) as shrinkage,
        coalesce($2, (select cast(value as bigint) from cotaste_settings where key = 'similar_content_k'), 10) as k
    ) s
    where w.shared_users > 0 and w.content_id <> $1
  ) w
) r
where r.rank <= r.k
order by r.rank
