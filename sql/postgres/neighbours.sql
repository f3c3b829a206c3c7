-- Similar users. The functions called a row at a time are PL/pgSQL, which keeps its plans between statements. "set
-- search_path" would cost them a third of their time; instead they only call functions written "begin atomic", which are
-- bound to their tables and operators when they are made, and inlined into the kept plans. @space@ is this schema.

create or replace function cotaste_clean_pair(a text, b text) returns table (similarity double precision)
language sql stable parallel safe rows 1
begin atomic
  select taste_similarity(x.taste, y.taste, p.jaccard_weight, p.cosine_weight)
  from cotaste_parameters p, cotaste_users x, cotaste_users y
  where p.only_row = 1 and not p.stale and x.user_id = $1 and y.user_id = $2
    and not exists (
      select from cotaste_queue q where q.user_id = $1 and q.due_us <= to_epoch_us(statement_timestamp())
    )
    and not exists (
      select from cotaste_queue q where q.user_id = $2 and q.due_us <= to_epoch_us(statement_timestamp())
    );
end;
comment on function cotaste_clean_pair(text, text) is 'part of user_similarity: of two users with nothing pending';

create or replace function cotaste_current_pair(a text, b text) returns table (similarity double precision)
language sql stable parallel safe rows 1
begin atomic
  select taste_similarity(x.taste, y.taste, p.jaccard_weight, p.cosine_weight)
  from cotaste_current_tastes x, cotaste_current_tastes y, cotaste_parameters p
  where x.user_id = $1 and y.user_id = $2;
end;
comment on function cotaste_current_pair(text, text) is 'part of user_similarity: of any two users';

-- Its plan takes long to make, and is as good for any two.
create or replace function cotaste_current_similarity(a text, b text) returns double precision
language plpgsql stable parallel safe cost 10000
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  found_similarity double precision;
begin
  select c.similarity into found_similarity from @space@.cotaste_current_pair($1, $2) c;
  return found_similarity;
end
$$;
comment on function cotaste_current_similarity(text, text) is 'part of user_similarity: of any two users, by a kept plan';

create or replace function user_similarity(a text, b text) returns double precision
language plpgsql stable strict parallel safe cost 1000
as $$
declare
  found_similarity double precision;
begin
  select c.similarity into found_similarity from @space@.cotaste_clean_pair($1, $2) c;
  if found_similarity is null then
    found_similarity := @space@.cotaste_current_similarity($1, $2);
  end if;
  return coalesce(found_similarity, 0);
end
$$;
comment on function user_similarity(text, text) is 'how alike two users are, 0 to 1; 0 when one of them is unknown';

create or replace function user_similarity(a bigint, b bigint) returns double precision
language sql stable parallel safe
begin atomic
  select user_similarity(cast($1 as text), cast($2 as text));
end;
comment on function user_similarity(bigint, bigint) is 'how alike two users are, 0 to 1; 0 when one of them is unknown';

create or replace function user_similarity(a uuid, b uuid) returns double precision
language sql stable parallel safe
begin atomic
  select user_similarity(cast($1 as text), cast($2 as text));
end;
comment on function user_similarity(uuid, uuid) is 'how alike two users are, 0 to 1; 0 when one of them is unknown';

-- Who is asked about: number (-1 without one), size and taste, and when the cache was filled if it holds enough and is
-- young enough. No row when nothing is pending is no row of a user without events.
create or replace function cotaste_clean_probe(probe text, k bigint) returns table (
  ord integer, items bigint, taste bytea, cached_us bigint, wanted bigint, stale boolean
)
language sql stable parallel safe rows 1
begin atomic
  select
    u.ord, u.items, u.taste, r.computed_us, greatest(coalesce($2, p.similar_users_k), 0),
    -- Posting lists and blocks rank all users; who may see some only gets the best of these.
    row_security_active(cast('user_behaviors' as regclass))
  from cotaste_parameters p
  cross join cotaste_clean_users u
  left join cotaste_neighbour_runs r
    on r.user_id = u.user_id and r.k >= coalesce($2, p.similar_users_k) and r.computed_us >= u.changed_us
      and not row_security_active(cast('user_behaviors' as regclass))
      and r.computed_us > to_epoch_us(statement_timestamp()) - p.cache_ttl_hours * 3.6e9
  where p.only_row = 1 and u.user_id = $1;
end;
comment on function cotaste_clean_probe(text, bigint) is 'part of cotaste_neighbours_of: a user with nothing pending';

