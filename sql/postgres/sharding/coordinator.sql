-- The coordinator, after prepare.sql and shard.sql in the same session; and again after cotaste_init() has upgraded the
-- space. It makes a space whose log is a hash-partitioned table of the shards' logs, and whose views and functions merge
-- what the shards answer. What is asked without arguments goes through postgres_fdw, in the caller's transaction; what
-- needs arguments goes through dblink, to all shards at once.

select set_config('search_path', current_setting('cotaste.path'), false);
create schema if not exists cotaste_shards;
comment on schema cotaste_shards is 'cotaste: the shards of the space and what they answer';

create table if not exists cotaste_shards.shard (
  name text collate "C" primary key check (name ~ '^[a-z][a-z0-9]{0,29}$'),
  host text not null,
  port integer not null,
  dbname text not null,
  space text not null,
  modulus integer not null,
  remainder integer not null,
  state text not null default 'in' check (state in ('in', 'left out', 'coming')),
  added_at timestamptz not null default now(),
  unique (modulus, remainder)
);
comment on table cotaste_shards.shard is 'where each part of the users is: those whose hash of partitions modulo modulus is remainder';
comment on column cotaste_shards.shard.state is
  'in; left out: answers leave its users out and say so, cotaste_leave_out(); coming: another shard still answers for its users';

-- Ids are the coordinator's, so that they are the ones a single node would give.
create sequence if not exists cotaste_shards.event_ids;
comment on sequence cotaste_shards.event_ids is 'ids of events';

-- What is read of the shards: from a view or table of the space or, without a user, of cotaste_sharding.
create table if not exists cotaste_shards.mapped (
  name text primary key,
  is_by_user boolean not null,
  is_of_space boolean not null,
  replaces text
);
comment on table cotaste_shards.mapped is 'the relations of the shards that the coordinator reads';
comment on column cotaste_shards.mapped.replaces is 'the view of the coordinator''s space that reads it instead';
truncate cotaste_shards.mapped;
insert into cotaste_shards.mapped (name, is_by_user, is_of_space) values
  ('cotaste_events', true, true), ('tastes', true, false), ('cotaste_log_pairs', true, true),
  ('cotaste_histories', true, true), ('cotaste_known_users', true, true), ('user_analytics', true, true),
  ('favorite_genres', true, true), ('preferred_time_slots', true, true), ('preferred_days', true, true),
  ('device_usage', true, true), ('cotaste_genre_dimensions', false, true), ('contents_now', false, false),
  ('ratings_now', false, false), ('statuses', false, false), ('latest', false, false), ('last_active', false, false),
  ('verified', false, false), ('facts', false, false), ('experiment_results', false, false),
  ('cotaste_users', true, true), ('experiment_timeline', false, false), ('experiment_segments', false, false), ('experiment_numeric', false, false);
update cotaste_shards.mapped set replaces = case name when 'tastes' then 'cotaste_current_tastes' else name end
where is_by_user and name <> 'cotaste_users';

do $make$
declare
  m record;
begin
  for m in select * from cotaste_shards.mapped loop
    execute format('create table if not exists cotaste_shards.%I (like %I.%I) %s',
      'of_' || m.name, case when m.is_of_space then 'cotaste_shape' else 'cotaste_sharding' end, m.name,
      case when m.is_by_user then 'partition by hash (user_id)' end);
    execute format('comment on table cotaste_shards.%I is %L', 'of_' || m.name, 'what the shards answer');
    execute format('create or replace view cotaste_shards.%I as select * from cotaste_shards.%I', m.name, 'of_' || m.name);
    execute format('comment on view cotaste_shards.%I is %L', m.name, 'what the shards answer');
  end loop;
end
$make$;

-- The log, before the space: cotaste_init() takes it for its own.
create table if not exists user_behaviors (
  like cotaste_shape.user_behaviors including generated including comments
) partition by hash (user_id);
alter table user_behaviors
  alter column id set default nextval('cotaste_shards.event_ids'), alter column occurred_at set default now();
select cotaste_init();

-- The shards follow their own logs. Nothing here is ever pending or stale.
alter table contents disable trigger user;
create or replace function cotaste_shards.never_stale() returns trigger
language plpgsql
as $$
begin
  new.stale := false;
  return new;
end
$$;
comment on function cotaste_shards.never_stale() is 'the coordinator has no state that could be stale';
create or replace trigger cotaste_never_stale before insert or update on cotaste_parameters
for each row execute function cotaste_shards.never_stale();

-- Asking by dblink.

