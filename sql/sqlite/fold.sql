-- What the fold runs, statement by statement; sqlite_ext/src/fold.rs takes them by name.

-- parameters
select taste_half_life_hours, stale, fold_at, trending_half_life_hours, trending_user_cap from cotaste_parameters;

-- action weights
select substr(key, 15), cast(value as real) from cotaste_settings where key glob 'action_weight.*';

-- fold state
select next_ord, genre_order from cotaste_fold_state;

-- set fold state
insert into cotaste_fold_state (only_row, next_ord, genre_order) values (1, ?1, ?2)
on conflict (only_row) do update set next_ord = excluded.next_ord, genre_order = excluded.genre_order;

-- pending
select count(*) from (select 1 from cotaste_queue where due_us <= ?1 limit ?2);

-- pairs
select count(*) from cotaste_user_contents;

-- take
select rowid, user_id, content_id from cotaste_queue where due_us <= ?1 order by rowid limit ?2;

-- taken
delete from cotaste_queue where due_us <= ?1 and rowid <= ?2;

-- is whole
select exists (select 1 from cotaste_queue where user_id = ?1 and content_id is null);

-- later
insert into cotaste_queue (user_id, content_id, due_us) values (?1, ?2, ?3);

-- contents of a user
select content_id from cotaste_user_contents where user_id = ?1
union
select content_id from user_behaviors where user_id = ?1
union
select content_id from cotaste_base where user_id = ?1;

-- user
select ord, taste, sums from cotaste_users where user_id = ?1;

-- level 1
select touches, weight, facts from cotaste_user_contents where user_id = ?1 and content_id = ?2;

-- events
select action, rating, occurred_at, id, experiment, variant, context_status, case when context_status is null then context end
from user_behaviors where user_id = ?1 and content_id = ?2;

-- base
select base from cotaste_base where user_id = ?1 and content_id = ?2;

-- all events
select
  user_id, content_id,
  action, rating, occurred_at, id, experiment, variant, context_status, case when context_status is null then context end, null
from user_behaviors
union all
select user_id, content_id, null, null, null, null, null, null, null, null, base from cotaste_base
order by 1, 2;

-- events of a user
select
  content_id,
  action, rating, occurred_at, id, experiment, variant, context_status, case when context_status is null then context end
from user_behaviors where user_id = ?1;

-- kept events
select events from cotaste_user_events where user_id = ?1;

-- set kept events
insert into cotaste_user_events (user_id, events) values (?1, ?2) on conflict (user_id) do update set events = excluded.events;

-- drop kept events
delete from cotaste_user_events where user_id = ?1;

-- experiments
select experiment from cotaste_experiments;

-- add experiment
insert into cotaste_experiments (experiment) values (?1) on conflict do nothing;

-- genres
select genres from contents where content_id = ?1;

-- set level 1
insert into cotaste_user_contents (user_id, content_id, events, touches, weight, facts) values (?1, ?2, ?3, ?4, ?5, ?6)
on conflict (user_id, content_id) do update
set events = excluded.events, touches = excluded.touches, weight = excluded.weight, facts = excluded.facts;

-- drop level 1
delete from cotaste_user_contents where user_id = ?1 and content_id = ?2;

-- set user
insert into cotaste_users (user_id, ord, items, changed_us, taste, sums) values (?1, ?2, ?3, ?4, ?5, ?6)
on conflict (user_id) do update
set items = excluded.items, changed_us = excluded.changed_us, taste = excluded.taste, sums = excluded.sums;

-- drop user
delete from cotaste_users where user_id = ?1;

-- posting
select users from cotaste_postings where content_id = ?1 and chunk = ?2;

-- set posting
insert into cotaste_postings (content_id, chunk, users) values (?1, ?2, ?3)
on conflict (content_id, chunk) do update set users = excluded.users;

-- drop posting
delete from cotaste_postings where content_id = ?1 and chunk = ?2;

-- block
select users from cotaste_blocks where block = ?1;

-- set block
insert into cotaste_blocks (block, users) values (?1, ?2) on conflict (block) do update set users = excluded.users;

-- drop block
delete from cotaste_blocks where block = ?1;

-- measures
select measures from cotaste_contents where content_id = ?1;

