-- similar_users: the users most similar to a user, by weighted Jaccard and genre cosine; ties by user id bytes
-- key: for_user_id text
-- argument: k bigint
-- column: user_id text
-- column: similarity double
-- column: jaccard double
-- column: genre_cosine double
-- column: shared_items bigint
-- column: rank bigint
-- column: computed_at timestamp
-- column: cached boolean
-- column: for_user_id text
select
  n.user_id, n.similarity, n.jaccard, n.genre_cosine, n.shared_items, n.rank, n.computed_at, n.cached,
  u.user_id as for_user_id
from cotaste_known_users u, cotaste_neighbours_of(u.user_id, $2) n
order by for_user_id, rank