create or replace function cotaste_current_probe(probe text, k bigint) returns table (
  ord integer, items bigint, taste bytea, cached_us bigint, wanted bigint, stale boolean
)
language sql stable parallel safe rows 1
begin atomic
  select
    coalesce((select u.ord from cotaste_users u where u.user_id = $1), -1), taste_items(t.taste), t.taste,
    cast(null as bigint), greatest(coalesce($2, p.similar_users_k), 0), p.stale or row_security_active(cast('user_behaviors' as regclass))
  from cotaste_parameters p
  cross join cotaste_current_tastes t
  where p.only_row = 1 and t.user_id = $1;
end;
comment on function cotaste_current_probe(text, bigint) is 'part of cotaste_neighbours_of: any user';

create or replace function cotaste_cached_neighbours(probe text, k bigint) returns table (
  user_id text, similarity double precision, jaccard double precision, genre_cosine double precision, shared_items bigint,
  rank bigint, computed_at timestamptz, cached boolean
)
language sql stable parallel safe rows 10
begin atomic
  select n.neighbour_id, n.similarity, n.jaccard, n.genre_cosine, n.shared_items, n.rank, n.computed_at, true
  from neighbours n
  where n.user_id = $1 and n.rank <= $2
  order by n.rank;
end;
comment on function cotaste_cached_neighbours(text, bigint) is 'part of cotaste_neighbours_of: from the cache';

-- The definition: every taste from the log.
create or replace function cotaste_all_neighbours(probe text, me bytea, k bigint) returns table (
  user_id text, similarity double precision, jaccard double precision, genre_cosine double precision, shared_items bigint,
  rank bigint, computed_at timestamptz, cached boolean
)
language sql stable parallel safe rows 10
begin atomic
  select
    t.user_id, t.similarity, taste_jaccard($2, t.taste), taste_genre_cosine($2, t.taste), taste_shared_items($2, t.taste),
    row_number() over (order by t.similarity desc, t.user_id), statement_timestamp(), false
  from (
    select o.user_id, o.taste, taste_similarity($2, o.taste, p.jaccard_weight, p.cosine_weight) as similarity
    from cotaste_tastes o
    cross join cotaste_parameters p
    where o.user_id <> $1
  ) t
  where t.similarity > 0
  order by t.similarity desc, t.user_id
  limit $3;
end;
comment on function cotaste_all_neighbours(text, bytea, bigint) is 'part of cotaste_neighbours_of: from the log';

create or replace function cotaste_count(me bytea) returns table (counters bytea)
language sql stable parallel safe rows 1
begin atomic
  select count_postings(l.chunk, l.users) from cotaste_postings l where l.content_id = any (taste_contents($1));
end;
comment on function cotaste_count(bytea) is 'part of cotaste_neighbours_of: how much everybody shares';

-- Users with something pending: the most those the state knows can be similar, by numbers alone, and the others.
create or replace function cotaste_waiting(probe text, me bytea, counters bytea) returns table (bounds bytea, strangers text[])
language sql stable parallel safe rows 1
begin atomic
  select
    pending_bounds(
      $2, $3, u.ord, u.items, q.content_id,
      (select p.jaccard_weight from cotaste_parameters p where p.only_row = 1),
      (select p.cosine_weight from cotaste_parameters p where p.only_row = 1)
    ),
    array_agg(q.user_id) filter (where u.ord is null)
  from cotaste_queue q
  left join lateral (select u.ord, u.items from cotaste_users u where u.user_id = q.user_id offset 0) u on true
  where q.due_us <= (select to_epoch_us(statement_timestamp())) and q.user_id <> $1;
end;
comment on function cotaste_waiting(text, bytea, bytea) is 'part of cotaste_neighbours_of: users with pending events';

-- Those of them who may reach the k-th best similarity so far, which is 0 while there are fewer, and the most they can be
-- similar from their folded tastes and the pairs that changed.
create or replace function cotaste_contenders(me bytea, scores double precision[], bounds bytea, strangers text[], k bigint)
returns table (users text[], bounds double precision[])
language sql stable parallel safe rows 1
begin atomic
  select array_agg(d.user_id order by d.bound desc), array_agg(d.bound order by d.bound desc)
  from (
    select
      u.user_id,
      similarity_at_most(
        $1, u.taste, q.content_id, c.genres,
        (select p.jaccard_weight from cotaste_parameters p where p.only_row = 1),
        (select p.cosine_weight from cotaste_parameters p where p.only_row = 1)
      ) as bound
    from (
      select u.user_id, u.taste from cotaste_users u
      where u.ord = any (pending_reaching($3, coalesce(
        (select s.score from unnest($2) s (score) order by s.score desc limit 1 offset greatest($5, 1) - 1), 0
      )))
      union all
      select distinct s.user_id collate "C", cast(null as bytea) from unnest($4) s (user_id)
    ) u
    cross join lateral (
      select q.content_id from cotaste_queue q
      where q.user_id = u.user_id and q.due_us <= (select to_epoch_us(statement_timestamp())) offset 0
    ) q
    left join lateral (select c.genres from contents c where c.content_id = q.content_id offset 0) c on true
    group by u.user_id
  ) d;
