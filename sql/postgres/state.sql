-- The state: derived from the log, the catalogue and the settings, and kept up with them by the fold. It can be made anew
-- at any time. Binary columns are not compressed (external): they are compact already, and reading them is the hot path.

-- Level 1: a user's events with a content in one row.
create table if not exists cotaste_user_contents (
  user_id text collate "C" not null,
  content_id bigint not null,
  events bigint not null,
  touches bigint not null,
  weight bytea not null,
  facts bytea not null,
  primary key (user_id, content_id)
) with (fillfactor = 90);
comment on table cotaste_user_contents is 'state: each user''s events with each content, up to now';
comment on column cotaste_user_contents.touches is 'events that are not skips: with one, the content is in the user''s taste';
comment on column cotaste_user_contents.weight is 'the decayed weight of the events, a value of decayed_weight';
comment on column cotaste_user_contents.facts is 'what the measures of the content take from it, a value of pair_facts';

-- Level 2 by user. A row is one page at most before its values move out, so that a scan of all tastes reads one table.
create table if not exists cotaste_users (
  user_id text collate "C" primary key,
  ord integer not null unique,
  items bigint not null,
  changed_us bigint not null,
  taste bytea not null,
  sums bytea not null
) with (fillfactor = 85, toast_tuple_target = 8160);
alter table cotaste_users alter column taste set storage external, alter column sums set storage external;
comment on table cotaste_users is 'state: each user''s taste';
comment on column cotaste_users.ord is 'the user''s number in posting lists and blocks';
comment on column cotaste_users.changed_us is 'when the fold last wrote the taste';
comment on column cotaste_users.sums is 'what the taste''s weights are rounded from, exactly';

-- Level 2 by content: who touched it, 65,536 users a row.
create table if not exists cotaste_postings (
  content_id bigint not null,
  chunk integer not null,
  users bytea not null,
  primary key (content_id, chunk)
) with (fillfactor = 70, toast_tuple_target = 8160);
alter table cotaste_postings alter column users set storage external;
comment on table cotaste_postings is 'state: the posting list of each content';

-- What ranking needs of every user, 256 users a row.
create table if not exists cotaste_blocks (
  block integer primary key,
  users bytea not null
) with (fillfactor = 100, toast_tuple_target = 8160);
alter table cotaste_blocks alter column users set storage external;
comment on table cotaste_blocks is 'state: size and genre sketch of each taste';

-- Level 2 by content: what happened to it. The fold writes the measures, the other columns are what they hold.
create table if not exists cotaste_contents (
  content_id bigint primary key,
  measures bytea not null,
  users bigint generated always as (content_count(measures, 'users')) stored,
  events bigint generated always as (content_count(measures, 'events')) stored,
  views bigint generated always as (content_count(measures, 'views')) stored,
  completes bigint generated always as (content_count(measures, 'completes')) stored,
  skips bigint generated always as (content_count(measures, 'skips')) stored,
  orphans bigint generated always as (content_count(measures, 'orphans')) stored,
  starters bigint generated always as (content_count(measures, 'starters')) stored,
  completers bigint generated always as (content_count(measures, 'completers')) stored,
  skippers bigint generated always as (content_count(measures, 'skippers')) stored,
  viewers bigint generated always as (content_count(measures, 'viewers')) stored,
  ratings bigint generated always as (content_count(measures, 'ratings')) stored,
  rating_users bigint generated always as (content_count(measures, 'rating_users')) stored,
  rating_sum double precision generated always as (content_number(measures, 'rating_sum')) stored,
  last_rating_sum double precision generated always as (content_number(measures, 'last_rating_sum')) stored,
  trend bytea generated always as (content_trend(measures)) stored,
  rank_key double precision generated always as (content_number(measures, 'rank_key')) stored,
  first_us bigint generated always as (content_count(measures, 'first_us')) stored,
  last_us bigint generated always as (content_count(measures, 'last_us')) stored
) with (fillfactor = 70, toast_tuple_target = 8160);
alter table cotaste_contents alter column measures set storage external;
create index if not exists cotaste_contents_rank on cotaste_contents (rank_key);
comment on table cotaste_contents is 'state: what happened to each content, up to now';
comment on column cotaste_contents.orphans is 'completions by users without a view';
comment on column cotaste_contents.starters is 'users who viewed, completed or skipped it';
comment on column cotaste_contents.trend is 'the sum of the events'' weights as of 1970, a value for trend_score';
comment on column cotaste_contents.rank_key is 'the binary logarithm of that: its order is that of the scores at any time';

