-- Is the space sound?
select status, record_count, content_count, last_activity, db_type from cotaste_health

-- How alike are two users? 0.7 Jaccard of what they watched + 0.3 cosine of their genres.
select similarity, jaccard, genre_cosine, shared_items, items_a, items_b from user_similarity_detail('1', '266')

-- Who is most like user 1?
select rank, user_id, similarity, jaccard, genre_cosine, shared_items from similar_users('1', 10) order by rank

-- And why is the first of them?
select title, rating_a, rating_b from shared_content('1', (select user_id from similar_users('1', 1)))
order by rating_a + rating_b desc, title limit 5

-- What happened to the most viewed contents? (completions are simulated)
select content_id, title, total_views as views, completions, completion_rate, average_rating as average, unique_users as users
from content_metrics order by total_views desc, content_id limit 5

-- What does user 1 like, and when?
select rank, genre, share, events from favorite_genres('1', 5) order by rank

-- What was rising at the end of the data, by a half-life of a week?
select t.rank, t.title, t.score, t.events from trending_content(5, 168, (select last_activity from cotaste_health)) t order by t.rank

-- Which variant of the experiment "ranker" does better? (the experiment is simulated)
select variant, users, views, conversions, conversion_rate, p_value, crossover_users
from experiment_results('ranker', null, null, 'convert') order by variant
