-- Everybody's events.
log as (
  select * from cotaste_events
)