end;
comment on function cotaste_contenders(bytea, double precision[], bytea, text[], bigint) is
  'part of cotaste_neighbours_of: the users with pending events who may be among the best';

create or replace function cotaste_rank(me bytea, my_ord integer, counters bytea, waiting bytea, k bigint)
returns table (finalists integer[])
language sql stable parallel safe rows 1
begin atomic
  select
    rank_users(
      $3, b.block, b.users, $1, s.genre_order, $2 || coalesce((select pending_ords($4)), '{}'), $5, p.jaccard_weight,
      p.cosine_weight
    )
  from cotaste_blocks b
  cross join cotaste_fold_state s
  cross join cotaste_parameters p
  where s.only_row = 1 and p.only_row = 1;
end;
comment on function cotaste_rank(bytea, integer, bytea, bytea, bigint) is
  'part of cotaste_neighbours_of: the users that can be among the best';

create or replace function cotaste_scores(me bytea, finalists integer[], tastes bytea[]) returns table (scores double precision[])
language sql stable parallel safe rows 1
begin atomic
  select array_agg(taste_similarity($1, t.taste, p.jaccard_weight, p.cosine_weight))
  from (
    select u.taste from cotaste_users u where u.ord = any ($2)
    union all
    select d.taste from unnest($3) d (taste)
  ) t
  cross join cotaste_parameters p
  where p.only_row = 1;
end;
comment on function cotaste_scores(bytea, integer[], bytea[]) is 'part of cotaste_neighbours_of: similarities';

-- How many of those with something pending may reach the k-th best similarity so far, which is 0 while there are fewer.
create or replace function cotaste_promising(scores double precision[], bounds double precision[], k bigint)
returns table (promising bigint)
language sql stable parallel safe rows 1
begin atomic
  select count(*)
  from unnest($2) d (bound)
  where d.bound * 1.000000001 >= coalesce(
    (select s.score from unnest($1) s (score) order by s.score desc limit 1 offset greatest($3, 1) - 1), 0
  );
end;
comment on function cotaste_promising(double precision[], double precision[], bigint) is
  'part of cotaste_neighbours_of: how many users with something pending may be among the best';

create or replace function cotaste_best_of(me bytea, finalists integer[], users text[], tastes bytea[], k bigint) returns table (
  user_id text, similarity double precision, jaccard double precision, genre_cosine double precision, shared_items bigint,
  rank bigint, computed_at timestamptz, cached boolean
)
language sql stable parallel safe rows 10
begin atomic
  select
    t.user_id, t.similarity, taste_jaccard($1, t.taste), taste_genre_cosine($1, t.taste), taste_shared_items($1, t.taste),
    row_number() over (order by t.similarity desc, t.user_id), statement_timestamp(), false
  from (
    select o.user_id, o.taste, taste_similarity($1, o.taste, p.jaccard_weight, p.cosine_weight) as similarity
    from (
      select u.user_id, u.taste from cotaste_users u where u.ord = any ($2)
      union all
      select d.user_id collate "C", d.taste from unnest($3, $4) d (user_id, taste)
    ) o
    cross join cotaste_parameters p
    where p.only_row = 1
    order by similarity desc, o.user_id
    limit $5
  ) t
  where t.similarity > 0
  order by t.similarity desc, t.user_id;
end;
comment on function cotaste_best_of(bytea, integer[], text[], bytea[], bigint) is
  'part of cotaste_neighbours_of: scores from tastes';

-- The most promising of those with something pending come first, and more of them each time: the others then have more to
-- reach.
create or replace function cotaste_best(me bytea, finalists integer[], pending bytea, strangers text[], k bigint) returns table (
  user_id text, similarity double precision, jaccard double precision, genre_cosine double precision, shared_items bigint,
  rank bigint, computed_at timestamptz, cached boolean
)
language plpgsql stable parallel safe rows 10
as $$
declare
  contenders record;
  promising bigint;
  scored bigint := 0;
  upto bigint;
  more record;
  found_scores double precision[];
  found_users text[] := '{}';
  found_tastes bytea[] := '{}';
