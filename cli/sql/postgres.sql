-- copy
copy user_behaviors (user_id, content_id, action, rating, progress, context, occurred_at, event_id) from stdin (format binary)

-- stage
create temporary table if not exists cotaste_staged (
  user_id text, content_id bigint, action text, rating double precision, progress double precision, context text,
  occurred_at timestamptz, event_id text
) on commit delete rows

-- copy staged
copy cotaste_staged from stdin (format binary)

-- insert staged
insert into user_behaviors (user_id, content_id, action, rating, progress, context, occurred_at, event_id)
select user_id, content_id, action, rating, progress, context, occurred_at, event_id from cotaste_staged
on conflict (user_id, event_id) do nothing

-- load
set local cotaste.load = 'on'

-- hold stale
select from cotaste_parameters where stale for share

-- stale
update cotaste_parameters set stale = true where not stale

-- actions
select substr(key, 15) from cotaste_settings where starts_with(key, 'action_weight.')

-- checkpoint
insert into cotaste_checkpoints (task, state) values ($1, $2)
on conflict (task) do update set state = excluded.state

-- checkpoint of
select state from cotaste_checkpoints where task = $1

-- dead letter
insert into cotaste_dead_letters (source, position, reason, payload) values ($1, $2, $3, $4)
on conflict (source, position) do nothing
