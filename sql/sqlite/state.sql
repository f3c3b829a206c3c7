-- The state: derived from the log, the catalogue and the settings, and kept up with them by the fold. It can be made anew
-- at any time. Its triggers use built-in functions alone, as those of the tables do.

-- Level 1: a user's events with a content in one row. `touches` are events that are not skips, `weight` is their decayed
-- weight, a value of decayed_weight, `facts` what the measures of the content take from the pair, a value of pair_facts.
create table if not exists cotaste_user_contents (
  user_id text not null,
  content_id integer not null,
  events integer not null,
  touches integer not null,
  weight blob not null,
  facts blob not null,
  primary key (user_id, content_id)
) without rowid;

-- Level 2 by user: the taste, and the exact sums its weights are rounded from. `ord` is the user's number in posting
-- lists and blocks, `changed_us` when the fold last wrote the row.
create table if not exists cotaste_users (
  user_id text not null unique,
  ord integer primary key,
  items integer not null,
  changed_us integer not null,
  taste blob not null,
  sums blob not null
);

-- Level 2 by content: who touched it, 65,536 users a row.
create table if not exists cotaste_postings (
  content_id integer not null,
  chunk integer not null,
  users blob not null,
  unique (content_id, chunk)
);

-- What ranking needs of every user, 256 users a row.
create table if not exists cotaste_blocks (
  block integer primary key,
  users blob not null
);

-- Level 2 by content: what happened to it. The fold writes the measures; the other columns are what they hold.
-- `orphans` are completions by users without a view, `starters` users who viewed, completed or skipped it, `trend` is the
-- sum of the events' weights as of 1970, a value for trend_score, and `rank_key` its binary logarithm, whose order is that
-- of the scores at any time.
create table if not exists cotaste_contents (
  content_id integer primary key,
  measures blob not null,
  users integer not null,
  events integer not null,
  views integer not null,
  completes integer not null,
  skips integer not null,
  orphans integer not null,
  starters integer not null,
  completers integer not null,
  skippers integer not null,
  viewers integer not null,
  ratings integer not null,
  rating_users integer not null,
  rating_sum real not null,
  last_rating_sum real not null,
  trend blob not null,
  rank_key real,
  first_us integer,
  last_us integer
);

create index if not exists cotaste_contents_rank on cotaste_contents (rank_key);

-- One row: every user's last rating of every content.
create table if not exists cotaste_rating_totals (
  only_row integer primary key check (only_row = 1),
  measures blob,
  rating_users integer,
  last_rating_sum real
);
-- Who is in an experiment, with all that the user did as one value; no value when it would be too large, and the user is
-- read from the log.
create table if not exists cotaste_user_events (
  user_id text primary key not null,
  events blob,
  too_many integer not null generated always as (events is null) stored
);

create index if not exists cotaste_user_events_too_many on cotaste_user_events (user_id) where too_many;

-- The experiments that events were seen of; one too many does no harm.
create table if not exists cotaste_experiments (
  experiment text primary key not null
) without rowid;

-- One row: the next user's number, and the dimension of each genre in the blocks.
create table if not exists cotaste_fold_state (
  only_row integer primary key check (only_row = 1),
  next_ord integer not null,
  genre_order text not null
);

-- One row: the settings, kept by the triggers below. When `stale` is 1, the state is out of date as a whole, and reads
-- compute from the log until cotaste_refresh() has made it anew.
create table if not exists cotaste_parameters (
  only_row integer primary key check (only_row = 1),
  jaccard_weight real not null,
  cosine_weight real not null,
  similar_users_k integer not null,
  neighbours_k integer not null,
  cache_ttl_hours real not null,
  fold_at integer not null,
  trending_k integer not null,
  taste_half_life_hours real not null,
  trending_half_life_hours real not null,
  rating_prior_weight real not null,
  conversion_action text not null,
  trending_user_cap integer not null,
  time_zone text not null,
  taste_settings text not null,
  stale integer not null
);

-- Pairs of user and content that changed since they were folded. A key without content means all of the user's, and names
-- the content (`lost_id`) whose events may all be gone; a key with a time is due then. `queued_at` is for
-- cotaste_health.
create table if not exists cotaste_queue (
  user_id text not null,
  content_id integer,
  due_us integer not null default 0,
  lost_id integer,
  queued_at text not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
);

create index if not exists cotaste_queue_user on cotaste_queue (user_id);

create index if not exists cotaste_queue_content on cotaste_queue (coalesce(content_id, lost_id));

-- The cache of similar users, and when it was filled.
create table if not exists neighbours (
  user_id text not null,
  rank integer not null,
  neighbour_id text not null,
  similarity real not null,
  jaccard real not null,
  genre_cosine real not null,
  shared_items integer not null,
  computed_at text not null,
  primary key (user_id, rank)
) without rowid;

