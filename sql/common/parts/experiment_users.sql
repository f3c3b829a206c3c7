-- What each user of one variant did from the first exposure on, whatever the context of these events.
users as (
  select
    x.experiment,
    x.variant,
    x.user_id,
    x.goal,
    x.crossover_users,
    x.first_exposure_us,
    count(*) as events,
    sum(case when e.action = 'view' then 1 else 0 end) as views,
    sum(case when case when x.least_rating is null then e.action = x.goal else e.rating >= x.least_rating end then 1 else 0 end)
      as goals,
    min(case when case when x.least_rating is null then e.action = x.goal else e.rating >= x.least_rating end then e.occurred_us end)
      as first_goal_us,
    min(e.occurred_us) as first_us,
    max(e.occurred_us) as last_us
  from units x
  join cotaste_events e
    on e.user_id = x.user_id and e.occurred_us >= x.first_exposure_us and e.occurred_us < x.end_us
  where x.variant = x.last_variant
  group by x.experiment, x.variant, x.user_id, x.goal, x.crossover_users, x.first_exposure_us
)
