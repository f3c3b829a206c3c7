-- experiment_numeric: numeric metrics of users: means (events, contents, goals, or the count of any action) by Welch's test and with CUPED, and averages of rating and progress as ratios by the delta method
-- key: experiment text
-- argument: metric text
-- argument: from_time timestamp
-- argument: to_time timestamp
-- argument: goal text
-- argument: control text
-- argument: alpha double
-- argument: window_hours double
-- with: experiment_log
-- with: experiment_units
-- column: experiment text
-- column: metric text
-- column: variant text
-- column: users bigint
-- column: total double
-- column: value double
-- column: diff double
-- column: diff_lower double
-- column: diff_upper double
-- column: lift double
-- column: lift_lower double
-- column: lift_upper double
-- column: p_value double
-- column: method text
-- column: p_adjusted double
-- column: cuped_diff double
-- column: cuped_lower double
-- column: cuped_upper double
-- column: cuped_p double
-- column: variance_reduction double
-- column: crossover_users bigint
-- column: is_control boolean
-- column: status text
select
  experiment,
  metric,
  variant,
  users,
  case when divisor > 0 then total end as total,
  total / nullif(divisor, 0) as value,
  result_number(test, 'diff') as diff,
  result_number(test, 'diff_lower') as diff_lower,
  result_number(test, 'diff_upper') as diff_upper,
  result_number(test, 'lift') as lift,
  result_number(test, 'lift_lower') as lift_lower,
  result_number(test, 'lift_upper') as lift_upper,
  p_value,
  method,
  max(holm) over (
    partition by experiment, metric, is_control
    order by case when p_value is null then 1 else 0 end, p_value, variant rows unbounded preceding
  ) as p_adjusted,
  result_number(cuped, 'diff') as cuped_diff,
  result_number(cuped, 'diff_lower') as cuped_lower,
  result_number(cuped, 'diff_upper') as cuped_upper,
  result_number(cuped, 'p_value') as cuped_p,
  result_number(cuped, 'variance_reduction') as variance_reduction,
  crossover_users,
  is_control,
  case
    when metric_is_known = 0 then 'unknown_metric'
    when coalesce(divisor, 0) = 0 then 'no_data'
    when not is_control and control is null then 'no_control'
    when not is_control and p_value is null then 'too_few_users'
    else 'ok'
  end as status
from (
  -- Holm's step-down over the treatments of a metric.
  select
    t.*,
    case when p_value * left_over < 1 then p_value * left_over when p_value is not null then 1.0 end as holm
  from (
    select
      t.*,
      count(p_value) over (partition by experiment, metric) - row_number() over (
        partition by experiment, metric, is_control
        order by case when p_value is null then 1 else 0 end, p_value, variant
      ) + 1 as left_over
    from (
      select t.*, result_number(test, 'p_value') as p_value
      from (
        select
          t.*,
          case when not is_control then
            case when method = 'ratio' then ratio_test(control, moments, alpha) else welch_test(control, moments, alpha) end
          end as test,
          case when not is_control and method = 'mean' then cuped_test(cuped_control, cuped_moments, alpha) end as cuped
        from (
          select
            t.*,
            -- The control's moments in every row; rows of others are NULL, which adds nothing.
            moments_merge(case when is_control then moments end) over (partition by experiment, metric) as control,
            moments_merge(case when is_control then cuped_moments end) over (partition by experiment, metric) as cuped_control
          from (
            select t.*, variant = control_name as is_control
            from (
              select
                v.*,
                coalesce(
                  $control,
                  s.control,
                  max(case when v.variant = 'control' then v.variant end) over (partition by v.experiment),
                  min(v.variant) over (partition by v.experiment)
                ) as control_name
              from (
                /* partial */
                select
                  experiment,
                  variant,
                  metric,
                  case when metric in ('rating', 'progress') then 'ratio' else 'mean' end as method,
                  metric_is_known,
                  cast(count(*) as bigint) as users,
                  reproducible_sum(amount) as total,
                  case
                    when metric in ('rating', 'progress') then reproducible_sum(units)
                    else cast(count(*) as double precision)
                  end as divisor,
                  case when metric in ('rating', 'progress') then moments(amount, units) else moments(amount) end as moments,
                  moments(amount, amount_before) as cuped_moments,
                  max(crossover_users) as crossover_users,
                  coalesce($alpha, 0.05) as alpha
                from (
                  -- A row a user and metric: the amount, of how many units, and the amount before the first exposure.
                  select
                    experiment,
                    variant,
                    user_id,
                    metric,
                    metric_is_known,
                    crossover_users,
                    case when metric_is_known = 0 then null when metric = 'contents' then cast(contents as double precision)
                      else coalesce(amount, 0) end as amount,
                    cast(units as double precision) as units,
                    case when metric = 'contents' then cast(contents_before as double precision)
                      else coalesce(amount_before, 0) end as amount_before
                  from (
                    select
                      x.experiment,
                      x.variant,
                      x.user_id,
                      m.metric,
                      m.metric_is_known,
                      x.crossover_users,
                      reproducible_sum(case when e.occurred_us >= x.first_exposure_us then
                        case m.metric
                          when 'events' then 1.0
                          when 'rating' then e.rating
                          when 'progress' then e.progress
                          when 'goals' then
                            case when case when x.least_rating is null then e.action = x.goal else e.rating >= x.least_rating end
                              then 1.0 end
                          else case when e.action = m.metric then 1.0 end
                        end
                      end) as amount,
                      reproducible_sum(case when e.occurred_us < x.first_exposure_us then
                        case m.metric
                          when 'events' then 1.0
                          when 'goals' then
                            case when case when x.least_rating is null then e.action = x.goal else e.rating >= x.least_rating end
                              then 1.0 end
                          else case when e.action = m.metric then 1.0 end
                        end
                      end) as amount_before,
                      count(case when e.occurred_us >= x.first_exposure_us then
                        case m.metric when 'rating' then e.rating when 'progress' then e.progress end
                      end) as units,
                      count(distinct case when m.metric = 'contents' and e.occurred_us >= x.first_exposure_us then e.content_id end)
                        as contents,
                      count(distinct case when m.metric = 'contents' and e.occurred_us < x.first_exposure_us then e.content_id end)
                        as contents_before
                    from units x
                    cross join (
                      select
                        w.metric,
                        case when w.metric in ('events', 'contents', 'goals', 'rating', 'progress') or w.metric in (
                          select substr(k.key, 15) from cotaste_settings k where substr(k.key, 1, 14) = 'action_weight.'
                        ) then 1 else 0 end as metric_is_known
                      from (
                        select 'events' as metric where $metric is null
                        union all select 'view' where $metric is null
                        union all select 'contents' where $metric is null
                        union all select 'goals' where $metric is null
                        union all select 'rating' where $metric is null
                        union all select 'progress' where $metric is null
                        union all select cast($metric as text) where $metric is not null
                      ) w
                    ) m
                    join cotaste_events e on e.user_id = x.user_id and e.occurred_us < x.end_us
                    where x.variant = x.last_variant
                    group by x.experiment, x.variant, x.user_id, m.metric, m.metric_is_known, x.crossover_users
                  ) sums
                ) per_user
                group by experiment, variant, metric, metric_is_known
                /* end partial */
              ) v
              left join cotaste_experiment_settings s on s.experiment = v.experiment
            ) t
          ) t
        ) t
      ) t
    ) t
  ) t
) t
order by experiment, metric, is_control desc, variant
