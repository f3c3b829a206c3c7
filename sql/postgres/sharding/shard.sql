-- What a shard answers with: run it in the database of each shard, with the space's schema first in search_path, and again
-- after cotaste_init() has upgraded the space. Everything is made in the schema cotaste_sharding and reads the space alone.
-- Every answer is a state that merges: the coordinator never asks for rows of the log.

create schema if not exists cotaste_sharding;
comment on schema cotaste_sharding is 'cotaste: what this shard answers to the coordinator';

-- An empty table, by whose hash it is told where a user belongs: that of Postgres' own partitions.
create table if not exists cotaste_sharding.users (user_id text collate "C" not null) partition by hash (user_id);
comment on table cotaste_sharding.users is 'empty: for satisfies_hash_partition()';

-- A sum that is not finished, and sums of such.
create or replace aggregate cotaste_sharding.sum_state(double precision) (
  sfunc = reproducible_sum_step, stype = bytea, sspace = 64, combinefunc = reproducible_sum_combine, parallel = safe
);
comment on aggregate cotaste_sharding.sum_state(double precision) is 'the state of reproducible_sum';
create or replace aggregate cotaste_sharding.sum_of(bytea) (
  sfunc = reproducible_sum_combine, stype = bytea, sspace = 64, combinefunc = reproducible_sum_combine,
  finalfunc = reproducible_sum_final, parallel = safe
);
comment on aggregate cotaste_sharding.sum_of(bytea) is 'the sum of several states of reproducible_sum';

-- Measures of contents, as of now.
create or replace view cotaste_sharding.contents_now as
select s.content_id, s.measures
from cotaste_contents s
where not (select p.stale from cotaste_parameters p)
  and not exists (
    select from cotaste_queue q
    where coalesce(q.content_id, q.lost_id) = s.content_id and q.due_us <= (select k.now_us from cotaste_clock k)
  )
union all
select x.content_id, x.measures
from (
  select distinct u.content_id, cotaste_content_measures(u.content_id, (select k.now_us from cotaste_clock k)) as measures
  from cotaste_unfolded_contents u
) x
where x.measures is not null;
comment on view cotaste_sharding.contents_now is 'the measures of each content by this shard''s users, with what is pending';

create or replace view cotaste_sharding.ratings_now as
select
  case when p.stale
    then (select follow_content(null, rating_changes(null, l.facts)) from cotaste_log_pairs l)
    else follow_content(t.measures, (select rating_changes(f.was, f.facts) from cotaste_pending_facts f))
  end as measures
from cotaste_parameters p
cross join cotaste_rating_totals t;
comment on view cotaste_sharding.ratings_now is 'every last rating of this shard''s users, one row';

-- The same by another half-life or at a time in the past, from the log.
create or replace function cotaste_sharding.contents_at(half_life_hours double precision, as_of_us bigint)
returns table (content_id bigint, measures bytea)
language sql stable parallel safe
begin atomic
  select g.content_id, follow_content(null, content_changes(null, g.facts))
  from (
    select e.content_id, pair_facts(e.action, e.rating, e.weight, e.occurred_us, e.id, $1, p.trending_user_cap, null) as facts
    from cotaste_events e
    cross join cotaste_parameters p
    where e.occurred_us <= $2
    group by e.user_id, e.content_id
  ) g
  group by g.content_id;
end;
comment on function cotaste_sharding.contents_at(double precision, bigint) is 'part of trending_content';

-- Events that mean liking by content and period before a time, for trending_zscore.
create or replace function cotaste_sharding.periods(period_us bigint, periods bigint, as_of_us bigint)
returns table (content_id bigint, period bigint, events bigint)
language sql stable parallel safe
begin atomic
  select e.content_id, ($3 - e.occurred_us) / $1, count(*)
  from cotaste_events e
  where e.weight > 0 and e.occurred_us <= $3 and e.occurred_us > $3 - ($2 + 1) * $1
  group by 1, 2;
end;
comment on function cotaste_sharding.periods(bigint, bigint, bigint) is 'part of trending_zscore';

