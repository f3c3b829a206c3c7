-- Embeddings: what plain writes are held to, the search, and what is learned from the log. @space@ is this schema.

alter table content_embeddings drop constraint if exists content_embeddings_dim;
alter table content_embeddings drop constraint if exists content_embeddings_model;
alter table content_embeddings
  add constraint content_embeddings_model check (check_model(model)),
  add constraint content_embeddings_dim check (check_embedding(embedding, dim));

-- One dimension a model. Only a lock makes the second of two transactions see what the first one wrote. Each model is two
-- looks into the index.
create or replace function cotaste_refuse_mixed_dimensions() returns trigger
language plpgsql
set search_path from current
as $$
declare
  mixed record;
begin
  perform pg_advisory_xact_lock(cotaste_lock(5));
  with recursive models as (
    (select e.model from content_embeddings e order by e.model limit 1)
    union all
    select (select e.model from content_embeddings e where e.model > m.model order by e.model limit 1)
    from models m
    where m.model is not null
  )
  select d.* into mixed
  from (
    select
      m.model,
      (select min(e.dim) from content_embeddings e where e.model = m.model) as least,
      (select max(e.dim) from content_embeddings e where e.model = m.model) as most
    from models m
  ) d
  where d.least <> d.most
  limit 1;
  if found then
    raise exception using errcode = '22023',
      message = format('INVALID_ARGUMENT: dim: the model "%s" has embeddings of %s and of %s numbers', mixed.model, mixed.least, mixed.most),
      hint = 'Delete those of the other dimension first, or name another model.';
  end if;
  return null;
end
$$;
comment on function cotaste_refuse_mixed_dimensions() is 'holds the embeddings of a model to one dimension';

create or replace trigger content_embeddings_one_dimension after insert or update on content_embeddings
for each statement execute function cotaste_refuse_mixed_dimensions();

create or replace function set_content_embedding(content_id bigint, model text, embedding real[]) returns bigint
language plpgsql
set search_path from current
as $$
declare
  missing text := case when $1 is null then 'content_id' when $2 is null then 'model' when $3 is null then 'embedding' end;
begin
  if missing is not null then
    raise exception using errcode = '22023', message = format('INVALID_ARGUMENT: %s: is NULL', missing),
      hint = 'Pass a value of the documented range.';
  end if;
  insert into content_embeddings as e (content_id, model, dim, embedding)
  values ($1, $2, cardinality($3), to_embedding($3))
  on conflict on constraint content_embeddings_pkey
  do update set dim = excluded.dim, embedding = excluded.embedding, updated_at = now();
  return cardinality($3);
end
$$;
comment on function set_content_embedding(bigint, text, real[]) is
  'writes the embedding a model gives a content, over the one before, and returns its dimension';

create or replace function set_content_embedding(content_id bigint, model text, embedding text) returns bigint
language sql
begin atomic
  select set_content_embedding($1, $2, to_embedding($3));
end;
comment on function set_content_embedding(bigint, text, text) is 'set_content_embedding of a JSON array of numbers';

create or replace function set_content_embedding(content_id bigint, model text, embedding bytea) returns bigint
language sql
begin atomic
  select set_content_embedding($1, $2, to_embedding($3));
end;
comment on function set_content_embedding(bigint, text, bytea) is 'set_content_embedding of 32-bit floats, little-endian';

create or replace function set_content_embedding(content_id bigint, model text, embedding double precision[]) returns bigint
language sql
begin atomic
  select set_content_embedding($1, $2, to_embedding($3));
end;
comment on function set_content_embedding(bigint, text, double precision[]) is 'set_content_embedding of doubles';

-- The search. What runs is written "begin atomic", bound to this schema whatever search_path says.

create or replace function cotaste_embedding_probe(of_content_id bigint, k bigint, of_model text) returns table (
  model text, embedding real[], wanted bigint
)
language sql stable parallel safe rows 1
begin atomic
  select
    e.model,
    e.embedding,
    greatest(coalesce($2, (select cast(s.value as bigint) from cotaste_settings s where s.key = 'similar_content_k'), 10), 0)
  from content_embeddings e
  where e.content_id = $1 and e.model = coalesce($3, e.model)
  order by e.model <> coalesce((select s.value from cotaste_settings s where s.key = 'embedding_model'), ''), e.model
  limit 1;
end;
comment on function cotaste_embedding_probe(bigint, bigint, text) is 'part of cotaste_similar_of: the embedding to compare with';

-- Of what is found the content itself is left out, so one more is asked for.
create or replace function cotaste_nearest_of(of_content_id bigint, k bigint, of_model text, probe real[]) returns table (
  content_id bigint, similarity double precision, rank bigint, method text, model text, shared_users bigint,
  lift double precision
)
language sql stable parallel safe rows 10
begin atomic
  select
    n.content_id, n.similarity, row_number() over (order by n.similarity desc, n.content_id), 'embedding', $3,
    cast(null as bigint), cast(null as double precision)
  from (
    select e.content_id, embedding_similarity($4, e.embedding) as similarity
    from json_array_elements_text(cast((
      select nearest_contents(s.content_id, s.embedding, $4, $2 + 1) from content_embeddings s where s.model = $3
    ) as json)) i (id)
    join content_embeddings e on e.content_id = cast(i.id as bigint) and e.model = $3
    where e.content_id <> $1
    order by similarity desc, e.content_id
    limit $2
  ) n
  order by n.similarity desc, n.content_id;
end;
comment on function cotaste_nearest_of(bigint, bigint, text, real[]) is 'part of cotaste_similar_of: by a model''s embeddings';

create or replace function cotaste_similar_of(of_content_id bigint, k bigint, of_model text) returns table (
  content_id bigint, similarity double precision, rank bigint, method text, model text, shared_users bigint,
  lift double precision
)
language plpgsql stable parallel safe cost 10000 rows 10
set jit = off
as $$
declare
  me record;
