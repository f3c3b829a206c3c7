-- Who may do what, forgetting a user, and retention.

-- A fold by somebody to whom rows are hidden would take them for deleted.
create or replace function forget_user(user_id text) returns bigint
language plpgsql
set search_path from current
as $$
declare
  forgotten bigint;
begin
  if $1 is null then
    raise exception using errcode = '22023', message = 'INVALID_ARGUMENT: user_id: is NULL',
      hint = 'Pass a value of the documented range.';
  end if;
  perform cotaste_fold_alone('forget_user');
  delete from user_behaviors b where b.user_id = $1;
  get diagnostics forgotten = row_count;
  delete from cotaste_base b where b.user_id = $1;
  delete from cotaste_neighbour_runs r
  where r.user_id = $1 or r.user_id in (select n.user_id from neighbours n where n.neighbour_id = $1);
  delete from neighbours n
  where n.user_id = $1 or n.user_id in (select m.user_id from neighbours m where m.neighbour_id = $1);
  delete from cotaste_recommendations r where r.user_id = $1;
  delete from cotaste_recommendation_runs r where r.user_id = $1;
  -- Whatever the state has of the user, with or without events; keys of events that were still to come go as well.
  delete from cotaste_queue q where q.user_id = $1 and q.due_us < 9223372036854775807;
  insert into cotaste_queue (user_id) values ($1);
  perform cotaste_fold_pending(null);
  return forgotten;
end
$$;
comment on function forget_user(text) is
  'erases every trace of a user and returns how many events these were; cotaste_traces(user_id) then has no row';

create or replace function forget_user(user_id bigint) returns bigint
language sql
begin atomic
  select forget_user(cast($1 as text));
end;
comment on function forget_user(bigint) is 'forget_user for users with numbers for ids';

create or replace function forget_user(user_id uuid) returns bigint
language sql
begin atomic
  select forget_user(cast($1 as text));
end;
comment on function forget_user(uuid) is 'forget_user for users with uuids for ids';

-- Retention: old events go, and what they came to stays, so that level 1 is what it was bit by bit. A call is one
-- transaction; "batch" bounds it. What is left over when one ends, however it ends, the next call finds.
create or replace function purge_behaviors(days bigint, dry_run boolean default false, batch bigint default null) returns bigint
language plpgsql
set search_path from current
set enable_seqscan = off
set jit = off
as $$
declare
  cut timestamptz;
  purged bigint := 0;
  more bigint;
begin
  if $1 is null or $1 not between 0 and 1000000 then
    raise exception using errcode = '22023',
      message = format('INVALID_ARGUMENT: days: %s', case when $1 is null then 'is NULL' else $1 || ' is not between 0 and 1000000' end),
      hint = 'Pass a value of the documented range.';
  end if;
  if $3 <= 0 then
    raise exception using errcode = '22023', message = format('INVALID_ARGUMENT: batch: %s is not above 0', $3),
      hint = 'Pass a value of the documented range.';
  end if;
  if $2 then
    return (select p.events from purge_preview($1) p where p.part = 'purged');
  end if;
  perform cotaste_fold_alone('purge_behaviors');
  cut := statement_timestamp() - make_interval(hours => cast($1 * 24 as integer));
  loop
    more := cotaste_purge(cut, least(coalesce($3 - purged, 100000), 100000));
    purged := purged + more;
    exit when more = 0;
  end loop;
  -- Kept plans were made when the table was empty or small.
  if purged > 0 and (select pg_has_role(c.relowner, 'member') from pg_class c where c.oid = cast('cotaste_base' as regclass)) then
    analyze cotaste_base;
  end if;
  return purged;
end
$$;
comment on function purge_behaviors(bigint, boolean, bigint) is
  'removes events older than so many days, or so many of them, keeps what they came to, and returns how many they were';

create or replace function cotaste_purge(cut timestamptz, most bigint) returns bigint
language plpgsql
set search_path from current
set enable_seqscan = off
set jit = off
as $$
declare
  purged bigint;
  exposed bigint;
