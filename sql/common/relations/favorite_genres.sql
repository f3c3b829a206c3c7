-- favorite_genres: x
-- column: a bigint
select 1 as a
