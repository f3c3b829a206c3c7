-- The same of everybody: of most users from their kept events. Materialized, so that each is looked at once.
kept_users as materialized (
  select
    x.experiment,
    u.user_id,
    coalesce($goal, s.goal, (select p.conversion_action from cotaste_parameters p)) as goal,
    experiment_user(
      u.events,
      x.experiment,
      (select coalesce(to_epoch_us($from_time), -62135596800000000)),
      (select coalesce(to_epoch_us($to_time), 253402300800000000)),
      coalesce($goal, s.goal, (select p.conversion_action from cotaste_parameters p)),
      -- Below 0 stands for no window; a window below 0 holds nothing, as one of 0 does.
      case
        when coalesce($window_hours, s.window_hours) is null then -1
        when coalesce($window_hours, s.window_hours) < 0 then 0
        else cast(round(coalesce($window_hours, s.window_hours) * 3600000000.0) as bigint)
      end,
      (select k.now_us from cotaste_clock k)
    ) as found
  from (select * from cotaste_experiments /* where key */) x
  left join cotaste_experiment_settings s on s.experiment = x.experiment
  cross join cotaste_clean_events u
),
everyone as (
  select
    experiment,
    found ->> 'variant' as variant,
    user_id,
    goal,
    cast(found ->> 'first_us' as bigint) as first_exposure_us,
    cast(found ->> 'goals' as bigint) as goals,
    cast(found ->> 'first_goal_us' as bigint) as first_goal_us
  from kept_users
  where found is not null
  union all
  select experiment, variant, user_id, goal, first_exposure_us, goals, first_goal_us
  from users
)
