-- The fold: takes keys off the queue and brings the state up to the log. One at a time; every statement of it must see
-- what was committed before the lock was taken, so it runs in READ COMMITTED only.

create or replace function cotaste_lock(what integer) returns bigint
language sql stable parallel safe
begin atomic
  select 7000000000000000000 + cast(cast(cast('cotaste_queue' as regclass) as oid) as bigint) * 16 + $1;
end;
comment on function cotaste_lock(integer) is
  'the key of an advisory lock of this space: 1 the fold, 2 the settings, 3 the neighbours, 4 the recommendations';

create or replace function cotaste_fold(most bigint) returns bigint
language plpgsql
set search_path from current
set enable_seqscan = off
set jit = off
as $$
declare
  folded bigint;
  now_us bigint := to_epoch_us(clock_timestamp());
  half_life double precision := (select p.taste_half_life_hours from cotaste_parameters p);
  trending_half_life double precision := (select p.trending_half_life_hours from cotaste_parameters p);
  user_cap bigint := (select p.trending_user_cap from cotaste_parameters p);
begin
  with taken as materialized (
    delete from cotaste_queue
    where ctid = any (array(select q.ctid from cotaste_queue q where q.due_us <= now_us limit most))
    returning user_id, content_id
  ),
  -- Also when that key is still to be taken: what a content's genres were is not known any more. The queue is seen as it was.
  whole as materialized (
    select distinct t.user_id
    from taken t
    where exists (select from cotaste_queue q where q.user_id = t.user_id and q.content_id is null)
  ),
  keys as materialized (
    select t.user_id, t.content_id from taken t where t.content_id is not null
    union
    select w.user_id, l.content_id
    from whole w
    cross join lateral (
      select s.content_id from cotaste_user_contents s where s.user_id = w.user_id
      union
      select b.content_id from user_behaviors b where b.user_id = w.user_id
      union
      select b.content_id from cotaste_base b where b.user_id = w.user_id
      offset 0
    ) l
  ),
  -- All events of the keys, what is kept of purged ones, and a row for a key that has nothing left.
  seen as materialized (
    select
      k.user_id, k.content_id, e.id, e.action, e.rating, e.weight, e.occurred_us, e.experiment, e.variant, e.events, e.touches,
      e.base
    from keys k
    left join lateral (
      select
        e.id, e.action, e.rating, e.weight, e.occurred_us, e.experiment, e.variant,
        1 as events, case when e.action <> 'skip' then 1 else 0 end as touches, cast(null as bytea) as base
      from cotaste_events e
      where e.user_id = k.user_id and e.content_id = k.content_id
      union all
      select null, null, null, null, b.last_us, null, null, b.events, b.touches, b.base
      from cotaste_base b
      where b.user_id = k.user_id and b.content_id = k.content_id
      offset 0
    ) e on true
  ),
  -- As in cotaste_log_pairs, but of the keys alone.
  logged as materialized (
    select
      e.user_id, e.content_id,
      sum(case when e.occurred_us <= now_us then e.events else 0 end) as events,
      sum(case when e.occurred_us <= now_us then e.touches else 0 end) as touches,
      decayed_weight(
        case when e.occurred_us <= now_us then e.weight end, half_lives(e.occurred_us, half_life), e.base, half_life
      ) as weight,
      min(case when e.occurred_us > now_us then e.occurred_us end) as next_us,
      pair_facts(
        e.action, e.rating, e.weight, case when e.occurred_us <= now_us then e.occurred_us end, e.id, trending_half_life,
        user_cap, e.base
      ) as facts
    from seen e
    group by e.user_id, e.content_id
  ),
  pairs as materialized (
    select
      k.user_id, k.content_id, c.genres,
      w.user_id is not null as is_whole,
      s.place, s.touches as was_touches, s.weight as was_weight, s.facts as was_facts,
      coalesce(l.events, 0) as events, coalesce(l.touches, 0) as touches, l.weight, l.facts, l.next_us
    from keys k
    left join whole w on w.user_id = k.user_id
    left join logged l on l.user_id = k.user_id and l.content_id = k.content_id
    left join lateral (
      select s.ctid as place, s.touches, s.weight, s.facts from cotaste_user_contents s
      where s.user_id = k.user_id and s.content_id = k.content_id offset 0
    ) s on true
    left join lateral (select c.genres from contents c where c.content_id = k.content_id offset 0) c on true
  ),
  later as (
    insert into cotaste_queue (user_id, content_id, due_us)
    select p.user_id, p.content_id, p.next_us from pairs p where p.next_us is not null
  ),
  gone as (
    delete from cotaste_user_contents where ctid = any (array(select p.place from pairs p where p.events = 0))
  ),
  changed_pairs as (
    update cotaste_user_contents s
    set events = p.events, touches = p.touches, weight = p.weight, facts = p.facts
    from pairs p
    where s.ctid = p.place and p.events > 0
  ),
  new_pairs as (
    insert into cotaste_user_contents (user_id, content_id, events, touches, weight, facts)
    select p.user_id, p.content_id, p.events, p.touches, p.weight, p.facts
    from pairs p
    where p.events > 0 and p.place is null
  ),
  told as materialized (
    select e.user_id, event_changes(e.content_id, e.occurred_us, e.action, e.rating, e.experiment, e.variant) as changes
    from seen e
    group by e.user_id
  ),
  -- Who was in no experiment and is now has all events to be read.
  kept as materialized (
    select
      t.user_id, s.place,
      case
        when w.user_id is not null then follow_events(null, t.changes)
        when s.too_many then ''
        when s.place is not null then follow_events(s.events, t.changes)
        when follow_events(null, t.changes) is not null then (
          select follow_events(null, event_changes(e.content_id, e.occurred_us, e.action, e.rating, e.experiment, e.variant))
          from cotaste_events e where e.user_id = t.user_id
        )
      end as events
    from told t
    left join whole w on w.user_id = t.user_id
    left join lateral (
      select s.ctid as place, s.events, s.too_many from cotaste_user_events s where s.user_id = t.user_id offset 0
    ) s on true
  ),
  left_events as (
    delete from cotaste_user_events where ctid = any (array(select k.place from kept k where k.events is null))
  ),
  changed_events as (
    update cotaste_user_events s set events = nullif(k.events, '') from kept k where s.ctid = k.place and k.events is not null
  ),
  new_events as (
    insert into cotaste_user_events (user_id, events)
    select k.user_id, nullif(k.events, '') from kept k where k.place is null and k.events is not null
  ),
  new_experiments as (
    insert into cotaste_experiments (experiment)
    select distinct e.experiment from seen e where e.experiment is not null and e.variant is not null
    on conflict do nothing
  ),
  changed as materialized (
    select
      p.user_id, bool_or(p.is_whole) as is_whole,
      taste_changes(
        p.content_id, p.genres,
        not p.is_whole and p.was_touches > 0, case when not p.is_whole then p.was_weight end,
        p.touches > 0, p.weight
      ) as changes
    from pairs p
    group by p.user_id
  ),
  followed as materialized (
    select
      c.user_id, u.place, u.ord as was_ord,
      follow_taste(
        case when not c.is_whole then u.taste end, case when not c.is_whole then u.sums end, c.changes
      ) as followed
    from changed c
    left join lateral (
      select u.ctid as place, u.ord, u.taste, u.sums from cotaste_users u where u.user_id = c.user_id offset 0
    ) u on true
  ),
  -- A new user gets the next number.
  users as materialized (
    select
      f.user_id, f.place, f.was_ord, f.followed,
      coalesce(
        f.was_ord,
        case when f.followed is not null then
          (select s.next_ord from cotaste_fold_state s)
            + cast(row_number() over (partition by f.was_ord is null and f.followed is not null) as integer) - 1
        end
      ) as ord
    from followed f
  ),
  orders as materialized (
    select s.genre_order as was, extend_genre_order(s.genre_order, followed_taste(u.followed)) as genre_order
    from cotaste_fold_state s
    cross join users u
    where u.followed is not null
    group by s.genre_order
  ),
  handed_out as (
    update cotaste_fold_state s
    set
      next_ord = s.next_ord + (select count(*) from users u where u.was_ord is null and u.ord is not null),
      genre_order = coalesce((select o.genre_order from orders o), s.genre_order)
    where exists (select from users u where u.was_ord is null and u.ord is not null)
      or exists (select from orders o where o.genre_order <> o.was)
  ),
  left_users as (
    delete from cotaste_users where ctid = any (array(select u.place from users u where u.followed is null))
  ),
  changed_users as (
    update cotaste_users v
    set
      items = taste_items(followed_taste(u.followed)), changed_us = now_us,
      taste = followed_taste(u.followed), sums = followed_sums(u.followed)
    from users u
    where v.ctid = u.place and u.followed is not null
  ),
  new_users as (
    insert into cotaste_users (user_id, ord, items, changed_us, taste, sums)
    select
      u.user_id, u.ord, taste_items(followed_taste(u.followed)), now_us, followed_taste(u.followed), followed_sums(u.followed)
    from users u
    where u.place is null and u.followed is not null
  ),
  lists as materialized (
    select
      p.content_id, u.ord / 65536 as chunk,
      posting_changes(u.ord % 65536, coalesce(p.touches > 0, false)) as changes
    from pairs p
    join users u on u.user_id = p.user_id
    where u.ord is not null and coalesce(p.was_touches > 0, false) <> coalesce(p.touches > 0, false)
    group by p.content_id, u.ord / 65536
  ),
  posted as materialized (
    select l.content_id, l.chunk, s.place, apply_postings(s.users, l.changes) as users
    from lists l
    left join lateral (
      select s.ctid as place, s.users from cotaste_postings s
      where s.content_id = l.content_id and s.chunk = l.chunk offset 0
    ) s on true
  ),
  empty_postings as (
    delete from cotaste_postings where ctid = any (array(select p.place from posted p where p.users is null))
  ),
  changed_postings as (
    update cotaste_postings s set users = p.users from posted p where s.ctid = p.place and p.users is not null
  ),
  new_postings as (
    insert into cotaste_postings (content_id, chunk, users)
    select p.content_id, p.chunk, p.users from posted p where p.place is null and p.users is not null
  ),
  sketched as materialized (
    select u.ord / 256 as block, block_changes(u.ord % 256, followed_taste(u.followed)) as changes
    from users u
    where u.ord is not null
    group by u.ord / 256
  ),
  blocked as materialized (
    select
      k.block,
      apply_block(
        s.users, k.changes, coalesce((select o.genre_order from orders o), (select f.genre_order from cotaste_fold_state f))
      ) as users
    from sketched k
    left join lateral (select s.users from cotaste_blocks s where s.block = k.block offset 0) s on true
  ),
  empty_blocks as (
    delete from cotaste_blocks s using blocked b where b.users is null and s.block = b.block
  ),
  kept_blocks as (
    insert into cotaste_blocks as s (block, users)
    select b.block, b.users from blocked b where b.users is not null
    on conflict (block) do update set users = excluded.users
  ),
  -- Measures of contents. When the pair that had the first or last event of one is gone, the log tells what it is now;
  -- but of pairs that are still pending what was folded counts.
  measured as materialized (
    select c.content_id, s.place, follow_content(s.measures, c.changes) as measures
    from (
      select p.content_id, content_changes(p.was_facts, p.facts) as changes
      from pairs p
      where p.was_facts is distinct from p.facts
      group by p.content_id
    ) c
    left join lateral (
      select s.ctid as place, s.measures from cotaste_contents s where s.content_id = c.content_id offset 0
    ) s on true
  ),
  unsure as materialized (
    select m.content_id from measured m
    where m.measures is not null
      and (content_count(m.measures, 'first_us') is null or content_count(m.measures, 'last_us') is null)
  ),
  unfolded as materialized (
    select distinct q.user_id, u.content_id
    from unsure u
    join cotaste_queue q on coalesce(q.content_id, q.lost_id) = u.content_id and q.due_us <= now_us
    where not exists (select from pairs p where p.user_id = q.user_id and p.content_id = u.content_id)
  ),
  extents as materialized (
    select e.content_id, min(e.first_us) as first_us, max(e.last_us) as last_us
    from (
      select u.content_id, e.occurred_us as first_us, e.occurred_us as last_us
      from unsure u
      join cotaste_events e on e.content_id = u.content_id and e.occurred_us <= now_us
      where not exists (select from unfolded f where f.user_id = e.user_id and f.content_id = e.content_id)
      union all
      select u.content_id, b.first_us, b.last_us
      from unsure u
      join cotaste_base b on b.content_id = u.content_id
      where not exists (select from unfolded f where f.user_id = b.user_id and f.content_id = b.content_id)
      union all
      select f.content_id, content_count(f.measures, 'first_us'), content_count(f.measures, 'last_us')
      from (
        select f.content_id, follow_content(null, content_changes(null, s.facts)) as measures
        from unfolded f
        join cotaste_user_contents s on s.user_id = f.user_id and s.content_id = f.content_id
        group by f.content_id
      ) f
    ) e
    group by e.content_id
  ),
  left_contents as (
    delete from cotaste_contents where ctid = any (array(select m.place from measured m where m.measures is null))
  ),
  kept_contents as (
    insert into cotaste_contents as c (content_id, measures)
    select
      m.content_id,
      case when e.content_id is null then m.measures else set_content_extent(m.measures, e.first_us, e.last_us) end
    from measured m
    left join extents e on e.content_id = m.content_id
    where m.measures is not null
    on conflict (content_id) do update set measures = excluded.measures
  ),
  rated as materialized (
    select rating_changes(p.was_facts, p.facts) as changes from pairs p where p.was_facts is distinct from p.facts
  ),
  kept_ratings as (
    update cotaste_rating_totals t set measures = follow_content(t.measures, r.changes) from rated r
    where r.changes is not null
  )
  select count(*) into folded from taken;
  return folded;
