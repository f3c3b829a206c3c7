-- Reads over every view and function of a space, for checks that two spaces with the same events give the same answers: a
-- restored one, a standby, a scaled-out one. Each is told by the line above it. None depends on the clock, and every order
-- is total. The data is that of data.sql.

-- events
select user_id, content_id, action, rating, progress, context, occurred_at, event_id from user_behaviors order by occurred_at, user_id;
-- event ids
select user_id, id, event_id from user_behaviors order by id;
-- events with labels
select user_id, content_id, occurred_us, time_of_day, day_of_week, device, location, experiment, variant, context_status, weight from cotaste_events order by occurred_us, user_id;
-- contents
select content_id, title, genres from contents order by content_id;
-- genres of contents
select content_id, genre, position, share from content_genres order by content_id, position;
-- settings
select key, value from cotaste_settings order by key;
-- content metrics
select content_id, title, genres, total_views, completions, skips, completion_rate, skip_rate, orphan_completions, starters from content_metrics order by content_id;
-- content metrics of users
select content_id, user_completion_rate, user_completion_lower, user_completion_upper, user_skip_rate, user_skip_lower, user_skip_upper from content_metrics order by content_id;
-- content ratings
select content_id, rating_count, average_rating, rating_users, average_rating_latest, bayes_rating, wilson_rating from content_metrics order by content_id;
-- content activity
select content_id, unique_users, unique_viewers, first_activity, last_activity from content_metrics order by content_id;
-- one content
select content_id, total_views, average_rating, unique_users from content_metrics(7);
-- a content nobody knows
select content_id from content_metrics(-1);
-- trending
select content_id, score, events, rank from trending_content(30, 24, '2026-03-26T00:00:00Z') order by rank;
-- trending slowly
select content_id, title, score, rank, half_life_hours, as_of from trending_content(5, 168, '2026-03-20T00:00:00Z') order by rank;
-- users
select user_id, total_events, total_views, completions, skips, completion_rate, skip_rate from user_analytics order by user_id;
-- users' ratings
select user_id, rating_count, average_rating, distinct_contents, active_days, first_activity, last_activity from user_analytics order by user_id;
-- users' favourites
select user_id, favorite_genres, preferred_time_slots from user_analytics order by user_id;
-- one user
select user_id, total_events, rating_count, favorite_genres from user_analytics('u7');
-- a user nobody knows
select user_id from user_analytics('nobody');
-- favourite genres
select genre, score, share, events, rank from favorite_genres('u1', null, '2026-03-26T00:00:00Z') order by rank;
-- the two favourite genres
select genre, score, rank from favorite_genres('u12', 2, '2026-03-26T00:00:00Z') order by rank;
-- favourite genres' events
select user_id, genre, events from favorite_genres order by user_id, genre;
-- time slots
select user_id, slot, events, share, smoothed_share, events_per_hour, rank from preferred_time_slots order by user_id, rank;
-- time slots in a zone
select slot, events, smoothed_share, rank from preferred_time_slots('u3', 'America/New_York') order by rank;
-- similar users
select for_user_id, rank, user_id, similarity, jaccard, genre_cosine, shared_items from similar_users order by for_user_id, rank;
-- similar users of one
select rank, user_id, similarity from similar_users('u5', 39) order by rank;
-- the three most similar
select rank, user_id, similarity, jaccard, genre_cosine, shared_items from similar_users('u6', 3) order by rank;
-- similar users of nobody
select user_id from similar_users('nobody', 5);
-- all pairs
select a.user_id, b.user_id, user_similarity(a.user_id, b.user_id) from (select distinct user_id from user_behaviors) a, (select distinct user_id from user_behaviors) b order by 1, 2;
-- a pair in detail
select * from user_similarity_detail('u1', 'u2');
-- another pair in detail
select * from user_similarity_detail('u9', 'u30');
-- a pair with nobody
select user_similarity('u1', 'nobody');
-- shared contents
select * from shared_content('u1', 'u9') order by content_id;
-- shared genres
select * from shared_genres('u1', 'u9') order by genre;
-- contexts
select context_status, events, share from context_quality order by context_status;
-- experiment
select * from experiment_results order by experiment, variant;
-- experiment by name
select variant, users, views, conversions, conversion_rate, rate_lower, rate_upper, status from experiment_results('ranker') order by variant;
-- experiment in a range
select variant, users, conversions, diff, p_value, chance_to_win from experiment_results('ranker', '2026-03-02T00:00:00Z', '2026-03-15T00:00:00Z') order by variant;
-- experiment with a goal
select variant, users, conversions, lift, goal from experiment_results('ranker', null, null, 'rating >= 8') order by variant;
-- experiment with another control
select variant, is_control, diff, diff_lower, diff_upper, method from experiment_results('ranker', null, null, 'like', 'enhanced', 0.1, 48) order by variant;
-- an experiment nobody knows
select variant from experiment_results('nothing');
-- experiment in one row
select experiment, users, variants, crossover_users, control, control_rate, best_variant, best_rate, diff, lift, verdict from experiment_summary order by experiment;
-- experiment summary by name
select experiment, started_at, last_event, srm_p, srm_status, power, required_users, status from experiment_summary('ranker');
-- experiment by day
select * from experiment_timeline('ranker') order by day, variant;
-- all experiments by day
select experiment, day, variant, new_users, users, conversions from experiment_timeline order by experiment, day, variant;
-- experiment by device
select * from experiment_segments('ranker', 'device') order by segment, variant;
-- experiment by slot
select segment, variant, users, conversions from experiment_segments('ranker', 'slot') order by segment, variant;
-- all segments
select experiment, dimension, segment, variant, users, p_adjusted from experiment_segments order by experiment, dimension, segment, variant;
-- numeric metrics
select * from experiment_numeric('ranker') order by metric, variant;
-- ratings in an experiment
select variant, users, total, value, diff, p_value, method from experiment_numeric('ranker', 'rating') order by variant;
-- what differs from the log
select * from cotaste_verify() order by part, key;
-- traces of a user but for what is pending
select table_name, row_count from cotaste_traces('u4') where table_name <> 'cotaste_queue' order by table_name;
-- traces of nobody
select * from cotaste_traces('nobody');
-- level 1
select user_id, content_id, events, touches from cotaste_user_contents order by user_id, content_id;
-- users of the state
select user_id, items from cotaste_users order by user_id;
-- health
select record_count, content_count, last_activity, user_count, recent_contexts, recent_bad_contexts from cotaste_health;
-- checks
select name from cotaste_health_checks where name not in ('extension_version', 'journal_mode', 'busy_timeout') order by name;
-- tastes on any table
select user_id, taste_items(taste), taste_json(taste) from (select user_id, taste_agg(content_id, '["Drama"]', 1.0) as taste from user_behaviors group by user_id) t order by user_id;
-- exact sums
select user_id, reproducible_sum(rating), count(rating) from user_behaviors group by user_id order by user_id;
-- last values
select user_id, latest_value(rating, to_epoch_us(occurred_at), id) from user_behaviors group by user_id order by user_id;
-- moments of ratings
select moments_json(moments(rating)) from user_behaviors;
-- assignment
select user_id, experiment_assign('ranker', user_id) from (select distinct user_id from user_behaviors) u order by user_id;
