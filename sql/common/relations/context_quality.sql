-- context_quality: how many events have a context of each status, so that bad JSON is seen
-- column: context_status text
-- column: events bigint
-- column: share double
select context_status, events, cast(events as double precision) / nullif(sum(events) over (), 0) as share
from (
  select context_status, cast(count(*) as bigint) as events
  from cotaste_events
  group by context_status
) counted
