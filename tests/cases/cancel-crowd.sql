-- 2,000 users with 100 events each over 110 days, half of the users in an experiment; enough that one pass over what there is
-- takes longer than a cancelled statement may. `@at@` is the time of event n.i.
insert into contents (content_id, genres)
with recursive n (i) as (select 1 union all select i + 1 from n where i < 3000)
select i, case i % 4 when 0 then '["Drama","War"]' when 1 then '["Comedy"]' when 2 then '["Drama","Noir","Comedy"]' else '["Drama"]' end from n;

insert into user_behaviors (user_id, content_id, action, rating, context, occurred_at)
with recursive u (i) as (select 1 union all select i + 1 from u where i < 2000),
  n (i) as (select 1 union all select i + 1 from n where i < 100)
select
  'u' || cast(u.i as text), 1 + (u.i * 7 + n.i * n.i * 13) % 3000,
  case n.i % 5 when 0 then 'rate' when 1 then 'complete' when 2 then 'skip' else 'view' end,
  case n.i % 5 when 0 then cast(u.i % 11 as double precision) end,
  case u.i % 4 when 0 then '{"experimentName":"ranker","experimentVariant":"a","device":"tv","timeOfDay":"evening"}'
    when 1 then '{"experimentName":"ranker","experimentVariant":"b","device":"phone","timeOfDay":"night"}' end,
  @at@
from u, n;