end
$$;
comment on function cotaste_fold(bigint) is
  'folds so many keys at most; the caller holds cotaste_lock(1) in a READ COMMITTED transaction';

-- Planned anew each time, with what is known of the tables by then: a plan made for an empty space would not do.
create or replace function cotaste_rebuild() returns bigint
language plpgsql
set search_path from current
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
  users bigint;
begin
  perform cotaste_fold_alone('cotaste_rebuild');
  -- The row stays locked to the end: what makes the state stale from now on waits, and makes it stale again.
  update cotaste_parameters set stale = false;
  delete from cotaste_queue where due_us < 9223372036854775807;
  delete from cotaste_user_contents;
  delete from cotaste_users;
  delete from cotaste_postings;
  delete from cotaste_blocks;
  delete from cotaste_contents;
  delete from cotaste_user_events;
  delete from cotaste_experiments;
  insert into cotaste_queue (user_id, content_id, due_us)
  select p.user_id, p.content_id, p.next_us from cotaste_log_pairs p where p.next_us is not null;
  insert into cotaste_user_contents (user_id, content_id, events, touches, weight, facts)
  select p.user_id, p.content_id, p.events, p.touches, p.weight, p.facts from cotaste_log_pairs p where p.events > 0;
  analyze cotaste_user_contents;
  insert into cotaste_users (user_id, ord, items, changed_us, taste, sums)
  select
    s.user_id, s.ord, taste_items(followed_taste(s.followed)), to_epoch_us(clock_timestamp()),
    followed_taste(s.followed), followed_sums(s.followed)
  from cotaste_state_tastes s;
  get diagnostics users = row_count;
  analyze cotaste_users;
  update cotaste_fold_state set
    next_ord = users,
    genre_order = coalesce((select extend_genre_order('[]', u.taste) from cotaste_users u), '[]');
  insert into cotaste_postings (content_id, chunk, users)
  select s.content_id, s.chunk, s.users from cotaste_state_postings s;
  insert into cotaste_blocks (block, users)
  select s.block, s.users from cotaste_state_blocks s;
  insert into cotaste_contents (content_id, measures) select s.content_id, s.measures from cotaste_state_contents s;
  update cotaste_rating_totals set measures = (select s.measures from cotaste_state_ratings s);
  analyze cotaste_contents;
  insert into cotaste_user_events (user_id, events)
  select l.user_id, nullif(l.events, '') from cotaste_log_user_events l;
  insert into cotaste_experiments (experiment)
  select distinct e.experiment from cotaste_events e where e.experiment is not null and e.variant is not null;
  return users;
