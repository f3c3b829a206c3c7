insert into cotaste_rating_totals (only_row) values (1) on conflict (only_row) do nothing;

-- Events older than the state's tables are in nobody's taste yet.
update cotaste_parameters set stale = true
where not stale
  and not exists (select 1 from cotaste_users) and not exists (select 1 from cotaste_queue)
  and (exists (select 1 from user_behaviors) or exists (select 1 from cotaste_base));

-- A state that has not all of its tables filled is older than this version's.
update cotaste_parameters set stale = true
where not stale
  and exists (select 1 from user_behaviors)
  and not exists (select 1 from cotaste_meta where key = 'state_version' and value = '3');
insert into cotaste_meta (key, value) values ('state_version', '3') on conflict (key) do update set value = excluded.value;
