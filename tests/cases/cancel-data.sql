-- 600 users with 100 events each, in words both engines know; enough that what loops over all of them takes seconds.
insert into contents (content_id, genres)
with recursive n (i) as (select 1 union all select i + 1 from n where i < 900)
select i, case i % 3 when 0 then '["Drama","War"]' when 1 then '["Comedy"]' else '["Drama"]' end from n;

insert into user_behaviors (user_id, content_id, action, occurred_at)
with recursive u (i) as (select 1 union all select i + 1 from u where i < 600),
  n (i) as (select 1 union all select i + 1 from n where i < 100)
select 'u' || cast(u.i as text), 1 + (u.i * 7 + n.i * n.i * 13) % 900, 'view', '2026-03-01T00:00:00Z' from u, n;
