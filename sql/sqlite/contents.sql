-- The tastes of users with something pending.
create view cotaste_pending_tastes as
select q.user_id, cotaste_log_taste(q.user_id) as taste
from (
  select distinct q.user_id from cotaste_queue q where q.due_us <= (select k.now_us from cotaste_clock k)
) q
where not (select p.stale from cotaste_parameters p)
union all
select b.user_id, cotaste_log_taste(b.user_id)
from (
  select b.user_id from cotaste_parameters p cross join user_behaviors b where p.stale
  union
  select b.user_id from cotaste_parameters p cross join cotaste_base b where p.stale
) b;

-- The genres of all tastes, the dimensions of user_genre_embeddings: those the state knows, and those that are pending.
create view cotaste_genre_dimensions as
select d.genres, (select count(*) from json_each(d.genres)) as dim
from (
  select genre_dimensions(s.genre_order, t.taste) as genres
  from (select 1 as one) o
  left join cotaste_fold_state s on true
  left join cotaste_pending_tastes t on true
) d;
