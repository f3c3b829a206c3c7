-- experiment_results: each variant's users, views and conversions since a user's first exposure within [from, to), and how it compares with the control
-- key: experiment text
-- argument: from_time timestamp
-- argument: to_time timestamp
-- argument: goal text
-- argument: control text
-- argument: alpha double
-- argument: window_hours double
-- with: experiment_others
-- with: experiment_units
-- with: experiment_users
-- with: experiment_arms
-- column: experiment text
-- column: variant text
-- column: users bigint
-- column: views bigint
-- column: conversions bigint
-- column: conversion_rate double
-- column: first_event timestamp
-- column: last_event timestamp
-- column: conversion_events bigint
-- column: events_per_user double
-- column: rate_lower double
-- column: rate_upper double
-- column: diff double
-- column: diff_lower double
-- column: diff_upper double
-- column: lift double
-- column: lift_lower double
-- column: lift_upper double
-- column: p_value double
-- column: method text
-- column: p_adjusted double
-- column: chance_to_win double
-- column: expected_loss double
-- column: cs_lower double
-- column: cs_upper double
-- column: p_always_valid double
-- column: crossover_users bigint
-- column: planned_share double
-- column: srm_p double
-- column: srm_status text
-- column: goal text
-- column: is_control boolean
-- column: status text
select
  experiment,
  variant,
  users,
  views,
  conversions,
  rate as conversion_rate,
  from_epoch_us(first_us) as first_event,
  from_epoch_us(last_us) as last_event,
  conversion_events,
  cast(events as double precision) / nullif(users, 0) as events_per_user,
  wilson_lower(x1, n1, z) as rate_lower,
  wilson_upper(x1, n1, z) as rate_upper,
  rate - control_rate as diff,
  newcombe_lower(x0, n0, x1, n1, z) as diff_lower,
  newcombe_upper(x0, n0, x1, n1, z) as diff_upper,
  rate / nullif(control_rate, 0) - 1 as lift,
  lift_lower(x0, n0, x1, n1, z) as lift_lower,
  lift_upper(x0, n0, x1, n1, z) as lift_upper,
  p_value,
  two_proportion_method(x0, n0, x1, n1) as method,
  max(holm) over (
    partition by experiment, is_control
    order by case when p_value is null then 1 else 0 end, p_value, variant rows unbounded preceding
  ) as p_adjusted,
  chance_to_win(x0, n0, x1, n1) as chance_to_win,
  expected_loss(x0, n0, x1, n1) as expected_loss,
  confidence_sequence_lower(x0, n0, x1, n1, alpha) as cs_lower,
  confidence_sequence_upper(x0, n0, x1, n1, alpha) as cs_upper,
  always_valid_p(x0, n0, x1, n1, alpha) as p_always_valid,
  crossover_users,
  weight / nullif(total_weight, 0) as planned_share,
  srm_p,
  case
    when unplanned_users > 0 then 'unplanned_variant'
    when planned_users = 0 then 'no_data'
    when least_expected < 5 then 'too_few'
    when srm_p < 0.001 then 'mismatch'
    else 'ok'
  end as srm_status,
  goal,
  is_control,
  case
    when goal_is_known = 0 then 'unknown_goal'
    when users = 0 then 'no_users'
    when weight = 0 then 'unplanned_variant'
    when srm_p < 0.001 and least_expected >= 5 then 'sample_ratio_mismatch'
    when coalesce(control_users, 0) = 0 then 'no_control'
    when least_expected < 5 then 'too_few_users'
    else 'ok'
  end as status
