-- experiment_segments: the comparison with the control within each device, location, time slot or day of week of the users' first exposures; p_adjusted counts all comparisons of the dimension
-- key: experiment text
-- argument: dimension text
-- argument: from_time timestamp
-- argument: to_time timestamp
-- argument: goal text
-- argument: control text
-- argument: alpha double
-- argument: window_hours double
-- with: experiment_others
-- with: experiment_units
-- with: experiment_users
-- with: experiment_everyone
-- column: experiment text
-- column: dimension text
-- column: segment text
-- column: variant text
-- column: users bigint
-- column: conversions bigint
-- column: conversion_rate double
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
-- column: goal text
-- column: is_control boolean
-- column: status text
select
  experiment,
  dimension,
  segment,
  variant,
  users,
  conversions,
  rate as conversion_rate,
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
    partition by experiment, dimension, is_control
    order by case when p_value is null then 1 else 0 end, p_value, segment, variant rows unbounded preceding
  ) as p_adjusted,
  chance_to_win(x0, n0, x1, n1) as chance_to_win,
  goal,
  is_control,
  case when is_control or control_users > 0 then 'ok' else 'no_control' end as status
from (
  -- Holm's step-down over all treatments of all segments.
  select
    t.*,
    case when p_value * left_over < 1 then p_value * left_over when p_value is not null then 1.0 end as holm
  from (
    select
      t.*,
      count(p_value) over (partition by experiment, dimension) - row_number() over (
        partition by experiment, dimension, is_control
        order by case when p_value is null then 1 else 0 end, p_value, segment, variant
      ) + 1 as left_over
    from (
      select
        t.*,
        two_proportion_p(x0, n0, x1, n1) as p_value
      from (
        select
          t.*,
          case when not is_control then cast(control_conversions as double precision) end as x0,
          case when not is_control then cast(control_users as double precision) end as n0,
          case when not is_control then cast(control_conversions as double precision) / nullif(control_users, 0) end as control_rate,
          cast(conversions as double precision) as x1,
          cast(users as double precision) as n1,
          cast(conversions as double precision) / nullif(users, 0) as rate,
          coalesce($alpha, 0.05) as alpha,
          critical_z(coalesce($alpha, 0.05)) as z
        from (
          select
            t.*,
            variant = control_name as is_control,
            max(case when variant = control_name then users end) over (partition by experiment, dimension, segment)
              as control_users,
            max(case when variant = control_name then conversions end) over (partition by experiment, dimension, segment)
              as control_conversions
          from (
            select
              g.*,
              coalesce(
                $control,
                s.control,
                max(case when g.variant = 'control' then g.variant end) over (partition by g.experiment),
                min(g.variant) over (partition by g.experiment)
              ) as control_name
            from (
              /* partial */
              select
                l.experiment,
                d.dimension,
                case d.dimension
                  when 'device' then l.device when 'location' then l.location when 'slot' then l.slot else l.day
                end as segment,
                l.variant,
                l.goal,
                cast(count(*) as bigint) as users,
                cast(sum(case when l.goals > 0 then 1 else 0 end) as bigint) as conversions
              from (
                -- What the event of the first exposure says; of events of one instant, the least label.
                select
                  u.experiment,
                  u.variant,
                  u.user_id,
                  u.goal,
                  u.goals,
                  min(f.device) as device,
                  min(f.location) as location,
                  min(coalesce(f.time_of_day, time_slot(f.occurred_at))) as slot,
                  min(coalesce(f.day_of_week, day_of_week(f.occurred_at))) as day
                from everyone u
                join cotaste_events f
                  on f.user_id = u.user_id and f.occurred_us = u.first_exposure_us and f.experiment = u.experiment
                group by u.experiment, u.variant, u.user_id, u.goal, u.goals
              ) l
              cross join (
                select 'device' as dimension union all select 'location' union all select 'slot' union all select 'day'
              ) d
              where case when $dimension is null then true when check_dimension($dimension) then d.dimension = $dimension end
              group by l.experiment, d.dimension, 3, l.variant, l.goal
              /* end partial */
            ) g
            left join cotaste_experiment_settings s on s.experiment = g.experiment
          ) t
        ) t
      ) t
    ) t
  ) t
) t
-- An unknown segment comes last, in both engines.
order by experiment, dimension, case when segment is null then 1 else 0 end, segment, is_control desc, variant