begin
  perform set_config('cotaste.purge', 'on', true);
  with old as materialized (
    select b.ctid as place from user_behaviors b where b.occurred_at < cut order by b.occurred_at limit most
  ),
  gone as materialized (
    delete from user_behaviors b
    where b.ctid = any (array(select o.place from old o)) and b.occurred_at < cut
    returning b.user_id, b.content_id, b.id, b.action, b.rating, to_epoch_us(b.occurred_at) as occurred_us
  ),
  pairs as materialized (select distinct g.user_id, g.content_id from gone g),
  carried as (
    insert into cotaste_base (user_id, content_id, base)
    select
      r.user_id, r.content_id,
      pair_base(
        r.base, r.action, r.rating, r.weight, r.occurred_us, r.id, p.taste_half_life_hours, p.trending_half_life_hours,
        p.trending_user_cap
      )
    from (
      -- The weight as in cotaste_events, where these rows are no more.
      select
        g.user_id, g.content_id, cast(null as bytea) as base, g.action, g.rating, g.occurred_us, g.id,
        coalesce(cast(s.value as double precision), 0)
          * case when g.action = 'rate' then coalesce((g.rating - 5) / 2.5, 0) else 1 end as weight
      from gone g
      left join cotaste_settings s on s.key = 'action_weight.' || g.action
      union all
      select k.user_id, k.content_id, b.base, null, null, null, null, null
      from pairs k
      cross join lateral (
        select b.base from cotaste_base b where b.user_id = k.user_id and b.content_id = k.content_id offset 0
      ) b
    ) r
    cross join cotaste_parameters p
    group by r.user_id, r.content_id
    on conflict (user_id, content_id) do update set base = excluded.base
  ),
  -- Of a user of an experiment each event is kept beside the log: these are read from it again.
  exposed_users as (
    insert into cotaste_queue (user_id)
    select distinct g.user_id from gone g where exists (select from cotaste_user_events u where u.user_id = g.user_id)
    returning 1
  )
  select (select count(*) from gone), (select count(*) from exposed_users) into purged, exposed;
  perform set_config('cotaste.purge', 'off', true);
  if exposed > 0 and not (select p.stale from cotaste_parameters p) then
    perform cotaste_fold_pending(null);
  end if;
  return purged;
end
$$;
comment on function cotaste_purge(timestamptz, bigint) is 'part of purge_behaviors: so many events at most; the caller holds cotaste_lock(1)';

