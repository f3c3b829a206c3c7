-- The measures of the content $1 as of the time $2, now or later: those of the state with what its pending pairs are now
-- instead of what they were when they were folded, or from the log when the state is stale.
select
  case
    when content_count(x.measures, 'first_us') + content_count(x.measures, 'last_us') is null and x.measures is not null
    -- The pair that had the first or the last event is gone.
    then set_content_extent(
      x.measures,
      (
        select min(t.first_us)
        from (
          select min(e.occurred_us) as first_us from cotaste_events e where e.content_id = $1 and e.occurred_us <= $2
          union all
          select min(b.first_us) from cotaste_base b where b.content_id = $1
        ) t
      ),
      (
        select max(t.last_us)
        from (
          select max(e.occurred_us) as last_us from cotaste_events e where e.content_id = $1 and e.occurred_us <= $2
          union all
          select max(b.last_us) from cotaste_base b where b.content_id = $1
        ) t
      )
    )
    else x.measures
  end as measures
from (
  select
    case when p.stale
      then (
        select follow_content(cast(null as bytea), content_changes(cast(null as bytea), l.facts))
        from (
          select
            pair_facts(
              e.action, e.rating, e.weight, e.occurred_us, e.id, s.trending_half_life_hours, s.trending_user_cap, e.base
            ) as facts
          from (
            select e.user_id, e.action, e.rating, e.weight, e.occurred_us, e.id, cast(null as bytea) as base
            from cotaste_events e
            where e.content_id = $1 and e.occurred_us <= $2
            union all
            select b.user_id, null, null, null, null, null, b.base from cotaste_base b where b.content_id = $1
          ) e
          cross join cotaste_parameters s
          group by e.user_id
        ) l
      )
      else (
        select follow_content(
          (select s.measures from cotaste_contents s where s.content_id = $1),
          (
            select content_changes(
              (select s.facts from cotaste_user_contents s where s.user_id = q.user_id and s.content_id = $1),
              (
                select pair_facts(
                  e.action, e.rating, e.weight, e.occurred_us, e.id, s.trending_half_life_hours, s.trending_user_cap, e.base
                )
                from (
                  select e.action, e.rating, e.weight, e.occurred_us, e.id, cast(null as bytea) as base
                  from cotaste_events e
                  where e.user_id = q.user_id and e.content_id = $1 and e.occurred_us <= $2
                  union all
                  select null, null, null, null, null, b.base
                  from cotaste_base b
                  where b.user_id = q.user_id and b.content_id = $1
                ) e
                cross join cotaste_parameters s
              )
            )
            from (
              select distinct q.user_id from cotaste_queue q
              where coalesce(q.content_id, q.lost_id) = $1 and q.due_us <= $2
            ) q
          )
        )
      )
    end as measures
  from cotaste_parameters p
) x
