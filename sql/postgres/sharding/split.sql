-- Rebalancing: half of a shard's users go to a new shard. A range of hashes (modulus, remainder) becomes (2 modulus,
-- remainder), which stays, and (2 modulus, remainder + modulus), which moves. Users are copied while the space is in use;
-- then writes and reads wait for what has changed since, and for the comparison of every moved user on both sides.

create table if not exists cotaste_shards.move (
  only_row integer primary key default 1 check (only_row = 1),
  shard text not null,
  new_shard text not null
);
comment on table cotaste_shards.move is 'the split at work, or interrupted: the same call again goes on with it';

create or replace function cotaste_shards.split_begin(
  shard text, new_shard text, host text, port integer, dbname text, space text, "user" text, password text
) returns void
language plpgsql
set search_path from current
as $$
declare
  old cotaste_shards.shard := (select s from cotaste_shards.shard s where s.name = $1);
  moved text;
  side text;
begin
  if exists (select from cotaste_shards.move m where (m.shard, m.new_shard) is distinct from ($1, $2)) then
    raise exception using errcode = '55000', message = 'INVALID_ARGUMENT: another split is not finished',
      hint = 'select * from cotaste_shards.move; the same call again finishes it.';
  elsif exists (select from cotaste_shards.move) then
    return;
  end if;
  if old.name is null or old.state <> 'in' then
    raise exception using errcode = '22023', message = format('INVALID_ARGUMENT: shard: "%s" is no shard that is taken in', $1);
  end if;
  -- What is kept of purged events has no events to be copied and compared by.
  if (select a.answer from cotaste_shards.ask(cast(null as bigint), 'select count(*) from @space@.cotaste_base', array[$1]) a (answer)) > 0 then
    raise exception using errcode = '0A000', message = format('NOT_OFFERED: shard: "%s" has purged events, and is not split', $1),
      hint = 'Split shards before they purge.';
  end if;
  insert into cotaste_shards.move (shard, new_shard) values ($1, $2);
  insert into cotaste_shards.shard (name, host, port, dbname, space, modulus, remainder, state)
  values ($2, $3, $4, $5, $6, 2 * old.modulus, old.remainder + old.modulus, 'coming');
  perform cotaste_shards.connect_shard($2, $3, $4, $5, $7, $8);
  if (select a.answer from cotaste_shards.ask(cast(null as bigint), 'select count(*) from @space@.user_behaviors', array[$2]) a (answer)) > 0 then
    raise exception using errcode = '55000', message = format('INVALID_ARGUMENT: new_shard: %s has events already', $2),
      hint = 'Give a database with an empty space.';
  end if;
  perform cotaste_shards.restrict_users($2);
  perform cotaste_shards.ask(cast(null as text),
    'alter table @space@.user_behaviors alter column id restart with 4611686018427387904', array[$2]);
  perform cotaste_copy_reference($2);
  -- The users that move, as both sides have them: their events, and a checksum of each user's.
  moved := format(
    'create or replace view cotaste_sharding.moving as
     select b.user_id, b.id, b.content_id, b.action, b.rating, b.progress, b.context, b.occurred_at, b.event_id
     from @space@.user_behaviors b
     where satisfies_hash_partition(''cotaste_sharding.users''::regclass, %s, %s, b.user_id)',
    2 * old.modulus, old.remainder + old.modulus);
  perform cotaste_shards.ask(cast(null as text), moved, array[$1, $2]);
  perform cotaste_shards.ask(cast(null as text),
    'create or replace view cotaste_sharding.moving_users as
     select m.user_id, count(*) as events, sum(hashtextextended(cast(row (m.id, m.content_id, m.action, m.rating, m.progress,
       m.context, to_epoch_us(m.occurred_at), m.event_id) as text), 0)) as checksum
     from cotaste_sharding.moving m group by m.user_id', array[$1, $2]);
  foreach side in array array['from', 'to'] loop
    execute format(
      'create foreign table cotaste_shards.%I (
         user_id text collate "C", id bigint, content_id bigint, action text, rating double precision, progress double precision,
         context text, occurred_at timestamptz, event_id text
       ) server %I options (schema_name ''cotaste_sharding'', table_name ''moving'')',
      'moving_' || side, 'cotaste_' || case side when 'from' then $1 else $2 end);
    execute format(
      'create foreign table cotaste_shards.%I (user_id text collate "C", events bigint, checksum numeric)
       server %I options (schema_name ''cotaste_sharding'', table_name ''moving_users'')',
      'moving_' || side || '_users', 'cotaste_' || case side when 'from' then $1 else $2 end);
  end loop;
end
$$;
comment on function cotaste_shards.split_begin(text, text, text, integer, text, text, text, text) is 'part of cotaste_split_shard';

