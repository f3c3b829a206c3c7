-- shared_content: the contents two users share, with the last rating each gave: why their Jaccard index is what it is
-- function only
-- argument: a text
-- argument: b text
-- column: content_id bigint
-- column: title text
-- column: genres text
-- column: rating_a double
-- column: rating_b double
select
  x.content_id,
  c.title,
  c.genres,
  (
    select latest_value(e.rating, e.occurred_us, e.id) from cotaste_events e
    where e.user_id = $1 and e.content_id = x.content_id and e.action = 'rate' and e.occurred_us <= k.now_us
  ) as rating_a,
  (
    select latest_value(e.rating, e.occurred_us, e.id) from cotaste_events e
    where e.user_id = $2 and e.content_id = x.content_id and e.action = 'rate' and e.occurred_us <= k.now_us
  ) as rating_b
from (select l.content_id from cotaste_log_pairs l where l.user_id = $1 and l.touches > 0) x
join (select l.content_id from cotaste_log_pairs l where l.user_id = $2 and l.touches > 0) y on y.content_id = x.content_id
left join contents c on c.content_id = x.content_id
cross join cotaste_clock k
order by x.content_id
