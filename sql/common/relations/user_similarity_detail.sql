-- user_similarity_detail: how alike two users are, and why; one row, 0 for what is unknown
-- function only
-- argument: a text
-- argument: b text
-- column: similarity double
-- column: jaccard double
-- column: genre_cosine double
-- column: shared_items bigint
-- column: items_a bigint
-- column: items_b bigint
-- kept plan
select
  weighted_similarity(jaccard, genre_cosine, jaccard_weight, cosine_weight) as similarity,
  jaccard,
  genre_cosine,
  shared_items,
  items_a,
  items_b
from (
  select
    coalesce(taste_jaccard(a, b), 0.0) as jaccard,
    coalesce(taste_genre_cosine(a, b), 0.0) as genre_cosine,
    coalesce(taste_shared_items(a, b), 0) as shared_items,
    coalesce(taste_items(a), 0) as items_a,
    coalesce(taste_items(b), 0) as items_b
  from (
    -- The limit keeps each taste from being computed once per use.
    select
      (select taste from cotaste_current_tastes where user_id = $1) as a,
      (select taste from cotaste_current_tastes where user_id = $2) as b
    limit 1
  ) tastes
) parts
cross join cotaste_parameters
