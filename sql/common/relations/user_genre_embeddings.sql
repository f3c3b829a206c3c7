-- user_genre_embeddings: each user's genre weights as a vector of length 1, a JSON array, over the genres of all tastes
-- key: user_id text
-- column: user_id text
-- column: genres text
-- column: dim bigint
-- column: embedding text
-- kept plan
select t.user_id, d.genres, d.dim, taste_embedding(t.taste, d.genres) as embedding
from cotaste_current_tastes t
cross join cotaste_genre_dimensions d
