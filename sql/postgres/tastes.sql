-- The tastes of users with something pending as the fold would make them: the folded one with the pending pairs, or from
-- the whole log of the user where there is none or a key stands for all pairs.
create or replace function cotaste_pending_tastes(pending_users text[]) returns table (users text[], tastes bytea[])
language sql stable parallel safe rows 1
begin atomic
  with keys as materialized (
    select d.user_id, q.content_id
    from unnest($1) d (user_id)
    cross join lateral (
      select distinct q.content_id from cotaste_queue q
      where q.user_id = d.user_id and q.due_us <= to_epoch_us(statement_timestamp()) offset 0
    ) q
  ),
  users as materialized (
    select k.user_id, u.taste, u.sums, k.is_whole or u.taste is null as is_whole
    from (select k.user_id, bool_or(k.content_id is null) as is_whole from keys k group by k.user_id) k
    left join lateral (select u.taste, u.sums from cotaste_users u where u.user_id = k.user_id offset 0) u on true
  ),
  seen as materialized (
    select k.user_id, k.content_id, e.action, e.rating, e.occurred_us, e.events, e.touches, e.base
    from keys k
    left join lateral (
      select
        b.action, b.rating, to_epoch_us(b.occurred_at) as occurred_us,
        1 as events, case when b.action <> 'skip' then 1 else 0 end as touches, cast(null as bytea) as base
      from user_behaviors b
      where b.user_id = k.user_id and b.content_id = k.content_id
        and to_epoch_us(b.occurred_at) <= to_epoch_us(statement_timestamp())
      union all
      select null, null, null, b.events, b.touches, b.base
      from cotaste_base b
      where b.user_id = k.user_id and b.content_id = k.content_id
      offset 0
    ) e on true
  ),
  -- As in cotaste_log_pairs, but of the keys alone.
  pairs as (
    select
      e.user_id, e.content_id, sum(e.events) as events, sum(e.touches) as touches,
      decayed_weight(
        coalesce(cast(s.value as double precision), 0) * case when e.action = 'rate' then coalesce((e.rating - 5) / 2.5, 0) else 1 end,
        half_lives(e.occurred_us, p.taste_half_life_hours), e.base, p.taste_half_life_hours
      ) as weight
    from seen e
    cross join cotaste_parameters p
    left join cotaste_settings s on s.key = 'action_weight.' || e.action
    where p.only_row = 1
    group by e.user_id, e.content_id
  ),
  changed as (
    select
      p.user_id,
      taste_changes(p.content_id, c.genres, s.touches > 0, s.weight, p.touches > 0, case when p.events > 0 then p.weight end) as changes
    from pairs p
    left join lateral (
      select s.touches, s.weight from cotaste_user_contents s
      where s.user_id = p.user_id and s.content_id = p.content_id offset 0
    ) s on true
    left join lateral (select c.genres from contents c where c.content_id = p.content_id offset 0) c on true
    group by p.user_id
  )
  select array_agg(t.user_id), array_agg(t.taste)
  from (
    select u.user_id, followed_taste(follow_taste(u.taste, u.sums, c.changes)) as taste
    from users u
    join changed c on c.user_id = u.user_id
    where not u.is_whole
    union all
    select u.user_id, (select t.taste from cotaste_tastes t where t.user_id = u.user_id)
    from users u
    where u.is_whole
    offset 0
  ) t
  where t.taste is not null;
end;
comment on function cotaste_pending_tastes(text[]) is 'the tastes of users with something pending';

-- Every user's taste as of now: from the state where it is up to date, else from the state and the log.
create view cotaste_current_tastes as
select c.user_id, c.taste from cotaste_clean_users c
union all
select q.user_id, t.taste
from (
  select distinct q.user_id from cotaste_queue q where q.due_us <= (select k.now_us from cotaste_clock k)
) q
cross join lateral (
  select u.taste from cotaste_pending_tastes(array[q.user_id]) p cross join lateral unnest(p.tastes) u (taste) offset 0
) t
where not (select p.stale from cotaste_parameters p)
union all
select t.user_id, t.taste from cotaste_tastes t where (select p.stale from cotaste_parameters p);

-- The genres of each user's current taste, as parts of all that is above 0.
create view cotaste_taste_genres as
select t.user_id, g.key collate "C" as genre, cast(g.value as double precision) as share
from cotaste_current_tastes t
cross join lateral json_each_text(cast(taste_genre_shares(t.taste) as json)) g;

-- How many users' neighbours the worker at work has computed; sequences are seen before the commit.
create view cotaste_computing as
select cast(coalesce((
  select s.last_value from cotaste_neighbour_count s
  where exists (
    select from pg_locks l
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and (cast(l.classid as bigint) << 32) + cast(l.objid as bigint) = cotaste_lock(3)
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
  )
), 0) as bigint) as computing;
