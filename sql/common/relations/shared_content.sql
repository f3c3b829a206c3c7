-- shared_content: the contents two users share, with the last rating each gave: why their Jaccard index is what it is
-- function only
-- argument: a text
-- argument: b text
-- column: content_id bigint
-- column: title text
-- column: genres text
-- column: rating_a double
-- column: rating_b double
-- kept plan
with pairs as (
  -- As in cotaste_log_pairs, where SQLite does not look for one user.
  select
    e.user_id, e.content_id,
    pair_facts(e.action, e.rating, 0.0, e.occurred_us, e.id, p.trending_half_life_hours, 0, e.base) as facts
  from (
    select
      e.user_id, e.content_id, e.action, e.rating, e.occurred_us, e.id, cast(null as bytea) as base,
      case when e.action <> 'skip' then 1 else 0 end as touches
    from cotaste_events e
    where e.user_id in ($1, $2) and e.occurred_us <= (select k.now_us from cotaste_clock k)
    union all
    select b.user_id, b.content_id, null, null, null, null, b.base, b.touches from cotaste_base b where b.user_id in ($1, $2)
  ) e
  cross join cotaste_parameters p
  group by e.user_id, e.content_id
  having sum(e.touches) > 0
),
-- What one pair comes to for the content's measures: the sum of one last rating is that rating.
rated as (
  select
    l.user_id, l.content_id, follow_content(cast(null as bytea), content_changes(cast(null as bytea), l.facts)) as measures
  from pairs l
  group by l.user_id, l.content_id
)
select
  x.content_id,
  c.title,
  c.genres,
  case when content_count(x.measures, 'ratings') > 0 then content_number(x.measures, 'last_rating_sum') end as rating_a,
  case when content_count(y.measures, 'ratings') > 0 then content_number(y.measures, 'last_rating_sum') end as rating_b
from rated x
join rated y on y.content_id = x.content_id
left join contents c on c.content_id = x.content_id
where x.user_id = $1 and y.user_id = $2
order by x.content_id
