-- The catalogue and the first events of the writers that meet in one space.
insert into contents (content_id, title, genres)
select
  g,
  'title ' || g,
  (array['["drama"]', '["war","drama"]', '["comedy"]', '["comedy","noir"]', '["noir","war","drama"]'])[1 + g % 5]
from generate_series(0, 29) g;

insert into user_behaviors (user_id, content_id, action, progress, occurred_at)
select
  'user-' || g % 12,
  g * 7 % 30,
  (array['view', 'like', 'skip', 'complete'])[1 + g % 4],
  g % 8 / 10.0::double precision,
  now() - g * interval '7 hours'
from generate_series(1, 300) g;

analyze contents;
analyze user_behaviors;
