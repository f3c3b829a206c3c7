-- The space's tables. Triggers, defaults and indexes use built-in functions alone, so that a SQLite without cotaste can
-- write the file. The messages are those of core/src/behavior.rs, as far as RAISE, which takes only a literal, allows.

create table if not exists cotaste_meta (
  key text primary key not null,
  value text not null
);

create table if not exists cotaste_settings (
  key text primary key not null,
  value text not null,
  description text
);

-- The catalogue; content_id is the application's own.
create table if not exists contents (
  content_id integer primary key,
  title text,
  genres text,
  attributes text,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
);

-- The log, the only truth. Times are ISO 8601 texts; what cotaste writes has one width, so that they sort as the
-- instants do. The context is kept byte for byte; the columns parsed from it are filled in by record_behavior, and a
-- row whose context_status is NULL is parsed when it is read.
create table if not exists user_behaviors (
  user_id text not null,
  id integer primary key,
  content_id integer not null,
  action text not null,
  rating real,
  progress real,
  context text,
  occurred_at text not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
  event_id text,
  time_of_day text,
  day_of_week text,
  device text,
  location text,
  experiment text,
  variant text,
  context_status text
);

-- What purge_behaviors keeps of the events it removes: of each pair what level 1 needs, as one value of pair_base. No log
-- can give it again. The other columns are what the value holds; `touched_us` is the last of them that is not a skip.
create table if not exists cotaste_base (
  user_id text not null,
  content_id integer not null,
  base blob not null,
  events integer not null,
  touches integer not null,
  touched_us integer,
  first_us integer not null,
  last_us integer not null,
  last_id integer not null,
  last_action text not null,
  primary key (user_id, content_id)
) without rowid;

create index if not exists cotaste_base_content on cotaste_base (content_id);

create index if not exists cotaste_base_last on cotaste_base (last_us);

create index if not exists user_behaviors_user_content on user_behaviors (user_id, content_id);

create unique index if not exists user_behaviors_event on user_behaviors (user_id, event_id);

create index if not exists user_behaviors_content on user_behaviors (content_id);

create index if not exists user_behaviors_occurred_at on user_behaviors (occurred_at);

-- Vectors of contents by the model that made them; a vector is `dim` numbers of single precision, four bytes each,
-- little-endian. All of a model have one dimension.
create table if not exists content_embeddings (
  content_id integer not null,
  model text not null,
  dim integer not null,
  embedding blob not null,
  updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
  primary key (content_id, model)
);

create index if not exists content_embeddings_model_dim on content_embeddings (model, dim);

-- What built-in functions can see. That the numbers are finite is seen when they are read. Another dimension is looked
-- for below and above, which the index answers; <> would read every embedding of the model.
create trigger if not exists content_embeddings_check_insert before insert on content_embeddings
begin
  select case
    when typeof(new.content_id) is not 'integer' then raise(abort, 'INVALID_ARGUMENT: content_id: is not an integer. Pass a value of the documented range.')
    when typeof(new.model) is not 'text' then raise(abort, 'INVALID_ARGUMENT: model: is not text. Pass a value of the documented range.')
    when new.model = '' then raise(abort, 'INVALID_ARGUMENT: model: is empty. Pass a value of the documented range.')
    when length(cast(new.model as blob)) > 200 then raise(abort, 'INVALID_ARGUMENT: model: is longer than 200 bytes. Pass a value of the documented range.')
    when instr(new.model, char(0)) > 0 then raise(abort, 'INVALID_ARGUMENT: model: contains U+0000. Pass a value of the documented range.')
    when typeof(new.embedding) is not 'blob' then raise(abort, 'INVALID_ARGUMENT: embedding: is not a blob of 4 bytes a number. Pass to_embedding(JSON array), or the bytes of 32-bit floats.')
    when length(new.embedding) = 0 then raise(abort, 'INVALID_ARGUMENT: embedding: is empty. Pass a value of the documented range.')
    when length(new.embedding) % 4 > 0 then raise(abort, 'INVALID_ARGUMENT: embedding: has a number of bytes that is not a multiple of 4. Pass a value of the documented range.')
    when length(new.embedding) > 64000 then raise(abort, 'INVALID_ARGUMENT: embedding: has more than 16000 numbers. Pass a value of the documented range.')
    when new.dim is not length(new.embedding) / 4 then raise(abort, 'INVALID_ARGUMENT: dim: is not the number of numbers of the embedding. Pass a value of the documented range.')
    when (exists (select 1 from content_embeddings e where e.model = new.model and e.dim < new.dim and e.content_id <> new.content_id)
        or exists (select 1 from content_embeddings e where e.model = new.model and e.dim > new.dim and e.content_id <> new.content_id)) then raise(abort, 'INVALID_ARGUMENT: dim: the model has embeddings of another dimension. Delete them first, or name another model.')
  end;