begin
  select s.scores into found_scores from @space@.cotaste_scores($1, $2, null) s;
  select c.* into contenders from @space@.cotaste_contenders($1, found_scores, $3, $4, $5) c;
  loop
    exit when contenders.users is null;
    select p.promising into promising from @space@.cotaste_promising(found_scores, contenders.bounds, $5) p;
    exit when promising operator(pg_catalog.<=) scored;
    upto := least(promising, scored operator(pg_catalog.*) 2 operator(pg_catalog.+) 32);
    select t.* into more from @space@.cotaste_pending_tastes(contenders.users[scored operator(pg_catalog.+) 1 : upto]) t;
    select found_scores operator(pg_catalog.||) s.scores into found_scores from @space@.cotaste_scores($1, null, more.tastes) s;
    found_users := found_users operator(pg_catalog.||) more.users;
    found_tastes := found_tastes operator(pg_catalog.||) more.tastes;
    scored := upto;
  end loop;
  return query select * from @space@.cotaste_best_of($1, $2, found_users, found_tastes, $5);
end
$$;
comment on function cotaste_best(bytea, integer[], bytea, text[], bigint) is
  'part of cotaste_neighbours_of: the best of those with nothing pending and of the others';

-- The k users most similar to one, ties by id, k a setting when it is NULL. Clean users are ranked by bounds over posting
-- lists and blocks, and the few that can be among the best are scored from their tastes. Users with something pending are
-- left out there, and bounded by numbers and then by their folded tastes and the queue; whoever of them can be among the
-- best is scored from the log.
create or replace function cotaste_neighbours_of(probe text, k bigint) returns table (
  user_id text, similarity double precision, jaccard double precision, genre_cosine double precision, shared_items bigint,
  rank bigint, computed_at timestamptz, cached boolean
)
language plpgsql stable parallel safe cost 10000 rows 10
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  me record;
  counters bytea;
  waiting record;
  finalists integer[];
begin
  select p.* into me from @space@.cotaste_clean_probe($1, $2) p;
  if me.taste is null then
    select p.* into me from @space@.cotaste_current_probe($1, $2) p;
    if me.taste is null then
      return;
    end if;
  end if;
  if me.cached_us is not null then
    return query select * from @space@.cotaste_cached_neighbours($1, me.wanted);
  elsif me.stale then
    return query select * from @space@.cotaste_all_neighbours($1, me.taste, me.wanted);
  else
    select c.counters into counters from @space@.cotaste_count(me.taste) c;
    select d.* into waiting from @space@.cotaste_waiting($1, me.taste, counters) d;
    select r.finalists into finalists
    from @space@.cotaste_rank(me.taste, me.ord, counters, waiting.bounds, me.wanted) r;
    if waiting.bounds is null and waiting.strangers is null then
      return query select * from @space@.cotaste_best_of(me.taste, finalists, null, null, me.wanted);
    else
      return query select * from @space@.cotaste_best(me.taste, finalists, waiting.bounds, waiting.strangers, me.wanted);
    end if;
  end if;
end
$$;
comment on function cotaste_neighbours_of(text, bigint) is 'the k users most similar to one; k is a setting when it is NULL';

-- The same for many users at once: posting lists and blocks are read once and kept for all of them, and so are the tastes
-- of users with something pending.
create or replace function cotaste_neighbours_of_many(probes text[], k bigint) returns table (
  user_id text, rank bigint, neighbour_id text, similarity double precision, jaccard double precision,
  genre_cosine double precision, shared_items bigint
)
language sql stable parallel safe rows 20000
begin atomic
  with pending as materialized (
    select q.user_id, (select u.ord from cotaste_users u where u.user_id = q.user_id) as ord, t.taste
    from (
      select distinct q.user_id from cotaste_queue q where q.due_us <= to_epoch_us(statement_timestamp())
    ) q
    left join (
      select d.user_id, d.taste
      from cotaste_pending_tastes(
        array(select distinct q.user_id from cotaste_queue q where q.due_us <= to_epoch_us(statement_timestamp()))
      ) t
      cross join lateral unnest(t.users, t.tastes) d (user_id, taste)
    ) t on t.user_id = q.user_id
  ),
  clean as (
    select u.user_id, u.ord, u.taste from cotaste_users u
    where u.user_id = any ($1) and not exists (select from pending d where d.user_id = u.user_id)
  )
  select m.user_id, n.rank, n.user_id, n.similarity, n.jaccard, n.genre_cosine, n.shared_items
  from (
    select
      c.user_id, c.taste, p.jaccard_weight, p.cosine_weight,
      find_finalists(
        (select gather_lists(l.content_id, l.chunk, l.users) from cotaste_postings l),
        (select gather_lists(b.block, 0, b.users) from cotaste_blocks b),
        c.taste, s.genre_order,
        coalesce((select array_agg(d.ord) from pending d where d.ord is not null), '{}') || c.ord,
        $2, p.jaccard_weight, p.cosine_weight
      ) as finalists
    from (
      select c.user_id, c.ord, c.taste from clean c
      union all
      select d.user_id, coalesce(d.ord, -1), d.taste from pending d where d.user_id = any ($1) and d.taste is not null
    ) c
    cross join cotaste_fold_state s
    cross join cotaste_parameters p
    where s.only_row = 1 and p.only_row = 1
    offset 0
  ) m
  cross join lateral (
    select
      t.user_id, t.similarity, taste_jaccard(m.taste, t.taste) as jaccard, taste_genre_cosine(m.taste, t.taste) as genre_cosine,
      taste_shared_items(m.taste, t.taste) as shared_items, row_number() over (order by t.similarity desc, t.user_id) as rank
    from (
      select o.user_id, o.taste, taste_similarity(m.taste, o.taste, m.jaccard_weight, m.cosine_weight) as similarity
      from (
        select u.user_id, u.taste from cotaste_users u where u.ord = any (m.finalists)
        union all
        select d.user_id, d.taste from pending d where d.taste is not null and d.user_id <> m.user_id
      ) o
      order by similarity desc, o.user_id
      limit $2
    ) t
    where t.similarity > 0
  ) n;
