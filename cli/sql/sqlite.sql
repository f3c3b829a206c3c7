-- insert
insert into user_behaviors (
  user_id, content_id, action, rating, progress, context, occurred_at, event_id,
  time_of_day, day_of_week, device, location, experiment, variant, context_status
)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
on conflict (user_id, event_id) do nothing;

-- queue
insert into cotaste_queue (user_id, content_id) values (?1, ?2);

-- stale
update cotaste_parameters set stale = 1 where not stale;

-- empty
select not exists (select 1 from user_behaviors);

-- drop indexes
drop index if exists user_behaviors_user_content;
drop index if exists user_behaviors_content;
drop index if exists user_behaviors_occurred_at;

-- triggers
select name from sqlite_master where type = 'trigger' and tbl_name = 'user_behaviors' and sql like '% insert on %';

-- actions
select substr(key, 15) from cotaste_settings where key glob 'action_weight.*';

-- checkpoint
insert into cotaste_checkpoints (task, state) values (?1, ?2)
on conflict (task) do update set state = excluded.state;

-- checkpoint of
select state from cotaste_checkpoints where task = ?1;

-- dead letter
insert into cotaste_dead_letters (source, position, reason, payload) values (?1, ?2, ?3, ?4)
on conflict (source, position) do nothing;
