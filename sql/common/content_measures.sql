-- The measures of the content $1 as of the time $2, now or later: those of the state with what its pending pairs are now
-- instead of what they were when they were folded, or from the log when the state is stale.
select
  case
    when content_count(x.measures, 'first_us') + content_count(x.measures, 'last_us') is null and x.measures is not null
    -- The pair that had the first or the last event is gone.
    then set_content_extent(
      x.measures,
      (select min(e.occurred_us) from cotaste_events e where e.content_id = $1 and e.occurred_us <= $2),
      (select max(e.occurred_us) from cotaste_events e where e.content_id = $1 and e.occurred_us <= $2)
    )
    else x.measures
  end as measures
from (
  select
    case when p.stale
      then (
        select follow_content(cast(null as bytea), content_changes(cast(null as bytea), l.facts))
        from (
          select pair_facts(e.action, e.rating, e.weight, e.occurred_us, e.id, s.trending_half_life_hours, s.trending_user_cap)
            as facts
          from cotaste_events e
          cross join cotaste_parameters s
          where e.content_id = $1 and e.occurred_us <= $2
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
                  e.action, e.rating, e.weight, e.occurred_us, e.id, s.trending_half_life_hours, s.trending_user_cap
                )
                from cotaste_events e
                cross join cotaste_parameters s
                where e.user_id = q.user_id and e.content_id = $1 and e.occurred_us <= $2
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