-- Activity. Contents overlap between shards, so they come as a taste, a set of two bytes each; users do not.
create or replace function cotaste_sharding.days(zone text, from_us bigint, to_us bigint) returns table (
  day_us bigint, events bigint, users bigint, contents bytea, views bigint, completions bigint, skips bigint,
  rating_count bigint, ratings bytea
)
language sql stable parallel safe
begin atomic
  select
    e.day_us, count(*), count(distinct e.user_id), taste_agg(e.content_id, null, 0),
    count(*) filter (where e.action = 'view'), count(*) filter (where e.action = 'complete'),
    count(*) filter (where e.action = 'skip'), count(e.rating) filter (where e.action = 'rate'),
    cotaste_sharding.sum_state(e.rating) filter (where e.action = 'rate')
  from (
    select b.user_id, b.content_id, b.action, b.rating, day_start_us(b.occurred_us, $1) as day_us
    from cotaste_events b
    where b.occurred_us <= (select k.now_us from cotaste_clock k) and b.occurred_us >= $2 and b.occurred_us < $3
  ) e
  group by e.day_us;
end;
comment on function cotaste_sharding.days(text, bigint, bigint) is 'part of activity_by_day';

create or replace function cotaste_sharding.slots(zone text, from_us bigint, to_us bigint) returns table (
  slot text, events bigint, users bigint
)
language sql stable parallel safe
begin atomic
  select e.slot, count(*), count(distinct e.user_id)
  from (
    select b.user_id, time_slot(b.occurred_at, $1) as slot
    from cotaste_events b
    where b.occurred_us <= (select k.now_us from cotaste_clock k) and b.occurred_us >= $2 and b.occurred_us < $3
  ) e
  group by e.slot;
end;
comment on function cotaste_sharding.slots(text, bigint, bigint) is 'part of activity_by_slot';

create or replace view cotaste_sharding.statuses as
select e.context_status, count(*) as events from cotaste_events e group by e.context_status;
comment on view cotaste_sharding.statuses is 'part of context_quality';

create or replace view cotaste_sharding.latest as
select b.user_id, b.id, b.occurred_at, b.context_status from user_behaviors b order by b.occurred_at desc, b.id desc limit 1000;
comment on view cotaste_sharding.latest is 'the last events: part of cotaste_health';

create or replace view cotaste_sharding.last_active as
select b.user_id, b.id, b.occurred_at from user_behaviors b
where b.occurred_at <= statement_timestamp()
order by b.occurred_at desc, b.id desc
limit 1000;
comment on view cotaste_sharding.last_active is 'the last events up to now: part of recommend';

create or replace view cotaste_sharding.verified as select v.part, v.key, v.problem from cotaste_verify() v;
comment on view cotaste_sharding.verified is 'what of the state differs from the log';

create or replace view cotaste_sharding.facts as
select
  f.record_count, f.user_count, f.last_us, f.schema_version, f.library_version, f.extension_version, f.is_stale, f.pending_keys,
  f.oldest_pending_seconds, f.cached_users, f.expired_users, f.oldest_cached_us, f.in_recovery, f.row_security_carried,
  s.next_ord
from cotaste_health_facts f
cross join cotaste_fold_state s;
comment on view cotaste_sharding.facts is 'how this shard is: part of cotaste_health';

-- Tastes as of now. A function keeps its plans, and the coordinator asks for one taste at a time.
create or replace function cotaste_sharding.taste_of(user_id text) returns bytea
language plpgsql stable parallel safe cost 100
set search_path from current
set plan_cache_mode = force_generic_plan
as $$
declare
  taste bytea := (select c.taste from cotaste_clean_users c where c.user_id = $1);
begin
  if taste is null then
    taste := (select t.taste from cotaste_current_tastes t where t.user_id = $1);
  end if;
  return taste;
end
$$;
comment on function cotaste_sharding.taste_of(text) is 'a user''s taste as of now; NULL without one';

create or replace view cotaste_sharding.tastes as
select u.user_id, t.taste
from cotaste_known_users u
cross join lateral (select cotaste_sharding.taste_of(u.user_id) as taste offset 0) t
where t.taste is not null;
comment on view cotaste_sharding.tastes is 'every user''s taste as of now';

-- This shard's users most similar to a taste that is passed, whoever's it is: as cotaste_neighbours_of.
create or replace function cotaste_sharding.neighbours(probe text, me bytea, k bigint) returns table (
  user_id text, similarity double precision, jaccard double precision, genre_cosine double precision, shared_items bigint
)
language plpgsql stable parallel safe cost 10000 rows 10
set search_path from current
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  ord integer := coalesce((select u.ord from cotaste_users u where u.user_id = $1), -1);
  counters bytea;
  waiting record;
  finalists integer[];