-- What each role gets. A writer may write events, contents and what is derived of them; settings and TRUNCATE are the owner's.
create or replace function cotaste_role_grants(role name, writes boolean) returns setof text
language sql
set search_path from current
as $$
  with space as (
    select n.oid, quote_ident(n.nspname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid = cast('cotaste_meta' as regclass)
  ),
  relations as (
    select c.oid, c.relkind, c.relname, format('%s.%I', s.name, c.relname) as name
    from space s
    join pg_class c on c.relnamespace = s.oid
    where c.relkind in ('r', 'v', 'S')
      and (
        c.relname in (select o.name from cotaste_space_objects() o where o.kind in ('table', 'view'))
        or c.relname = 'cotaste_neighbour_count'
        or exists (
          select from pg_depend d
          where d.classid = cast('pg_class' as regclass) and d.objid = c.oid and d.deptype = 'i'
            and d.refobjid = cast('user_behaviors' as regclass)
        )
      )
  ),
  functions as (
    select p.oid, p.provolatile, format('%s.%I(%s)', s.name, p.proname, pg_get_function_identity_arguments(p.oid)) as name, p.proname
    from space s
    cross join lateral cotaste_own_functions((select n.nspname from pg_namespace n where n.oid = s.oid)) o
    join pg_proc p on p.oid = o.oid
    where p.prorettype <> cast('trigger' as regtype)
  )
  select format('grant usage on schema %s to %I', s.name, role) from space s
  union all
  select format('grant usage on schema %I to %I', n.nspname, role)
  from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'cotaste'
  union all
  select format('grant select on %s to %I', r.name, role) from relations r
  union all
  select format('grant execute on function %s to %I', f.name, role) from functions f
  where f.provolatile <> 'v'
    or (writes and f.proname not in ('cotaste_role_grants', 'cotaste_set_owner', 'cotaste_grant_writer', 'cotaste_grant_reader', 'cotaste_carry_row_security'))
  union all
  select format('grant insert, update, delete on %s to %I', r.name, role) from relations r
  where writes and r.relkind = 'r' and r.relname not in ('cotaste_meta', 'cotaste_settings', 'cotaste_parameters', 'cotaste_fold_state')
  union all
  -- One row each, which is changed and neither made nor removed.
  select format('grant update on %s to %I', r.name, role) from relations r
  where writes and r.relname in ('cotaste_parameters', 'cotaste_fold_state')
  union all
  select format('grant usage, update on sequence %s to %I', r.name, role) from relations r
  where writes and r.relkind = 'S'
$$;
comment on function cotaste_role_grants(name, boolean) is 'part of cotaste_grant_reader and cotaste_grant_writer: the statements they run';

create or replace function cotaste_grant_reader(role name) returns text
language plpgsql
set search_path from current
as $$
declare
  part text;
begin
  for part in select g from cotaste_role_grants(role, false) g loop
    execute part;
  end loop;
  return format('%s may read', role);
end
$$;
comment on function cotaste_grant_reader(name) is 'lets a role read everything of this space and write nothing; for the owner';

create or replace function cotaste_grant_writer(role name) returns text
language plpgsql
set search_path from current
as $$
declare
  part text;
begin
  for part in select g from cotaste_role_grants(role, true) g loop
    execute part;
  end loop;
  return format('%s may read and write', role);
end
$$;
comment on function cotaste_grant_writer(name) is
  'lets a role read, record, load, fold, refresh, purge and forget; not change settings, truncate or grant; for the owner';

create or replace function cotaste_set_owner(role name) returns text
language plpgsql
set search_path from current
as $$
declare
  part text;
begin
  for part in
    with space as (
      select n.oid, n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.oid = cast('cotaste_meta' as regclass)
    )
    select format('grant usage, create on schema %I to %I', s.nspname, role) from space s
    union all
    select format('alter %s %I.%I owner to %I', case c.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end,
      s.nspname, c.relname, role)
    from space s
    join pg_class c on c.relnamespace = s.oid
    where (c.relkind in ('r', 'v') and c.relname in (select o.name from cotaste_space_objects() o where o.kind in ('table', 'view')))
      or c.relname = 'cotaste_neighbour_count'
    union all
    select format('alter function %I.%I(%s) owner to %I', s.nspname, p.proname, pg_get_function_identity_arguments(p.oid), role)
    from space s
    cross join lateral cotaste_own_functions(s.nspname) o
    join pg_proc p on p.oid = o.oid
  loop
    execute part;
  end loop;
  return format('%s owns the space', role);
end
$$;
comment on function cotaste_set_owner(name) is
  'makes a role the owner of everything of this space: it may change settings, truncate, rebuild, upgrade, grant';

-- The policies of user_behaviors decide over every table with a user_id: who sees an event of a user sees what is derived
-- of that user. They are asked at every read, so a policy made or changed later holds without another call.
create or replace function cotaste_carry_row_security() returns bigint
language plpgsql
set search_path from current
set client_min_messages = warning
as $$
declare
  of_user record;
  carried bigint := 0;
begin
  for of_user in
    select
      c.oid, cast(cast(c.oid as regclass) as text) as name,
      exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'neighbour_id') as has_neighbour,
      l.relforcerowsecurity as forced
    from pg_class l
    join pg_class c on c.relnamespace = l.relnamespace and c.relkind = 'r' and c.oid <> l.oid
    where l.oid = cast('user_behaviors' as regclass)
      and c.relname in (select o.name from cotaste_space_objects() o where o.kind = 'table')
      and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped)
    order by c.relname
  loop
    execute format('drop policy if exists cotaste_carried on %s', of_user.name);
    execute format('drop policy if exists cotaste_carried_insert on %s', of_user.name);
    execute format(
      'create policy cotaste_carried on %1$s for select using ('
      'exists (select from user_behaviors b where b.user_id = %1$s.user_id)%2$s)',
      of_user.name,
      case when of_user.has_neighbour then
        format(' and exists (select from user_behaviors b where b.user_id = %s.neighbour_id)', of_user.name) end);
    -- Keys are queued by whoever may write events; all else is written by those whom no policy holds.
    execute format('create policy cotaste_carried_insert on %s for insert with check (true)', of_user.name);
    execute format('alter table %s enable row level security', of_user.name);
    execute format('alter table %s %s force row level security', of_user.name, case when not of_user.forced then 'no' end);
    carried := carried + 1;
  end loop;
  return carried;
end
$$;
comment on function cotaste_carry_row_security() is
  'lets the policies of user_behaviors hold for every table of derived rows of users, and returns how many these are';

revoke execute on function purge_behaviors(bigint, boolean, bigint) from public;
revoke execute on function cotaste_purge(timestamptz, bigint) from public;
revoke execute on function forget_user(text) from public;
revoke execute on function forget_user(bigint) from public;
revoke execute on function forget_user(uuid) from public;
revoke execute on function cotaste_role_grants(name, boolean) from public;
revoke execute on function cotaste_grant_reader(name) from public;
revoke execute on function cotaste_grant_writer(name) from public;
revoke execute on function cotaste_set_owner(name) from public;
revoke execute on function cotaste_carry_row_security() from public;