from (
  -- Holm's step-down: the p values of an experiment's treatments in ascending order, each times how many are left.
  select
    t.*,
    case when p_value * left_over < 1 then p_value * left_over when p_value is not null then 1.0 end as holm
  from (
    select
      t.*,
      count(p_value) over (partition by experiment) - row_number() over (
        partition by experiment, is_control order by case when p_value is null then 1 else 0 end, p_value, variant
      ) + 1 as left_over,
      case when planned_variants > 1 then chi_square_p(chi_square, planned_variants - 1) end as srm_p
    from (
      select
        t.*,
        two_proportion_p(x0, n0, x1, n1) as p_value,
        reproducible_sum(
          case when weight > 0 then (users - expected_users) * (users - expected_users) / nullif(expected_users, 0) end
        ) over (partition by experiment) as chi_square,
        min(case when weight > 0 then expected_users end) over (partition by experiment) as least_expected
      from (
        -- The two arms of the comparison, NULL in the control's own row.
        select
          t.*,
          case when not is_control then cast(control_conversions as double precision) end as x0,
          case when not is_control then cast(control_users as double precision) end as n0,
          case when not is_control then cast(control_conversions as double precision) / nullif(control_users, 0) end as control_rate,
          cast(conversions as double precision) as x1,
          cast(users as double precision) as n1,
          cast(conversions as double precision) / nullif(users, 0) as rate,
          planned_users * weight / nullif(total_weight, 0) as expected_users,
          coalesce($alpha, 0.05) as alpha,
          critical_z(coalesce($alpha, 0.05)) as z
        from (
          select
            t.*,
            variant = control_name as is_control,
            max(case when variant = control_name then users end) over (partition by experiment) as control_users,
            max(case when variant = control_name then conversions end) over (partition by experiment) as control_conversions,
            cast(count(case when weight > 0 then 1 end) over (partition by experiment) as bigint) as planned_variants,
            cast(sum(case when weight > 0 then users else 0 end) over (partition by experiment) as bigint) as planned_users,
            cast(sum(case when weight > 0 then 0 else users end) over (partition by experiment) as bigint) as unplanned_users,
            reproducible_sum(weight) over (partition by experiment) as total_weight
          from (
            select
              t.*,
              case when goal_is_known = 1 then converted_users end as conversions,
              case when goal_is_known = 1 then goals end as conversion_events,
              -- The control is the one asked for, else the one set, else the one of that name, else the first by name.
              coalesce(
                $control,
                s.control,
                max(case when variant = 'control' then variant end) over (partition by t.experiment),
                min(variant) over (partition by t.experiment)
              ) as control_name
            from (
              select
                t.*,
                case when rating_goal(goal) is not null or goal in (
                  select substr(k.key, 15) from cotaste_settings k where substr(k.key, 1, 14) = 'action_weight.'
                ) then 1 else 0 end as goal_is_known
              from (
                -- Without declared weights the shares are equal; with them, a variant that has none is not planned.
                select
                  v.experiment,
                  v.variant,
                  v.users,
                  v.views,
                  v.events,
                  v.converted_users,
                  v.goals,
                  v.first_us,
                  v.last_us,
                  max(v.goal) over (partition by v.experiment) as goal,
                  sum(v.crossover_users) over (partition by v.experiment) as crossover_users,
                  sum(v.users) over (partition by v.experiment) as total_users,
                  case
                    when max(v.weight) over (partition by v.experiment) is null then 1.0
                    else coalesce(v.weight, 0)
                  end as weight
                from (
                  select
                    u.experiment,
                    u.variant,
                    max(u.goal) as goal,
                    cast(sum(u.users) as bigint) as users,
                    cast(sum(u.views) as bigint) as views,
                    cast(sum(u.events) as bigint) as events,
                    cast(sum(u.converted_users) as bigint) as converted_users,
                    cast(sum(u.goals) as bigint) as goals,
                    min(u.first_us) as first_us,
                    max(u.last_us) as last_us,
                    cast(sum(u.crossover_users) as bigint) as crossover_users,
                    max(u.weight) as weight
                  from (
                    select a.*, cast(null as double precision) as weight from arms a
                    union all
                    -- A planned variant has a row, whether it has users or not.
                    select
                      experiment, cast(null as text), variant, 0, 0, 0, 0, 0, cast(null as bigint), cast(null as bigint), 0,
                      weight
                    from cotaste_experiment_weights
                  ) u
                  group by u.experiment, u.variant
                ) v
              ) t
              where total_users > 0 and variant is not null
            ) t
            left join cotaste_experiment_settings s on s.experiment = t.experiment
          ) t
        ) t
      ) t
    ) t
  ) t
) t
order by experiment, is_control desc, variant
