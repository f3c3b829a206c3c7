-- Every user's taste as of now: from the state where it is up to date, else from the log.
create view cotaste_current_tastes as
select c.user_id, c.taste from cotaste_clean_users c
union all
select d.user_id, d.taste
from (
  select q.user_id, (select t.taste from cotaste_tastes t where t.user_id = q.user_id) as taste
  from (
    select distinct q.user_id from cotaste_queue q where q.due_us <= (select k.now_us from cotaste_clock k)
  ) q
  where not (select p.stale from cotaste_parameters p)
) d
where d.taste is not null
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
