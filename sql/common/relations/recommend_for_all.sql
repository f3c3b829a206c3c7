-- recommend_for_all: the k best contents of every user with events, as recommend gives them
-- argument: k bigint
-- argument: recency double
-- argument: include_seen boolean
-- argument: exclude text
-- argument: genre text
-- column: user_id text
-- column: content_id bigint
-- column: title text
-- column: score double
-- column: rank bigint
-- column: method text
-- column: reason text
-- column: computed_at timestamp
-- function only
select r.user_id, r.content_id, r.title, r.score, r.rank, r.method, r.reason, r.computed_at
from cotaste_recommended_to_all($k, $recency, $include_seen, $exclude, $genre) r
order by user_id, rank