-- set measures
insert into cotaste_contents (
  content_id, measures, users, events, views, completes, skips, orphans, starters, completers, skippers, viewers, ratings,
  rating_users, rating_sum, last_rating_sum, trend, rank_key, first_us, last_us
)
values (
  ?1, ?2, content_count(?2, 'users'), content_count(?2, 'events'), content_count(?2, 'views'),
  content_count(?2, 'completes'), content_count(?2, 'skips'), content_count(?2, 'orphans'), content_count(?2, 'starters'),
  content_count(?2, 'completers'), content_count(?2, 'skippers'), content_count(?2, 'viewers'),
  content_count(?2, 'ratings'), content_count(?2, 'rating_users'), content_number(?2, 'rating_sum'),
  content_number(?2, 'last_rating_sum'), content_trend(?2), content_number(?2, 'rank_key'),
  content_count(?2, 'first_us'), content_count(?2, 'last_us')
)
on conflict (content_id) do update set
  measures = excluded.measures, users = excluded.users, events = excluded.events, views = excluded.views,
  completes = excluded.completes, skips = excluded.skips, orphans = excluded.orphans, starters = excluded.starters,
  completers = excluded.completers, skippers = excluded.skippers, viewers = excluded.viewers, ratings = excluded.ratings,
  rating_users = excluded.rating_users, rating_sum = excluded.rating_sum, last_rating_sum = excluded.last_rating_sum,
  trend = excluded.trend, rank_key = excluded.rank_key, first_us = excluded.first_us, last_us = excluded.last_us;

-- drop measures
delete from cotaste_contents where content_id = ?1;

-- extent
select min(first_us), max(last_us)
from (
  -- Of pairs that are still pending what was folded counts.
  select to_epoch_us(b.occurred_at) as first_us, to_epoch_us(b.occurred_at) as last_us
  from user_behaviors b
  where b.content_id = ?1 and to_epoch_us(b.occurred_at) <= ?2 and not exists (
    select 1 from cotaste_queue q
    where q.user_id = b.user_id and coalesce(q.content_id, q.lost_id) = ?1 and q.due_us <= ?2
  )
  union all
  select b.first_us, b.last_us
  from cotaste_base b
  where b.content_id = ?1 and not exists (
    select 1 from cotaste_queue q
    where q.user_id = b.user_id and coalesce(q.content_id, q.lost_id) = ?1 and q.due_us <= ?2
  )
  union all
  select content_count(f.measures, 'first_us'), content_count(f.measures, 'last_us')
  from (
    select follow_content(null, content_changes(null, s.facts)) as measures
    from (
      select distinct q.user_id from cotaste_queue q where coalesce(q.content_id, q.lost_id) = ?1 and q.due_us <= ?2
    ) q
    cross join cotaste_user_contents s
    where s.user_id = q.user_id and s.content_id = ?1
  ) f
);

-- rating totals
select measures from cotaste_rating_totals;

-- set rating totals
update cotaste_rating_totals
set
  measures = ?1, rating_users = content_count(?1, 'rating_users'), last_rating_sum = content_number(?1, 'last_rating_sum');

-- clear
delete from cotaste_queue;
delete from cotaste_user_contents;
delete from cotaste_users;
delete from cotaste_postings;
delete from cotaste_blocks;
delete from cotaste_contents;
update cotaste_rating_totals set measures = null, rating_users = null, last_rating_sum = null;
delete from cotaste_fold_state;
delete from cotaste_user_events;
delete from cotaste_experiments;
update cotaste_parameters set stale = 0;

-- forget
delete from user_behaviors where user_id = ?1;

-- forget base
delete from cotaste_base where user_id = ?1;

-- forget runs
delete from cotaste_neighbour_runs
where user_id = ?1 or user_id in (select user_id from neighbours where neighbour_id = ?1);

-- forget neighbours
delete from neighbours where user_id = ?1 or user_id in (select user_id from neighbours where neighbour_id = ?1);

-- forget keys
delete from cotaste_queue where user_id = ?1;

-- queue user
insert into cotaste_queue (user_id) values (?1);

-- forget recommendations
delete from cotaste_recommendations where user_id = ?1;

-- forget recommendation runs
delete from cotaste_recommendation_runs where user_id = ?1;
