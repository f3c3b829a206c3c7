-- Questions asked of MovieLens on every engine; the answers must be byte-identical. What depends on the clock (a trend or
-- decayed weight as of now) is asked as of a fixed time.

-- ask: health
select status, reason, record_count, content_count, last_activity from cotaste_health;

-- ask: context quality
select * from context_quality order by context_status;

-- ask: metrics of every seventh content
select content_id, title, genres, total_views, completions, skips, completion_rate, skip_rate, orphan_completions, starters,
  user_completion_rate, user_completion_lower, user_completion_upper, user_skip_rate, user_skip_lower, user_skip_upper,
  rating_count, average_rating, rating_users, average_rating_latest, bayes_rating, wilson_rating, unique_users,
  unique_viewers, first_activity, last_activity
from content_metrics where content_id % 7 = 0 order by content_id;

-- ask: metrics of one content
select content_id, title, total_views, rating_count, average_rating, bayes_rating, first_activity from content_metrics(862);

-- ask: metrics of an unknown content
select content_id from content_metrics(-1);

-- ask: best by shrunken rating
select content_id, title, bayes_rating from content_metrics order by bayes_rating desc, content_id limit 50;

-- ask: best by lower bound of the rating
select content_id, title, wilson_rating from content_metrics where wilson_rating is not null
order by wilson_rating desc, content_id limit 50;

-- ask: best completed
select content_id, starters, user_completion_rate, user_completion_lower from content_metrics
where starters >= 20 order by user_completion_lower desc, content_id limit 50;

-- ask: totals over all contents
select count(*), cast(sum(total_views) as bigint), cast(sum(rating_count) as bigint), reproducible_sum(average_rating),
  reproducible_sum(bayes_rating), reproducible_sum(user_completion_rate) from content_metrics;

-- ask: analytics of every user
select user_id, total_events, total_views, completions, skips, completion_rate, skip_rate, rating_count, average_rating,
  distinct_contents, active_days, preferred_time_slots, first_activity, last_activity
from user_analytics order by user_id;

-- ask: analytics of one user
select user_id, total_events, average_rating, favorite_genres, preferred_time_slots from user_analytics('414');

-- ask: busiest users
select user_id, total_events, active_days from user_analytics order by total_events desc, user_id limit 20;

-- ask: favourite genres of one user
select * from favorite_genres('1', null, '2018-09-26T00:00:00Z') order by rank;

-- ask: three favourite genres of another
select * from favorite_genres('414', 3, '2018-09-26T00:00:00Z') order by rank;

-- ask: favourite genres in the middle of the history
select * from favorite_genres('599', 10, '2017-09-01T00:00:00Z') order by rank;

-- ask: favourite genres of many users in one statement
select u.user_id, f.genre, f.score, f.share, f.events, f.rank
from (select user_id from user_analytics where total_events < 60) u, favorite_genres(u.user_id, 3, '2018-09-26T00:00:00Z') f
order by u.user_id, f.rank;

-- ask: time slots of every user
select * from preferred_time_slots order by user_id, rank;

-- ask: time slots in a zone
select * from preferred_time_slots('1', 'America/New_York') order by rank;

-- ask: time slots in a half-hour zone
select * from preferred_time_slots('600', 'Asia/Kolkata') order by rank;

-- ask: ten most similar users
select user_id, similarity, jaccard, genre_cosine, shared_items, rank, cached, for_user_id from similar_users('1', 10) order by rank;

-- ask: similar users, default number
select user_id, similarity, rank from similar_users('414') order by rank;

-- ask: similar users of a user with few events
select user_id, similarity, jaccard, genre_cosine, shared_items, rank from similar_users('53', 25) order by rank;

-- ask: the most similar user of every user
select for_user_id, user_id, similarity, shared_items from similar_users where rank = 1 order by for_user_id;

-- ask: similarity of a user with all others
select user_id, user_similarity('1', user_id) from (select user_id from user_analytics order by user_id limit 40) u order by user_id;

-- ask: similarity in detail
select * from user_similarity_detail('1', '414');

