-- purge_preview: what purge_behaviors(days) would remove and what would stay; days are retention_days when NULL
-- function only
-- argument: days bigint
-- column: part text
-- column: events bigint
-- column: users bigint
-- column: contents bigint
-- column: oldest timestamp
-- column: newest timestamp
select
  p.part,
  coalesce(g.events, 0) as events,
  coalesce(g.users, 0) as users,
  coalesce(g.contents, 0) as contents,
  from_epoch_us(g.oldest_us) as oldest,
  from_epoch_us(g.newest_us) as newest
from (select 1 as place, 'purged' as part union all select 2, 'kept') p
left join (
  select
    e.place, count(*) as events, count(distinct e.user_id) as users, count(distinct e.content_id) as contents,
    min(e.occurred_us) as oldest_us, max(e.occurred_us) as newest_us
  from (
    select
      b.user_id, b.content_id, to_epoch_us(b.occurred_at) as occurred_us,
      case when to_epoch_us(b.occurred_at) < a.cut_us then 1 else 2 end as place
    from user_behaviors b
    cross join (
      select
        k.now_us - 86400000000 * coalesce(
          $days, (select cast(s.value as bigint) from cotaste_settings s where s.key = 'retention_days' and s.value <> '')
        ) as cut_us
      from cotaste_clock k
    ) a
  ) e
  group by e.place
) g on g.place = p.place
order by p.place
