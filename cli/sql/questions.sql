-- Read queries that a migrated space must answer as the old one did, value by value. What stands in braces is put in: users,
-- contents and an experiment of the space, and the time of its last event. Those with a brace are asked once for each.

select count(*), count(distinct user_id), count(distinct content_id), count(rating), count(context), count(event_id) from user_behaviors

select action, count(*), min(occurred_us), max(occurred_us) from cotaste_events group by action order by action

select count(*), count(title), count(genres), min(content_id), max(content_id) from contents

select key, value from cotaste_settings order by key

select context_status, count(*) from cotaste_events group by context_status order by context_status

select * from context_quality order by context_status

select record_count, content_count, last_activity from cotaste_health

select count(*), reproducible_sum(weight) from cotaste_events

select genre, count(*), reproducible_sum(share) from content_genres group by genre order by genre

select count(*), cast(sum(total_views) as bigint), cast(sum(rating_count) as bigint), reproducible_sum(average_rating), reproducible_sum(bayes_rating) from content_metrics

select content_id, total_views, unique_users from content_metrics order by total_views desc, content_id limit 50

select content_id, bayes_rating, wilson_rating, rating_count from content_metrics order by bayes_rating desc, content_id limit 50

select user_id, count(*), count(distinct content_id), count(rating), min(occurred_us), max(occurred_us) from cotaste_events group by user_id order by 2 desc, user_id limit 50

select rank, content_id, score, events from trending_content(20, 168, {time}) order by rank

select experiment, variant, users, views, conversions, conversion_rate, diff, p_value, crossover_users, status from experiment_results order by experiment, variant

select id, user_id, content_id, action, rating, progress, context, event_id from user_behaviors where user_id = {user} order by id limit 200

select id, occurred_us, weight, device, location, experiment, variant, time_of_day, day_of_week, context_status from cotaste_events where user_id = {user} order by id limit 200

select user_id, total_events, total_views, completions, skips, rating_count, average_rating, distinct_contents, active_days, preferred_time_slots, first_activity, last_activity from user_analytics({user})

select * from favorite_genres({user}, 10, {time}) order by rank

select * from preferred_time_slots({user}) order by rank

select * from preferred_time_slots({user}, 'America/New_York') order by rank

select user_id, jaccard, shared_items from similar_users({user}, 10) order by rank

select user_similarity({user}, {other})

select similarity, jaccard, genre_cosine, shared_items, items_a, items_b from user_similarity_detail({user}, {other})

select content_id, title, rating_a, rating_b from shared_content({user}, {other}) order by content_id

select genre, share_a, share_b, part from shared_genres({user}, {other}) order by genre

select user_id, taste from cotaste_current_tastes where user_id = {user}

select content_id, title, genres, attributes is null from contents where content_id = {content}

select content_id, title, total_views, completions, skips, completion_rate, average_rating, bayes_rating, wilson_rating, unique_users, unique_viewers, first_activity, last_activity from content_metrics({content})

select id, user_id, action, rating, occurred_us from cotaste_events where content_id = {content} order by id limit 200

select device, time_of_day, variant, count(*) from cotaste_events where content_id = {content} group by device, time_of_day, variant order by coalesce(device, ''), coalesce(time_of_day, ''), coalesce(variant, '')

select * from experiment_results({experiment}, null, {time}) order by variant

select * from experiment_results({experiment}, null, null, 'rate') order by variant

select * from experiment_summary({experiment})

select * from experiment_timeline({experiment}) order by day, variant

select * from experiment_segments({experiment}, 'device') order by segment, variant
