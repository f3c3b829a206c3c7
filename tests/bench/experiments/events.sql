select variant, count(distinct user_id), sum(case when action = 'view' then 1 else 0 end),
  count(distinct case when action = 'complete' then user_id end)
from user_behaviors
where experiment = :experiment and variant is not null and occurred_at >= :from and occurred_at < :to
group by variant
order by variant
