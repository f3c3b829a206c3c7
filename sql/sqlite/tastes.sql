-- Every user's taste as of now: from the state where it is up to date, else from the log, a user at a time: a view over
-- views that group is computed whole before one user is looked for.
create view cotaste_current_tastes as
select c.user_id, c.taste from cotaste_clean_users c
union all
select d.user_id, d.taste
from (
  select q.user_id, cotaste_log_taste(q.user_id) as taste
  from (
    select distinct q.user_id from cotaste_queue q where q.due_us <= (select k.now_us from cotaste_clock k)
  ) q
  where not (select p.stale from cotaste_parameters p)
) d
where d.taste is not null
union all
select d.user_id, d.taste
from (
  select b.user_id, cotaste_log_taste(b.user_id) as taste
  from (
    select b.user_id from cotaste_parameters p cross join user_behaviors b where p.stale
    union
    select b.user_id from cotaste_parameters p cross join cotaste_base b where p.stale
  ) b
) d
where d.taste is not null;

-- The genres of each user's current taste, as parts of all that is above 0.
create view cotaste_taste_genres as
select t.user_id, g.key as genre, g.value as share
from cotaste_current_tastes t
join json_each(taste_genre_shares(t.taste)) g;

-- A writer's work is seen after its commit.
create view cotaste_computing as
select 0 as computing;
