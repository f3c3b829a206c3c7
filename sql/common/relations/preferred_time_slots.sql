-- preferred_time_slots: x
-- column: a bigint
select 1 as a
