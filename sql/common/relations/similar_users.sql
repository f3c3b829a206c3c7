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
select user_id, similarity, jaccard, genre_cosine, shared_items, rank, computed_at, cached, for_user_id
from (
  select
    s.*,
    row_number() over (partition by for_user_id order by similarity desc, user_id) as rank,
    k.now as computed_at,
    false as cached,
    p.similar_users_k
  from (
    select
      other.user_id,
      taste_similarity(me.taste, other.taste, w.jaccard_weight, w.cosine_weight) as similarity,
      taste_jaccard(me.taste, other.taste) as jaccard,
      taste_genre_cosine(me.taste, other.taste) as genre_cosine,
      taste_shared_items(me.taste, other.taste) as shared_items,
      me.user_id as for_user_id
    from cotaste_tastes me
    join cotaste_tastes other on other.user_id <> me.user_id
    cross join cotaste_parameters w
  ) s
  cross join cotaste_clock k
  cross join cotaste_parameters p
  where similarity > 0
) ranked
where rank <= coalesce($2, similar_users_k)
order by for_user_id, rank