create table if not exists cotaste_neighbour_runs (
  user_id text primary key not null,
  k integer not null,
  computed_us integer not null
);

create index if not exists cotaste_neighbour_runs_computed on cotaste_neighbour_runs (computed_us);

-- The day's recommendations, and when each user's were computed.
create table if not exists cotaste_recommendations (
  user_id text not null,
  rank integer not null,
  content_id integer not null,
  score real not null,
  method text not null,
  reason text not null,
  computed_at text not null,
  primary key (user_id, rank)
) without rowid;

create table if not exists cotaste_recommendation_runs (
  user_id text primary key not null,
  computed_us integer not null
);

-- A pair that may have lost its last event is queued as all of its user's: with the event goes what tells whose taste a
-- change of genres touches, so the pair's old part in the taste may not be what the genres of now would give.

create trigger if not exists cotaste_queue_insert after insert on user_behaviors
begin
  insert into cotaste_queue (user_id, content_id) values (new.user_id, new.content_id);
end;

create trigger if not exists cotaste_queue_delete after delete on user_behaviors
begin
  insert into cotaste_queue (user_id, lost_id) values (old.user_id, old.content_id);
end;

create trigger if not exists cotaste_queue_update
after update of user_id, id, content_id, action, rating, occurred_at, context, experiment, variant, context_status
on user_behaviors
begin
  insert into cotaste_queue (user_id, content_id, lost_id) values
    (
      old.user_id,
      case when old.user_id = new.user_id and old.content_id = new.content_id then old.content_id end,
      old.content_id
    ),
    (new.user_id, new.content_id, null);
end;

-- "or replace" deletes the rows in the way without telling a trigger.
create trigger if not exists cotaste_queue_replaced_by_insert before insert on user_behaviors
begin
  insert into cotaste_queue (user_id, lost_id)
  select b.user_id, b.content_id from user_behaviors b
  where b.id = new.id or (b.user_id = new.user_id and b.event_id = new.event_id);
end;

create trigger if not exists cotaste_queue_replaced_by_update before update of user_id, id, event_id on user_behaviors
begin
  insert into cotaste_queue (user_id, lost_id)
  select b.user_id, b.content_id from user_behaviors b
  where b.id = new.id or (b.user_id = new.user_id and b.event_id = new.event_id);
end;

-- A content's genres are part of the taste of everybody who touched it.
create trigger if not exists cotaste_contents_insert after insert on contents
begin
  insert into cotaste_queue (user_id)
  select b.user_id from user_behaviors b where b.content_id = new.content_id
  union
  select b.user_id from cotaste_base b where b.content_id = new.content_id;
end;

create trigger if not exists cotaste_contents_delete after delete on contents
begin
  insert into cotaste_queue (user_id)
  select b.user_id from user_behaviors b where b.content_id = old.content_id
  union
  select b.user_id from cotaste_base b where b.content_id = old.content_id;
end;

create trigger if not exists cotaste_contents_update after update of content_id, genres on contents
when new.genres is not old.genres or new.content_id <> old.content_id
begin
  insert into cotaste_queue (user_id)
  select b.user_id from user_behaviors b where b.content_id in (old.content_id, new.content_id)
  union
  select b.user_id from cotaste_base b where b.content_id in (old.content_id, new.content_id);
end;

-- "update or replace" deletes the content in the way.
create trigger if not exists cotaste_contents_replaced before update of content_id on contents
when new.content_id <> old.content_id
begin
  insert into cotaste_queue (user_id)
  select b.user_id from user_behaviors b where b.content_id in (old.content_id, new.content_id)
  union
  select b.user_id from cotaste_base b where b.content_id in (old.content_id, new.content_id);
end;

create trigger if not exists cotaste_settings_check_insert before insert on cotaste_settings
when exists (
  select 1 from cotaste_number_settings n
  where new.key like n.key and (new.value <> '' or new.key <> 'retention_days')
    -- A cast has an affinity: text that is a number is compared as one, other text is above all numbers.
    and not (
      new.value <= cast(1e15 as real) and new.value >= cast(-1e15 as real)
      and (n.is_whole = 0 or trim(new.value) not glob '*[^0-9+-]*')
    )
)
begin
  select raise(abort, 'INVALID_ARGUMENT: value: the setting is not a number, or not a whole one. Pass a value of the documented range.');
end;

create trigger if not exists cotaste_settings_check_update before update on cotaste_settings
when exists (
  select 1 from cotaste_number_settings n
  where new.key like n.key and (new.value <> '' or new.key <> 'retention_days')
    -- A cast has an affinity: text that is a number is compared as one, other text is above all numbers.
    and not (
      new.value <= cast(1e15 as real) and new.value >= cast(-1e15 as real)
      and (n.is_whole = 0 or trim(new.value) not glob '*[^0-9+-]*')
    )
)
begin
  select raise(abort, 'INVALID_ARGUMENT: value: the setting is not a number, or not a whole one. Pass a value of the documented range.');
