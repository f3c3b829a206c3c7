-- What the users of each variant did: of most users from their kept events, of the others from the log. Rows without a
-- variant count the crossover users.
kept as (
  select
    x.experiment,
    coalesce($goal, max(s.goal), (select p.conversion_action from cotaste_parameters p)) as goal,
    experiment_arms(
      u.events,
      x.experiment,
      (select coalesce(to_epoch_us($from_time), -62135596800000000)),
      (select coalesce(to_epoch_us($to_time), 253402300800000000)),
      coalesce($goal, s.goal, (select p.conversion_action from cotaste_parameters p)),
      cast(round(coalesce($window_hours, s.window_hours) * 3600000000.0) as bigint),
      (select k.now_us from cotaste_clock k)
    ) as arms
  from (select * from cotaste_experiments /* where key */) x
  left join cotaste_experiment_settings s on s.experiment = x.experiment
  -- Always true: before 17 Postgres runs a join in parallel only when there is something to hash.
  join cotaste_clean_events u on u.too_many = (x.experiment is null)
  group by x.experiment
),
arms as (
  select
    k.experiment,
    k.goal,
    a.value ->> 'variant' as variant,
    coalesce(cast(a.value ->> 'users' as bigint), 0) as users,
    coalesce(cast(a.value ->> 'views' as bigint), 0) as views,
    coalesce(cast(a.value ->> 'events' as bigint), 0) as events,
    coalesce(cast(a.value ->> 'converted_users' as bigint), 0) as converted_users,
    coalesce(cast(a.value ->> 'goals' as bigint), 0) as goals,
    cast(a.value ->> 'first_us' as bigint) as first_us,
    cast(a.value ->> 'last_us' as bigint) as last_us,
    coalesce(cast(a.value ->> 'crossover_users' as bigint), 0) as crossover_users
  from kept k
  cross join json_each(k.arms) a
  union all
  select
    experiment, goal, variant, count(*), sum(views), sum(events), sum(case when goals > 0 then 1 else 0 end), sum(goals),
    min(first_us), max(last_us), 0
  from users
  group by experiment, goal, variant
  union all
  select experiment, goal, null, 0, 0, 0, 0, 0, null, null, count(*)
  from units
  where variant <> last_variant
  group by experiment, goal
)
