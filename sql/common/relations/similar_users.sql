-- similar_users: x
-- column: a bigint
select 1 as a
