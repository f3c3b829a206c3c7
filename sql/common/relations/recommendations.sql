-- recommendations: each user's recommendations as cotaste_refresh_recommendations() stored them, less what was seen since
-- key: user_id text
-- column: user_id text
-- column: content_id bigint
-- column: title text
-- column: score double
-- column: rank bigint
-- column: method text
-- column: reason text
-- column: computed_at timestamp
select r.user_id, r.content_id, c.title, r.score, r.rank, r.method, r.reason, r.computed_at
from cotaste_recommendations r
join contents c on c.content_id = r.content_id
where not exists (
  select 1 from user_behaviors b
  where b.user_id = r.user_id and b.content_id = r.content_id
    and to_epoch_us(b.occurred_at) <= (select k.now_us from cotaste_clock k)
)
  and not exists (select 1 from cotaste_base b where b.user_id = r.user_id and b.content_id = r.content_id)
order by user_id, rank
