-- Recommendations. As with similar users, what is called is PL/pgSQL, which keeps its plans, over functions written "begin
-- atomic". @space@ is this schema. Answers come from one aggregate over rows of six kinds: 0 the question, 1 a taste, 2 a
-- pending pair, 3 a content, 4 an event of who asks, 5 the embedding of a content.

create or replace function cotaste_recommend_settings() returns table (settings json, of_nearest boolean, nearest bigint, first bigint)
language sql stable parallel safe rows 1
begin atomic
  select
    (select coalesce(json_object_agg(s.key, s.value), '{}') from cotaste_settings s where s.key like 'recommend\_%'),
    f.next_ord > a.users, coalesce((select cast(s.value as bigint) from cotaste_settings s where s.key = 'recommend_nearest'), 500),
    a.users
  from cotaste_fold_state f
  cross join (
    select coalesce((select cast(s.value as bigint) from cotaste_settings s where s.key = 'recommend_all_users'), 4000) as users
  ) a
  where f.only_row = 1;
end;
comment on function cotaste_recommend_settings() is
  'part of recommend: the settings, whether there are too many users to look at all, and how many are looked at';

create or replace function cotaste_recommend_rows() returns table (
  kind integer, a text, b text, content bigint, at bigint, flag boolean, taste bytea
)
language sql stable parallel safe rows 20000
begin atomic
  select 1, u.user_id, cast(null as text), cast(null as bigint), cast(null as bigint), cast(null as boolean), u.taste
  from cotaste_users u
  where not (select p.stale from cotaste_parameters p)
  union all
  select 2, t.user_id, null, t.content_id, null, t.touched = 1, null from cotaste_touch_changes t
  union all
  select 3, c.title, c.genres, c.content_id, null, null, null from contents c
  union all
  select 5, null, null, e.content_id, null, null, embedding_bytes(e.embedding) from cotaste_blended_embeddings e;
end;
comment on function cotaste_recommend_rows() is 'part of recommend: who touched what, and the catalogue';

create or replace function cotaste_recommend_to(question text, users text[]) returns table (answer text)
language sql stable parallel safe rows 1
begin atomic
  select recommend_rows(r.kind, r.a, r.b, r.content, r.at, r.flag, r.taste)
  from (
    select * from cotaste_recommend_rows()
    union all
    select 0, $1, null, null, null, null, null
    union all
    select 4, h.user_id, null, h.content_id, h.touched_us, h.disliked = 1, null
    from cotaste_histories h where h.user_id = any ($2)
  ) r;
end;
comment on function cotaste_recommend_to(text, text[]) is 'part of recommend: for some users';

create or replace function cotaste_recommend_to_all(question text) returns table (answer text)
language sql stable parallel safe rows 1
begin atomic
  select recommend_rows(r.kind, r.a, r.b, r.content, r.at, r.flag, r.taste)
  from (
    select * from cotaste_recommend_rows()
    union all
    select 0, $1, null, null, null, null, null
    union all
    select 4, h.user_id, null, h.content_id, h.touched_us, h.disliked = 1, null from cotaste_histories h
  ) r;
end;
comment on function cotaste_recommend_to_all(text) is 'part of recommend: for all users';

create or replace function cotaste_last_active() returns table (users text[])
language sql stable parallel safe rows 1
begin atomic
  select array_agg(distinct b.user_id)
  from (
    select b.user_id from user_behaviors b
    where b.occurred_at <= statement_timestamp()
    order by b.occurred_at desc, b.id desc
    limit 1000
  ) b;
end;
comment on function cotaste_last_active() is 'part of recommend: the users of the last events';

create or replace function cotaste_recommend_of(question text, probe text, users text[]) returns table (answer text)
language sql stable parallel safe rows 1
begin atomic
  select recommend_rows(r.kind, r.a, r.b, r.content, r.at, r.flag, r.taste)
  from (
    select 0 as kind, $1 as a, cast(null as text) as b, cast(null as bigint) as content, cast(null as bigint) as at,
      cast(null as boolean) as flag, cast(null as bytea) as taste
    union all
    select 1, u.user_id, null, null, null, null, u.taste
    from cotaste_users u
    where u.user_id = any ($3) and not (select p.stale from cotaste_parameters p)
    union all
    select 2, t.user_id, null, t.content_id, null, t.touched = 1, null
    from cotaste_touch_changes t where t.user_id = any ($3)
    union all
    select 3, c.title, c.genres, c.content_id, null, null, null from contents c
    union all
    select 5, null, null, e.content_id, null, null, embedding_bytes(e.embedding) from cotaste_blended_embeddings e
    union all
    select 4, h.user_id, null, h.content_id, h.touched_us, h.disliked = 1, null
    from cotaste_histories h where h.user_id = $2
  ) r;
