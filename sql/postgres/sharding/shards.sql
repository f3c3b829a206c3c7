-- The coordinator's last script, after coordinator.sql in the same session: shards, writes, and what is left to each shard.

-- The catalogue and the settings are the coordinator's; every shard has a copy of them. Copies go by dblink and not by
-- postgres_fdw, whose transactions are REPEATABLE READ: in these a change of the catalogue marks a shard's state as stale.

create table if not exists cotaste_shards.reference (
  name text primary key,
  key text not null,
  columns text not null
);
comment on table cotaste_shards.reference is 'the tables every shard has a copy of';
truncate cotaste_shards.reference;
insert into cotaste_shards.reference (name, key, columns) values
  ('contents', 'content_id', 'title, genres, attributes, created_at'),
  ('cotaste_settings', 'key', 'value, description');

-- The statement that gives a shard the rows of some keys, or of all. What is equal already is not touched.
create or replace function cotaste_shards.copy_statement(name text, keys text[]) returns text
language plpgsql stable
set search_path from current
set timezone = 'UTC'
as $$
declare
  r cotaste_shards.reference := (select f from cotaste_shards.reference f where f.name = $1);
  found_rows text;
  columns text := (
    select string_agg(format('%I %s', a.attname, format_type(a.atttypid, null)), ', ' order by a.attnum)
    from pg_attribute a where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
  );
begin
  execute format('select coalesce(json_agg(t), ''[]'') from %I t where $1 is null or cast(t.%I as text) = any ($1)', $1, r.key)
  into found_rows using keys;
  return format(
    'with given as materialized (select * from json_to_recordset(%1$L) g (%2$s)),
     gone as (delete from @space@.%3$I t where not exists (select from given g where g.%4$I = t.%4$I) and %5$s returning 1),
     put as (
       insert into @space@.%3$I as t (%4$I, %6$s) select g.%4$I, %7$s from given g
       on conflict (%4$I) do update set (%6$s) = row (%8$s) where row (%9$s) is distinct from row (%8$s)
       returning 1
     )
     select count(*) from (select from gone union all select from put) n',
    found_rows, columns, $1, r.key,
    case when keys is null then 'true' else format('cast(t.%I as text) = any (%L)', r.key, keys) end,
    r.columns, regexp_replace(r.columns, '(\w+)', 'g.\1', 'g'), regexp_replace(r.columns, '(\w+)', 'excluded.\1', 'g'),
    regexp_replace(r.columns, '(\w+)', 't.\1', 'g')
  );
end
$$;
comment on function cotaste_shards.copy_statement(text, text[]) is 'the statement that makes rows of a shard those of the coordinator';

create or replace function cotaste_copy_reference(shard text default null) returns bigint
language sql
begin atomic
  select cast(coalesce(sum(a.answer), 0) as bigint)
  from cotaste_shards.reference r
  cross join lateral cotaste_shards.ask(
    cast(null as bigint), cotaste_shards.copy_statement(r.name, null), case when $1 is not null then array[$1] end
  ) a (answer);
end;
comment on function cotaste_copy_reference(text) is
  'makes the catalogue and the settings of a shard, or of all, those of the coordinator and returns how many rows differed';

-- What a transaction changed is done in every shard when it commits. A shard that is down stops the commit.
create table if not exists cotaste_shards.changed (
  name text not null,
  keys text[]
);
comment on table cotaste_shards.changed is 'what the transaction changed of the catalogue and the settings; empty between transactions';

create or replace function cotaste_shards.note_change() returns trigger
language plpgsql
set search_path from current
as $$
declare
  key text := (select f.key from cotaste_shards.reference f where f.name = tg_table_name);
begin
  execute format('insert into cotaste_shards.changed (name, keys) select %L, %s', tg_table_name,
    case tg_op
      when 'TRUNCATE' then 'null'
      when 'INSERT' then format('(select array_agg(cast(t.%I as text)) from written t)', key)
      when 'DELETE' then format('(select array_agg(cast(t.%I as text)) from gone t)', key)
      else format('(select array_agg(cast(t.%1$I as text)) from (select %1$I from gone union select %1$I from written) t)', key)
    end || case when tg_op <> 'TRUNCATE' then format(' where exists (select from %s)', case tg_op when 'DELETE' then 'gone' else 'written' end)
      else '' end);
  return null;
end
$$;
comment on function cotaste_shards.note_change() is 'notes what changed of the catalogue or the settings';

create or replace function cotaste_shards.copy_change() returns trigger
language plpgsql
set search_path from current
as $$
begin
  perform set_config('cotaste.wrote', '', true);
  perform cotaste_shards.ask(cast(null as bigint), cotaste_shards.copy_statement(new.name, new.keys));
  delete from cotaste_shards.changed c where c.ctid = new.ctid or (c.name, c.keys) is not distinct from (new.name, new.keys);
  return null;
