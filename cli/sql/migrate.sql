-- What a migration reads from SQLite and writes to Postgres.

-- totals
select (select count(*) from user_behaviors), (select count(*) from contents), (select count(*) from content_embeddings),
  (select count(*) from cotaste_settings)

-- unfit events
select id from user_behaviors
where typeof(context) not in ('text', 'null') or instr(context, char(0)) > 0 or instr(user_id, char(0)) > 0 or instr(event_id, char(0)) > 0 or instr(action, char(0)) > 0
order by id limit 20

-- unfit contents
select content_id from contents
where instr(title, char(0)) > 0 or instr(genres, char(0)) > 0 or attributes is not null and (not json_valid(attributes) or instr(attributes, '\u0000') > 0)
order by content_id limit 20

-- own columns
select m.name || '.' || c.name from sqlite_master m, pragma_table_info(m.name) c
where m.type = 'table' and (
  m.name = 'contents' and c.name not in ('content_id', 'title', 'genres', 'attributes', 'created_at')
  or m.name = 'user_behaviors' and c.name not in ('user_id', 'id', 'content_id', 'action', 'rating', 'progress', 'context', 'occurred_at',
    'event_id', 'time_of_day', 'day_of_week', 'device', 'location', 'experiment', 'variant', 'context_status')
)
order by 1

-- own tables
select name from sqlite_master
where type = 'table' and name not glob 'cotaste_*' and name not glob 'sqlite_*' and sql not like 'create virtual%'
  and name not in ('contents', 'user_behaviors', 'content_embeddings', 'neighbours')
order by name

-- settings
select key, value, description from cotaste_settings order by key

-- contents
select content_id, title, genres, attributes, created_at from contents where content_id > ?1 or ?1 is null order by content_id limit ?2

-- events
select id, user_id, content_id, action, rating, progress, context, occurred_at, event_id from user_behaviors
where id > ?1 or ?1 is null order by id limit ?2

-- content embeddings
select content_id, model, dim, embedding_json(embedding), updated_at from content_embeddings order by content_id, model

-- kept
select user_id, content_id, base from cotaste_base order by user_id, content_id

-- learned
select model, learned, learned_at from cotaste_learned order by model

-- learned contents
select model, content_id, fingerprint from cotaste_learned_contents order by model, content_id

-- is empty
select not exists (select from user_behaviors) and not exists (select from contents)

-- set settings
insert into cotaste_settings as s (key, value, description)
select * from unnest(cast($1 as text[]), cast($2 as text[]), cast($3 as text[]))
on conflict (key) do update set value = excluded.value, description = excluded.description

-- drop settings
delete from cotaste_settings where not key = any (cast($1 as text[]))

-- copy contents
copy cotaste_migrated_contents from stdin (format binary)

-- stage contents
create temporary table if not exists cotaste_migrated_contents (
  content_id bigint, title text, genres text, attributes text, created_at timestamptz
) on commit delete rows

-- insert contents
insert into contents (content_id, title, genres, attributes, created_at)
select content_id, title, genres, cast(attributes as jsonb), created_at from cotaste_migrated_contents

-- copy events
copy user_behaviors (id, user_id, content_id, action, rating, progress, context, occurred_at, event_id) from stdin (format binary)

-- content embedding
insert into content_embeddings (content_id, model, dim, embedding, updated_at)
values ($1, $2, $3, to_embedding(cast($4 as text)), cast(cast($5 as text) as timestamptz))
on conflict (content_id, model) do nothing

-- kept of a pair
insert into cotaste_base (user_id, content_id, base) values ($1, $2, $3) on conflict (user_id, content_id) do nothing

-- learned model
insert into cotaste_learned (model, learned, learned_at) values ($1, $2, cast(cast($3 as text) as timestamptz))
on conflict (model) do nothing

-- learned content
insert into cotaste_learned_contents (model, content_id, fingerprint) values ($1, $2, $3) on conflict (model, content_id) do nothing

-- next id
select setval(pg_get_serial_sequence('user_behaviors', 'id'), greatest((select max(id) from user_behaviors), 1))

-- analyze
analyze user_behaviors, contents

-- users
select user_id from (select user_id, count(*) as n from user_behaviors group by user_id) u order by n desc, user_id limit 4

-- contents asked
select content_id from (select content_id, count(*) as n from user_behaviors group by content_id) c order by n desc, content_id limit 4

-- experiments
select distinct experiment from cotaste_events where experiment is not null order by experiment limit 2

-- bench users
select user_id from (select user_id, max(id) as last from user_behaviors group by user_id) u order by last desc limit 500

-- bench contents
select content_id from (select content_id, max(id) as last from user_behaviors group by content_id) c order by last desc limit 500