end;
comment on function cotaste_recommend_of(text, text, text[]) is 'part of recommend: for one user, by the contents of some';

create or replace function cotaste_evaluate(question text, first bigint) returns table (answer text)
language sql stable parallel safe rows 1
begin atomic
  select recommend_rows(r.kind, r.a, r.b, r.content, r.at, r.flag, r.taste)
  from (
    select 0 as kind, $1 as a, cast(null as text) as b, cast(null as bigint) as content, cast(null as bigint) as at,
      cast(null as boolean) as flag, cast(null as bytea) as taste
    union all
    select 3, c.title, c.genres, c.content_id, null, null, null from contents c
    union all
    select 5, null, null, e.content_id, null, null, embedding_bytes(e.embedding) from cotaste_blended_embeddings e
    union all
    select 4, h.user_id, null, h.content_id, h.touched_us, h.disliked = 1, null
    from cotaste_histories h
    where h.user_id in (select u.user_id from cotaste_users u order by u.user_id limit $2)
  ) r;
end;
comment on function cotaste_evaluate(text, bigint) is 'part of evaluate_recommender: from what the first users did';

-- The users are who asks; without any, everybody does.
create or replace function cotaste_recommended_to(
  users text[], k bigint, recency double precision, include_seen boolean, exclude text, genre text
) returns table (
  user_id text, rank bigint, content_id bigint, title text, score double precision, method text, reason text,
  computed_at timestamptz
)
language plpgsql stable parallel safe cost 1000000 rows 10000
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  known record;
  question text;
  answer text;
  trends json;
  one text;
begin
  select s.* into known from @space@.cotaste_recommend_settings() s;
  if known.of_nearest then
    if users is null then
      select array_agg(u.user_id order by u.user_id) into users from @space@.cotaste_known_users u;
    end if;
    foreach one in array coalesce(users, '{}') loop
      return query
        select one, r.rank, r.content_id, r.title, r.score, r.method, r.reason, r.computed_at
        from @space@.cotaste_recommended(one, $2, $3, $4, $5, $6) r;
    end loop;
    return;
  end if;
  select json_object_agg(t.content_id, cast(t.score as text)) into trends from @space@.trending_content(1000) t;
  question := json_build_object(
    'trends', trends, 'everybody', true, 'k', $2, 'recency', $3, 'include_seen', $4, 'exclude', $5, 'genre', $6, 'settings', known.settings
  );
  if users is null then
    select o.answer into answer from @space@.cotaste_recommend_to_all(question) o;
  else
    select o.answer into answer from @space@.cotaste_recommend_to(question, users) o;
  end if;
  return query
    select r.user_id, r.rank, r.content_id, r.title, r.score, r.method, r.reason, statement_timestamp()
    from json_to_recordset(cast(answer as json)) r (
      user_id text, rank bigint, content_id bigint, title text, score double precision, method text, reason text
    );
end
$$;
comment on function cotaste_recommended_to(text[], bigint, double precision, boolean, text, text) is
  'part of recommend_for_all: the best contents for some users or all';

create or replace function cotaste_recommended_to_all(
  k bigint, recency double precision, include_seen boolean, exclude text, genre text
) returns table (
  user_id text, rank bigint, content_id bigint, title text, score double precision, method text, reason text,
  computed_at timestamptz
)
language sql stable parallel safe cost 1000000 rows 10000
begin atomic
  select * from cotaste_recommended_to(null, $1, $2, $3, $4, $5);
end;
comment on function cotaste_recommended_to_all(bigint, double precision, boolean, text, text) is
  'part of recommend_for_all: the best contents for everybody';

create or replace function cotaste_recommended(
  probe text, k bigint, recency double precision, include_seen boolean, exclude text, genre text
) returns table (
  user_id text, rank bigint, content_id bigint, title text, score double precision, method text, reason text,
  computed_at timestamptz
)
language plpgsql stable parallel safe cost 100000 rows 10
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  known record;
  question text;
  answer text;
  trends json;
  active text[];
  alike text[];