end;

create trigger if not exists content_embeddings_check_update
before update of content_id, model, dim, embedding on content_embeddings
begin
  select case
    when typeof(new.content_id) is not 'integer' then raise(abort, 'INVALID_ARGUMENT: content_id: is not an integer. Pass a value of the documented range.')
    when typeof(new.model) is not 'text' then raise(abort, 'INVALID_ARGUMENT: model: is not text. Pass a value of the documented range.')
    when new.model = '' then raise(abort, 'INVALID_ARGUMENT: model: is empty. Pass a value of the documented range.')
    when length(cast(new.model as blob)) > 200 then raise(abort, 'INVALID_ARGUMENT: model: is longer than 200 bytes. Pass a value of the documented range.')
    when instr(new.model, char(0)) > 0 then raise(abort, 'INVALID_ARGUMENT: model: contains U+0000. Pass a value of the documented range.')
    when typeof(new.embedding) is not 'blob' then raise(abort, 'INVALID_ARGUMENT: embedding: is not a blob of 4 bytes a number. Pass to_embedding(JSON array), or the bytes of 32-bit floats.')
    when length(new.embedding) = 0 then raise(abort, 'INVALID_ARGUMENT: embedding: is empty. Pass a value of the documented range.')
    when length(new.embedding) % 4 > 0 then raise(abort, 'INVALID_ARGUMENT: embedding: has a number of bytes that is not a multiple of 4. Pass a value of the documented range.')
    when length(new.embedding) > 64000 then raise(abort, 'INVALID_ARGUMENT: embedding: has more than 16000 numbers. Pass a value of the documented range.')
    when new.dim is not length(new.embedding) / 4 then raise(abort, 'INVALID_ARGUMENT: dim: is not the number of numbers of the embedding. Pass a value of the documented range.')
    when (exists (select 1 from content_embeddings e where e.model = new.model and e.dim < new.dim and (e.content_id <> old.content_id or e.model <> old.model))
        or exists (select 1 from content_embeddings e where e.model = new.model and e.dim > new.dim and (e.content_id <> old.content_id or e.model <> old.model))) then raise(abort, 'INVALID_ARGUMENT: dim: the model has embeddings of another dimension. Delete them first, or name another model.')
  end;
end;

-- What cotaste_learn_embeddings() learned.
create table if not exists cotaste_learned (
  model text primary key not null,
  learned blob not null,
  learned_at text not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
);

-- The contents it placed by their users, with a number that changes when they do; the others of the model are placed by
-- genres.
create table if not exists cotaste_learned_contents (
  model text not null,
  content_id integer not null,
  fingerprint integer not null,
  primary key (model, content_id)
) without rowid;

-- A row that breaks a rule is refused before it is written, with the code the functions give. No list has more than two
-- members: SQLite makes a table of a longer one, for each row again.
-- A time is `YYYY-MM-DD`, or that with `T` or a blank, `HH:MM[:SS[.fraction]]` and `Z` or an
-- offset `+HH[:MM]`, of a day that exists.
create trigger if not exists user_behaviors_check_insert before insert on user_behaviors
begin
  select case
    when typeof(new.user_id) is not 'text' then raise(abort, 'INVALID_ARGUMENT: user_id: is not text. Pass a value of the documented range.')
    when new.user_id = '' then raise(abort, 'INVALID_ARGUMENT: user_id: is empty. Pass a value of the documented range.')
    when length(cast(new.user_id as blob)) > 1000 then raise(abort, 'INVALID_ARGUMENT: user_id: is longer than 1000 bytes. Pass a value of the documented range.')
    when instr(new.user_id, char(0)) > 0 then raise(abort, 'INVALID_ARGUMENT: user_id: contains U+0000. Pass a value of the documented range.')
    when typeof(new.content_id) is not 'integer' then raise(abort, 'INVALID_ARGUMENT: content_id: is not an integer. Pass a value of the documented range.')
    when typeof(new.action) is not 'text' then raise(abort, 'INVALID_ARGUMENT: action: is not text. Pass a value of the documented range.')
    when not exists (select 1 from cotaste_settings where key = 'action_weight.' || new.action) then raise(abort, 'INVALID_ARGUMENT: action: is not known. Add its weight to cotaste_settings as action_weight.NAME.')
    when typeof(new.rating) in ('text', 'blob') or new.rating not between 0 and 10 then raise(abort, 'INVALID_ARGUMENT: rating: is not between 0 and 10. Pass a value of the documented range.')
    when typeof(new.progress) in ('text', 'blob') or new.progress not between 0 and 1 then raise(abort, 'INVALID_ARGUMENT: progress: is not between 0 and 1. Pass a value of the documented range.')
    when typeof(new.event_id) not in ('text', 'null') then raise(abort, 'INVALID_ARGUMENT: event_id: is not text. Pass a value of the documented range.')
    when typeof(new.occurred_at) is not 'text'
      or length(new.occurred_at) <> length(cast(new.occurred_at as blob))
      or new.occurred_at not glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'
      or date(substr(new.occurred_at, 1, 10), '+0 days') is not substr(new.occurred_at, 1, 10)
      or (substr(new.occurred_at, 11, 1) <> '' and substr(new.occurred_at, 11, 1) not in ('T', ' '))
      or substr(new.occurred_at, 11) in ('T', ' ')
      or substr(new.occurred_at, 12) glob '*[ T]*'
      or substr(new.occurred_at, 12, 2) >= '24'
      or new.occurred_at glob '*.[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*'
      or t.day is null
      then raise(abort, 'INVALID_ARGUMENT: occurred_at: is not an ISO 8601 date and time. Pass a value of the documented range.')
    when not (t.day >= 1721425.5 and t.day < 5373484.5)
      then raise(abort, 'INVALID_ARGUMENT: occurred_at: is outside the years 1 to 9999. Pass a value of the documented range.')
  end
  from (
    select julianday(
      new.occurred_at || case when length(new.occurred_at) > 16 and new.occurred_at glob '*[-+][0-9][0-9]' then ':00' else '' end
    ) as day
  ) t;
