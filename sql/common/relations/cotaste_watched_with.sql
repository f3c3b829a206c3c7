-- cotaste_watched_with: how many users of a content touched each other one too; part of also_watched and similar_content
-- function only
-- argument: of_content_id bigint
-- column: content_id bigint
-- column: shared_users bigint
-- column: users bigint
-- column: of_users bigint
-- column: all_users bigint
with changed as (
  select p.user_id, p.content_id, p.was, p.is_now from cotaste_pending_touches p where p.was <> p.is_now
),
changed_users as (
  select distinct d.user_id from changed d
),
-- Who touched the content by the state, without those whose contents changed since.
members as (
  select
    p.chunk,
    posting_bitmap(apply_postings(p.users, (
      select posting_changes(u.ord % 65536, false)
      from changed_users d
      cross join cotaste_users u
      where u.user_id = d.user_id and u.ord / 65536 = p.chunk
    ))) as members
  from cotaste_postings p
  where p.content_id = $1 and not (select m.stale from cotaste_parameters m)
),
-- Whose contents changed and who touched the content, as of now.
changed_members as (
  select d.user_id
  from changed_users d
  where exists (
      select 1 from changed c where c.user_id = d.user_id and c.content_id = $1 and c.is_now = 1
    )
    or exists (
      select 1 from cotaste_user_contents s where s.user_id = d.user_id and s.content_id = $1 and s.touches > 0
    )
    and not exists (select 1 from changed c where c.user_id = d.user_id and c.content_id = $1)
),
-- All of it when the state is stale.
touched as (
  select b.user_id, b.content_id
  from cotaste_parameters m
  cross join user_behaviors b
  where m.stale and b.action <> 'skip' and to_epoch_us(b.occurred_at) <= (select k.now_us from cotaste_clock k)
  union
  select b.user_id, b.content_id
  from cotaste_parameters m
  cross join cotaste_base b
  where m.stale and b.touches > 0
),
counted as (
  select p.content_id, posting_length(p.users) as users, coalesce(posting_shared(p.users, m.members), 0) as shared_users
  from cotaste_postings p
  left join members m on m.chunk = p.chunk
  where not (select s.stale from cotaste_parameters s)
  union all
  select d.content_id, d.is_now - d.was, 0 from changed d
  union all
  select d.content_id, 0, 1
  from changed d
  join changed_members u on u.user_id = d.user_id
  where d.is_now = 1
  union all
  select s.content_id, 0, 1
  from changed_members u
  cross join cotaste_user_contents s
  where s.user_id = u.user_id and s.touches > 0
    and not exists (select 1 from changed d where d.user_id = s.user_id and d.content_id = s.content_id)
  union all
  select t.content_id, 1, case when m.user_id is null then 0 else 1 end
  from touched t
  left join (select user_id from touched where content_id = $1) m on m.user_id = t.user_id
),
everybody as (
  select
    coalesce((
      select sum(block_touching(b.users)) from cotaste_blocks b where not (select m.stale from cotaste_parameters m)
    ), 0)
    + coalesce((
      select sum(
        case when exists (select 1 from changed c where c.user_id = d.user_id and c.is_now = 1)
          or exists (
            select 1 from cotaste_user_contents s
            where s.user_id = d.user_id and s.touches > 0
              and not exists (select 1 from changed c where c.user_id = s.user_id and c.content_id = s.content_id)
          ) then 1 else 0 end
        - case when exists (
            select 1 from cotaste_user_contents s where s.user_id = d.user_id and s.touches > 0
          ) then 1 else 0 end
      )
      from changed_users d
    ), 0)
    + (select count(distinct t.user_id) from touched t) as users
)
select
  t.content_id,
  t.shared_users,
  t.users,
  max(case when t.content_id = $1 then t.users else 0 end) over () as of_users,
  e.users as all_users
from (
  select c.content_id, cast(sum(c.users) as bigint) as users, cast(sum(c.shared_users) as bigint) as shared_users
  from counted c
  group by c.content_id
  having sum(c.users) > 0
) t
cross join everybody e
