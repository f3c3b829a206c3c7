-- neighbours_progress: how far cotaste_refresh_neighbours() is: users with a taste, those whose neighbours are fresh, and those to come
-- column: users bigint
-- column: fresh bigint
-- column: outdated bigint
-- column: oldest timestamp
-- column: newest timestamp
-- column: computing bigint
select
  users, fresh, users - fresh as outdated, from_epoch_us(oldest_us) as oldest, from_epoch_us(newest_us) as newest, computing
from (
  select
    cast(count(*) as bigint) as users,
    cast(sum(
      case when r.k >= p.neighbours_k and r.computed_us >= u.changed_us
        and r.computed_us > k.now_us - p.cache_ttl_hours * 3600000000.0 then 1 else 0 end
    ) as bigint) as fresh,
    min(r.computed_us) as oldest_us,
    max(r.computed_us) as newest_us,
    (select c.computing from cotaste_computing c) as computing
  from cotaste_users u
  left join cotaste_neighbour_runs r on r.user_id = u.user_id
  cross join cotaste_parameters p
  cross join cotaste_clock k
) counted
