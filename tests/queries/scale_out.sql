-- What reads.sql does not ask, for a scaled-out space: the same form and the same data.

-- recommend
select content_id, title, score, rank, method, reason from recommend('u5', 5) order by rank;
-- recommend with arguments
select content_id, score, rank from recommend('u6', 4, 0.5, true, '[3]', 'Drama') order by rank;
-- recommend to nobody
select content_id, score, rank from recommend('nobody', 3) order by rank;
-- recommend for all
select user_id, content_id, score, rank from recommend_for_all(3) order by user_id, rank;
-- also watched
select for_content_id, content_id, shared_users, users, support, confidence, lift, rank from also_watched order by for_content_id, rank;
-- also watched by content
select * from also_watched(7, 4) order by rank;
-- similar content
select content_id, similarity, rank, method, shared_users, lift from similar_content(7, 5) order by rank;
-- genre metrics
select genre, contents, total_views, completions, skips, rating_count, average_rating from genre_metrics order by genre;
-- activity by day
select * from activity_by_day order by 1;
-- activity by day in a zone and range
select * from activity_by_day('Asia/Tokyo', '2026-03-03T00:00:00Z', '2026-03-10T00:00:00Z') order by 1;
-- activity by slot
select * from activity_by_slot order by slot;
-- activity by slot in a zone
select * from activity_by_slot('America/New_York') order by slot;
-- trending by z score
select content_id, z, "current", baseline_mean, baseline_sd, rank from trending_zscore(10, 24, 7, '2026-03-20T00:00:00Z') order by rank;
-- trending now
select content_id, events, rank from trending_content order by rank;
-- genre embeddings
select * from user_genre_embeddings order by user_id;
-- genre embedding of one
select * from user_genre_embeddings('u3');
-- days
select * from preferred_days order by user_id, rank;
-- days in a zone
select * from preferred_days('u3', 'Asia/Tokyo') order by rank;
-- devices
select * from device_usage order by user_id, rank;
-- devices of one
select * from device_usage('u1') order by rank;
-- numeric with another window
select * from experiment_numeric('ranker', 'contents', '2026-03-02T00:00:00Z', '2026-03-20T00:00:00Z', 'like', null, 0.1, 72) order by variant;
-- timeline with a goal
select * from experiment_timeline('ranker', null, null, 'rating >= 6', 'enhanced') order by day, variant;
-- known contents
select * from cotaste_known_contents order by 1;
-- known users
select * from cotaste_known_users order by 1;
-- offline quality
select recommender, users, ndcg, recall, hit_rate, coverage from evaluate_recommender('last5', 5) order by recommender;