-- An answer by dblink is of what is committed. After a write in the same transaction that would be silently old.
create or replace function cotaste_shards.note_write() returns trigger
language plpgsql
as $$
begin
  perform set_config('cotaste.wrote', cast(pg_current_xact_id() as text), true);
  return null;
end
$$;
comment on function cotaste_shards.note_write() is 'remembers that the transaction has written';
-- Those of the space that follow the log would have its rows collected, which foreign partitions refuse. Their names stay,
-- so that cotaste_init() finds nothing missing.
do $make$
declare
  t record;
begin
  for t in
    select g.tgname as name, case when g.tgtype & 4 > 0 then 'insert' when g.tgtype & 8 > 0 then 'delete' else 'update' end as event
    from pg_trigger g
    where g.tgrelid = cast('user_behaviors' as regclass) and coalesce(g.tgnewtable, g.tgoldtable) is not null
  loop
    execute format('create or replace trigger %I after %s on user_behaviors for each statement
      execute function cotaste_shards.note_write()', t.name, t.event);
  end loop;
end
$make$;
create or replace trigger note_write before insert or update or delete or truncate on user_behaviors
for each statement execute function cotaste_shards.note_write();
create or replace trigger note_write before insert or update or delete or truncate on contents
for each statement execute function cotaste_shards.note_write();
create or replace trigger note_write before insert or update or delete or truncate on cotaste_settings
for each statement execute function cotaste_shards.note_write();

-- Says whose users are left out of the answer.
create or replace function cotaste_shards.mark() returns boolean
language plpgsql stable
as $$
declare
  missing text := (select string_agg(s.name, ', ' order by s.name) from cotaste_shards.shard s where s.state = 'left out');
begin
  if missing is not null then
    raise warning using errcode = '01000', message = format('PARTIAL_ANSWER: without the users of shard %s', missing),
      hint = 'select cotaste_take_in(shard) brings them back.';
  end if;
  return true;
end
$$;
comment on function cotaste_shards.mark() is 'warns when shards are left out; true';

create or replace function cotaste_shards.shard_of(user_id text) returns text
language plpgsql stable strict
set search_path from current
as $$
declare
  found_shard text := (
    select s.name from cotaste_shards.shard s
    where s.state <> 'coming' and satisfies_hash_partition(cast('user_behaviors' as regclass), s.modulus, s.remainder, $1 collate "C")
  );
begin
  if found_shard is null then
    raise exception using errcode = '55000', message = format('SHARD_DOWN: no shard has the user "%s"', $1),
      hint = 'select * from cotaste_shards; cotaste_add_shard() adds the part that is missing.';
  end if;
  return found_shard;
end
$$;
comment on function cotaste_shards.shard_of(text) is 'the shard that has a user';

-- A session keeps its connections. One that is busy or lost is made anew.
create or replace function cotaste_shards.send(shard text, question text) returns void
language plpgsql
set search_path from current
as $$
declare
  connection text := 'cotaste_' || shard;
  space text := (select quote_ident(s.space) from cotaste_shards.shard s where s.name = shard);
begin
  if connection = any (coalesce(dblink_get_connections(), '{}')) then
    -- Looks at the socket, so that a connection the other end has closed is known to be lost.
    perform dblink_is_busy(connection);
    if dblink_send_query(connection, replace(question, '@space@', space)) = 1 then
      return;
    end if;
    perform dblink_disconnect(connection);
  end if;
  perform dblink_connect(connection, connection);
  perform dblink_send_query(connection, replace(question, '@space@', space));
end
$$;
comment on function cotaste_shards.send(text, text) is 'part of ask: sends a statement to a shard';

-- A statement's rows from all shards, which answer at the same time, or from some. The first argument has their type.
create or replace function cotaste_shards.ask(shape anyelement, question text, shards text[] default null)
returns setof anyelement
language plpgsql stable rows 1000
set search_path from current
set client_min_messages = warning
as $$
declare
  columns text;
  asked text[] := coalesce(shards, (select array_agg(s.name order by s.name) from cotaste_shards.shard s where s.state = 'in'));
  shard text;
  state text;
  problem text;
begin
  if current_setting('cotaste.wrote', true) = cast(pg_current_xact_id_if_assigned() as text) then
    raise exception using errcode = '25001',
      message = 'NOT_COMMITTED: this answer comes from the shards'' own connections, which do not see what this transaction wrote',
      hint = 'Commit first, or ask the view without arguments.';
  end if;
  perform cotaste_shards.mark() where shards is null;
  select coalesce(
    string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum),
    'answer ' || format_type(pg_typeof(shape), null)
  ) into columns
  from pg_type t
  join pg_attribute a on a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
  where t.oid = pg_typeof(shape);
  foreach shard in array coalesce(asked, '{}') loop
    perform cotaste_shards.send(shard, question);
  end loop;
  foreach shard in array coalesce(asked, '{}') loop
    return query execute format('select * from dblink_get_result(%L) t (%s)', 'cotaste_' || shard, columns);
    -- The end of the answer; until it is read the connection is busy.
    perform from dblink_get_result('cotaste_' || shard) t (nothing text);
  end loop;