begin
  select p.* into me from @space@.cotaste_embedding_probe($1, $2, $3) p;
  if me.embedding is not null then
    return query select * from @space@.cotaste_nearest_of($1, me.wanted, me.model, me.embedding);
  elsif $3 is null then
    return query
      select u.content_id, u.similarity, u.rank, cast('co_occurrence' as text), cast(null as text), u.shared_users, u.lift
      from @space@.cotaste_similar_by_users($1, $2) u;
  end if;
end
$$;
comment on function cotaste_similar_of(bigint, bigint, text) is 'the contents most similar to one; part of similar_content';

-- What is learned from the log.

create or replace function cotaste_write_learned(model text, learned bytea) returns bigint
language plpgsql
set search_path from current
as $$
declare
  written bigint;
  placed bigint;
begin
  -- Those whose users changed, and those that are new.
  with changed as materialized (
    select i.content_id, learned_fingerprint($2, i.content_id) as fingerprint, learned_embedding($2, i.content_id) as embedding
    from unnest(learned_contents($2)) i (content_id)
    left join cotaste_learned_contents l on l.model = $1 and l.content_id = i.content_id
    where l.fingerprint is distinct from learned_fingerprint($2, i.content_id)
  ),
  embedded as (
    insert into content_embeddings as e (content_id, model, dim, embedding)
    select c.content_id, $1, cardinality(c.embedding), c.embedding from changed c where c.embedding is not null
    order by c.content_id
    on conflict on constraint content_embeddings_pkey
    do update set dim = excluded.dim, embedding = excluded.embedding, updated_at = now()
    returning e.content_id
  ),
  kept as (
    insert into cotaste_learned_contents as l (model, content_id, fingerprint)
    select $1, c.content_id, c.fingerprint from changed c where c.embedding is not null
    on conflict on constraint cotaste_learned_contents_pkey do update set fingerprint = excluded.fingerprint
    returning l.content_id
  )
  select count(*) into written from embedded;
  delete from cotaste_learned_contents l
  where l.model = $1
    and not exists (
      select from unnest(learned_contents($2)) i (content_id)
      where i.content_id = l.content_id and learned_embedding($2, i.content_id) is not null
    );
  insert into content_embeddings as e (content_id, model, dim, embedding)
  select g.content_id, g.model, cardinality(g.embedding), g.embedding
  from cotaste_genre_places g
  where g.model = $1 and g.embedding is not null
  order by g.content_id
  on conflict on constraint content_embeddings_pkey
  do update set dim = excluded.dim, embedding = excluded.embedding, updated_at = now()
  where e.embedding is distinct from excluded.embedding;
  get diagnostics placed = row_count;
  delete from content_embeddings e
  where e.model = $1
    and not exists (select from cotaste_learned_contents l where l.model = $1 and l.content_id = e.content_id)
    and e.content_id not in (
      select g.content_id from cotaste_genre_places g where g.model = $1 and g.embedding is not null
    );
  return written + placed;
end
$$;
comment on function cotaste_write_learned(text, bytea) is 'part of cotaste_learn_embeddings: writes what changed';

create or replace function cotaste_learn_embeddings(dim bigint default null, model text default null) returns bigint
language plpgsql
set search_path from current
as $$
declare
  wanted text := coalesce($2, 'learned');
  found_learned bytea;
begin
  perform check_model(wanted);
  perform pg_advisory_xact_lock(cotaste_lock(5));
  select learn_embeddings(t.user_id, t.taste, coalesce($1, 64)) into found_learned from cotaste_current_tastes t;
  delete from content_embeddings e where e.model = wanted;
  delete from cotaste_learned_contents l where l.model = wanted;
  delete from cotaste_learned l where l.model = wanted;
  if found_learned is null then
    return 0;
  end if;
  insert into cotaste_learned (model, learned) values (wanted, found_learned);
  return cotaste_write_learned(wanted, found_learned);
end
$$;
comment on function cotaste_learn_embeddings(bigint, text) is
  'learns embeddings of contents from who watched what, 64 numbers each as the model learned unless told otherwise, over those before, and returns how many';

create or replace function cotaste_refresh_embeddings(model text default null) returns bigint
language plpgsql
set search_path from current
as $$
declare
  wanted text := coalesce($1, 'learned');
  folded bytea;
begin
  perform pg_advisory_xact_lock(cotaste_lock(5));
  if not exists (select from cotaste_learned l where l.model = wanted) then
    raise exception using errcode = '22023', message = format('INVALID_ARGUMENT: model: "%s" was not learned here', wanted),
      hint = 'Run cotaste_learn_embeddings() first.';
  end if;
  -- A new value, because the stored one would be read from its pieces for every user.
  select fold_in_embeddings(t.user_id, t.taste, (select l.learned || cast('' as bytea) from cotaste_learned l where l.model = wanted))
  into folded from cotaste_current_tastes t;
  return cotaste_write_learned(wanted, folded);
end
$$;
comment on function cotaste_refresh_embeddings(text) is
  'places the contents whose users changed, and new ones, among what cotaste_learn_embeddings() learned, and returns how many';

revoke execute on function set_content_embedding(bigint, text, real[]) from public;
revoke execute on function set_content_embedding(bigint, text, text) from public;
revoke execute on function set_content_embedding(bigint, text, bytea) from public;
revoke execute on function set_content_embedding(bigint, text, double precision[]) from public;
revoke execute on function cotaste_write_learned(text, bytea) from public;
revoke execute on function cotaste_learn_embeddings(bigint, text) from public;
revoke execute on function cotaste_refresh_embeddings(text) from public;
