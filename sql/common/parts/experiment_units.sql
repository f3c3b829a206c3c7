-- Users exposed to an experiment within [from_time, to_time): an event of theirs names it and a variant. Those of more than
-- one variant are kept here, counted as crossover_users and recognised by variant <> last_variant. What counts of a user
-- ends at end_us; with a conversion window, only users are here for whom it has passed.
exposed as (
  select
    ev.experiment,
    ev.user_id,
    min(ev.variant) as variant,
    max(ev.variant) as last_variant,
    min(ev.occurred_us) as first_exposure_us
  from (select * from log /* where key */) ev
  where ev.experiment is not null and ev.variant is not null
    and ev.occurred_us >= coalesce(to_epoch_us($from_time), -62135596800000000)
    and ev.occurred_us < coalesce(to_epoch_us($to_time), 253402300800000000)
  group by ev.experiment, ev.user_id
),
asked as (
  select
    x.*,
    coalesce($goal, s.goal, p.conversion_action) as goal,
    cast(round(coalesce($window_hours, s.window_hours) * 3600000000.0) as bigint) as window_us,
    coalesce(to_epoch_us($to_time), 253402300800000000) as to_us,
    k.now_us
  from exposed x
  cross join cotaste_parameters p
  cross join cotaste_clock k
  left join cotaste_experiment_settings s on s.experiment = x.experiment
),
units as (
  select
    experiment,
    user_id,
    variant,
    last_variant,
    first_exposure_us,
    coalesce(first_exposure_us + window_us, to_us) as end_us,
    goal,
    rating_goal(goal) as least_rating,
    cast(sum(case when variant <> last_variant then 1 else 0 end) over (partition by experiment) as bigint) as crossover_users
  from asked
  where window_us is null or first_exposure_us + window_us <= case when to_us < now_us then to_us else now_us end
)
