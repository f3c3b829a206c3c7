-- The space's own functions beside those of the catalogue. "set search_path from current" keeps the one cotaste_init()
-- runs with: this schema, then the extension's.

-- Known actions are a setting, which a check constraint may not read; one look a statement.
create or replace function cotaste_refuse_unknown_action() returns trigger
language plpgsql
set search_path from current
as $$
declare
  unknown text;
begin
  select n.action into unknown
  from written n
  where not exists (select from cotaste_settings s where s.key = 'action_weight.' || n.action)
  limit 1;
  if found then
    raise exception using errcode = '22023',
      message = format('INVALID_ARGUMENT: action: "%s" is not known', unknown),
      hint = 'Add its weight to cotaste_settings as action_weight.NAME.';
  end if;
  return null;
end
$$;
comment on function cotaste_refuse_unknown_action() is 'refuses events whose action has no weight in cotaste_settings';

create or replace trigger cotaste_known_action_insert
after insert on user_behaviors referencing new table as written
for each statement execute function cotaste_refuse_unknown_action();

create or replace trigger cotaste_known_action_update
after update on user_behaviors referencing new table as written
for each statement execute function cotaste_refuse_unknown_action();

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
begin
  if missing is not null then
    raise exception using errcode = '22023', message = format('INVALID_ARGUMENT: %s: is NULL', missing),
      hint = 'Pass a value of the documented range.';
  end if;
  for attempt in 1..10 loop
    insert into user_behaviors (user_id, content_id, action, rating, context, occurred_at, event_id)
    values ($1, $2, $3, $4, $5, coalesce($6, now()), $7)
    on conflict (user_id, event_id) do nothing
    returning id into recorded;
    if found then
      if recorded % 64 = 0 then
        perform cotaste_fold_when_due();
      end if;
      return recorded;
    end if;
    -- A new statement, hence a new snapshot: it sees the event that was in the way, unless it has just been deleted.
    select b.id into recorded from user_behaviors b where b.user_id = $1 and b.event_id = $7;
    if found then
      return recorded;
    end if;
  end loop;
  raise exception using errcode = '23000', message = 'RECORD_ERROR: the event was not recorded',
    detail = 'A trigger on user_behaviors drops it, or the same event exists and a policy hides it.',
    hint = 'The event was not recorded; fix the cause and record it again.';
end
$$;
comment on function record_behavior(text, bigint, text, double precision, text, timestamptz, text) is
  'records an event and returns its id; the same event_id of the user again returns the first id and writes nothing';

create or replace function record_behavior(
  user_id bigint, content_id bigint, action text, rating double precision default null, context text default null,
  occurred_at timestamptz default null, event_id text default null
) returns bigint
language sql
begin atomic
  select record_behavior(cast($1 as text), $2, $3, $4, $5, $6, $7);
end;
comment on function record_behavior(bigint, bigint, text, double precision, text, timestamptz, text) is
  'record_behavior for users with numbers for ids';

create or replace function record_behavior(
  user_id uuid, content_id bigint, action text, rating double precision default null, context text default null,
  occurred_at timestamptz default null, event_id text default null
) returns bigint
language sql
begin atomic
  select record_behavior(cast($1 as text), $2, $3, $4, $5, $6, $7);
end;
comment on function record_behavior(uuid, bigint, text, double precision, text, timestamptz, text) is
  'record_behavior for users with uuids for ids';

-- Reading is everyone's who may read the tables; writing is granted.
revoke execute on function record_behavior(text, bigint, text, double precision, text, timestamptz, text) from public;
revoke execute on function record_behavior(bigint, bigint, text, double precision, text, timestamptz, text) from public;
revoke execute on function record_behavior(uuid, bigint, text, double precision, text, timestamptz, text) from public;
