-- experiment_results: each variant's users, views and conversions since a user's first exposure within [from, to), and how it compares with the control
-- key: experiment text
-- argument: from_time timestamp
-- argument: to_time timestamp
-- argument: goal text
-- argument: control text
-- argument: alpha double
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
-- column: srm_p double
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
    partition by experiment, is_control order by p_value, variant rows unbounded preceding
  ) as p_adjusted,
  chance_to_win(x0, n0, x1, n1) as chance_to_win,
  expected_loss(x0, n0, x1, n1) as expected_loss,
  confidence_sequence_lower(x0, n0, x1, n1, alpha) as cs_lower,
  confidence_sequence_upper(x0, n0, x1, n1, alpha) as cs_upper,
  always_valid_p(x0, n0, x1, n1, alpha) as p_always_valid,
  crossover_users,
  srm_p,
  goal,
  is_control,
  case
    when srm_p < 0.001 then 'sample_ratio_mismatch'
    when control_users is null then 'no_control'
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
      count(p_value) over (partition by experiment)
        - row_number() over (partition by experiment, is_control order by p_value, variant) + 1 as left_over,
      case when arms > 1 then
        chi_square_p(cast(arms * square_sum - total_users * total_users as double precision) / total_users, arms - 1)
      end as srm_p
    from (
      select
        t.*,
        two_proportion_p(x0, n0, x1, n1) as p_value
      from (
        -- The two arms of the comparison, NULL in the control's own row.
        select
          t.*,
          case when not is_control then cast(control_conversions as double precision) end as x0,
          case when not is_control then cast(control_users as double precision) end as n0,
          case when not is_control then cast(control_conversions as double precision) / nullif(control_users, 0) end as control_rate,
          cast(conversions as double precision) as x1,
          cast(users as double precision) as n1,
          cast(conversions as double precision) / nullif(users, 0) as rate
        from (
          select
            t.*,
            variant = control_name as is_control,
            max(case when variant = control_name then users end) over (partition by experiment) as control_users,
            max(case when variant = control_name then conversions end) over (partition by experiment) as control_conversions
          from (
            select
              v.*,
              count(*) over (partition by experiment) as arms,
              cast(sum(users) over (partition by experiment) as bigint) as total_users,
              cast(sum(users * users) over (partition by experiment) as bigint) as square_sum,
              -- The control is the one asked for, else the one of that name, else the first by name.
              coalesce(
                asked_control,
                max(case when variant = 'control' then variant end) over (partition by experiment),
                min(variant) over (partition by experiment)
              ) as control_name
            from (
              select
                experiment,
                variant,
                goal,
                asked_control,
                alpha,
                z,
                cast(count(*) as bigint) as users,
                cast(sum(views) as bigint) as views,
                cast(sum(case when goals > 0 then 1 else 0 end) as bigint) as conversions,
                cast(sum(goals) as bigint) as conversion_events,
                cast(sum(events) as bigint) as events,
                min(first_us) as first_us,
                max(last_us) as last_us,
                max(crossover_users) as crossover_users
              from (
                select
                  x.experiment,
                  x.variant,
                  x.user_id,
                  x.goal,
                  x.asked_control,
                  x.alpha,
                  x.z,
                  x.crossover_users,
                  count(*) as events,
                  sum(case when e.action = 'view' then 1 else 0 end) as views,
                  sum(case when e.action = x.goal then 1 else 0 end) as goals,
                  min(e.occurred_us) as first_us,
                  max(e.occurred_us) as last_us
                from (
                  select
                    u.*,
                    cast(sum(case when variant <> last_variant then 1 else 0 end) over (partition by experiment) as bigint)
                      as crossover_users
                  from (
                    select
                      ev.experiment,
                      ev.user_id,
                      min(ev.variant) as variant,
                      max(ev.variant) as last_variant,
                      min(ev.occurred_us) as first_exposure_us,
                      r.to_us,
                      r.goal,
                      r.asked_control,
                      r.alpha,
                      r.z
                    from cotaste_events ev
                    cross join (
                      select
                        coalesce(to_epoch_us($2), -62135596800000000) as from_us,
                        coalesce(to_epoch_us($3), 253402300800000000) as to_us,
                        coalesce($4, conversion_action) as goal,
                        $5 as asked_control,
                        coalesce($6, 0.05) as alpha,
                        critical_z(coalesce($6, 0.05)) as z
                      from cotaste_parameters
                    ) r
                    where ev.experiment is not null and ev.variant is not null
                      and ev.occurred_us >= r.from_us and ev.occurred_us < r.to_us
                    group by ev.experiment, ev.user_id, r.to_us, r.goal, r.asked_control, r.alpha, r.z
                  ) u
                ) x
                join cotaste_events e
                  on e.user_id = x.user_id and e.occurred_us >= x.first_exposure_us and e.occurred_us < x.to_us
                where x.variant = x.last_variant
                group by x.experiment, x.variant, x.user_id, x.goal, x.asked_control, x.alpha, x.z, x.crossover_users
              ) per_user
              group by experiment, variant, goal, asked_control, alpha, z
            ) v
          ) t
        ) t
      ) t
    ) t
  ) t
) t
order by experiment, is_control desc, variant
