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
