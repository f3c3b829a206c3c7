-- The goal of the experiment, so that its views need no argument.
insert into cotaste_settings (key, value, description)
values ('experiment_goal.ranker', 'convert', 'what users of the experiment ranker are to do')
on conflict (key) do nothing;