end;

create trigger if not exists user_behaviors_check_update
before update of user_id, content_id, action, rating, progress, occurred_at, event_id on user_behaviors
begin
  select case
    when typeof(new.user_id) is not 'text' then raise(abort, 'INVALID_ARGUMENT: user_id: is not text. Pass a value of the documented range.')
    when new.user_id = '' then raise(abort, 'INVALID_ARGUMENT: user_id: is empty. Pass a value of the documented range.')
    when length(cast(new.user_id as blob)) > 1000 then raise(abort, 'INVALID_ARGUMENT: user_id: is longer than 1000 bytes. Pass a value of the documented range.')
    when instr(new.user_id, char(0)) > 0 then raise(abort, 'INVALID_ARGUMENT: user_id: contains U+0000. Pass a value of the documented range.')
    when typeof(new.content_id) is not 'integer' then raise(abort, 'INVALID_ARGUMENT: content_id: is not an integer. Pass a value of the documented range.')
    when typeof(new.action) is not 'text' then raise(abort, 'INVALID_ARGUMENT: action: is not text. Pass a value of the documented range.')
    when not exists (select 1 from cotaste_settings where key = 'action_weight.' || new.action) then raise(abort, 'INVALID_ARGUMENT: action: is not known. Add its weight to cotaste_settings as action_weight.NAME.')
    when typeof(new.rating) in ('text', 'blob') or new.rating not between 0 and 10 then raise(abort, 'INVALID_ARGUMENT: rating: is not between 0 and 10. Pass a value of the documented range.')
    when typeof(new.progress) in ('text', 'blob') or new.progress not between 0 and 1 then raise(abort, 'INVALID_ARGUMENT: progress: is not between 0 and 1. Pass a value of the documented range.')
    when typeof(new.event_id) not in ('text', 'null') then raise(abort, 'INVALID_ARGUMENT: event_id: is not text. Pass a value of the documented range.')
    when typeof(new.occurred_at) is not 'text'
      or length(new.occurred_at) <> length(cast(new.occurred_at as blob))
      or new.occurred_at not glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'
      or date(substr(new.occurred_at, 1, 10), '+0 days') is not substr(new.occurred_at, 1, 10)
      or (substr(new.occurred_at, 11, 1) <> '' and substr(new.occurred_at, 11, 1) not in ('T', ' '))
      or substr(new.occurred_at, 11) in ('T', ' ')
      or substr(new.occurred_at, 12) glob '*[ T]*'
      or substr(new.occurred_at, 12, 2) >= '24'
      or new.occurred_at glob '*.[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*'
      or t.day is null
      then raise(abort, 'INVALID_ARGUMENT: occurred_at: is not an ISO 8601 date and time. Pass a value of the documented range.')
    when not (t.day >= 1721425.5 and t.day < 5373484.5)
      then raise(abort, 'INVALID_ARGUMENT: occurred_at: is outside the years 1 to 9999. Pass a value of the documented range.')
  end
  from (
    select julianday(
      new.occurred_at || case when length(new.occurred_at) > 16 and new.occurred_at glob '*[-+][0-9][0-9]' then ':00' else '' end
    ) as day
  ) t;
end;

-- A context changed by plain SQL is parsed again when it is read.
create trigger if not exists user_behaviors_context_update after update of context on user_behaviors
when new.context is not old.context
begin
  update user_behaviors
  set time_of_day = null, day_of_week = null, device = null, location = null, experiment = null, variant = null,
    context_status = null
  where id = new.id;
end;
