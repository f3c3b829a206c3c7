-- evaluate_recommender: how well recommend finds what is held out of each user's contents, beside what is popular
-- argument: protocol text
-- argument: k bigint
-- argument: recency double
-- column: recommender text
-- column: users bigint
-- column: ndcg double
-- column: ndcg_error double
-- column: recall double
-- column: hit_rate double
-- column: coverage double
-- column: novelty double
-- function only
select r.recommender, r.users, r.ndcg, r.ndcg_error, r.recall, r.hit_rate, r.coverage, r.novelty
from cotaste_recommender_quality(coalesce($protocol, 'last5'), $k, $recency) r