begin
  if (select p.stale from cotaste_parameters p) or row_security_active('user_behaviors') then
    return query
      select n.user_id, n.similarity, n.jaccard, n.genre_cosine, n.shared_items from cotaste_all_neighbours($1, $2, $3) n;
    return;
  end if;
  select c.counters into counters from cotaste_count($2) c;
  select d.* into waiting from cotaste_waiting($1, $2, counters) d;
  select r.finalists into finalists from cotaste_rank($2, ord, counters, waiting.bounds, $3) r;
  if waiting.bounds is null and waiting.strangers is null then
    return query
      select n.user_id, n.similarity, n.jaccard, n.genre_cosine, n.shared_items from cotaste_best_of($2, finalists, null, null, $3) n;
  else
    return query
      select n.user_id, n.similarity, n.jaccard, n.genre_cosine, n.shared_items
      from cotaste_best($2, finalists, waiting.bounds, waiting.strangers, $3) n;
  end if;
end
$$;
comment on function cotaste_sharding.neighbours(text, bytea, bigint) is 'part of similar_users: the k most similar users of this shard';

-- A relation of the space in pieces: the arguments of its function, what it starts with, and the rest.
create or replace function cotaste_sharding.relation_text(relation text) returns table (declared text, head text, body text)
language plpgsql stable
set search_path from current
as $$
declare
  found_text text[];
  place integer;
begin
  select regexp_match(
    -- Where a function keeps its plan, the text is that of another. The first quantifier makes all of them non-greedy.
    s.text, 'create or replace function (?:cotaste_)??' || relation || '(?:_of)??\((.*?)\) returns .*?\nbegin atomic\n.*?\nfrom \(\n(.*?)\n\) r(?:\nwhere [^\n]*)?;\nend;'
  ) into strict found_text
  from cotaste_space_sql() s (text)
  where s.text like '%create or replace function ' || relation || '(%';
  declared := found_text[1];
  -- Nothing of the common table expressions but their ends stands at the beginning of a line.
  place := case when found_text[2] like 'with %' then position(e'\n)\nselect' in found_text[2]) + 2 else 0 end;
  head := left(found_text[2], place);
  body := substr(found_text[2], place + 1);
  return next;
end
$$;
comment on function cotaste_sharding.relation_text(text) is 'part of sharding: the text of a relation of the catalogue';

-- What a text without arguments says: NULL for each.
create or replace function cotaste_sharding.without_arguments(text text, declared text) returns text
language sql immutable
begin atomic
  select coalesce((
    select string_agg(case when d.type is null then p.part else 'cast(null as ' || d.type || ')' || substr(p.part, length(d.place || '') + 1) end, '' order by p.n)
    from regexp_split_to_table($1, '\$') with ordinality p (part, n)
    left join (
      select n as place, substring(a from '^"?\w+"? (.*?)(?: default null)?$') as type
      from regexp_split_to_table($2, ', ') with ordinality a (a, n)
    ) d on p.n > 1 and substring(p.part from '^\d+') = cast(d.place as text)
  ), $1);
end;
comment on function cotaste_sharding.without_arguments(text, text) is 'part of sharding: a text whose parameters are NULL';

-- The part of each experiment relation that looks at users: what is above it looks at sums of users alone.
do $make$
declare
  relation text;
  t record;
  part text;
begin
  foreach relation in array array['experiment_results', 'experiment_timeline', 'experiment_segments', 'experiment_numeric'] loop
    select * into t from cotaste_sharding.relation_text(relation);
    part := case relation
      when 'experiment_results' then 'select * from arms'
      else substring(t.body from '/\* partial \*/(.*)/\* end partial \*/')
    end;
    if relation = 'experiment_numeric' then
      -- Sums stay states, and crossover users are counted whether or not there are others.
      part := replace(part, 'reproducible_sum(amount) as total', 'cotaste_sharding.sum_state(amount) as total') || '
        union all
        select x.experiment, null, null, null, null, 0, null, null, null, null, count(*), null
        from units x where x.variant <> x.last_variant group by x.experiment';
    end if;
    execute format(
      'create or replace view cotaste_sharding.%I as %s %s', relation,
      cotaste_sharding.without_arguments(t.head, t.declared), cotaste_sharding.without_arguments(part, t.declared)
    );
    execute format('comment on view cotaste_sharding.%I is %L', relation, 'part of ' || relation || ': sums of this shard''s users');
    execute format(
      'create or replace function cotaste_sharding.%I(%s) returns setof cotaste_sharding.%I language sql stable parallel safe begin atomic
         select * from (%s %s) r where r.experiment = $1; end',
      relation, t.declared, relation, t.head, part
    );
    execute format(
      'comment on function cotaste_sharding.%I is %L', relation, 'part of ' || relation || ': sums of this shard''s users'
    );
  end loop;
end
$make$;