exception
  when others then
    get stacked diagnostics state = returned_sqlstate, problem = message_text;
    -- Others may still be answering.
    perform dblink_disconnect(c) from unnest(dblink_get_connections()) c where substr(c, 9) = any (asked);
    if state like '08%' or state like '57P0%' then
      raise exception using errcode = '08006', message = format('SHARD_DOWN: shard %s does not answer: %s', shard, problem),
        hint = 'select * from cotaste_shards tells how each is; cotaste_leave_out(shard) answers without its users.';
    end if;
    raise;
end
$$;
comment on function cotaste_shards.ask(anyelement, text, text[]) is
  'the rows of a statement from every shard or some; @space@ in it is the shard''s schema';

create or replace function cotaste_shards.literal(value text) returns text
language sql immutable
begin atomic
  select 'cast(' || quote_nullable($1) || ' as text)';
end;
create or replace function cotaste_shards.literal(value bigint) returns text
language sql immutable
begin atomic
  select 'cast(' || coalesce(cast($1 as text), 'null') || ' as bigint)';
end;
create or replace function cotaste_shards.literal(value double precision) returns text
language sql immutable
begin atomic
  select 'cast(' || quote_nullable($1) || ' as double precision)';
end;
create or replace function cotaste_shards.literal(value timestamptz) returns text
language sql immutable
begin atomic
  select 'from_epoch_us(' || coalesce(cast(to_epoch_us($1) as text), 'null') || ')';
end;
create or replace function cotaste_shards.literal(value bytea) returns text
language sql immutable
begin atomic
  select 'decode(' || quote_nullable(encode($1, 'hex')) || ', ''hex'')';
end;

-- What the parts of the space merge.

create or replace view cotaste_shards.contents as
select
  m.content_id, m.measures,
  content_count(m.measures, 'users') as users, content_count(m.measures, 'events') as events,
  content_count(m.measures, 'views') as views, content_count(m.measures, 'completes') as completes,
  content_count(m.measures, 'skips') as skips, content_count(m.measures, 'orphans') as orphans,
  content_count(m.measures, 'starters') as starters, content_count(m.measures, 'completers') as completers,
  content_count(m.measures, 'skippers') as skippers, content_count(m.measures, 'viewers') as viewers,
  content_count(m.measures, 'ratings') as ratings, content_count(m.measures, 'rating_users') as rating_users,
  content_number(m.measures, 'rating_sum') as rating_sum, content_number(m.measures, 'last_rating_sum') as last_rating_sum,
  content_trend(m.measures) as trend, content_number(m.measures, 'rank_key') as rank_key,
  content_count(m.measures, 'first_us') as first_us, content_count(m.measures, 'last_us') as last_us
from (
  select c.content_id, content_merge(c.measures) as measures from cotaste_shards.contents_now c group by c.content_id
) m;
comment on view cotaste_shards.contents is 'the measures of each content, of all shards together';

create or replace function cotaste_mean_rating() returns double precision
language sql stable cost 10000
begin atomic
  select content_number(r.measures, 'last_rating_sum') / nullif(content_count(r.measures, 'rating_users'), 0)
  from (select content_merge(n.measures) as measures from cotaste_shards.ratings_now n) r;
end;

create or replace function cotaste_shards.contents_at(half_life_hours double precision, as_of_us bigint)
returns table (content_id bigint, measures bytea)
language sql stable
begin atomic
  select p.content_id, content_merge(p.measures)
  from cotaste_shards.ask(
    cast(null as cotaste_shards.contents_now),
    format('select * from cotaste_sharding.contents_at(%s, %s)', cotaste_shards.literal($1), cotaste_shards.literal($2))
  ) p
  group by p.content_id;
end;
comment on function cotaste_shards.contents_at(double precision, bigint) is 'part of trending_content';

do $make$
declare
  shape record;
