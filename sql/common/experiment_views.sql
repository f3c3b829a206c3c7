-- What is set for experiments, in cotaste_settings. Internal: the columns may change.

-- What an experiment is asked when no argument says otherwise: experiment_goal.EXPERIMENT, experiment_control.EXPERIMENT
-- and experiment_window_hours.EXPERIMENT.
create view cotaste_experiment_settings as
select
  experiment,
  max(case when name = 'goal' then value end) as goal,
  max(case when name = 'control' then value end) as control,
  cast(max(case when name = 'window' then value end) as double precision) as window_hours
from (
  select 'goal' as name, substr(key, 17) as experiment, value
  from cotaste_settings where substr(key, 1, 16) = 'experiment_goal.'
  union all
  select 'control', substr(key, 20), value
  from cotaste_settings where substr(key, 1, 19) = 'experiment_control.'
  union all
  select 'window', substr(key, 25), value
  from cotaste_settings where substr(key, 1, 24) = 'experiment_window_hours.'
) settings
group by experiment;

-- The planned shares of users: experiment_weight.EXPERIMENT.VARIANT, where the variant is what follows the last dot.
create view cotaste_experiment_weights as
select
  substr(s.beginning, 19, length(s.beginning) - 19) as experiment,
  substr(s.key, length(s.beginning) + 1) as variant,
  case when cast(s.value as double precision) > 0 then cast(s.value as double precision) else 0 end as weight
from (
  select key, value, rtrim(key, replace(key, '.', '')) as beginning
  from cotaste_settings
  where substr(key, 1, 18) = 'experiment_weight.'
) s
where length(s.beginning) > 19;