end
$$;
comment on function cotaste_rebuild() is 'makes the state anew from the log and what is kept of purged events; returns the number of users';

-- To somebody from whom a policy hides rows, they would look deleted.
create or replace function cotaste_refuse_hidden_rows(caller text) returns void
language plpgsql
set search_path from current
as $$
begin
  if row_security_active(cast('user_behaviors' as regclass)) then
    raise exception using errcode = '42501',
      message = format('UPDATE_ERROR: %s: row-level security hides events from %s', caller, current_user),
      hint = 'Run it as the owner of the tables or as a role with BYPASSRLS.';
  end if;
end
$$;
comment on function cotaste_refuse_hidden_rows(text) is 'refuses to compute for all users what only some rows are seen of';

create or replace function cotaste_fold_alone(caller text) returns void
language plpgsql
set search_path from current
as $$
begin
  if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
    raise exception using errcode = '25001',
      message = format('UPDATE_ERROR: %s: the transaction is %s', caller, current_setting('transaction_isolation')),
      hint = 'Run it in a READ COMMITTED transaction: it must see what others have committed.';
  end if;
  perform cotaste_refuse_hidden_rows(caller);
  perform pg_advisory_xact_lock(cotaste_lock(1));
end
$$;
comment on function cotaste_fold_alone(text) is 'waits until no other fold runs, to the end of the transaction';

