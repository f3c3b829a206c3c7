-- The state computed from scratch, level by level: what the fold must arrive at, what the rebuild writes and what
-- cotaste_verify() compares with.

-- What level 1 is made of: the events of the log, and of purged ones what is kept of each pair as one row more.
create view cotaste_pair_events as
select
  e.user_id, e.content_id, e.id, e.action, e.rating, e.weight, e.occurred_us, cast(1 as bigint) as events,
  cast(case when e.action <> 'skip' then 1 else 0 end as bigint) as touches, cast(null as bytea) as base
from cotaste_events e
union all
select b.user_id, b.content_id, null, null, null, null, b.last_us, b.events, b.touches, b.base
from cotaste_base b;

-- Level 1 from log and base: each user's events with each content up to now, and the time of the first one still to come.
create view cotaste_log_pairs as
select
  e.user_id,
  e.content_id,
  cast(sum(case when e.occurred_us <= k.now_us then e.events else 0 end) as bigint) as events,
  cast(sum(case when e.occurred_us <= k.now_us then e.touches else 0 end) as bigint) as touches,
  decayed_weight(
    case when e.occurred_us <= k.now_us then e.weight end, half_lives(e.occurred_us, p.taste_half_life_hours),
    e.base, p.taste_half_life_hours
  ) as weight,
  min(case when e.occurred_us > k.now_us then e.occurred_us end) as next_us,
  pair_facts(
    e.action, e.rating, e.weight, case when e.occurred_us <= k.now_us then e.occurred_us end, e.id,
    p.trending_half_life_hours, p.trending_user_cap, e.base
  ) as facts
from cotaste_pair_events e
cross join cotaste_clock k
cross join cotaste_parameters p
group by e.user_id, e.content_id;

-- One taste per user from that: the contents with an event other than a skip, and the genres by decayed weight. The
-- weights are in half-lives since 1970, so a taste does not change as time passes.
create view cotaste_tastes as
select user_id, followed_taste(followed) as taste
from (
  select
    l.user_id,
    follow_taste(
      cast(null as bytea), cast(null as bytea),
      taste_changes(l.content_id, c.genres, cast(null as boolean), cast(null as bytea), l.touches > 0, l.weight)
    ) as followed
  from cotaste_log_pairs l
  left join contents c on c.content_id = l.content_id
  where l.events > 0
  group by l.user_id
) f;

-- The same from level 1, with the sums; users numbered by their ids.
create view cotaste_state_tastes as
select user_id, cast(row_number() over (order by user_id) - 1 as integer) as ord, followed
from (
  select
    l.user_id,
    follow_taste(
      cast(null as bytea), cast(null as bytea),
      taste_changes(l.content_id, c.genres, cast(null as boolean), cast(null as bytea), l.touches > 0, l.weight)
    ) as followed
  from cotaste_user_contents l
  left join contents c on c.content_id = l.content_id
  group by l.user_id
) f;

-- The measures of contents from level 1.
create view cotaste_state_contents as
select
  content_id,
  measures,
  content_count(measures, 'users') as users,
  content_count(measures, 'events') as events,
  content_count(measures, 'views') as views,
  content_count(measures, 'completes') as completes,
  content_count(measures, 'skips') as skips,
  content_count(measures, 'orphans') as orphans,
  content_count(measures, 'starters') as starters,
  content_count(measures, 'completers') as completers,
  content_count(measures, 'skippers') as skippers,
  content_count(measures, 'viewers') as viewers,
  content_count(measures, 'ratings') as ratings,
  content_count(measures, 'rating_users') as rating_users,
  content_number(measures, 'rating_sum') as rating_sum,
  content_number(measures, 'last_rating_sum') as last_rating_sum,
  content_trend(measures) as trend,
  content_number(measures, 'rank_key') as rank_key,
  content_count(measures, 'first_us') as first_us,
  content_count(measures, 'last_us') as last_us
from (
  select content_id, follow_content(cast(null as bytea), content_changes(cast(null as bytea), facts)) as measures
  from cotaste_user_contents
  group by content_id
) m;

-- All last ratings of level 1, one row.
create view cotaste_state_ratings as
select follow_content(cast(null as bytea), rating_changes(cast(null as bytea), facts)) as measures
from cotaste_user_contents;

-- The posting lists of level 1.
create view cotaste_state_postings as
select
  l.content_id,
  u.ord / 65536 as chunk,
  apply_postings(cast(null as bytea), posting_changes(u.ord % 65536, true)) as users
from cotaste_user_contents l
join cotaste_users u on u.user_id = l.user_id
where l.touches > 0
group by l.content_id, u.ord / 65536;

-- The blocks of the tastes.
create view cotaste_state_blocks as
select b.block, apply_block(cast(null as bytea), b.changes, s.genre_order) as users
from (
  select u.ord / 256 as block, block_changes(u.ord % 256, u.taste) as changes
  from cotaste_users u
  group by u.ord / 256
) b
cross join cotaste_fold_state s;