end;

create trigger if not exists cotaste_settings_insert after insert on cotaste_settings
begin
  insert into cotaste_parameters (
    only_row, jaccard_weight, cosine_weight, similar_users_k, neighbours_k, cache_ttl_hours, fold_at, trending_k,
    taste_half_life_hours, trending_half_life_hours, rating_prior_weight, conversion_action, trending_user_cap,
    time_zone, taste_settings, stale
  )
  select
    1, s.jaccard_weight, s.cosine_weight, s.similar_users_k, s.neighbours_k, s.cache_ttl_hours, s.fold_at, s.trending_k,
    s.taste_half_life_hours, s.trending_half_life_hours, s.rating_prior_weight, s.conversion_action,
    s.trending_user_cap, s.time_zone, s.taste_settings, 0
  from cotaste_settings_row s where true
  on conflict (only_row) do update set
    jaccard_weight = excluded.jaccard_weight, cosine_weight = excluded.cosine_weight,
    similar_users_k = excluded.similar_users_k, neighbours_k = excluded.neighbours_k,
    cache_ttl_hours = excluded.cache_ttl_hours, fold_at = excluded.fold_at, trending_k = excluded.trending_k,
    taste_half_life_hours = excluded.taste_half_life_hours,
    trending_half_life_hours = excluded.trending_half_life_hours,
    rating_prior_weight = excluded.rating_prior_weight, conversion_action = excluded.conversion_action,
    trending_user_cap = excluded.trending_user_cap, time_zone = excluded.time_zone,
    taste_settings = excluded.taste_settings, stale = stale or taste_settings <> excluded.taste_settings;
end;

create trigger if not exists cotaste_settings_update after update on cotaste_settings
begin
  insert into cotaste_parameters (
    only_row, jaccard_weight, cosine_weight, similar_users_k, neighbours_k, cache_ttl_hours, fold_at, trending_k,
    taste_half_life_hours, trending_half_life_hours, rating_prior_weight, conversion_action, trending_user_cap,
    time_zone, taste_settings, stale
  )
  select
    1, s.jaccard_weight, s.cosine_weight, s.similar_users_k, s.neighbours_k, s.cache_ttl_hours, s.fold_at, s.trending_k,
    s.taste_half_life_hours, s.trending_half_life_hours, s.rating_prior_weight, s.conversion_action,
    s.trending_user_cap, s.time_zone, s.taste_settings, 0
  from cotaste_settings_row s where true
  on conflict (only_row) do update set
    jaccard_weight = excluded.jaccard_weight, cosine_weight = excluded.cosine_weight,
    similar_users_k = excluded.similar_users_k, neighbours_k = excluded.neighbours_k,
    cache_ttl_hours = excluded.cache_ttl_hours, fold_at = excluded.fold_at, trending_k = excluded.trending_k,
    taste_half_life_hours = excluded.taste_half_life_hours,
    trending_half_life_hours = excluded.trending_half_life_hours,
    rating_prior_weight = excluded.rating_prior_weight, conversion_action = excluded.conversion_action,
    trending_user_cap = excluded.trending_user_cap, time_zone = excluded.time_zone,
    taste_settings = excluded.taste_settings, stale = stale or taste_settings <> excluded.taste_settings;
end;

create trigger if not exists cotaste_settings_delete after delete on cotaste_settings
begin
  insert into cotaste_parameters (
    only_row, jaccard_weight, cosine_weight, similar_users_k, neighbours_k, cache_ttl_hours, fold_at, trending_k,
    taste_half_life_hours, trending_half_life_hours, rating_prior_weight, conversion_action, trending_user_cap,
    time_zone, taste_settings, stale
  )
  select
    1, s.jaccard_weight, s.cosine_weight, s.similar_users_k, s.neighbours_k, s.cache_ttl_hours, s.fold_at, s.trending_k,
    s.taste_half_life_hours, s.trending_half_life_hours, s.rating_prior_weight, s.conversion_action,
    s.trending_user_cap, s.time_zone, s.taste_settings, 0
  from cotaste_settings_row s where true
  on conflict (only_row) do update set
    jaccard_weight = excluded.jaccard_weight, cosine_weight = excluded.cosine_weight,
    similar_users_k = excluded.similar_users_k, neighbours_k = excluded.neighbours_k,
    cache_ttl_hours = excluded.cache_ttl_hours, fold_at = excluded.fold_at, trending_k = excluded.trending_k,
    taste_half_life_hours = excluded.taste_half_life_hours,
    trending_half_life_hours = excluded.trending_half_life_hours,
    rating_prior_weight = excluded.rating_prior_weight, conversion_action = excluded.conversion_action,
    trending_user_cap = excluded.trending_user_cap, time_zone = excluded.time_zone,
    taste_settings = excluded.taste_settings, stale = stale or taste_settings <> excluded.taste_settings;
end;
