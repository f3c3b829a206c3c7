-- experiment_timeline: each variant's users and conversions up to the end of each day (UTC) on which it got any, with a comparison that stays valid however often it is looked at
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
-- with: experiment_everyone
-- column: experiment text
-- column: day timestamp
-- column: variant text
-- column: new_users bigint
-- column: users bigint
-- column: conversions bigint
-- column: conversion_rate double
-- column: rate_lower double
-- column: rate_upper double
-- column: diff double
-- column: lift double
-- column: cs_lower double
-- column: cs_upper double
-- column: p_always_valid double
-- column: p_running double
-- column: goal text
-- column: is_control boolean
select
  experiment,
  from_epoch_us(day_us) as day,
  variant,
  new_users,
  users,
  conversions,
  rate as conversion_rate,
  wilson_lower(x1, n1, z) as rate_lower,
  wilson_upper(x1, n1, z) as rate_upper,
  rate - control_rate as diff,
  rate / nullif(control_rate, 0) - 1 as lift,
  confidence_sequence_lower(x0, n0, x1, n1, alpha) as cs_lower,
  confidence_sequence_upper(x0, n0, x1, n1, alpha) as cs_upper,
  always_valid_p(x0, n0, x1, n1, alpha) as p_always_valid,
  min(always_valid_p(x0, n0, x1, n1, alpha)) over (partition by experiment, variant order by day_us) as p_running,
  goal,
  is_control
from (
  -- The two arms of the comparison at the end of the day, NULL in the control's own row.
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
      cast(sum(new_users) over (partition by experiment, variant order by day_us) as bigint) as users,
      cast(sum(new_conversions) over (partition by experiment, variant order by day_us) as bigint) as conversions,
      -- Rows of the same day are peers, so these are the control's at the end of the day.
      cast(sum(case when is_control then new_users else 0 end) over (partition by experiment order by day_us) as bigint)
        as control_users,
      cast(sum(case when is_control then new_conversions else 0 end) over (partition by experiment order by day_us) as bigint)
        as control_conversions
    from (
      select t.*, variant = control_name as is_control
      from (
        select
          d.*,
          coalesce(
            $control,
            s.control,
            max(case when d.variant = 'control' then d.variant end) over (partition by d.experiment),
            min(d.variant) over (partition by d.experiment)
          ) as control_name
        from (
          /* partial */
          select
            experiment,
            variant,
            goal,
            day_us,
            cast(sum(new_user) as bigint) as new_users,
            cast(sum(new_conversion) as bigint) as new_conversions
          from (
            select
              u.experiment,
              u.variant,
              u.goal,
              k.new_user,
              k.new_conversion,
              case when k.new_user = 1 then u.first_exposure_us else u.first_goal_us end
                - ((case when k.new_user = 1 then u.first_exposure_us else u.first_goal_us end) % 86400000000 + 86400000000)
                  % 86400000000 as day_us
            from everyone u
            cross join (select 1 as new_user, 0 as new_conversion union all select 0, 1) k
            where k.new_user = 1 or u.first_goal_us is not null
          ) changes
          group by experiment, variant, goal, day_us
          /* end partial */
        ) d
        left join cotaste_experiment_settings s on s.experiment = d.experiment
      ) t
    ) t
  ) t
) t
order by experiment, day_us, is_control desc, variant
