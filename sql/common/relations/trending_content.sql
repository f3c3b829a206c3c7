-- trending_content: the contents with the highest exponentially decayed score at a time; ties by content id
-- argument: k bigint
-- argument: half_life_hours double
-- argument: as_of timestamp
-- column: content_id bigint
-- column: title text
-- column: genres text
-- column: score double
-- column: events bigint
-- column: rank bigint
-- column: half_life_hours double
-- column: as_of timestamp
select
  r.content_id,
  c.title,
  c.genres,
  r.score,
  r.events,
  r.rank,
  r.half_life_hours,
  from_epoch_us(r.as_of_us) as as_of
from (
  select s.*, row_number() over (order by score desc, content_id) as rank
  from (
    select
      e.content_id,
      reproducible_sum(decay(e.weight, p.as_of_us - e.occurred_us, p.half_life_hours)) as score,
      count(*) as events,
      p.half_life_hours,
      p.as_of_us,
      p.k
    from cotaste_events e
    cross join (
      select
        coalesce($1, trending_k) as k,
        coalesce($2, trending_half_life_hours) as half_life_hours,
        coalesce(to_epoch_us($3), now_us) as as_of_us
      from cotaste_parameters
      cross join cotaste_clock
    ) p
    where e.occurred_us <= p.as_of_us
    group by e.content_id, p.half_life_hours, p.as_of_us, p.k
  ) s
) r
left join contents c on c.content_id = r.content_id
where r.rank <= r.k
order by rank
