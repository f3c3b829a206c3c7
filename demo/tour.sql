-- Is the space sound?
select status, record_count, content_count, last_activity, db_type from cotaste_health;

-- How alike are two users? 0.7 Jaccard of what they watched + 0.3 cosine of their genres.
select user_similarity('1', '266');
select round(similarity, 4) as similarity, round(jaccard, 4) as jaccard, round(genre_cosine, 4) as genre_cosine, shared_items, items_a, items_b
from user_similarity_detail('1', '266');

-- Who is most like user 1?
select rank, user_id, round(similarity, 4) as similarity, round(jaccard, 4) as jaccard, round(genre_cosine, 4) as genre_cosine, shared_items
from similar_users('1', 10);

-- And why is the first of them?
select title, rating_a, rating_b
from shared_content('1', (select user_id from similar_users('1', 1)))
order by rating_a + rating_b desc, title
limit 5;
select genre, round(share_a, 3) as share_a, round(share_b, 3) as share_b, round(part, 3) as part
from shared_genres('1', (select user_id from similar_users('1', 1)))
limit 5;

-- What happened to the most viewed contents? (completions are simulated)
select content_id, title, total_views as views, completions, round(completion_rate, 3) as completion_rate, round(average_rating, 2) as average, round(bayes_rating, 2) as bayes, unique_users as users
from content_metrics
order by total_views desc, content_id
limit 5;

-- What does user 1 like, and when?
select total_events as events, total_views as views, round(average_rating, 2) as average, preferred_time_slots, first_activity, last_activity
from user_analytics('1');
select rank, genre, round(share, 3) as share, events from favorite_genres('1', 5);

-- What was rising at the end of the data, by a half-life of a week?
select t.rank, t.title, round(t.score, 2) as score, t.events
from trending_content(5, 168, (select last_activity from cotaste_health)) t;

-- Which variant of the experiment "ranker" does better? (the experiment is simulated)
select variant, users, views, conversions, round(conversion_rate, 4) as conversion_rate, conversion_events, crossover_users
from experiment_results('ranker', null, null, 'convert');