-- The events of each user of an experiment as one value.
create view cotaste_log_user_events as
select
  e.user_id,
  follow_events(
    cast(null as bytea), event_changes(e.content_id, e.occurred_us, e.action, e.rating, e.experiment, e.variant)
  ) as events
from cotaste_events e
group by e.user_id
having sum(case when e.experiment is not null and e.variant is not null then 1 else 0 end) > 0;

-- Those of them that are up to date.
create view cotaste_clean_events as
select u.user_id, u.events, u.too_many
from cotaste_user_events u
where not u.too_many
  and not (select p.stale from cotaste_parameters p)
  and not exists (
    select 1 from cotaste_queue q where q.user_id = u.user_id and q.due_us <= (select k.now_us from cotaste_clock k)
  );

-- The log of everybody else.
create view cotaste_other_events as
select e.*
from (
  select q.user_id from cotaste_queue q where q.due_us <= (select k.now_us from cotaste_clock k)
  union
  select u.user_id from cotaste_user_events u where u.too_many
) u
cross join cotaste_events e
where e.user_id = u.user_id and not (select p.stale from cotaste_parameters p)
union all
select e.*
from cotaste_parameters p
cross join cotaste_events e
where p.stale and (select g.stale from cotaste_parameters g);

-- Users whose state is up to date.
create view cotaste_clean_users as
select u.user_id, u.ord, u.items, u.changed_us, u.taste
from cotaste_users u
where not (select p.stale from cotaste_parameters p)
  and not exists (
    select 1 from cotaste_queue q where q.user_id = u.user_id and q.due_us <= (select k.now_us from cotaste_clock k)
  );

-- Whoever may have a taste, each once. SQLite pushes a user into a union only when it is one of all rows.
create view cotaste_known_users as
select u.user_id from cotaste_users u
union all
select q.user_id
from (
  select distinct q.user_id from cotaste_queue q where q.due_us <= (select k.now_us from cotaste_clock k)
) q
where not exists (select 1 from cotaste_users u where u.user_id = q.user_id)
union all
select b.user_id
from (select distinct b.user_id from cotaste_parameters p cross join user_behaviors b where p.stale and (select g.stale from cotaste_parameters g)) b
where not exists (select 1 from cotaste_users u where u.user_id = b.user_id)
  and not exists (
    select 1 from cotaste_queue q where q.user_id = b.user_id and q.due_us <= (select k.now_us from cotaste_clock k)
  )
union all
select s.user_id
from (select distinct s.user_id from cotaste_parameters p cross join cotaste_base s where p.stale and (select g.stale from cotaste_parameters g)) s
where not exists (select 1 from cotaste_users u where u.user_id = s.user_id)
  and not exists (
    select 1 from cotaste_queue q where q.user_id = s.user_id and q.due_us <= (select k.now_us from cotaste_clock k)
  )
  and not exists (select 1 from user_behaviors b where b.user_id = s.user_id);

-- Contents whose measures are not in the state as they are now.
create view cotaste_unfolded_contents as
select distinct coalesce(q.content_id, q.lost_id) as content_id
from cotaste_queue q
where q.due_us <= (select k.now_us from cotaste_clock k) and coalesce(q.content_id, q.lost_id) is not null
  and not (select p.stale from cotaste_parameters p)
union all
-- SQLite tests what stands left of a cross join before it reads what stands right of it; Postgres tests what depends on no row
-- before it reads any, and would otherwise compute the filters of who asks for every event.
select distinct b.content_id from cotaste_parameters p cross join user_behaviors b where p.stale and (select g.stale from cotaste_parameters g)
union all
select distinct s.content_id
from cotaste_parameters p
cross join cotaste_base s
where p.stale and (select g.stale from cotaste_parameters g) and not exists (select 1 from user_behaviors b where b.content_id = s.content_id);

-- The pairs whose facts may have changed since they were folded: what they were then and what they are.
create view cotaste_pending_facts as
select
  p.user_id,
  p.content_id,
  (
    select s.facts from cotaste_user_contents s where s.user_id = p.user_id and s.content_id = p.content_id
  ) as was,
  (
    select
      pair_facts(
        e.action, e.rating, e.weight, e.occurred_us, e.id, m.trending_half_life_hours, m.trending_user_cap, e.base
      )
    from (
      select e.action, e.rating, e.weight, e.occurred_us, e.id, cast(null as bytea) as base
      from cotaste_events e
      where e.user_id = p.user_id and e.content_id = p.content_id
        and e.occurred_us <= (select k.now_us from cotaste_clock k)
      union all
      select null, null, null, null, null, b.base
      from cotaste_base b
      where b.user_id = p.user_id and b.content_id = p.content_id
    ) e
    cross join cotaste_parameters m
  ) as facts
