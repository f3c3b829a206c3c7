with exposed as (
  select user_id, min(variant) as variant, max(variant) as last_variant, min(occurred_at) as first_exposure
  from user_behaviors
  where experiment = :experiment and variant is not null and occurred_at >= :from and occurred_at < :to
  group by user_id
),
users as (
  select
    x.variant, x.user_id,
    sum(case when b.action = 'view' then 1 else 0 end) as views,
    sum(case when b.action = 'complete' then 1 else 0 end) as goals
  from exposed x
  join user_behaviors b on b.user_id = x.user_id and b.occurred_at >= x.first_exposure and b.occurred_at < :to
  where x.variant = x.last_variant
  group by x.variant, x.user_id
)
select
  variant, count(*), cast(sum(views) as bigint), cast(sum(case when goals > 0 then 1 else 0 end) as bigint),
  cast(sum(goals) as bigint)
from users
group by variant
order by variant
