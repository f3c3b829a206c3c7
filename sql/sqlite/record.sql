-- What record_behavior runs. One statement records, so that it is atomic and takes the write lock before it looks for the event.

-- record
insert into user_behaviors (
  user_id, content_id, action, rating, context, occurred_at, event_id,
  time_of_day, day_of_week, device, location, experiment, variant, context_status
)
values (
  :user_id, :content_id, :action, :rating, :context,
  coalesce(:occurred_at, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')), :event_id,
  :time_of_day, :day_of_week, :device, :location, :experiment, :variant, :context_status
)
on conflict (user_id, event_id) do nothing
returning id;

-- recorded
select id from user_behaviors where user_id = :user_id and event_id = :event_id;
