-- cotaste_health: x
-- column: a bigint
select 1 as a