begin
  for shape in
    select * from (values
      ('period', 'content_id bigint, period bigint, events bigint'),
      ('day', 'day_us bigint, events bigint, users bigint, contents bytea, views bigint, completions bigint, skips bigint,
               rating_count bigint, ratings bytea'),
      ('slot', 'slot text, events bigint, users bigint'),
      ('watched', 'content_id bigint, shared_users bigint, users bigint, all_users bigint'),
      ('neighbour', 'user_id text, similarity double precision, jaccard double precision, genre_cosine double precision,
                     shared_items bigint'),
      ('trace', 'table_name text, row_count bigint'),
      ('state', 'record_count bigint, user_count bigint, pending_keys bigint, is_stale boolean, library_version text')
    ) v (name, columns)
  loop
    if to_regtype('cotaste_shards.' || shape.name) is null then
      execute format('create type cotaste_shards.%I as (%s)', shape.name, shape.columns);
    end if;
  end loop;
end
$make$;

create or replace function cotaste_shards.periods(period_us bigint, periods bigint, as_of_us bigint)
returns table (content_id bigint, period bigint, events bigint)
language sql stable
begin atomic
  select p.content_id, p.period, cast(sum(p.events) as bigint)
  from cotaste_shards.ask(
    cast(null as cotaste_shards.period), format('select * from cotaste_sharding.periods(%s, %s, %s)', $1, $2, $3)
  ) p
  group by p.content_id, p.period;
end;
comment on function cotaste_shards.periods(bigint, bigint, bigint) is 'part of trending_zscore';

create or replace function cotaste_shards.range(zone text, from_time timestamptz, to_time timestamptz) returns text
language sql stable
begin atomic
  select format('(%s, %s, %s)', cotaste_shards.literal(coalesce($1, p.time_zone)),
    coalesce(to_epoch_us($2), -62135596800000000), coalesce(to_epoch_us($3), 253402300800000000))
  from cotaste_parameters p;
end;
comment on function cotaste_shards.range(text, timestamptz, timestamptz) is 'the arguments of days and slots';

create or replace function cotaste_shards.activity_by_day(zone text, from_time timestamptz, to_time timestamptz) returns table (
  "time" timestamptz, events bigint, users bigint, contents bigint, views bigint, completions bigint, skips bigint,
  rating_count bigint, average_rating double precision
)
language sql stable
begin atomic
  select
    from_epoch_us(d.day_us), cast(sum(d.events) as bigint), cast(sum(d.users) as bigint), taste_items(taste_rollup(d.contents)),
    cast(sum(d.views) as bigint), cast(sum(d.completions) as bigint), cast(sum(d.skips) as bigint),
    cast(sum(d.rating_count) as bigint), cotaste_sharding.sum_of(d.ratings) / nullif(cast(sum(d.rating_count) as bigint), 0)
  from cotaste_shards.ask(
    cast(null as cotaste_shards.day), 'select * from cotaste_sharding.days' || cotaste_shards.range($1, $2, $3)
  ) d
  group by d.day_us
  order by d.day_us;
end;
comment on function cotaste_shards.activity_by_day(text, timestamptz, timestamptz) is 'activity_by_day of all shards';
create or replace view activity_by_day with (security_invoker = true) as
select * from cotaste_shards.activity_by_day(null, null, null);
create or replace function activity_by_day(
  zone text default null, from_time timestamptz default null, to_time timestamptz default null
) returns setof activity_by_day
language sql stable rows 100
begin atomic
  select * from cotaste_shards.activity_by_day($1, $2, $3);
end;

create or replace function cotaste_shards.activity_by_slot(zone text, from_time timestamptz, to_time timestamptz) returns table (
  slot text, hours bigint, events bigint, users bigint, share double precision, events_per_hour double precision
)
language sql stable
begin atomic
  select
    s.slot, s.hours, coalesce(c.events, 0), coalesce(c.users, 0),
    coalesce(cast(c.events as double precision) / sum(c.events) over (), 0.0),
    cast(coalesce(c.events, 0) as double precision) / s.hours
  from cotaste_slots s
  left join (
    select e.slot, cast(sum(e.events) as bigint) as events, cast(sum(e.users) as bigint) as users
    from cotaste_shards.ask(
      cast(null as cotaste_shards.slot), 'select * from cotaste_sharding.slots' || cotaste_shards.range($1, $2, $3)
    ) e
    group by e.slot
  ) c on c.slot = s.slot
  order by s.position;
end;
comment on function cotaste_shards.activity_by_slot(text, timestamptz, timestamptz) is 'activity_by_slot of all shards';
create or replace view activity_by_slot with (security_invoker = true) as
select * from cotaste_shards.activity_by_slot(null, null, null);
create or replace function activity_by_slot(
  zone text default null, from_time timestamptz default null, to_time timestamptz default null
) returns setof activity_by_slot
language sql stable rows 100
begin atomic
  select * from cotaste_shards.activity_by_slot($1, $2, $3);
end;

create or replace view context_quality with (security_invoker = true) as
select
  c.context_status, c.events, cast(cast(c.events as double precision) / nullif(sum(c.events) over (), 0) as double precision) as share
from (
  select s.context_status, cast(sum(s.events) as bigint) as events from cotaste_shards.statuses s group by s.context_status
) c;

-- While a shard is left out, whatever is read of the shards says so.
create or replace function cotaste_shards.redirect() returns void
language plpgsql
set search_path from current
as $$
declare
  m record;
  marked text := case when exists (select from cotaste_shards.shard s where s.state = 'left out') then ' where (select cotaste_shards.mark())' end;
begin
  for m in select p.name from cotaste_shards.mapped p loop
    execute format('create or replace view cotaste_shards.%I as select * from cotaste_shards.%I%s', m.name, 'of_' || m.name, marked);
  end loop;
end
$$;
comment on function cotaste_shards.redirect() is 'makes reads of the shards say who is left out, or not';
select cotaste_shards.redirect();

-- The space's own views of users, over the shards'.
do $make$
declare
  m record;
begin
  for m in
    select p.name, p.replaces, string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
    from cotaste_shards.mapped p
    join pg_attribute a on a.attrelid = to_regclass('cotaste_shards.' || quote_ident(p.name)) and a.attnum > 0
    where p.replaces is not null
    group by p.name, p.replaces
  loop
    execute format('create or replace view %I with (security_invoker = true) as select %s from cotaste_shards.%I',
      m.replaces, m.columns, m.name);
  end loop;
end
$make$;

create or replace view cotaste_genre_dimensions with (security_invoker = true) as
select d.genres, cast(json_array_length(cast(d.genres as json)) as bigint) as dim
from (select genre_dimensions(g.genres, null) as genres from cotaste_shards.cotaste_genre_dimensions g) d;

create or replace view cotaste_known_contents with (security_invoker = true) as
select c.content_id from contents c
union
select m.content_id from cotaste_shards.contents_now m
union
select e.content_id from content_embeddings e;

create or replace view cotaste_unfolded_contents with (security_invoker = true) as
select cast(null as bigint) as content_id where false;

-- Of one user, with arguments: the shard that has the user.
create or replace function cotaste_traces(for_user_id text) returns table (table_name text, row_count bigint)
language sql stable
begin atomic
  select t.table_name, t.row_count
  from cotaste_shards.ask(
    cast(null as cotaste_shards.trace), 'select * from @space@.cotaste_traces(' || cotaste_shards.literal($1) || ')',
    array[cotaste_shards.shard_of($1)]
  ) t;
end;

do $make$
declare
  f record;
begin
  for f in
    select p.proname as name, pg_get_function_arguments(p.oid) as declared,
      (select string_agg(format('$%s is null', n), ' and ') from generate_series(2, p.pronargs) n) as no_arguments,
      (select string_agg(format('cotaste_shards.literal($%s)', n), ' || '', '' || ' order by n) from generate_series(1, p.pronargs) n)
        as arguments
    from pg_proc p
    where p.pronamespace = quote_ident(current_schema())::regnamespace and p.proargtypes[0] = cast('text' as regtype)
      and p.proname in ('user_analytics', 'favorite_genres', 'preferred_time_slots', 'preferred_days', 'device_usage')
  loop
    if f.no_arguments is null then
      execute format('create or replace function %1$I(%2$s) returns setof %1$I language sql stable rows 100 begin atomic
        select * from %1$I v where v.user_id = $1; end', f.name, f.declared);
    else
      execute format('create or replace function %1$I(%2$s) returns setof %1$I language plpgsql stable rows 100
        set search_path from current as $f$
        #variable_conflict use_column
        declare
          wanted_user text collate "default" := $1;
        begin
          if %3$s then
            return query select * from %1$I v where v.user_id = wanted_user;
          else
            return query select * from cotaste_shards.ask(
              cast(null as %1$I), ''select * from @space@.%1$I('' || %4$s || '')'', array[cotaste_shards.shard_of($1)]
            );
          end if;
        end $f$', f.name, f.declared, f.no_arguments, f.arguments);
    end if;
  end loop;
end
$make$;

-- Of all contents.
do $make$
declare
  name text;
  t record;
  columns text;
  part text;
  full_text text;
begin
  foreach name in array array['content_metrics', 'trending_content', 'trending_zscore',
    'experiment_results', 'experiment_timeline', 'experiment_segments', 'experiment_numeric']
  loop
    select * into t from cotaste_sharding.relation_text(name);
    select string_agg(format('cast(r.%1$I as %2$s) as %1$I', a.attname, format_type(a.atttypid, null)), ', ' order by a.attnum)
    into columns
    from pg_attribute a where a.attrelid = to_regclass(quote_ident(name)) and a.attnum > 0 and not a.attisdropped;
    part := case name
      when 'trending_content' then
        'select p.content_id, p.measures from asked a
         cross join lateral cotaste_shards.contents_at(a.half_life_hours, a.as_of_us) p where a.from_state = 0'
      when 'trending_zscore' then
        'select p.content_id, p.period, p.events from asked a
         cross join lateral cotaste_shards.periods(a.period_us, a.periods, a.as_of_us) p'
      when 'experiment_timeline' then
        'select p.experiment, p.variant, p.goal, p.day_us, cast(sum(p.new_users) as bigint) as new_users,
           cast(sum(p.new_conversions) as bigint) as new_conversions
         from @source@ p group by p.experiment, p.variant, p.goal, p.day_us'
      when 'experiment_segments' then
        'select p.experiment, p.dimension, p.segment, p.variant, p.goal, cast(sum(p.users) as bigint) as users,
           cast(sum(p.conversions) as bigint) as conversions
         from @source@ p group by p.experiment, p.dimension, p.segment, p.variant, p.goal'
      when 'experiment_numeric' then
        'select m.* from (
           select p.experiment, p.variant, p.metric, max(p.method) as method, max(p.metric_is_known) as metric_is_known,
             cast(sum(p.users) as bigint) as users, cotaste_sharding.sum_of(p.total) as total,
             case when p.metric in (''rating'', ''progress'') then sum(p.divisor) else cast(sum(p.users) as double precision) end as divisor,
             moments_merge(p.moments) as moments, moments_merge(p.cuped_moments) as cuped_moments,
             cast(coalesce(max(case when p.variant is null then sum(p.crossover_users) end) over (partition by p.experiment), 0) as bigint)
               as crossover_users,
             max(p.alpha) as alpha
           from @source@ p group by p.experiment, p.variant, p.metric
         ) m where m.variant is not null'
    end;
    if name = 'experiment_results' then
      full_text := 'with arms as (select * from @source@ p) ' || t.body;
    elsif name in ('content_metrics', 'trending_content') then
      full_text := regexp_replace(t.head || t.body, '\mcotaste_contents\M', 'cotaste_shards.contents', 'g');
    elsif name = 'trending_zscore' then
      full_text := t.head || t.body;
    else
      full_text := t.body;
    end if;
    if part is not null then
      full_text := regexp_replace(full_text, '/\* partial \*/.*/\* end partial \*/', part);
    end if;
    -- Nothing is ever stale here, and what would be read then need not be planned.
    full_text := replace(full_text, 'select 1 from user_behaviors b where b.content_id = a.content_id', 'select 1 where false');
    if name = 'trending_content' then
      -- There is no index to walk down: the states of all contents are merged once.
      full_text := replace(full_text, 'where a.from_state = 1 and a.k between 1 and 1000', 'where false');
      full_text := replace(full_text, 's.rank_key >= (select rank_key from least)', 'false');
    end if;
    execute format('create or replace view %I with (security_invoker = true) as select %s from (%s) r', name, columns,
      cotaste_sharding.without_arguments(replace(full_text, '@source@', 'cotaste_shards.' || name), t.declared));
    execute format('create or replace function %1$I(%2$s) returns setof %1$I language sql stable rows 100 begin atomic
      select %3$s from (%4$s) r %5$s; end', name, t.declared, columns,
      replace(full_text, '@source@', format(
        'cotaste_shards.ask(cast(null as cotaste_shards.%1$I), ''select * from cotaste_sharding.%1$I('' || %2$s || '')'')', name,
        (select string_agg(format('cotaste_shards.literal($%s)', n), ' || '', '' || ' order by n)
         from generate_series(1, cardinality(string_to_array(t.declared, ', '))) n)
      )),
      case when name like 'experiment%' then 'where r.experiment = $1' when name = 'content_metrics' then 'where r.content_id = $1' end);
  end loop;
end
$make$;

create or replace function cotaste_watched_with(of_content_id bigint default null) returns table (
  content_id bigint, shared_users bigint, users bigint, of_users bigint, all_users bigint
)
language sql stable rows 100
begin atomic
  select
    w.content_id, w.shared_users, w.users, max(case when w.content_id = $1 then w.users else 0 end) over (),
    cast(sum(w.all_users) over () as bigint)
  from (
    select
      p.content_id, cast(sum(p.shared_users) as bigint) as shared_users, cast(sum(p.users) as bigint) as users,
      sum(p.all_users) as all_users
    from cotaste_shards.ask(cast(null as cotaste_shards.watched), format(
      'select w.content_id, w.shared_users, w.users, case when row_number() over () = 1 then w.all_users else 0 end
       from @space@.cotaste_watched_with(%s) w', cotaste_shards.literal($1))) p
    group by p.content_id
  ) w;
end;

create or replace function cotaste_verify() returns table (part text, key text, problem text)
language sql stable rows 100
begin atomic
  select v.part, v.key, v.problem from cotaste_shards.verified v;
end;

-- Similar users. Two tastes are fetched and compared here; one taste is sent to all shards, and each answers with its best.

create or replace function user_similarity(a text, b text) returns double precision
language plpgsql stable strict cost 100000
set search_path from current
set plan_cache_mode = force_generic_plan
as $$
declare
  -- postgres_fdw sends no parameter of a collation, and this function's have that of what it is called with.
  wanted_a text collate "default" := $1;
  wanted_b text collate "default" := $2;
  taste_a bytea := (select t.taste from cotaste_current_tastes t where t.user_id = wanted_a);
  taste_b bytea := (select t.taste from cotaste_current_tastes t where t.user_id = wanted_b);
begin
  return coalesce((
    select taste_similarity(taste_a, taste_b, p.jaccard_weight, p.cosine_weight) from cotaste_parameters p
  ), 0);
end
$$;

create or replace function cotaste_neighbours_of(probe text, k bigint) returns table (
  user_id text, similarity double precision, jaccard double precision, genre_cosine double precision, shared_items bigint,
  rank bigint, computed_at timestamptz, cached boolean
)
language plpgsql stable cost 10000 rows 10
set search_path from current
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  -- As in user_similarity.
  wanted_user text collate "default" := $1;
  me bytea := (select t.taste from cotaste_current_tastes t where t.user_id = wanted_user);
  wanted bigint := greatest(coalesce($2, (select p.similar_users_k from cotaste_parameters p)), 0);
begin
  if me is null then
    return;
  end if;
  return query
    select
      n.user_id, n.similarity, n.jaccard, n.genre_cosine, n.shared_items,
      row_number() over (order by n.similarity desc, n.user_id collate "C"), statement_timestamp(), false
    from cotaste_shards.ask(cast(null as cotaste_shards.neighbour), format(
      'select * from cotaste_sharding.neighbours(%s, %s, %s)',
      cotaste_shards.literal($1), cotaste_shards.literal(me), cotaste_shards.literal(wanted))) n
    order by n.similarity desc, n.user_id collate "C"
    limit wanted;
end
$$;

-- Recommendations: the tastes of those that are looked at come here, and the answer is computed as on one node. With more
-- users than recommend_all_users these are the nearest and the last active, however many users there are.

create or replace function cotaste_recommend_settings() returns table (settings json, of_nearest boolean, nearest bigint, first bigint)
language sql stable rows 1
begin atomic
  select
    (select coalesce(json_object_agg(s.key, s.value), '{}') from cotaste_settings s where s.key like 'recommend\_%'),
    (select sum(f.next_ord) from cotaste_shards.facts f) > a.users,
    coalesce((select cast(s.value as bigint) from cotaste_settings s where s.key = 'recommend_nearest'), 500),
    a.users
  from (
    select coalesce((select cast(s.value as bigint) from cotaste_settings s where s.key = 'recommend_all_users'), 4000) as users
  ) a;
end;

create or replace function cotaste_recommend_rows() returns table (
  kind integer, a text, b text, content bigint, at bigint, flag boolean, taste bytea
)
language sql stable rows 20000
begin atomic
  select 1, u.user_id, cast(null as text), cast(null as bigint), cast(null as bigint), cast(null as boolean), u.taste
  from cotaste_current_tastes u
  union all
  select 3, c.title, c.genres, c.content_id, null, null, null from contents c;
end;

create or replace function cotaste_last_active() returns table (users text[])
language sql stable rows 1
begin atomic
  select array_agg(distinct b.user_id)
  from (
    select l.user_id from cotaste_shards.last_active l order by l.occurred_at desc, l.id desc limit 1000
  ) b;
end;

-- As in user_similarity; and only a variable is sent, not what it is made of.
create or replace function cotaste_recommend_to(question text, users text[]) returns table (answer text)
language plpgsql stable rows 1
set search_path from current
set plan_cache_mode = force_generic_plan
as $$
declare
  wanted_users text[] collate "default" := $2;
begin
  return query
  select recommend_rows(r.kind, r.a, r.b, r.content, r.at, r.flag, r.taste)
  from (
    select * from cotaste_recommend_rows()
    union all
    select 0, $1, null, null, null, null, null
    union all
    select 4, h.user_id, null, h.content_id, h.touched_us, h.disliked = 1, null
    from cotaste_histories h where h.user_id = any (wanted_users)
  ) r;
end
$$;

create or replace function cotaste_recommend_of(question text, probe text, users text[]) returns table (answer text)
language plpgsql stable rows 1
set search_path from current
set plan_cache_mode = force_generic_plan
as $$
declare
  wanted_user text collate "default" := $2;
  wanted_users text[] collate "default" := $3;
begin
  return query
  select recommend_rows(r.kind, r.a, r.b, r.content, r.at, r.flag, r.taste)
  from (
    select 0 as kind, $1 as a, cast(null as text) as b, cast(null as bigint) as content, cast(null as bigint) as at,
      cast(null as boolean) as flag, cast(null as bytea) as taste
    union all
    select 1, u.user_id, null, null, null, null, u.taste from cotaste_current_tastes u where u.user_id = any (wanted_users)
    union all
    select 3, c.title, c.genres, c.content_id, null, null, null from contents c
    union all
    select 4, h.user_id, null, h.content_id, h.touched_us, h.disliked = 1, null
    from cotaste_histories h where h.user_id = wanted_user
  ) r;
end
$$;

create or replace function cotaste_evaluate(question text, first bigint) returns table (answer text)
language sql stable rows 1
begin atomic
  select recommend_rows(r.kind, r.a, r.b, r.content, r.at, r.flag, r.taste)
  from (
    select 0 as kind, $1 as a, cast(null as text) as b, cast(null as bigint) as content, cast(null as bigint) as at,
      cast(null as boolean) as flag, cast(null as bytea) as taste
    union all
    select 3, c.title, c.genres, c.content_id, null, null, null from contents c
    union all
    select 4, h.user_id, null, h.content_id, h.touched_us, h.disliked = 1, null
    from cotaste_histories h
    where h.user_id in (select u.user_id from cotaste_shards.cotaste_users u order by u.user_id limit $2)
  ) r;
end;

-- Health.

create or replace view cotaste_latest_contexts with (security_invoker = true) as
select l.context_status from cotaste_shards.latest l order by l.occurred_at desc, l.id desc limit 1000;

create or replace view cotaste_event_count with (security_invoker = true) as
select cast(coalesce(sum(f.record_count), 0) as bigint) as events from cotaste_shards.facts f;

create or replace view cotaste_last_activity with (security_invoker = true) as
select max(f.last_us) as last_us from cotaste_shards.facts f;

create or replace view cotaste_health_facts with (security_invoker = true) as
select
  f.record_count,
  (select cast(count(*) as bigint) from contents) as content_count,
  f.user_count,
  f.last_us,
  -- The least of all, so that one shard that is behind is seen.
  (select least(m.value, f.schema_version) from cotaste_meta m where m.key = 'schema_version') as schema_version,
  cotaste_version() as library_version,
  f.is_stale,
  f.pending_keys,
  f.oldest_pending_seconds,
  f.cached_users,
  f.expired_users,
  f.oldest_cached_us,
  c.contexts,
  c.bad_contexts,
  e.db_type, e.engine_version, e.extension_version, e.journal_mode, e.in_recovery or f.in_recovery as in_recovery, e.engine_settings,
  e.busy_timeout, f.row_security_carried, e.jit
from cotaste_engine e
cross join (
  select
    cast(sum(f.record_count) as bigint) as record_count, cast(sum(f.user_count) as bigint) as user_count, max(f.last_us) as last_us,
    min(f.schema_version) as schema_version, bool_or(f.is_stale) as is_stale, cast(sum(f.pending_keys) as bigint) as pending_keys,
    max(f.oldest_pending_seconds) as oldest_pending_seconds, cast(sum(f.cached_users) as bigint) as cached_users,
    cast(sum(f.expired_users) as bigint) as expired_users, min(f.oldest_cached_us) as oldest_cached_us,
    bool_or(f.in_recovery) as in_recovery, bool_and(f.row_security_carried) as row_security_carried
  from cotaste_shards.facts f
) f
cross join (
  select
    cast(count(case when r.context_status <> 'empty' then 1 end) as bigint) as contexts,
    cast(count(case when r.context_status in ('malformed', 'not_object') then 1 end) as bigint) as bad_contexts
  from (select l.context_status from cotaste_latest_contexts l) r
) c;

create or replace view neighbours_progress with (security_invoker = true) as
select
  cast(sum(f.user_count) as bigint) as users, cast(0 as bigint) as fresh, cast(sum(f.user_count) as bigint) as outdated,
  cast(null as timestamptz) as oldest, cast(null as timestamptz) as newest, cast(0 as bigint) as computing
from cotaste_shards.facts f;
