-- What keeps the state's queue: triggers that append keys. They upsert nothing and lock nothing but what they insert. Only a
-- statement that wrote very much folds it at once, because reads would be slow until somebody does. A pair that may have
-- lost its last event is queued as all of its user's: with the event goes what tells whose taste a change of genres touches,
-- so the pair's old part in the taste may not be what the genres of now would give.

create or replace function cotaste_queue_inserted() returns trigger
language plpgsql
set search_path from current
as $$
declare
  keys bigint;
  state_rows double precision;
begin
  -- A load of many statements says so: the state counts as out of date as a whole until it is made anew. The row stays
  -- locked to the end, so that what makes it anew waits for this transaction.
  if current_setting('cotaste.load', true) = 'on' then
    perform from cotaste_parameters p where p.stale for share;
    if not found then
      update cotaste_parameters set stale = true;
    end if;
    return null;
  end if;
  -- Most of what there is then, as in a first load: the state is made anew, and millions of keys need not pass the queue.
  select c.reltuples into state_rows from pg_class c where c.oid = cast('cotaste_user_contents' as regclass);
  if (select count(*) from (select from written limit 50000) w) = 50000
    and (select count(*) from written) > state_rows / 2
    and cotaste_may_fold()
  then
    perform cotaste_rebuild();
    return null;
  end if;
  insert into cotaste_queue (user_id, content_id) select distinct user_id, content_id from written;
  get diagnostics keys = row_count;
  if keys >= 20000 then
    perform cotaste_fold_bulk();
  end if;
  return null;
end
$$;
comment on function cotaste_queue_inserted() is 'queues the pairs of new events';

create or replace function cotaste_queue_deleted() returns trigger
language plpgsql
set search_path from current
as $$
declare
  keys bigint;
begin
  -- purge_behaviors carries what it removes: the pairs stay what they were.
  if current_setting('cotaste.purge', true) = 'on' and has_table_privilege('cotaste_base', 'insert') then
    return null;
  end if;
  insert into cotaste_queue (user_id, lost_id) select distinct user_id, content_id from gone;
  get diagnostics keys = row_count;
  if keys >= 20000 then
    perform cotaste_fold_bulk();
  end if;
  return null;
end
$$;
comment on function cotaste_queue_deleted() is 'queues the users of deleted events, with the contents';

create or replace function cotaste_queue_updated() returns trigger
language plpgsql
set search_path from current
as $$
declare
  keys bigint;
begin
  insert into cotaste_queue (user_id, content_id, lost_id)
  select user_id, content_id, null from written
  union
  select user_id, null, content_id from (select user_id, content_id from gone except select user_id, content_id from written) moved;
  get diagnostics keys = row_count;
  if keys >= 20000 then
    perform cotaste_fold_bulk();
  end if;
  return null;
end
$$;
comment on function cotaste_queue_updated() is 'queues the pairs events were in and are in';

create or replace function cotaste_all_is_stale() returns trigger
language plpgsql
set search_path from current
as $$
begin
  update cotaste_parameters set stale = true;
  return null;
end
$$;
comment on function cotaste_all_is_stale() is 'marks the whole state as out of date';

create or replace trigger cotaste_queue_insert after insert on user_behaviors
referencing new table as written for each statement execute function cotaste_queue_inserted();

create or replace trigger cotaste_queue_delete after delete on user_behaviors
referencing old table as gone for each statement execute function cotaste_queue_deleted();

create or replace trigger cotaste_queue_update after update on user_behaviors
referencing old table as gone new table as written for each statement execute function cotaste_queue_updated();

create or replace trigger cotaste_stale_truncate after truncate on user_behaviors
for each statement execute function cotaste_all_is_stale();