-- ask: similarity in detail with an unknown user
select * from user_similarity_detail('1', 'nobody');

-- ask: every taste, byte for byte
select user_id, taste from cotaste_tastes order by user_id;

-- ask: tastes as JSON
select user_id, taste_json(taste) from cotaste_tastes where user_id in ('1', '53', '599') order by user_id;

-- ask: everybody's taste together
select taste_rollup(taste), count(*) from cotaste_tastes;

-- ask: weights of similarity of one's own
select b.user_id, taste_similarity(a.taste, b.taste, 0.2, 0.8) from cotaste_tastes a cross join cotaste_tastes b
where a.user_id = '7' and b.user_id < '2' order by b.user_id;

-- ask: trending at the end of the history
select * from trending_content(20, 720, '2018-09-24T00:00:00Z') order by rank;

-- ask: trending with a long memory
select * from trending_content(null, 8760, '2016-01-01T00:00:00Z') order by rank;

-- ask: trending on one day
select * from trending_content(10, 24, '2015-06-01T00:00:00Z') order by rank;

-- ask: experiment
select * from experiment_results('ranker') order by variant;

-- ask: experiment in a time range
select * from experiment_results('ranker', '2010-01-01T00:00:00Z', '2015-01-01T00:00:00Z') order by variant;

-- ask: experiment with another goal
select * from experiment_results('ranker', null, '2012-01-01T00:00:00Z', 'rate') order by variant;

-- ask: all experiments
select * from experiment_results order by experiment, variant;

-- ask: genres of the catalogue
select genre, count(*), reproducible_sum(share) from content_genres group by genre order by genre;

-- ask: events by device, slot and status
select device, time_of_day, context_status, count(*), reproducible_sum(weight) from cotaste_events
group by device, time_of_day, context_status order by coalesce(device, ''), coalesce(time_of_day, ''), context_status;

-- ask: events by slot and day in three zones
select time_slot(occurred_at, 'Europe/Paris') as paris, time_slot(occurred_at, 'America/St_Johns') as st_johns,
  day_of_week(occurred_at, 'Pacific/Apia') as apia, count(*)
from cotaste_events group by 1, 2, 3 order by 1, 2, 3;

-- ask: decayed weight by action
select action, reproducible_sum(decay(weight, to_epoch_us('2018-09-26T00:00:00Z') - occurred_us, 8760)) from cotaste_events
group by action order by action;

-- ask: contents alike by genre
select a.content_id, b.content_id, jaccard_similarity(a.genres, b.genres),
  cosine_similarity(genre_vector(a.genres, 2.5), genre_vector(b.genres)),
  weighted_similarity(jaccard_similarity(a.genres, b.genres), cosine_similarity(genre_vector(a.genres), genre_vector(b.genres)))
from contents a join contents b on a.content_id < b.content_id
where a.content_id < 300 and b.content_id < 300 order by a.content_id, b.content_id;

-- ask: the last contents of each user as JSON
select user_id, ordered_json_array(title, -occurred_us) from (
  select e.user_id, c.title, e.occurred_us, row_number() over (partition by e.user_id order by e.occurred_us desc, e.id desc) as n
  from cotaste_events e join contents c on c.content_id = e.content_id where e.action = 'rate') x
where n <= 3 group by user_id order by user_id;

-- ask: also_watched
select content_id, shared_users, users, support, confidence, lift, rank from also_watched(862, 20) order by rank;

-- ask: similar_content without embeddings
select content_id, similarity, shared_users, lift, method, rank from similar_content(862, 20) order by rank;

-- ask: user_genre_embeddings
select user_id, genres, dim, embedding from user_genre_embeddings order by user_id limit 50;

-- ask: cotaste_learn_embeddings
select cotaste_learn_embeddings(16);

-- ask: learned embeddings, to the last bit
select content_id, embedding_json(embedding) from content_embeddings where model = 'learned' order by content_id limit 500;

-- ask: similar_content by learned embeddings
select content_id, similarity, method, model, rank from similar_content(862, 20) order by rank;

-- ask: cotaste_refresh_embeddings with nothing new
select cotaste_refresh_embeddings();
