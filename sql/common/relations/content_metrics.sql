-- content_metrics: x
-- column: a bigint
select 1 as a