-- Copies the users that differ and returns how many they were.
create or replace function cotaste_shards.split_copy() returns bigint
language plpgsql
set search_path from current
as $$
declare
  differing text[];
begin
  select array_agg(coalesce(f.user_id, t.user_id)) into differing
  from cotaste_shards.moving_from_users f
  full join cotaste_shards.moving_to_users t on t.user_id = f.user_id
  where (f.events, f.checksum) is distinct from (t.events, t.checksum);
  if differing is null then
    return 0;
  end if;
  delete from cotaste_shards.moving_to t where t.user_id = any (differing);
  insert into cotaste_shards.moving_to select * from cotaste_shards.moving_from f where f.user_id = any (differing);
  return cardinality(differing);
end
$$;
comment on function cotaste_shards.split_copy() is 'part of cotaste_split_shard: copies the users that differ';

-- Nobody reads or writes any more, and both sides are compared: each user's events one by one. From here on the new shard
-- answers for what it has. The old one, which has it too, is left out, so that a crash before the end leaves answers that
-- say they are partial, and none that are wrong.
create or replace function cotaste_shards.split_switch() returns bigint
language plpgsql
set search_path from current
as $$
declare
  m cotaste_shards.move := (select m from cotaste_shards.move m);
  compared bigint;
begin
  lock table user_behaviors in access exclusive mode;
  lock table cotaste_shards.shard in access exclusive mode;
  for attempt in 1..3 loop
    exit when cotaste_shards.split_copy() = 0;
  end loop;
  if cotaste_shards.split_copy() > 0 then
    raise exception using errcode = 'XX001', message = 'CORRUPT_STATE: the two sides of the split still differ',
      hint = 'Something writes to the shard itself. Stop it, and call cotaste_split_shard() again.';
  end if;
  select count(*) into compared from cotaste_shards.moving_to_users;
  update cotaste_shards.shard s set state = 'left out', modulus = 2 * s.modulus where s.name = m.shard;
  update cotaste_shards.shard s set state = 'in' where s.name = m.new_shard;
  perform cotaste_shards.detach(m.shard, true), cotaste_shards.attach(m.new_shard, true);
  perform cotaste_shards.redirect();
  return compared;
end
$$;
comment on function cotaste_shards.split_switch() is 'part of cotaste_split_shard: compares, takes the new shard in and the old one out';

create or replace function cotaste_shards.split_take_in() returns void
language plpgsql
set search_path from current
as $$
declare
  m cotaste_shards.move := (select m from cotaste_shards.move m);
begin
  lock table user_behaviors in access exclusive mode;
  lock table cotaste_shards.shard in access exclusive mode;
  delete from cotaste_shards.moving_from;
  update cotaste_shards.shard s set state = 'in' where s.name = m.shard;
  perform cotaste_shards.attach(m.shard, true);
  perform cotaste_shards.redirect();
end
$$;
comment on function cotaste_shards.split_take_in() is 'part of cotaste_split_shard: the moved users leave the old shard, which is taken in again';

create or replace function cotaste_shards.split_end() returns void
language plpgsql
set search_path from current
as $$
declare
  m cotaste_shards.move := (select m from cotaste_shards.move m);
begin
  perform cotaste_shards.restrict_users(m.shard);
  perform cotaste_shards.ask(cast(null as bigint), 'select @space@.cotaste_refresh()', array[m.shard, m.new_shard]);
  drop foreign table cotaste_shards.moving_from, cotaste_shards.moving_to, cotaste_shards.moving_from_users,
    cotaste_shards.moving_to_users;
  perform cotaste_shards.ask(cast(null as text), 'drop view cotaste_sharding.moving cascade', array[m.shard, m.new_shard]);
  delete from cotaste_shards.move;
end
$$;
comment on function cotaste_shards.split_end() is 'part of cotaste_split_shard: folds and tidies up';

create or replace procedure cotaste_split_shard(
  shard text, new_shard text, host text, port integer, dbname text, space text default 'public', "user" text default null,
  password text default null
)
language plpgsql
as $$
declare
  moved bigint;
begin
  perform cotaste_shards.split_begin($1, $2, $3, $4, $5, $6, $7, $8);
  commit;
  if exists (select from cotaste_shards.shard s where s.name = $2 and s.state = 'coming') then
    perform cotaste_shards.split_copy();
    commit;
    moved := cotaste_shards.split_switch();
    commit;
    raise notice 'the events of % users are equal in shards % and %', moved, $1, $2;
  end if;
  if exists (select from cotaste_shards.shard s where s.name = $1 and s.state = 'left out') then
    perform cotaste_shards.split_take_in();
    commit;
  end if;
  perform cotaste_shards.split_end();
end
$$;
comment on procedure cotaste_split_shard(text, text, text, integer, text, text, text, text) is
  'moves half of a shard''s users to a new shard, comparing each user''s events on both sides; an interrupted one goes on when it is called again';
