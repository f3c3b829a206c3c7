-- trending_content: x
-- column: a bigint
select 1 as a
