-- experiment_summary: one row an experiment: its users, whether they came in the planned ratio, its best treatment, whether there are enough users for the lift seen, and a verdict in plain words
-- key: experiment text
-- column: experiment text
-- column: started_at timestamp
-- column: last_event timestamp
-- column: days_running double
-- column: users bigint
-- column: variants bigint
-- column: crossover_users bigint
-- column: srm_p double
-- column: srm_status text
-- column: goal text
-- column: control text
-- column: control_rate double
-- column: best_variant text
-- column: best_rate double
-- column: diff double
-- column: lift double
-- column: lift_lower double
-- column: lift_upper double
-- column: p_adjusted double
-- column: p_always_valid double
-- column: chance_to_win double
-- column: power double
-- column: required_users bigint
-- column: has_enough_users boolean
-- column: status text
-- column: verdict text
select
  experiment,
  started_at,
  last_event,
  cast(to_epoch_us(last_event) - to_epoch_us(started_at) as double precision) / 86400000000.0 as days_running,
  users,
  variants,
  crossover_users,
  srm_p,
  srm_status,
  goal,
  control,
  control_rate,
  best_variant,
  best_rate,
  diff,
  lift,
  lift_lower,
  lift_upper,
  p_adjusted,
  p_always_valid,
  chance_to_win,
  achieved_power(control_rate, best_rate, control_users, best_users) as power,
  required_users,
  control_users >= required_users and best_users >= required_users as has_enough_users,
  status,
  case
    when status = 'unknown_goal' then 'The goal is not a known action: correct it.'
    when status = 'no_control' then 'There is no control with users: nothing to compare with.'
    when status = 'no_treatment' then 'There is one variant only: nothing to compare.'
    when status = 'unplanned_variant' then 'Do not trust it: users are in a variant that was not planned.'
    when status = 'sample_ratio_mismatch' then 'Do not trust it: the users are not in the planned ratio, so something lost or moved them.'
    when status = 'too_few_users' then 'Too early: there are too few users to say anything.'
    when p_always_valid < 0.05 and diff > 0 then best_variant || ' is better than ' || control || ': you may stop.'
    when p_always_valid < 0.05 then 'No variant is better than ' || control || ', and ' || best_variant || ' is worse: you may stop.'
    when p_adjusted < 0.05 and diff > 0 then
      best_variant || ' looks better than ' || control || ': decide at the planned end, not before.'
    when p_adjusted < 0.05 then best_variant || ' looks worse than ' || control || ': decide at the planned end, not before.'
    when diff = 0 then 'No difference at all so far.'
    when control_users >= required_users and best_users >= required_users then
      'No clear difference, with enough users for the one seen: decide at the planned end.'
    else 'No clear difference yet: the one seen would need more users to be told from chance.'
  end as verdict
from (
  select
    e.*,
    required_sample_size(control_rate, best_rate) as required_users,
    case
      when has_unknown_goal = 1 then 'unknown_goal'
      when srm_status = 'unplanned_variant' then 'unplanned_variant'
      when srm_status = 'mismatch' then 'sample_ratio_mismatch'
      when coalesce(control_users, 0) = 0 then 'no_control'
      when best_users is null then 'no_treatment'
      when srm_status <> 'ok' then 'too_few_users'
      else 'ok'
    end as status
  from (
    select
      experiment,
      min(first_event) as started_at,
      max(last_event) as last_event,
      cast(sum(users) as bigint) as users,
      cast(count(case when users > 0 then 1 end) as bigint) as variants,
      max(crossover_users) as crossover_users,
      max(srm_p) as srm_p,
      max(srm_status) as srm_status,
      max(goal) as goal,
      max(case when status = 'unknown_goal' then 1 else 0 end) as has_unknown_goal,
      max(case when is_control then variant end) as control,
      max(case when is_control then conversion_rate end) as control_rate,
      max(case when is_control then users end) as control_users,
      max(case when place = 1 and not is_control then variant end) as best_variant,
      max(case when place = 1 and not is_control then conversion_rate end) as best_rate,
      max(case when place = 1 and not is_control then users end) as best_users,
      max(case when place = 1 and not is_control then diff end) as diff,
      max(case when place = 1 and not is_control then lift end) as lift,
      max(case when place = 1 and not is_control then lift_lower end) as lift_lower,
      max(case when place = 1 and not is_control then lift_upper end) as lift_upper,
      max(case when place = 1 and not is_control then p_adjusted end) as p_adjusted,
      max(case when place = 1 and not is_control then p_always_valid end) as p_always_valid,
      max(case when place = 1 and not is_control then chance_to_win end) as chance_to_win
    from (
      -- The treatments from the highest rate down.
      select
        r.*,
        row_number() over (
          partition by experiment, is_control
          order by case when conversion_rate is null then 1 else 0 end, conversion_rate desc, variant
        ) as place
      from (select * from experiment_results /* where key */) r
    ) ranked
    group by experiment
  ) e
) s
order by experiment
