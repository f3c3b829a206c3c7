-- user_analytics: x
-- column: a bigint
select 1 as a