end
$$;
comment on function cotaste_shards.copy_change() is 'gives the shards what changed, as the transaction commits';

do $make$
declare
  name text;
begin
  if not exists (select from pg_trigger where tgname = 'copy_change') then
    create constraint trigger copy_change after insert on cotaste_shards.changed deferrable initially deferred
    for each row execute function cotaste_shards.copy_change();
  end if;
  foreach name in array array['contents', 'cotaste_settings'] loop
    execute format('create or replace trigger note_insert after insert on %I referencing new table as written
      for each statement execute function cotaste_shards.note_change()', name);
    execute format('create or replace trigger note_delete after delete on %I referencing old table as gone
      for each statement execute function cotaste_shards.note_change()', name);
    execute format('create or replace trigger note_update after update on %I referencing old table as gone new table as written
      for each statement execute function cotaste_shards.note_change()', name);
    execute format('create or replace trigger note_truncate after truncate on %I
      for each statement execute function cotaste_shards.note_change()', name);
  end loop;
end
$make$;

-- Shards.

-- The foreign tables of a shard: partitions of what is of users, children of the rest.
create or replace function cotaste_shards.attach(shard text, log_too boolean) returns void
language plpgsql
set search_path from current
as $$
declare
  s cotaste_shards.shard := (select s from cotaste_shards.shard s where s.name = shard);
  m record;
begin
  for m in
    select x.name, x.is_by_user, case when x.is_of_space then s.space else 'cotaste_sharding' end as remote,
      'cotaste_shards.' || quote_ident('of_' || x.name) as parent
    from cotaste_shards.mapped x
    union all
    select 'user_behaviors', true, s.space, cast(cast('user_behaviors' as regclass) as text) where log_too
  loop
    execute format('create foreign table cotaste_shards.%I %s server %I options (schema_name %L, table_name %L)',
      m.name || '_' || shard,
      case when m.is_by_user
        then format('partition of %s for values with (modulus %s, remainder %s)', m.parent, s.modulus, s.remainder)
        else format('() inherits (%s)', m.parent)
      end,
      'cotaste_' || shard, m.remote, m.name);
  end loop;
end
$$;
comment on function cotaste_shards.attach(text, boolean) is 'makes the foreign tables of a shard';

create or replace function cotaste_shards.detach(shard text, log_too boolean) returns void
language plpgsql
set search_path from current
as $$
declare
  name text;
begin
  for name in
    select m.name from cotaste_shards.mapped m union all select 'user_behaviors' where log_too
  loop
    execute format('drop foreign table if exists cotaste_shards.%I', name || '_' || shard);
  end loop;
end
$$;
comment on function cotaste_shards.detach(text, boolean) is 'drops the foreign tables of a shard';

-- A row that came to the wrong shard would be a row nobody finds, so the shard refuses it.
create or replace function cotaste_shards.restrict_users(shard text) returns void
language plpgsql
set search_path from current
as $$
declare
  s cotaste_shards.shard := (select s from cotaste_shards.shard s where s.name = shard);
begin
  perform cotaste_shards.ask(cast(null as text), format(
    'alter table @space@.user_behaviors drop constraint if exists cotaste_shard, add constraint cotaste_shard
     check (satisfies_hash_partition(''cotaste_sharding.users''::regclass, %s, %s, user_id))', s.modulus, s.remainder
  ), array[shard]);
end
$$;
comment on function cotaste_shards.restrict_users(text) is 'makes a shard refuse events of users that are not its own';

create or replace function cotaste_shards.connect_shard(
  shard text, host text, port integer, dbname text, "user" text, password text
) returns void
language plpgsql
set search_path from current
as $$
begin
  execute format(
    'create server %I foreign data wrapper postgres_fdw options (host %L, port %L, dbname %L, extensions ''cotaste'',
       fetch_size ''10000'', batch_size ''1000'', async_capable ''true'', connect_timeout ''5'')',
    'cotaste_' || shard, host, port, dbname);
  execute format('create user mapping for current_user server %I options (user %L%s)', 'cotaste_' || shard,
    coalesce("user", current_user), case when password is not null then format(', password %L', password) end);
end
$$;
comment on function cotaste_shards.connect_shard(text, text, integer, text, text, text) is 'makes the server of a shard';

create or replace function cotaste_add_shard(
  name text, host text, port integer, dbname text, modulus integer, remainder integer, space text default 'public',
  adopt boolean default false, "user" text default null, password text default null
) returns text
language plpgsql
set search_path from current
as $$
declare
  seen cotaste_shards.state;
  r record;
  adopted json;
  last_id bigint;
begin
  insert into cotaste_shards.shard (name, host, port, dbname, space, modulus, remainder)
  values ($1, $2, $3, $4, $7, $5, $6);
  perform cotaste_shards.connect_shard($1, $2, $3, $4, $9, $10);
  select * into seen from cotaste_shards.ask(cast(null as cotaste_shards.state),
    'select record_count, user_count, pending_keys, is_stale, library_version from cotaste_sharding.facts', array[$1]);
  if seen.library_version is distinct from cotaste_version() then
    raise exception using errcode = '55000',
      message = format('INVALID_ARGUMENT: shard %s has cotaste %s, the coordinator %s', $1, seen.library_version, cotaste_version()),
      hint = 'Install the same version everywhere.';
  end if;
  perform cotaste_shards.restrict_users($1);
  -- Ids that are given by the shard itself never meet those of the coordinator.
  select cotaste_shards.ask(cast(null as bigint), 'select coalesce(max(id), 0) from @space@.user_behaviors where id < 4611686018427387904', array[$1])
  into last_id;
  perform setval('cotaste_shards.event_ids', greatest(last_id, (select e.last_value from cotaste_shards.event_ids e)))
  where last_id > 0;
  perform cotaste_shards.ask(cast(null as text),
    'alter table @space@.user_behaviors alter column id restart with 4611686018427387904', array[$1]);
  if adopt then
    for r in
      select f.*, (
        select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
        from pg_attribute a where a.attrelid = to_regclass(f.name) and a.attnum > 0 and not a.attisdropped
      ) as all_columns
      from cotaste_shards.reference f
    loop
      -- Asked before anything is written: the two in one statement would be refused.
      execute format('select json_agg(a) from cotaste_shards.ask(cast(null as %1$I), ''select %2$s from @space@.%1$I'', array[%3$L]) a',
        r.name, r.all_columns, $1) into adopted;
      execute format('insert into %1$I (%2$s) select %2$s from json_populate_recordset(cast(null as %1$I), $1)
         on conflict (%3$s) do update set (%4$s) = row (%5$s)',
        r.name, r.all_columns, r.key, r.columns, regexp_replace(r.columns, '(\w+)', 'excluded.\1', 'g')) using adopted;
      -- What was written here came from the shard.
      perform set_config('cotaste.wrote', '', true);
    end loop;
  end if;
  perform cotaste_shards.attach($1, true);
  if not adopt then
    perform cotaste_copy_reference($1);
  end if;
  return format('shard %s: %s events of %s users', $1, seen.record_count, seen.user_count);
end
$$;
comment on function cotaste_add_shard(text, text, integer, text, integer, integer, text, boolean, text, text) is
  'adds the shard of the users whose hash modulo modulus is remainder; with adopt its catalogue and settings become everybody''s';

create or replace function cotaste_shards.health() returns table (
  name text, host text, port integer, dbname text, space text, modulus integer, remainder integer, status text, problem text,
  record_count bigint, user_count bigint, pending_keys bigint, is_stale boolean, library_version text
)
language plpgsql stable rows 10
set search_path from current
as $$
#variable_conflict use_column
declare
  s cotaste_shards.shard;
  seen cotaste_shards.state;
  status text;
  problem text;
begin
  for s in select h.* from cotaste_shards.shard h order by h.name loop
    seen := null;
    problem := null;
    begin
      select * into seen from cotaste_shards.ask(cast(null as cotaste_shards.state),
        'select record_count, user_count, pending_keys, is_stale, library_version from cotaste_sharding.facts', array[s.name]);
      status := case s.state when 'in' then 'up' else s.state end;
    exception
      when sqlstate '08006' then
        status := 'down';
        problem := sqlerrm;
    end;
    return query select s.name, s.host, s.port, s.dbname, s.space, s.modulus, s.remainder, status, problem,
      seen.record_count, seen.user_count, seen.pending_keys, seen.is_stale, seen.library_version;
  end loop;
end
$$;
comment on function cotaste_shards.health() is 'part of cotaste_shards';

create or replace view cotaste_shards with (security_invoker = true) as select * from cotaste_shards.health();
comment on view cotaste_shards is 'the shards, the users of each, and how it is';

-- Partial answers are asked for by naming the shard they are without. Writes of its users still go to it, and fail.
create or replace function cotaste_leave_out(shard text) returns text
language plpgsql
set search_path from current
as $$
begin
  update cotaste_shards.shard s set state = 'left out' where s.name = $1 and s.state = 'in'
    and exists (select from cotaste_shards.shard o where o.name <> $1 and o.state = 'in');
  if not found then
    raise exception using errcode = '22023', message = format('INVALID_ARGUMENT: shard: "%s" is no shard that is taken in, or the last one', $1);
  end if;
  perform cotaste_shards.detach($1, false);
  perform cotaste_shards.redirect();
  return format('answers are without the users of shard %s, and say so', $1);
end
$$;
comment on function cotaste_leave_out(text) is 'answers without a shard''s users, each with a warning, until cotaste_take_in()';

create or replace function cotaste_take_in(shard text) returns text
language plpgsql
set search_path from current
as $$
begin
  -- In the middle of a split it has users that are another shard's already.
  if exists (select from cotaste_shards.move m where m.shard = $1) then
    raise exception using errcode = '55000', message = format('INVALID_ARGUMENT: shard: "%s" is being split', $1),
      hint = 'Call cotaste_split_shard() again with the same arguments.';
  end if;
  update cotaste_shards.shard s set state = 'in' where s.name = $1 and s.state = 'left out';
  if not found then
    raise exception using errcode = '22023', message = format('INVALID_ARGUMENT: shard: "%s" is no shard that is left out', $1);
  end if;
  perform cotaste_shards.attach($1, false);
  perform cotaste_copy_reference($1);
  perform cotaste_shards.redirect();
  return format('shard %s is taken in', $1);
end
$$;
comment on function cotaste_take_in(text) is 'takes a shard that was left out into the answers again';

-- Writes.

create or replace function record_behavior(
  user_id text, content_id bigint, action text, rating double precision default null, context text default null,
  occurred_at timestamptz default null, event_id text default null
) returns bigint
language plpgsql
set search_path from current
as $$
#variable_conflict use_column
declare
  missing text := case when $1 is null then 'user_id' when $2 is null then 'content_id' when $3 is null then 'action' end;
  recorded bigint;
  -- As in user_similarity.
  wanted_user text collate "default" := $1;
  wanted_event text collate "default" := $7;
begin
  if missing is not null then
    raise exception using errcode = '22023', message = format('INVALID_ARGUMENT: %s: is NULL', missing),
      hint = 'Pass a value of the documented range.';
  end if;
  insert into user_behaviors (user_id, content_id, action, rating, context, occurred_at, event_id)
  values ($1, $2, $3, $4, $5, coalesce($6, now()), $7)
  on conflict do nothing
  returning id into recorded;
  if not found then
    select b.id into recorded from user_behaviors b where b.user_id = wanted_user and b.event_id = wanted_event;
  end if;
  if recorded is null then
    raise exception using errcode = '23000', message = 'RECORD_ERROR: the event was not recorded',
      hint = 'The event was not recorded; fix the cause and record it again.';
  end if;
  return recorded;
end
$$;

create or replace function cotaste_refresh("limit" bigint default null) returns bigint
language sql
begin atomic
  select cast(coalesce(sum(a.answer), 0) as bigint)
  from cotaste_shards.ask(cast(null as bigint), format('select @space@.cotaste_refresh(%s)', cotaste_shards.literal($1))) a (answer);
end;

create or replace function cotaste_rebuild() returns bigint
language sql
begin atomic
  select cast(coalesce(sum(a.answer), 0) as bigint)
  from cotaste_shards.ask(cast(null as bigint), 'select @space@.cotaste_rebuild()') a (answer);
end;

create or replace function forget_user(user_id text) returns bigint
language sql
begin atomic
  select a.answer
  from cotaste_shards.ask(
    cast(null as bigint), format('select @space@.forget_user(%s)', cotaste_shards.literal($1)), array[cotaste_shards.shard_of($1)]
  ) a (answer);
end;

-- What a coordinator does not offer says so.
do $make$
declare
  f record;
begin
  for f in
    select p.oid, p.proname as name, pg_get_function_arguments(p.oid) as declared, pg_get_function_result(p.oid) as result
    from pg_proc p
    where p.pronamespace = quote_ident(current_schema())::regnamespace
      and p.proname in ('cotaste_refresh_neighbours', 'cotaste_refresh_recommendations', 'cotaste_neighbours_of_many',
        'cotaste_carry_row_security', 'cotaste_fold', 'cotaste_fold_pending', 'cotaste_fold_alone', 'cotaste_fold_bulk',
        'cotaste_fold_when_due')
  loop
    execute format('create or replace function %I(%s) returns %s language plpgsql as $f$
      begin
        raise exception using errcode = ''0A000'', message = ''NOT_OFFERED: %I is no function of a coordinator'',
          hint = ''docs/scale-out.md says what is asked of each shard.'';
      end $f$', f.name, f.declared, f.result, f.name);
  end loop;
end
$make$;
