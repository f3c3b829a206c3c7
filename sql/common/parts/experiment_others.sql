-- The events of those whose kept events are not up to date.
log as (
  select * from cotaste_other_events
)
