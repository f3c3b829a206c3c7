-- experiment_results: x
-- column: a bigint
select 1 as a
