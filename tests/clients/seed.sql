insert into contents (content_id, title, genres) values
  (550, 'Fight Club', '["Drama","Thriller"]'),
  (680, 'Pulp Fiction', '["Thriller","Crime"]'),
  (13, 'Forrest Gump', '["Drama","Romance"]');
insert into user_behaviors (user_id, content_id, action, rating, context, occurred_at) values
  ('ann', 550, 'view', null, '{"timeOfDay":"evening","device":"tv","experimentName":"ranker","experimentVariant":"control"}', '2026-03-01T20:00:00Z'),
  ('ann', 550, 'rate', 9.5, '{"timeOfDay":"evening"', '2026-03-01T22:00:00Z'),
  ('ann', 13, 'complete', null, null, '2026-03-02T20:00:00Z'),
  ('bob', 550, 'like', null, '{"device":"phone","experimentName":"ranker","experimentVariant":"blend"}', '2026-03-02T21:00:00Z'),
  ('bob', 680, 'view', null, null, '2026-03-03T21:00:00Z'),
  ('1', 550, 'view', null, null, '2026-03-03T21:00:00Z'),
  ('2', 550, 'view', null, null, '2026-03-03T21:00:00Z'),
  ('2', 680, 'view', null, null, '2026-03-03T21:00:00Z'),
  ('6f1f4a44-3c61-4ee5-a5a4-2d4d13b2a6f1', 550, 'view', null, null, '2026-03-03T21:00:00Z'),
  ('0b7a7e52-9f0f-4b6c-8d4e-5a4c3b2a1908', 13, 'view', null, null, '2026-03-03T21:00:00Z');
