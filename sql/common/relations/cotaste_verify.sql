-- cotaste_verify: what of the state differs from what the log gives; no row when all is well. Users with something pending are left out: they are read from the log
-- function only
-- column: part text
-- column: key text
-- column: problem text
select part, key, problem
from (
  select distinct
    'cotaste_user_contents' as part,
    user_id || ' ' || cast(content_id as text) as key,
    'is not what the log gives' as problem,
    user_id
  from (
    select * from (
      select l.user_id, l.content_id, l.events, l.touches, l.weight, l.facts from cotaste_log_pairs l where l.events > 0
      except
      select s.user_id, s.content_id, s.events, s.touches, s.weight, s.facts from cotaste_user_contents s
    ) missing
    union all
    select * from (
      select s.user_id, s.content_id, s.events, s.touches, s.weight, s.facts from cotaste_user_contents s
      except
      select l.user_id, l.content_id, l.events, l.touches, l.weight, l.facts from cotaste_log_pairs l where l.events > 0
    ) surplus
  ) pairs
  union all
  select distinct 'cotaste_users', user_id, 'is not what cotaste_user_contents gives', user_id
  from (
    select * from (
      select t.user_id, followed_taste(t.followed) as taste, followed_sums(t.followed) as sums from cotaste_state_tastes t
      except
      select u.user_id, u.taste, u.sums from cotaste_users u
    ) missing
    union all
    select * from (
      select u.user_id, u.taste, u.sums from cotaste_users u
      except
      select t.user_id, followed_taste(t.followed), followed_sums(t.followed) from cotaste_state_tastes t
    ) surplus
  ) users
  union all
  select distinct 'cotaste_user_events', user_id, 'is not what the log gives', user_id
  from (
    select * from (
      select l.user_id, l.events from cotaste_log_user_events l
      where length(l.events) > 0
        and not exists (select 1 from cotaste_user_events u where u.user_id = l.user_id and u.too_many)
      except
      select u.user_id, u.events from cotaste_user_events u
    ) missing
    union all
    select * from (
      select u.user_id, u.events from cotaste_user_events u where not u.too_many
      except
      select l.user_id, l.events from cotaste_log_user_events l
    ) surplus
  ) events
  union all
  select distinct 'cotaste_experiments', e.experiment, 'is missing', e.user_id
  from cotaste_events e
  where e.experiment is not null and e.variant is not null
    and not exists (select 1 from cotaste_experiments x where x.experiment = e.experiment)
  union all
  select 'cotaste_users', u.user_id, 'has another number of items than its taste', null
  from cotaste_users u
  where u.items <> taste_items(u.taste)
  union all
  select distinct
    'cotaste_postings', cast(content_id as text) || ' ' || cast(chunk as text), 'is not what cotaste_user_contents gives', null
  from (
    select * from (
      select l.content_id, l.chunk, l.users from cotaste_state_postings l
      except
      select p.content_id, p.chunk, p.users from cotaste_postings p
    ) missing
    union all
    select * from (
      select p.content_id, p.chunk, p.users from cotaste_postings p
      except
      select l.content_id, l.chunk, l.users from cotaste_state_postings l
    ) surplus
  ) postings
  union all
  select distinct 'cotaste_blocks', cast(block as text), 'is not what cotaste_users gives', null
  from (
    select * from (
      select l.block, l.users from cotaste_state_blocks l except select b.block, b.users from cotaste_blocks b
    ) missing
    union all
    select * from (
      select b.block, b.users from cotaste_blocks b except select l.block, l.users from cotaste_state_blocks l
    ) surplus
  ) blocks
  union all
  select distinct 'cotaste_contents', cast(content_id as text), 'is not what cotaste_user_contents gives', null
  from (
    select * from (
      select
        l.content_id, l.measures, l.users, l.events, l.views, l.completes, l.skips, l.orphans, l.starters, l.completers,
        l.skippers, l.viewers, l.ratings, l.rating_users, l.rating_sum, l.last_rating_sum, l.trend, l.rank_key, l.first_us,
        l.last_us
      from cotaste_state_contents l
      except
      select
        c.content_id, c.measures, c.users, c.events, c.views, c.completes, c.skips, c.orphans, c.starters, c.completers,
        c.skippers, c.viewers, c.ratings, c.rating_users, c.rating_sum, c.last_rating_sum, c.trend, c.rank_key, c.first_us,
        c.last_us
      from cotaste_contents c
    ) missing
    union all
    select * from (
      select
        c.content_id, c.measures, c.users, c.events, c.views, c.completes, c.skips, c.orphans, c.starters, c.completers,
        c.skippers, c.viewers, c.ratings, c.rating_users, c.rating_sum, c.last_rating_sum, c.trend, c.rank_key, c.first_us,
        c.last_us
      from cotaste_contents c
      except
      select
        l.content_id, l.measures, l.users, l.events, l.views, l.completes, l.skips, l.orphans, l.starters, l.completers,
        l.skippers, l.viewers, l.ratings, l.rating_users, l.rating_sum, l.last_rating_sum, l.trend, l.rank_key, l.first_us,
        l.last_us
      from cotaste_state_contents l
    ) surplus
  ) contents
  union all
  select 'cotaste_rating_totals', 'ratings', 'is not what cotaste_user_contents gives', null
  where exists (
    select s.measures from cotaste_state_ratings s
    except
    select t.measures from cotaste_rating_totals t
  )
) problems
where user_id is null
  or (
    not (select p.stale from cotaste_parameters p)
    and not exists (
      select 1 from cotaste_queue q
      where q.user_id = problems.user_id and q.due_us <= (select k.now_us from cotaste_clock k)
    )
  )
order by part, key
