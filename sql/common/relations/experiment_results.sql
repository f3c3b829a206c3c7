-- experiment_results: each variant's users, views and conversions since a user's first exposure within [from, to)
-- key: experiment text
-- argument: from_time timestamp
-- argument: to_time timestamp
-- argument: goal text
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
-- column: crossover_users bigint
-- column: goal text
select
  v.experiment,
  v.variant,
  users,
  views,
  conversions,
  cast(conversions as double precision) / nullif(users, 0) as conversion_rate,
  from_epoch_us(first_us) as first_event,
  from_epoch_us(last_us) as last_event,
  conversion_events,
  cast(events as double precision) / nullif(users, 0) as events_per_user,
  wilson_lower(cast(conversions as double precision), cast(users as double precision)) as rate_lower,
  wilson_upper(cast(conversions as double precision), cast(users as double precision)) as rate_upper,
  crossover_users,
  v.goal
from (
  select
    experiment,
    variant,
    goal,
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
      x.crossover_users,
      count(*) as events,
      sum(case when e.action = 'view' then 1 else 0 end) as views,
      sum(case when e.action = x.goal then 1 else 0 end) as goals,
      min(e.occurred_us) as first_us,
      max(e.occurred_us) as last_us
    from (
      select
        u.*,
        cast(sum(case when variant <> last_variant then 1 else 0 end) over (partition by experiment) as bigint) as crossover_users
      from (
        select
          ev.experiment,
          ev.user_id,
          min(ev.variant) as variant,
          max(ev.variant) as last_variant,
          min(ev.occurred_us) as first_exposure_us,
          r.to_us,
          r.goal
        from cotaste_events ev
        cross join (
          select
            coalesce(to_epoch_us($2), -62135596800000000) as from_us,
            coalesce(to_epoch_us($3), 253402300800000000) as to_us,
            coalesce($4, conversion_action) as goal
          from cotaste_parameters
        ) r
        where ev.experiment is not null and ev.variant is not null
          and ev.occurred_us >= r.from_us and ev.occurred_us < r.to_us
        group by ev.experiment, ev.user_id, r.to_us, r.goal
      ) u
    ) x
    join cotaste_events e
      on e.user_id = x.user_id and e.occurred_us >= x.first_exposure_us and e.occurred_us < x.to_us
    where x.variant = x.last_variant
    group by x.experiment, x.variant, x.user_id, x.goal, x.crossover_users
  ) per_user
  group by experiment, variant, goal
) v
