-- The formula of user_similarity for all pairs in one statement of plain SQL over the log: the contender.
with event as (
  select
    user_id,
    content_id,
    action,
    case action
      when 'view' then 1 when 'complete' then 2 when 'like' then 3 when 'skip' then -1
      when 'rate' then coalesce((rating - 5) / 2.5, 0) else 0
    end * power(2, extract(epoch from occurred_at - timestamptz '2026-01-01')::double precision / 2592000) as weight
  from user_behaviors
),
item as (select distinct user_id, content_id from event where action <> 'skip'),
size as (select user_id, count(*) as n from item group by user_id),
genre as (
  select e.user_id, lower(trim(g.name)) as name, greatest(sum(e.weight / json_array_length(c.genres::json)), 0) as weight
  from event e
  join contents c using (content_id)
  cross join lateral json_array_elements_text(c.genres::json) g(name)
  group by 1, 2
),
norm as (select user_id, sqrt(sum(weight * weight)) as length from genre group by user_id),
shared as (
  select p.a, p.b, count(*) as n
  from pairs p join item x on x.user_id = p.a join item y on y.user_id = p.b and y.content_id = x.content_id
  group by p.a, p.b
),
dot as (
  select p.a, p.b, sum(x.weight * y.weight) as product
  from pairs p join genre x on x.user_id = p.a join genre y on y.user_id = p.b and y.name = x.name
  group by p.a, p.b
)
select sum(
  0.7 * coalesce(shared.n, 0)::double precision / nullif(sa.n + sb.n - coalesce(shared.n, 0), 0)
  + 0.3 * coalesce(dot.product / nullif(na.length * nb.length, 0), 0)
)
from pairs p
left join size sa on sa.user_id = p.a
left join size sb on sb.user_id = p.b
left join shared on shared.a = p.a and shared.b = p.b
left join dot on dot.a = p.a and dot.b = p.b
left join norm na on na.user_id = p.a
left join norm nb on nb.user_id = p.b