-- One row: every user's last rating of every content.
create table if not exists cotaste_rating_totals (
  only_row integer primary key default 1 check (only_row = 1),
  measures bytea,
  rating_users bigint generated always as (content_count(measures, 'rating_users')) stored,
  last_rating_sum double precision generated always as (content_number(measures, 'last_rating_sum')) stored
);
comment on table cotaste_rating_totals is 'state: every user''s last rating of every content, summed';
-- Who is in an experiment, with all that the user did as one value; no value when it would be too large, and the user is
-- read from the log. `too_many` says that in a column that seldom changes, so that an index on it does not slow updates.
create table if not exists cotaste_user_events (
  user_id text collate "C" primary key,
  events bytea,
  too_many boolean not null generated always as (events is null) stored
) with (fillfactor = 85, toast_tuple_target = 8160);
alter table cotaste_user_events alter column events set storage external;
create index if not exists cotaste_user_events_too_many on cotaste_user_events (user_id) where too_many;
comment on table cotaste_user_events is 'state: the events of each user of an experiment, a value of follow_events';

-- The experiments that events were seen of; one too many does no harm.
create table if not exists cotaste_experiments (
  experiment text collate "C" primary key
);
comment on table cotaste_experiments is 'state: the names of the experiments';

-- One row: what the fold hands out.
create table if not exists cotaste_fold_state (
  only_row integer primary key default 1 check (only_row = 1),
  next_ord integer not null,
  genre_order text not null
);
comment on table cotaste_fold_state is 'state: the next user''s number, and the dimension of each genre in the blocks';
insert into cotaste_fold_state (next_ord, genre_order) values (0, '[]') on conflict do nothing;

-- The settings as numbers, one row, kept by a trigger on cotaste_settings.
create table if not exists cotaste_parameters (
  only_row integer primary key default 1 check (only_row = 1),
  jaccard_weight double precision not null,
  cosine_weight double precision not null,
  similar_users_k bigint not null,
  neighbours_k bigint not null,
  cache_ttl_hours double precision not null,
  fold_at bigint not null,
  trending_k bigint not null,
  taste_half_life_hours double precision not null,
  trending_half_life_hours double precision not null,
  rating_prior_weight double precision not null,
  conversion_action text not null,
  trending_user_cap bigint not null,
  time_zone text not null,
  taste_settings text not null,
  stale boolean not null
);
comment on table cotaste_parameters is 'the settings as one row';
comment on column cotaste_parameters.taste_settings is 'the settings the state is made with';
comment on column cotaste_parameters.stale is 'the state is out of date as a whole: reads compute from the log until cotaste_refresh() has made it anew';

-- What changed since the last fold. A key without content means all of the user's, and names the content whose events may
-- all be gone; a key with a time is due then.
create table if not exists cotaste_queue (
  user_id text collate "C" not null,
  content_id bigint,
  due_us bigint not null default 0,
  lost_id bigint,
  queued_at timestamptz not null default now()
) with (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000000
);
-- Keys that are never due make the table too large for a scan ever to look cheaper than its index: plans are kept while
-- the queue grows, and most are made while it is empty.
alter table cotaste_queue set (fillfactor = 10);
insert into cotaste_queue (user_id, due_us)
select '.' || n, 9223372036854775807 from generate_series(1, 250) n
where not exists (select from cotaste_queue where due_us = 9223372036854775807);
alter table cotaste_queue set (fillfactor = 100);
-- Whoever may write events queues their keys: cotaste_grant_writer(). Until 0.1.0 everybody could.
revoke insert on cotaste_queue from public;
create index if not exists cotaste_queue_user on cotaste_queue (user_id);
create index if not exists cotaste_queue_content on cotaste_queue ((coalesce(content_id, lost_id)));
comment on table cotaste_queue is 'pairs of user and content that changed since they were folded';
comment on column cotaste_queue.lost_id is 'of a key without content: the content the user may have no events with any more';
comment on column cotaste_queue.queued_at is 'when the writing transaction began: for cotaste_health';

-- The cache of similar users.
create table if not exists neighbours (
  user_id text collate "C" not null,
  rank bigint not null,
  neighbour_id text collate "C" not null,
  similarity double precision not null,
  jaccard double precision not null,
  genre_cosine double precision not null,
  shared_items bigint not null,
  computed_at timestamptz not null,
  primary key (user_id, rank)
);
comment on table neighbours is 'each user''s most similar users as cotaste_refresh_neighbours() found them';

create table if not exists cotaste_neighbour_runs (
  user_id text collate "C" primary key,
  k bigint not null,
  computed_us bigint not null
);
create index if not exists cotaste_neighbour_runs_computed on cotaste_neighbour_runs (computed_us);
create sequence if not exists cotaste_neighbour_count minvalue 0;
comment on sequence cotaste_neighbour_count is 'how many users'' neighbours the worker at work has computed';
comment on table cotaste_neighbour_runs is 'when neighbours was last computed for a user, and how many were asked for';

-- The day's recommendations.
create table if not exists cotaste_recommendations (
  user_id text collate "C" not null,
  rank bigint not null,
  content_id bigint not null,
  score double precision not null,
  method text not null,
  reason text not null,
  computed_at timestamptz not null,
  primary key (user_id, rank)
);
comment on table cotaste_recommendations is 'each user''s recommendations as cotaste_refresh_recommendations() found them';

create table if not exists cotaste_recommendation_runs (
  user_id text collate "C" primary key,
  computed_us bigint not null
);
comment on table cotaste_recommendation_runs is 'when cotaste_recommendations was last computed for a user';
