-- user_similarity_detail: x
-- column: a bigint
select 1 as a