-- A content's genres are part of the taste of everybody who touched it. No fold may run between the look at who did and
-- the commit, or it would fold their new events with the old genres: hence the lock, which the fold takes alone.
create or replace function cotaste_follow_contents() returns trigger
language plpgsql
set search_path from current
as $$
begin
  if current_setting('transaction_isolation') in ('repeatable read', 'serializable') or row_security_active(cast('user_behaviors' as regclass)) then
    -- Not everybody who touched the content is seen: the snapshot is older than the lock could be, or a policy hides some.
    update cotaste_parameters set stale = true where not stale;
    return null;
  end if;
  perform pg_advisory_xact_lock_shared(cotaste_lock(1));
  if tg_op = 'TRUNCATE' then
    update cotaste_parameters set stale = true;
  elsif tg_op = 'INSERT' then
    insert into cotaste_queue (user_id)
    select b.user_id from written w join user_behaviors b on b.content_id = w.content_id where w.genres is not null
    union
    select b.user_id from written w join cotaste_base b on b.content_id = w.content_id where w.genres is not null;
  elsif tg_op = 'DELETE' then
    insert into cotaste_queue (user_id)
    select b.user_id from gone g join user_behaviors b on b.content_id = g.content_id where g.genres is not null
    union
    select b.user_id from gone g join cotaste_base b on b.content_id = g.content_id where g.genres is not null;
  else
    insert into cotaste_queue (user_id)
    with changed as (
      (select content_id, genres from written except select content_id, genres from gone)
      union
      (select content_id, genres from gone except select content_id, genres from written)
    )
    select b.user_id from changed c join user_behaviors b on b.content_id = c.content_id
    union
    select b.user_id from changed c join cotaste_base b on b.content_id = c.content_id;
  end if;
  return null;
end
$$;
comment on function cotaste_follow_contents() is 'queues the users whose taste a change of genres touches';

create or replace trigger cotaste_contents_insert after insert on contents
referencing new table as written for each statement execute function cotaste_follow_contents();

create or replace trigger cotaste_contents_delete after delete on contents
referencing old table as gone for each statement execute function cotaste_follow_contents();

create or replace trigger cotaste_contents_update after update on contents
referencing old table as gone new table as written for each statement execute function cotaste_follow_contents();

create or replace trigger cotaste_contents_truncate after truncate on contents
for each statement execute function cotaste_follow_contents();

-- On a subscriber of logical replication rows arrive one by one and fire no trigger of a statement, and no ordinary trigger at
-- all. These fire there and nowhere else, as for every session whose session_replication_role is "replica".
create or replace function cotaste_queue_replicated() returns trigger
language plpgsql
set search_path from current
as $$
begin
  if current_setting('session_replication_role') <> 'replica' then
    return null; -- "alter table ... enable trigger all" lets it fire beside the others
  end if;
  if tg_op in ('INSERT', 'UPDATE') then
    insert into cotaste_queue (user_id, content_id) values (new.user_id, new.content_id);
  end if;
  if tg_op = 'DELETE' or tg_op = 'UPDATE' and (old.user_id, old.content_id) <> (new.user_id, new.content_id) then
    insert into cotaste_queue (user_id, lost_id) values (old.user_id, old.content_id);
  end if;
  return null;
end
$$;
comment on function cotaste_queue_replicated() is 'queues the pairs of rows that replication writes';

-- The first copy of a publication's table is one statement.
create or replace function cotaste_queue_copied() returns trigger
language plpgsql
set search_path from current
as $$
begin
  if current_setting('session_replication_role') = 'replica'
    and (select count(*) from (select from cotaste_queue limit 20000) q) = 20000
  then
    perform cotaste_fold_bulk();
  end if;
  return null;
end
$$;
comment on function cotaste_queue_copied() is 'folds what a large copy has queued';

create or replace function cotaste_follow_replicated_content() returns trigger
language plpgsql
set search_path from current
as $$
begin
  if current_setting('session_replication_role') <> 'replica'
    or tg_op = 'INSERT' and new.genres is null
    or tg_op = 'UPDATE' and (old.content_id, old.genres) is not distinct from (new.content_id, new.genres)
  then
    return null;
  end if;
  if current_setting('transaction_isolation') in ('repeatable read', 'serializable') or row_security_active(cast('user_behaviors' as regclass)) then
    update cotaste_parameters set stale = true where not stale;
    return null;
  end if;
  perform pg_advisory_xact_lock_shared(cotaste_lock(1));
  insert into cotaste_queue (user_id)
  select b.user_id from user_behaviors b where b.content_id in (old.content_id, new.content_id)
  union
  select b.user_id from cotaste_base b where b.content_id in (old.content_id, new.content_id);
  return null;
end
$$;
comment on function cotaste_follow_replicated_content() is 'queues the users whose taste a replicated change of genres touches';

create or replace trigger cotaste_queue_replica after insert or update or delete on user_behaviors
for each row execute function cotaste_queue_replicated();
alter table user_behaviors enable replica trigger cotaste_queue_replica;

