-- A space of 40 users, 30 contents and 1,200 events of March 2026, the same in both engines: what tests/queries/reads.sql asks.
insert into contents (content_id, title, genres)
with recursive n(i) as (select 1 union all select i + 1 from n where i < 30)
select
  i, 'title ' || i,
  case i % 6
    when 0 then '["Drama","War"]' when 1 then '["Comedy"]' when 2 then '["Drama"]' when 3 then '["Comedy","Noir"]'
    when 4 then '["War","Noir","Кино"]' else 'not json'
  end
from n;

insert into user_behaviors (user_id, content_id, action, rating, progress, context, occurred_at, event_id)
with recursive n(i) as (select 0 union all select i + 1 from n where i < 1199)
select
  'u' || (i * 7919 % 40),
  1 + (i / 40 * (1 + i % 5) + i % 40) % 30,
  case i % 9 when 0 then 'complete' when 3 then 'rate' when 5 then 'like' when 6 then 'skip' when 8 then 'dislike' else 'view' end,
  case when i % 9 = 3 then (i * 37 % 101) / 10.0 end,
  case when i % 9 = 0 then 1.0 when i % 2 = 0 then (i % 10) / 10.0 end,
  case
    when i % 11 = 0 then '{broken'
    when i % 13 = 0 then null
    when i % 4 < 2 then '{"timeOfDay":"' || case i % 4 when 0 then 'morning' else 'evening' end || '","device":"'
      || case i % 3 when 0 then 'tv' when 1 then 'phone' else 'tablet' end
      || '","location":"home","experimentName":"ranker","experimentVariant":"'
      || case i * 7919 % 40 % 2 when 0 then 'control' else 'enhanced' end || '"}'
    else '{"device":"tv","dayOfWeek":"friday"}'
  end,
  from_epoch_us(1772323200000000 + cast(i as bigint) * 1800000000),
  case when i % 5 = 0 then 'event-' || i end
from n;
