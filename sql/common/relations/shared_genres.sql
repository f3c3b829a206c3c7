-- shared_genres: the genres two users share, each one's share in their tastes, and what part of their genre cosine it makes (1 in all)
-- function only
-- argument: a text
-- argument: b text
-- column: genre text
-- column: share_a double
-- column: share_b double
-- column: part double
-- kept plan
select genre, share_a, share_b, share_a * share_b / reproducible_sum(share_a * share_b) over () as part
from (
  select x.genre, x.share as share_a, y.share as share_b
  from cotaste_taste_genres x
  join cotaste_taste_genres y on y.genre = x.genre
  where x.user_id = $1 and y.user_id = $2 and x.share > 0 and y.share > 0
) shared
order by part desc, genre