begin
  select s.* into known from @space@.cotaste_recommend_settings() s;
  if not exists (select from @space@.cotaste_histories h where h.user_id = $1 and h.touched_us is not null and h.disliked = 0) then
    select json_object_agg(t.content_id, cast(t.score as text)) into trends from @space@.trending_content(1000) t;
  end if;
  question := json_build_object(
    'trends', trends, 'user', $1, 'of_nearest', known.of_nearest, 'k', $2, 'recency', $3, 'include_seen', $4, 'exclude', $5, 'genre', $6,
    'settings', known.settings
  );
  if known.of_nearest then
    select l.users into active from @space@.cotaste_last_active() l;
    select array_agg(n.user_id) into alike from @space@.cotaste_neighbours_of($1, known.nearest) n;
    select o.answer into answer from @space@.cotaste_recommend_of(question, $1, $1 || active || alike) o;
  else
    select o.answer into answer from @space@.cotaste_recommend_to(question, array[$1]) o;
  end if;
  return query
    select r.user_id, r.rank, r.content_id, r.title, r.score, r.method, r.reason, statement_timestamp()
    from json_to_recordset(cast(answer as json)) r (
      user_id text, rank bigint, content_id bigint, title text, score double precision, method text, reason text
    );
end
$$;
comment on function cotaste_recommended(text, bigint, double precision, boolean, text, text) is
  'part of recommend: the best contents for one user';

create or replace function cotaste_recommender_quality(protocol text, k bigint, recency double precision) returns table (
  recommender text, users bigint, ndcg double precision, ndcg_error double precision, recall double precision,
  hit_rate double precision, coverage double precision, novelty double precision
)
language plpgsql stable parallel safe cost 1000000 rows 2
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  known record;
  question text;
  answer text;
begin
  select s.* into known from @space@.cotaste_recommend_settings() s;
  question := json_build_object('protocol', $1, 'k', $2, 'recency', $3, 'settings', known.settings);
  select o.answer into answer from @space@.cotaste_evaluate(question, known.first) o;
  return query
    select r.recommender, r.users, r.ndcg, r.ndcg_error, r.recall, r.hit_rate, r.coverage, r.novelty
    from json_to_recordset(cast(answer as json)) r (
      recommender text, users bigint, ndcg double precision, ndcg_error double precision, recall double precision,
      hit_rate double precision, coverage double precision, novelty double precision
    );
end
$$;
comment on function cotaste_recommender_quality(text, bigint, double precision) is
  'part of evaluate_recommender: how good recommend is, and popularity beside it';

-- One worker at a time; another finds nothing to do.
create or replace function cotaste_refresh_recommendations("limit" bigint default null) returns bigint
language plpgsql
set search_path from current
as $$
declare
  outdated text[];
  started timestamptz := clock_timestamp();
begin
  perform cotaste_refuse_hidden_rows('cotaste_refresh_recommendations');
  if not pg_try_advisory_xact_lock(cotaste_lock(4)) then
    return 0;
  end if;
  delete from cotaste_recommendations r where not exists (select from cotaste_users u where u.user_id = r.user_id);
  delete from cotaste_recommendation_runs r where not exists (select from cotaste_users u where u.user_id = r.user_id);
  select array_agg(o.user_id) into outdated
  from (
    select u.user_id
    from cotaste_users u
    cross join cotaste_parameters p
    left join cotaste_recommendation_runs r on r.user_id = u.user_id
    where r.user_id is null or r.computed_us < u.changed_us
      or r.computed_us <= to_epoch_us(started) - p.cache_ttl_hours * 3.6e9
    order by r.computed_us nulls first, u.user_id
    limit "limit"
  ) o;
  if outdated is null then
    return 0;
  end if;
  delete from cotaste_recommendations r where r.user_id = any (outdated);
  insert into cotaste_recommendations (user_id, rank, content_id, score, method, reason, computed_at)
  select r.user_id, r.rank, r.content_id, r.score, r.method, r.reason, started
  from cotaste_recommended_to(outdated, null, null, null, null, null) r;
  insert into cotaste_recommendation_runs (user_id, computed_us)
  select o.user_id, to_epoch_us(started) from unnest(outdated) o (user_id)
  on conflict (user_id) do update set computed_us = excluded.computed_us;
  return cardinality(outdated);
end
$$;
comment on function cotaste_refresh_recommendations(bigint) is
  'computes the recommendations that are missing or outdated, oldest first, or so many users'', and returns how many';

revoke execute on function cotaste_refresh_recommendations(bigint) from public;