from (
  select distinct q.user_id, coalesce(q.content_id, q.lost_id) as content_id
  from cotaste_queue q
  where q.due_us <= (select k.now_us from cotaste_clock k) and coalesce(q.content_id, q.lost_id) is not null
) p;

-- What the folded tastes do not know of who touched what: pairs that are pending; a user without content whose folded
-- contents do not hold, and then all of the user's; and everything when the state is out of date as a whole. What is
-- pending stands left of a cross join, here and elsewhere: else SQLite, once it has analysed, may walk the log instead.
create view cotaste_touch_changes as
select q.user_id, cast(null as bigint) as content_id, 0 as touched
from cotaste_queue q
where q.content_id is null and q.due_us <= (select k.now_us from cotaste_clock k)
union all
select b.user_id, b.content_id, 1 as touched
from (
  select distinct q.user_id from cotaste_queue q
  where q.content_id is null and q.due_us <= (select k.now_us from cotaste_clock k)
) q
cross join user_behaviors b
where b.user_id = q.user_id and b.action <> 'skip' and to_epoch_us(b.occurred_at) <= (select k.now_us from cotaste_clock k)
union all
select b.user_id, b.content_id, 1 as touched
from (
  select distinct q.user_id from cotaste_queue q
  where q.content_id is null and q.due_us <= (select k.now_us from cotaste_clock k)
) q
cross join cotaste_base b
where b.user_id = q.user_id and b.touches > 0
union all
select
  q.user_id, q.content_id,
  case when exists (
    select 1 from user_behaviors b
    where b.user_id = q.user_id and b.content_id = q.content_id and b.action <> 'skip'
      and to_epoch_us(b.occurred_at) <= (select k.now_us from cotaste_clock k)
  ) or exists (
    select 1 from cotaste_base b where b.user_id = q.user_id and b.content_id = q.content_id and b.touches > 0
  ) then 1 else 0 end as touched
from (
  select distinct q.user_id, q.content_id from cotaste_queue q
  where q.content_id is not null and q.due_us <= (select k.now_us from cotaste_clock k)
) q
union all
select b.user_id, b.content_id, 1 as touched
from cotaste_parameters p
cross join user_behaviors b
where p.stale and (select g.stale from cotaste_parameters g) and b.action <> 'skip' and to_epoch_us(b.occurred_at) <= (select k.now_us from cotaste_clock k)
union all
select b.user_id, b.content_id, 1 as touched
from cotaste_parameters p
cross join cotaste_base b
where p.stale and (select g.stale from cotaste_parameters g) and b.touches > 0;

-- The embeddings that recommend blends in: none unless settings name a model and give it a weight.
create view cotaste_blended_embeddings as
select e.content_id, e.embedding
from content_embeddings e
where e.model = (select s.value from cotaste_settings s where s.key = 'recommend_model')
  and exists (
    select 1 from cotaste_settings s where s.key = 'recommend_model_weight' and cast(s.value as double precision) > 0
  );

-- What each user did with each content up to now: the last touch, if there is more than skips, and whether the last
-- event of all was of an action that weighs less than 0. Of the log with what is kept beside it, then of what is kept alone:
-- SQLite pushes a user into a group of tables, and not into one of a union.
create view cotaste_histories as
select
  b.user_id,
  b.content_id,
  max(
    case when b.action <> 'skip' and (s.touched_us is null or to_epoch_us(b.occurred_at) > s.touched_us)
      then to_epoch_us(b.occurred_at) else s.touched_us
    end
  ) as touched_us,
  case
    when case
      when max(s.last_us) > max(to_epoch_us(b.occurred_at)) then max(
        case when s.last_us is not null then
          (select cast(w.value as double precision) from cotaste_settings w where w.key = 'action_weight.' || s.last_action)
        end
      )
      else latest_value(
        coalesce((select cast(w.value as double precision) from cotaste_settings w where w.key = 'action_weight.' || b.action), 0.0),
        to_epoch_us(b.occurred_at), b.id
      )
    end < 0 then 1 else 0
  end as disliked
from user_behaviors b
left join cotaste_base s on s.user_id = b.user_id and s.content_id = b.content_id
where to_epoch_us(b.occurred_at) <= (select k.now_us from cotaste_clock k)
group by b.user_id, b.content_id
union all
select
  s.user_id,
  s.content_id,
  s.touched_us,
  case when (
    select cast(w.value as double precision) from cotaste_settings w where w.key = 'action_weight.' || s.last_action
  ) < 0 then 1 else 0 end as disliked
from cotaste_base s
where not exists (
  select 1 from user_behaviors b
  where b.user_id = s.user_id and b.content_id = s.content_id
    and to_epoch_us(b.occurred_at) <= (select k.now_us from cotaste_clock k)
);