-- Folds what is pending, or so many keys of it. A first load, or one of most of what there is, is folded all at once by
-- groups instead of key by key.
create or replace function cotaste_fold_pending("limit" bigint) returns bigint
language plpgsql
set search_path from current
as $$
declare
  pending bigint;
  folded bigint := 0;
  more bigint;
begin
  select count(*) into pending from cotaste_queue q where q.due_us <= to_epoch_us(clock_timestamp());
  if (select p.stale from cotaste_parameters p)
    or ("limit" is null and pending >= 10000 and pending > (select count(*) from cotaste_user_contents) / 2)
  then
    perform cotaste_rebuild();
    return pending;
  end if;
  -- What was pending when it began: it does not run after writers that go on.
  pending := least(pending, "limit");
  while folded < pending loop
    more := cotaste_fold(least(pending - folded, 1000000));
    folded := folded + more;
    exit when more = 0;
  end loop;
  return folded;
end
$$;
comment on function cotaste_fold_pending(bigint) is 'part of cotaste_refresh: folds; the caller holds cotaste_lock(1)';

create or replace function cotaste_refresh("limit" bigint default null) returns bigint
language plpgsql
set search_path from current
as $$
declare
  seen xid8 := pg_snapshot_xmax(pg_current_snapshot());
  waited boolean := not pg_try_advisory_xact_lock(cotaste_lock(1));
  folded bigint;
  retention_days bigint;
