-- context_quality: x
-- column: a bigint
select 1 as a