end;
comment on function cotaste_neighbours_of_many(text[], bigint) is 'part of cotaste_refresh_neighbours: as cotaste_neighbours_of';

-- One worker at a time; another finds nothing to do. What is committed is fresh, so the next call goes on with the rest.
create or replace function cotaste_refresh_neighbours("limit" bigint default null) returns bigint
language plpgsql
set search_path from current
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  wanted bigint;
  oldest_us double precision;
  started_us bigint;
  outdated text[];
  part text[];
  computed bigint := 0;
begin
  perform cotaste_refuse_hidden_rows('cotaste_refresh_neighbours');
  if not pg_try_advisory_xact_lock(cotaste_lock(3)) then
    return 0;
  end if;
  perform setval('cotaste_neighbour_count', 0);
  delete from neighbours n where not exists (select from cotaste_users u where u.user_id = n.user_id);
  delete from cotaste_neighbour_runs r where not exists (select from cotaste_users u where u.user_id = r.user_id);
  select p.neighbours_k, to_epoch_us(clock_timestamp()) - p.cache_ttl_hours * 3.6e9 into wanted, oldest_us from cotaste_parameters p;
  outdated := array(
    select u.user_id
    from cotaste_users u
    left join cotaste_neighbour_runs r on r.user_id = u.user_id
    where r.user_id is null or r.k < wanted or r.computed_us < u.changed_us or r.computed_us <= oldest_us
    order by r.computed_us nulls first, u.user_id
    limit "limit"
  );
  while computed < cardinality(outdated) loop
    part := outdated[computed + 1 : computed + 500];
    started_us := to_epoch_us(clock_timestamp());
    delete from neighbours n where n.user_id = any (part);
    -- Reading everything once pays for more than a few users. A state that is stale is no use to any.
    if cardinality(part) < 16 or (select p.stale from cotaste_parameters p) then
      insert into neighbours (user_id, rank, neighbour_id, similarity, jaccard, genre_cosine, shared_items, computed_at)
      select o.user_id, n.rank, n.user_id, n.similarity, n.jaccard, n.genre_cosine, n.shared_items, from_epoch_us(started_us)
      from unnest(part) o (user_id)
      cross join lateral cotaste_neighbours_of(o.user_id, wanted) n;
    else
      insert into neighbours (user_id, rank, neighbour_id, similarity, jaccard, genre_cosine, shared_items, computed_at)
      select n.user_id, n.rank, n.neighbour_id, n.similarity, n.jaccard, n.genre_cosine, n.shared_items, from_epoch_us(started_us)
      from cotaste_neighbours_of_many(part, wanted) n;
    end if;
    insert into cotaste_neighbour_runs (user_id, k, computed_us) select o.user_id, wanted, started_us from unnest(part) o (user_id)
    on conflict (user_id) do update set k = excluded.k, computed_us = excluded.computed_us;
    computed := computed + cardinality(part);
    perform setval('cotaste_neighbour_count', computed);
  end loop;
  return computed;
end
$$;
comment on function cotaste_refresh_neighbours(bigint) is
  'computes the neighbours that are missing or outdated, oldest first, or so many of them, and returns how many';

revoke execute on function cotaste_refresh_neighbours(bigint) from public;
