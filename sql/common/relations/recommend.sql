-- recommend: the k contents of the catalogue a user is most likely to want next, best first; ties by content id
-- argument: user_id text
-- argument: k bigint
-- argument: recency double
-- argument: include_seen boolean
-- argument: exclude text
-- argument: genre text
-- column: content_id bigint
-- column: title text
-- column: score double
-- column: rank bigint
-- column: method text
-- column: reason text
-- column: computed_at timestamp
-- function only
select r.content_id, r.title, r.score, r.rank, r.method, r.reason, r.computed_at
from cotaste_recommended($user_id, $k, $recency, $include_seen, $exclude, $genre) r
order by rank