create or replace trigger cotaste_queue_replica_copy after insert on user_behaviors
for each statement execute function cotaste_queue_copied();
alter table user_behaviors enable replica trigger cotaste_queue_replica_copy;

create or replace trigger cotaste_queue_replica after insert or update or delete on cotaste_base
for each row execute function cotaste_queue_replicated();
alter table cotaste_base enable replica trigger cotaste_queue_replica;

create or replace trigger cotaste_contents_replica after insert or update or delete on contents
for each row execute function cotaste_follow_replicated_content();
alter table contents enable replica trigger cotaste_contents_replica;

-- TRUNCATE is replicated as a statement.
alter table user_behaviors enable always trigger cotaste_stale_truncate;
alter table contents enable always trigger cotaste_contents_truncate;

create or replace function cotaste_check_setting() returns trigger
language plpgsql
set search_path from current
as $$
declare
  is_whole integer;
  is_right boolean;
begin
  select max(n.is_whole) into is_whole from cotaste_number_settings n where new.key like n.key;
  if is_whole is null or new.key = 'retention_days' and new.value = '' then
    return new;
  end if;
  is_right := new.value ~ case is_whole
    when 1 then '^\s*[-+]?\d+\s*$' else '^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?\s*$'
  end;
  if is_right then
    is_right := abs(cast(new.value as numeric)) <= 1e15;
  end if;
  if not is_right then
    raise exception using errcode = '22023',
      message = format('INVALID_ARGUMENT: value: "%s" of the setting %s is not a%s number up to 1e15',
        left(new.value, 64), new.key, case is_whole when 1 then ' whole' else '' end),
      hint = 'Pass a value of the documented range.';
  end if;
  return new;
end
$$;
comment on function cotaste_check_setting() is 'refuses settings that are no numbers where numbers are needed';

create or replace trigger cotaste_settings_check before insert or update on cotaste_settings
for each row execute function cotaste_check_setting();

create or replace function cotaste_follow_settings() returns trigger
language plpgsql
set search_path from current
as $$
begin
  -- One at a time: the second sees what the first wrote.
  perform pg_advisory_xact_lock(cotaste_lock(2));
  insert into cotaste_parameters as p (
    only_row, jaccard_weight, cosine_weight, similar_users_k, neighbours_k, cache_ttl_hours, fold_at, trending_k,
    taste_half_life_hours, trending_half_life_hours, rating_prior_weight, conversion_action, trending_user_cap,
    time_zone, taste_settings, stale
  )
  select
    1, s.jaccard_weight, s.cosine_weight, s.similar_users_k, s.neighbours_k, s.cache_ttl_hours, s.fold_at, s.trending_k,
    s.taste_half_life_hours, s.trending_half_life_hours, s.rating_prior_weight, s.conversion_action,
    s.trending_user_cap, s.time_zone, s.taste_settings, false
  from cotaste_settings_row s
  on conflict (only_row) do update set (
    jaccard_weight, cosine_weight, similar_users_k, neighbours_k, cache_ttl_hours, fold_at, trending_k,
    taste_half_life_hours, trending_half_life_hours, rating_prior_weight, conversion_action, trending_user_cap,
    time_zone, taste_settings, stale
  ) = (
    excluded.jaccard_weight, excluded.cosine_weight, excluded.similar_users_k, excluded.neighbours_k,
    excluded.cache_ttl_hours, excluded.fold_at, excluded.trending_k, excluded.taste_half_life_hours,
    excluded.trending_half_life_hours, excluded.rating_prior_weight, excluded.conversion_action,
    excluded.trending_user_cap, excluded.time_zone, excluded.taste_settings, p.stale or p.taste_settings <> excluded.taste_settings
  );
  return null;
end
$$;
comment on function cotaste_follow_settings() is 'keeps cotaste_parameters; a state made with other settings is stale';

create or replace trigger cotaste_settings_change after insert or update or delete or truncate on cotaste_settings
for each statement execute function cotaste_follow_settings();

create or replace trigger cotaste_settings_replica after insert or update or delete on cotaste_settings
for each row execute function cotaste_follow_settings();
alter table cotaste_settings enable replica trigger cotaste_settings_replica;
alter table cotaste_settings enable always trigger cotaste_settings_change;