begin
  perform cotaste_fold_alone('cotaste_refresh');
  -- Whoever was waited for, or waited before, may have folded all that was pending when this call began: many callers at
  -- once then need one fold and not one each. A key that was committed by then was written before "seen".
  if waited
    and not (select p.stale from cotaste_parameters p)
    and not exists (
      select from cotaste_queue q
      where q.due_us <= to_epoch_us(clock_timestamp()) and age(q.xmin) >= age(cast(seen as xid))
    )
  then
    return 0;
  end if;
  folded := cotaste_fold_pending("limit");
  select cast(s.value as bigint) into retention_days from cotaste_settings s where s.key = 'retention_days' and s.value <> '' and cast(s.value as bigint) > 0;
  if retention_days is not null then
    perform purge_behaviors(retention_days, false, 20000);
  end if;
  return folded;
end
$$;
comment on function cotaste_refresh(bigint) is
  'folds what is pending, or so many keys of it, and returns how many; waits for another fold to end; purges by the setting retention_days';

-- Whether the caller may fold and can: it must see what others have committed, and be alone.
create or replace function cotaste_may_fold() returns boolean
language plpgsql
set search_path from current
as $$
begin
  return current_setting('transaction_isolation') not in ('repeatable read', 'serializable')
    and has_table_privilege('cotaste_users', 'update') and has_table_privilege('cotaste_queue', 'delete')
    and has_function_privilege('cotaste_fold(bigint)', 'execute')
    and not row_security_active(cast('user_behaviors' as regclass))
    and (select p.fold_at > 0 from cotaste_parameters p)
    and pg_try_advisory_xact_lock(cotaste_lock(1));
end
$$;
comment on function cotaste_may_fold() is 'takes cotaste_lock(1) if nobody has it and the caller may fold';

create or replace function cotaste_fold_bulk() returns void
language plpgsql
set search_path from current
as $$
begin
  if cotaste_may_fold() then
    perform cotaste_fold_pending(null);
  end if;
end
$$;
comment on function cotaste_fold_bulk() is 'folds after a statement that wrote very much, unless another fold runs';

-- What recording calls now and then: folds when so much is pending that reads would feel it.
create or replace function cotaste_fold_when_due() returns void
language plpgsql
set search_path from current
as $$
declare
  most bigint;
  pending bigint;
begin
  select p.fold_at into most from cotaste_parameters p where not p.stale;
  select count(*) into pending
  from (select from cotaste_queue q where q.due_us <= to_epoch_us(clock_timestamp()) limit most) q
  where most > 0;
  if pending = most and cotaste_may_fold() then
    perform cotaste_fold(most * 2);
  end if;
end
$$;
comment on function cotaste_fold_when_due() is 'folds some of what is pending, if it is much and no other fold runs';

revoke execute on function cotaste_fold(bigint) from public;
revoke execute on function cotaste_fold_pending(bigint) from public;
revoke execute on function cotaste_fold_alone(text) from public;
revoke execute on function cotaste_refuse_hidden_rows(text) from public;
revoke execute on function cotaste_fold_bulk() from public;
revoke execute on function cotaste_fold_when_due() from public;
revoke execute on function cotaste_may_fold() from public;
revoke execute on function cotaste_rebuild() from public;
revoke execute on function cotaste_refresh(bigint) from public;
