insert into cotaste_rating_totals (only_row) values (1) on conflict (only_row) do nothing;

-- Events older than the state's tables are in nobody's taste yet.
update cotaste_parameters set stale = true
where not stale
  and not exists (select 1 from cotaste_users) and not exists (select 1 from cotaste_queue)
  and exists (select 1 from user_behaviors);
