-- Every function, aggregate and view, with an example each and its output. `make docs` writes this page from the names,
-- arguments, columns and comments of a space and from the examples in `docs/reference.sql`; a test runs them in both engines.
--
-- Each example runs by itself on the demo space of twelve films (`demo/films.sql`, see the [index](README.md)) and is undone.
-- Both engines give the same. Doubles are shown with six digits, times in UTC, booleans as 1 and 0.
--
-- An argument with `= null` may be left out: NULL asks for the default, mostly a [setting](#cotaste_settings). Arguments have names in Postgres
-- (`recommend('ann', k => 5)`); SQLite takes them by position. What has `(view)` and arguments is both: a view for tools that cannot call
-- functions, and a function of the same name, which is quicker for one user or content.
--
-- | type | Postgres | SQLite |
-- |---|---|---|
-- | text | text | TEXT |
-- | bigint | bigint | INTEGER |
-- | double | double precision | REAL |
-- | timestamp | timestamptz | TEXT, ISO 8601 in UTC with microseconds |
-- | boolean | boolean | INTEGER 0 or 1 |
-- | bytea | bytea | BLOB |
-- | real[] | real[] | BLOB of 32-bit floats, little-endian |
-- | jsonb | jsonb | TEXT |
--
-- A user's id is text; in Postgres every function that takes one also takes bigint and uuid. Rates are fractions, what is undefined is NULL.
-- A value that is out of its range raises `INVALID_ARGUMENT`, before `cotaste_init()` everything that reads or writes the space `NOT_INITIALIZED`;
-- [errors](errors.md) has all codes. Unless it is said otherwise, a NULL argument without a default makes the result of a function of values NULL.

-- # Spaces

-- ## cotaste_init
-- In SQLite without an argument: a file has one space. Called again it upgrades, and writes nothing when there is nothing to do.
-- Errors: `INIT_ERROR`.
select cotaste_init();

-- ## cotaste_version
select cotaste_version();

-- # Record and erase

-- ## record_behavior
-- Actions are those of the settings `action_weight.*`; rating 0 to 10; context any text; `occurred_at` is now when it is NULL. Errors: `INVALID_ARGUMENT`,
-- `RECORD_ERROR`. Plain SQL does as well, and sets `progress` too.
select record_behavior('zoe', 2, 'rate', 9, '{"device":"tv"}', '2026-03-20T20:00:00Z', 'visit-7') as id,
  record_behavior('zoe', 2, 'rate', 9, '{"device":"tv"}', '2026-03-20T20:00:00Z', 'visit-7') as again;

-- ## forget_user
-- [Operations](operations.md#forgetting-a-user) says what of backups and free pages. Errors: `UPDATE_ERROR`.
select forget_user('ann');
select count(*) from cotaste_traces('ann');

-- ## purge_preview
-- [Operations](operations.md#retention) says what is kept and what covers the kept range only.
select * from purge_preview(30);

-- ## purge_behaviors
-- Errors: `INVALID_ARGUMENT`.
select purge_behaviors(36500) as removed;

-- ## cotaste_traces
select * from cotaste_traces('ann') order by table_name;

-- # Keep the state

-- [Operations](operations.md) says when to call which.

-- ## cotaste_refresh
-- In Postgres in a READ COMMITTED transaction. Errors: `UPDATE_ERROR`.
insert into user_behaviors (user_id, content_id, action, occurred_at) values ('zoe', 2, 'like', '2026-03-20T20:00:00Z');
select cotaste_refresh();

-- ## cotaste_rebuild
-- Needed after damage only: `cotaste_refresh()` does it by itself when a setting makes the state stale.
select cotaste_rebuild();

-- ## cotaste_verify
select * from cotaste_verify();

-- ## cotaste_refresh_neighbours
-- Until it returns 0 there are more. While a user's rows are younger than `cache_ttl_hours` and than the last event, `similar_users` reads them.
select cotaste_refresh_neighbours(100);

-- ## neighbours_progress
select cotaste_refresh_neighbours(100);
select users, fresh, outdated from neighbours_progress;

-- ## cotaste_refresh_recommendations
select cotaste_refresh_recommendations(100);

-- # Users

-- ## user_similarity
-- 0.7 Jaccard index of contents + 0.3 cosine of genres, unless the settings `jaccard_weight` and `cosine_weight` say otherwise.
select user_similarity('ann', 'dee');

-- ## user_similarity_detail
select * from user_similarity_detail('ann', 'dee');

-- ## similar_users
-- Exact. `k` is the setting `similar_users_k` unless it is given.
select rank, user_id, similarity, jaccard, genre_cosine, shared_items from similar_users('ann', 3);

-- ## shared_content
select * from shared_content('ann', 'dee');

-- ## shared_genres
select * from shared_genres('ann', 'dee');

-- ## user_analytics
-- [Analytics](analytics.md) explains this and the next four.
select total_events, total_views, average_rating, favorite_genres, preferred_time_slots, preferred_days from user_analytics('ann');

-- ## favorite_genres
select genre, score, share, events, rank from favorite_genres('ann', 3, '2026-03-04T00:00:00Z');

-- ## preferred_time_slots
select slot, events, share, smoothed_share, events_per_hour from preferred_time_slots('ann');

-- ## preferred_days
select * from preferred_days('ann', 'Europe/Berlin');

-- ## device_usage
select * from device_usage('ann');

-- ## user_genre_embeddings
select * from user_genre_embeddings('ann');

-- # Contents

-- [Analytics](analytics.md) explains the columns of measures, [embeddings](embeddings.md) those of similar contents.

-- ## content_metrics
select title, total_views, completions, skips, completion_rate, average_rating, bayes_rating, wilson_rating, unique_users from content_metrics(1);

-- ## genre_metrics
select genre, contents, total_views, completions, completion_rate from genre_metrics order by total_views desc, genre limit 3;

-- ## trending_content
select rank, title, score, events from trending_content(3, 72, '2026-03-20T00:00:00Z');

-- ## trending_zscore
select rank, title, z, current, baseline_mean, baseline_sd from trending_zscore(3, 24, 7, '2026-03-20T00:00:00Z');

-- ## also_watched
select content_id, title, shared_users, support, confidence, lift, rank from also_watched(1, 3);

-- ## similar_content
-- Of a content with embeddings `method` is embedding, of another co_occurrence. Errors: `INVALID_ARGUMENT` for a model's name.
select rank, title, similarity, method, model from similar_content(1, 3);
select rank, title, similarity, method, shared_users from similar_content(7, 3);

-- # Recommend

-- [Recommendations](recommendations.md) explains arguments, columns and the method.

-- ## recommend
-- Unknown users get what is popular.
select rank, title, method, reason from recommend('ann', 2);
select rank, title, method from recommend('ann', 2, null, null, null, 'Romance');

-- ## recommend_for_all
select user_id, rank, title from recommend_for_all(1) order by user_id limit 3;

-- ## recommendations
-- No rows before `cotaste_refresh_recommendations()`.
select cotaste_refresh_recommendations(100);
select rank, title, method from recommendations('ann') where rank <= 2;

-- ## evaluate_recommender
-- `protocol` is `last5` or `random20`. Errors: `INVALID_ARGUMENT` for another.
select * from evaluate_recommender('random20', 3);

-- # Experiments

-- [Experiments](experiments.md) explains every column.

-- ## experiment_results
select variant, users, conversions, conversion_rate, lift, p_value, chance_to_win, status from experiment_results('ranker', null, null, 'convert');

-- ## experiment_summary
select experiment, best_variant, lift, power, required_users, verdict from experiment_summary('ranker');

-- ## experiment_timeline
select day, variant, users, conversions, diff, p_running from experiment_timeline('ranker', null, '2026-03-04T00:00:00Z', 'convert');

-- ## experiment_segments
select segment, variant, users, diff, p_value, p_adjusted from experiment_segments('ranker', 'device', null, null, 'convert') where not is_control;

-- ## experiment_numeric
select metric, variant, value, diff, p_value, method from experiment_numeric('ranker') where not is_control;

-- ## experiment_assign
-- The default is 'control' and 'treatment' in equal parts.
select experiment_assign('ranker', 'ann') as variant, experiment_assign('ranker', 'ann', '{"control":0.9,"treatment":0.1}') as of_ten_percent;

-- # Activity and health

-- ## activity_by_day
select * from activity_by_day('UTC', '2026-03-01T00:00:00Z', '2026-03-04T00:00:00Z');

-- ## activity_by_slot
select * from activity_by_slot();

-- ## context_quality
select * from context_quality;

-- ## cotaste_health
-- [Operations](operations.md#health) explains status and checks.
select status, reason, record_count, content_count, last_activity, pending_keys, schema_version from cotaste_health;

-- ## cotaste_health_checks
select name, status, value, threshold from cotaste_health_checks where name in ('pending_keys', 'state', 'bad_contexts') order by name;

-- ## cotaste_stats
-- Rows are there where somebody counts: `pg_stat_user_functions`, `pg_stat_statements`, in SQLite this process.
-- What the example gives varies.
select * from cotaste_stats;

-- # Embeddings

-- [Embeddings](embeddings.md) has the formats.

-- ## set_content_embedding
-- Errors: `INVALID_ARGUMENT` for an embedding that is empty, longer than 16,000 numbers, not finite, or of another dimension than the model's.
select set_content_embedding(12, 'plots', '[0.6,0.3,0.1]');

-- ## cotaste_learn_embeddings
-- `dim` 1 to 512, 64 unless it is given; the model is called `learned` unless it is given.
select cotaste_learn_embeddings(4);
select rank, title, similarity from similar_content(12, 2, 'learned');

-- ## cotaste_refresh_embeddings
-- Errors: `INVALID_ARGUMENT` for a model that was not learned here.
select cotaste_learn_embeddings(4);
insert into user_behaviors (user_id, content_id, action, occurred_at) values ('ann', 12, 'like', '2026-03-20T20:00:00Z');
select cotaste_refresh_embeddings();

-- ## to_embedding, embedding_json
select embedding_json(to_embedding('[0.5, -1, 2]'));

-- ## embedding_similarity
-- Errors: `INVALID_ARGUMENT` when the dimensions differ.
select embedding_similarity('[1,0]', '[1,1]');

-- ## embedding_mean
select embedding_json(embedding_mean(embedding)) from content_embeddings where content_id in (1, 3);

-- ## nearest_contents
select nearest_contents(content_id, embedding, to_embedding('[0,1,0]'), 3) from content_embeddings;

-- # Roles in Postgres

-- [Privileges](privileges.md) says who may do what then.

-- ## cotaste_grant_reader, cotaste_grant_writer, cotaste_set_owner, cotaste_carry_row_security
-- Postgres only.
create role reports;
select cotaste_grant_reader('reports');
select has_table_privilege('reports', 'content_metrics', 'select') as may_read, has_table_privilege('reports', 'contents', 'insert') as may_write;

-- ## cotaste_space_sql, cotaste_space_objects
-- Postgres only.
select kind, count(*) from cotaste_space_objects() where kind in ('table', 'view') group by kind order by kind;

-- # Contexts and times

-- ## context_time_of_day, context_day_of_week, context_device, context_location, context_experiment, context_variant, context_status
-- Never an error: a context that is no JSON object has NULL labels and a status that says so. Members may be called `timeOfDay` or `time_of_day`, and so on.
select context_device('{"device":"tv","timeOfDay":"evening"}') as device, context_time_of_day('{"device":"tv","timeOfDay":"evening"}') as slot,
  context_status('{"device":"tv"}') as status, context_status('{"device":') as broken, context_device('{"device":') as of_broken;

-- ## parse_context
select * from parse_context('{"device":"tv","experimentName":"ranker","experimentVariant":"control"}');

-- ## time_slot, day_of_week
-- Errors: `INVALID_ARGUMENT` for a zone that is not known.
select time_slot('2026-03-01T20:30:00Z') as utc, time_slot('2026-03-01T20:30:00Z', 'Asia/Tokyo') as tokyo, day_of_week('2026-03-01T20:30:00Z', 'Asia/Tokyo') as day;

-- ## to_epoch_us, from_epoch_us, day_start_us
select to_epoch_us('2026-03-01T20:30:00Z') as us, from_epoch_us(1772397000000000) as back, from_epoch_us(day_start_us(1772397000000000, 'Asia/Tokyo')) as day_began;

-- # Similarity of values

-- These need none of our tables.

-- ## jaccard_similarity
-- Errors: `INVALID_ARGUMENT` for a text that is no JSON array.
select jaccard_similarity('[1,2,3]', '[2,3,4]');

-- ## cosine_similarity
-- Errors: `INVALID_ARGUMENT` for other JSON and for arrays of different lengths.
select cosine_similarity('{"drama":2,"crime":1}', '{"drama":1}') as of_weights, cosine_similarity('[1,0]', '[1,1]') as of_numbers;

-- ## weighted_similarity
select weighted_similarity(0.5, 0.9);

-- ## genre_vector, genre_list
select genre_vector('["Drama","Crime"]', 3) as vector, genre_list('["Drama",null,"  "]') as list;

-- ## taste_agg
select taste_json(taste_agg(content_id, genres, 1.0)) from contents where content_id in (1, 2);

-- ## taste_rollup
select taste_items(taste_rollup(taste)) from (
  select taste_agg(content_id, genres, 1.0) as taste from contents where content_id <= 3
  union all
  select taste_agg(content_id, genres, 1.0) from contents where content_id between 3 and 5
) t;

-- ## taste_similarity, taste_jaccard, taste_genre_cosine, taste_shared_items
-- Errors of this and the next: `CORRUPT_STATE` for bytes that are no taste.
select taste_similarity(a, b) as similarity, taste_jaccard(a, b) as jaccard, taste_genre_cosine(a, b) as genre_cosine, taste_shared_items(a, b) as shared
from (select
  (select taste_agg(content_id, genres, 1.0) from contents where content_id <= 3) as a,
  (select taste_agg(content_id, genres, 1.0) from contents where content_id between 2 and 4) as b) t;

-- ## taste_items, taste_has, taste_genre_shares, taste_json
select taste_items(taste) as items, taste_has(taste, 2) as has_2, taste_genre_shares(taste) as shares
from (select taste_agg(content_id, genres, 1.0) as taste from contents where content_id <= 2) t;

-- # One rate

-- `successes` of `trials`. Trials are at most 1e12 and successes 0 to trials, fractions too; else `INVALID_ARGUMENT`.

-- ## wilson_lower, wilson_upper, wilson_interval
select wilson_lower(58, 153) as lower, wilson_upper(58, 153) as upper, wilson_interval(0, 20) as json;

-- ## clopper_pearson_interval
select clopper_pearson_interval(58, 153);

-- ## posterior_interval
select posterior_interval(58, 153);

-- # Two rates

-- The control has `x0` of `n0`, the treatment `x1` of `n1`; `INVALID_ARGUMENT` as for one rate, in `posterior_difference` and `prob_best` above 1e10 trials.

-- ## two_proportion_test
-- All of the comparison as JSON; `result_number` takes one number out of it.
select two_proportion_test(45, 152, 58, 153);

-- ## two_proportion_p, two_proportion_method, pooled_z, fisher_exact, barnard_exact
select two_proportion_p(45, 152, 58, 153) as p, two_proportion_method(45, 152, 58, 153) as method, pooled_z(45, 152, 58, 153) as z,
  fisher_exact(1, 9, 6, 9) as fisher, barnard_exact(1, 9, 6, 9) as barnard;

-- ## newcombe_lower, newcombe_upper, newcombe_interval
select newcombe_lower(45, 152, 58, 153) as lower, newcombe_upper(45, 152, 58, 153) as upper;

-- ## lift_lower, lift_upper, lift_intervals
select lift_lower(45, 152, 58, 153) as lower, lift_upper(45, 152, 58, 153) as upper;
select lift_intervals(45, 152, 58, 153);

-- ## chance_to_win, expected_loss, posterior_difference
select chance_to_win(45, 152, 58, 153) as chance, expected_loss(45, 152, 58, 153) as loss, posterior_difference(45, 152, 58, 153) as difference;

-- ## confidence_sequence, confidence_sequence_lower, confidence_sequence_upper, always_valid_p, msprt_p
select confidence_sequence_lower(45, 152, 58, 153) as lower, confidence_sequence_upper(45, 152, 58, 153) as upper,
  always_valid_p(45, 152, 58, 153) as p, msprt_p(45, 152, 58, 153, 0.1) as msprt;

-- ## required_sample_size, sample_sizes, achieved_power
select required_sample_size(0.05, 0.06) as users, achieved_power(0.05, 0.06, 8158, 8158) as power;
select sample_sizes(0.05, 0.06);

-- # Several arms

-- ## prob_best, omnibus_test
select prob_best('[[45,152],[58,153],[50,150]]') as best, omnibus_test('[[45,152],[58,153],[50,150]]') as omnibus;

-- ## srm_test
select srm_test('[152,153]', '[0.5,0.5]');

-- ## holm_adjust, bh_adjust
select holm_adjust(p, i) as holm, bh_adjust(p, i) as bh from (select 1 as i, 0.01 as p union all select 2, 0.04 union all select 3, 0.03) t;

-- # Means

-- ## moments, moments_merge, moments_count, moments_json
select moments_count(m) as n, moments_json(m) as json from (select moments(rating) as m from user_behaviors where content_id = 1) t;

-- ## welch_test, ratio_test, cuped_test
select welch_test(moments(case when context_variant(context) = 'control' then rating end), moments(case when context_variant(context) = 'enhanced_ml' then rating end)) from user_behaviors;

-- ## result_number
select result_number(two_proportion_test(45, 152, 58, 153), 'lift');

-- ## critical_z, chi_square_p
select critical_z(0.05) as z, chi_square_p(3.84, 1) as p;

-- # Sums and decay

-- ## reproducible_sum
select reproducible_sum(rating) from user_behaviors;

-- ## latest_value
select latest_value(rating, to_epoch_us(occurred_at), id) from user_behaviors where user_id = 'ann';

-- ## ordered_json_array
select ordered_json_array(title, content_id) from contents where content_id <= 3;

-- ## decay, half_lives
select decay(8, 7200000000, 1) as after_two_half_lives, half_lives(7200000000, 1) as two;

-- ## decayed_weight, trend_score
-- `trend_score` tells what such a sum, of half-lives since 1970, has become at a time.
select trend_score(decayed_weight(1, half_lives(to_epoch_us(occurred_at), 72)), to_epoch_us('2026-03-20T00:00:00Z'), 72) from user_behaviors where content_id = 1 and occurred_at < '2026-03-20T00:00:00Z';

-- ## sample_sd, z_score
select sample_sd(3, 6, 14) as sd, z_score(9, 3, 6, 14) as z;

-- # Checks

-- What the tables' constraints ask: true, or `INVALID_ARGUMENT`.

-- ## check_user_id, check_content_id, check_action, check_rating, check_progress, check_occurred_at, check_model, check_embedding, check_dimension
select check_rating(11);

-- ## rating_goal
select rating_goal('rating >= 8') as rating, rating_goal('convert') as action;

-- # Tables

-- They are yours: INSERT, UPDATE and DELETE are as good as functions, for the first three.

-- ## user_behaviors
-- Keyed by `(user_id, id)`; `(user_id, event_id)` is unique. Columns from `time_of_day` on are parsed from the context: in Postgres always, in SQLite (which
-- lacks `context_json`) by `record_behavior` and NULL after a plain INSERT. `context_device(context)` and its like work in both.
select user_id, id, content_id, action, rating, occurred_at, context_device(context) as device, context_status(context) as status from user_behaviors where user_id = 'ann' order by id;

-- ## contents
select content_id, title, genres from contents order by content_id limit 2;

-- ## content_embeddings
select content_id, model, dim, embedding_json(embedding) as embedding from content_embeddings where content_id = 1;

-- ## neighbours, cotaste_recommendations
-- Caches; [similar_users](#similar_users) and [recommendations](#recommendations) read them.
select cotaste_refresh_neighbours();
select user_id, neighbour_id, rank, similarity from neighbours where user_id = 'ann' and rank <= 2;

-- ## cotaste_settings
-- `experiment_*` settings are in [experiments](experiments.md#settings). A value has to be what its description says: Postgres refuses a
-- number that is none, SQLite takes it as 0.
select key, value, description from cotaste_settings order by key;

-- ## cotaste_meta
select key, value from cotaste_meta where key = 'schema_version';

-- # What cotaste is made of

-- These are used by the space's views, triggers and functions. Their names, arguments and values may change between versions.
-- internal: content_genres
-- internal: cotaste_lock, cotaste_may_fold, cotaste_fold, cotaste_fold_alone, cotaste_fold_bulk, cotaste_fold_when_due, cotaste_refuse_hidden_rows, cotaste_not_initialized, cotaste_stand_in_sql
-- internal: cotaste_watched_with, cotaste_similar_by_users, cotaste_similar_of, cotaste_neighbours_of, cotaste_pending_tastes, cotaste_content_measures, cotaste_mean_rating, context_jsonb
-- internal: taste_changes, follow_taste, followed_taste, followed_sums, taste_contents, taste_embedding, genre_dimensions, extend_genre_order
-- internal: posting_changes, apply_postings, posting_length, posting_bitmap, posting_shared, block_changes, apply_block, block_touching
-- internal: count_postings, counted, similarity_at_most, pending_bounds, pending_ords, pending_reaching, rank_users, gather_lists, find_finalists, recommend_rows
-- internal: pair_facts, pair_base, base_number, base_action, content_changes, rating_changes, follow_content, content_merge, set_content_extent, content_count, content_number, content_trend
-- internal: event_changes, follow_events, experiment_arms, experiment_user
-- internal: learn_embeddings, fold_in_embeddings, learned_contents, learned_fingerprint, learned_embedding
