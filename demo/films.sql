-- The small demo space, the same text in both engines: twelve films, ten people who watched them by hand, and 305 viewers
-- of the experiment "ranker" in March 2026. The pages in docs/ ask it, and their tests.
--
--   sqlite3 films.db -cmd ".load ./cotaste0" -cmd "select cotaste_init()" < demo/films.sql
--   psql films -c "create extension cotaste" -c "select cotaste_init()" -f demo/films.sql

insert into contents (content_id, title, genres) values
  (1, 'Alien', '["Horror","Sci-Fi"]'), (2, 'Aliens', '["Action","Sci-Fi"]'), (3, 'The Thing', '["Horror","Sci-Fi"]'),
  (4, 'Blade Runner', '["Sci-Fi","Thriller"]'), (5, 'Casablanca', '["Drama","Romance"]'),
  (6, 'Roman Holiday', '["Comedy","Romance"]'), (7, 'Some Like It Hot', '["Comedy","Romance"]'),
  (8, 'Singin'' in the Rain', '["Musical","Romance"]'), (9, 'The Godfather', '["Crime","Drama"]'),
  (10, 'Goodfellas', '["Crime","Drama"]'), (11, 'Heat', '["Crime","Thriller"]'), (12, 'Solaris', '["Sci-Fi","Drama"]');

-- A vector of three numbers a film, as a model of plots might give.
insert into content_embeddings (content_id, model, dim, embedding) values
  (1, 'plots', 3, to_embedding('[0.9,0.1,0.3]')), (2, 'plots', 3, to_embedding('[0.8,0.1,0.4]')),
  (3, 'plots', 3, to_embedding('[0.95,0.0,0.2]')), (4, 'plots', 3, to_embedding('[0.7,0.2,0.5]')),
  (5, 'plots', 3, to_embedding('[0.0,0.9,0.3]')), (6, 'plots', 3, to_embedding('[0.0,1.0,0.0]')),
  (9, 'plots', 3, to_embedding('[0.1,0.2,0.9]')), (10, 'plots', 3, to_embedding('[0.1,0.1,0.95]'));

insert into user_behaviors (user_id, content_id, action, rating, context, occurred_at, event_id) values
  ('ann', 1, 'like', null, '{"timeOfDay":"evening","device":"tv","location":"home"}', '2026-03-01T20:00:00Z', 'e1'),
  ('ann', 1, 'rate', 9, '{"timeOfDay":"evening","device":"tv","location":"home"}', '2026-03-01T22:00:00Z', 'e2'),
  ('ann', 3, 'like', null, '{"device":"tablet","location":"commute"}', '2026-03-02T07:30:00Z', 'e3'),
  ('ann', 9, 'skip', null, '{"device":', '2026-03-03T20:00:00Z', 'e4'),
  ('bob', 5, 'complete', null, null, '2026-03-01T20:00:00Z', null), ('bob', 6, 'like', null, null, '2026-03-02T20:00:00Z', null),
  ('cyd', 9, 'complete', null, null, '2026-03-01T20:00:00Z', null), ('cyd', 11, 'like', null, null, '2026-03-02T20:00:00Z', null),
  ('dee', 1, 'complete', null, null, '2026-03-01T20:00:00Z', null), ('dee', 1, 'rate', 8.5, null, '2026-03-01T22:00:00Z', null),
  ('dee', 2, 'complete', null, null, '2026-03-04T20:00:00Z', null), ('dee', 3, 'like', null, null, '2026-03-05T20:00:00Z', null),
  ('dee', 4, 'like', null, null, '2026-03-06T20:00:00Z', null),
  ('eli', 1, 'complete', null, null, '2026-03-01T20:00:00Z', null), ('eli', 2, 'like', null, null, '2026-03-02T20:00:00Z', null),
  ('eli', 3, 'like', null, null, '2026-03-03T20:00:00Z', null),
  ('fay', 5, 'like', null, null, '2026-03-01T20:00:00Z', null), ('fay', 6, 'like', null, null, '2026-03-02T20:00:00Z', null),
  ('fay', 7, 'complete', null, null, '2026-03-03T20:00:00Z', null), ('fay', 8, 'like', null, null, '2026-03-04T20:00:00Z', null),
  ('gus', 6, 'like', null, null, '2026-03-01T20:00:00Z', null), ('gus', 7, 'like', null, null, '2026-03-02T20:00:00Z', null),
  ('hal', 9, 'complete', null, null, '2026-03-01T20:00:00Z', null), ('hal', 10, 'like', null, null, '2026-03-02T20:00:00Z', null),
  ('hal', 11, 'like', null, null, '2026-03-03T20:00:00Z', null),
  ('ivy', 9, 'like', null, null, '2026-03-01T20:00:00Z', null), ('ivy', 10, 'complete', null, null, '2026-03-02T20:00:00Z', null),
  ('jon', 1, 'complete', null, null, '2026-03-01T20:00:00Z', null), ('jon', 4, 'like', null, null, '2026-03-02T20:00:00Z', null),
  ('jon', 2, 'dislike', null, null, '2026-03-03T20:00:00Z', null);

-- The viewers v101 to v405 watch two or three films of four that go together. The odd ones are in the variant enhanced_ml
-- (153, of whom 58 convert), the even ones in control (152, 45 convert). Some had watched a film before the experiment.
insert into user_behaviors (user_id, content_id, action, rating, progress, context, occurred_at)
with recursive viewer(i) as (select 101 union all select i + 1 from viewer where i < 405),
film(kind, place, content_id) as (
  values (0, 0, 1), (0, 1, 2), (0, 2, 3), (0, 3, 4), (1, 0, 5), (1, 1, 6), (1, 2, 7), (1, 3, 8), (2, 0, 9), (2, 1, 10), (2, 2, 11), (2, 3, 4)
),
viewing as (
  select
    i,
    content_id,
    place,
    (i * 37 + content_id * 11) % 10 as chance,
    '{"device":"' || case (i * 7 + i / 9) % 10 when 0 then 'tablet' when 1 then 'desktop' when 2 then 'desktop' when 3 then 'mobile'
      when 4 then 'mobile' when 5 then 'mobile' when 6 then 'mobile' else 'tv' end
      || '","location":"' || case i % 5 when 0 then 'commute' else 'home' end || '"' as context,
    -- The start of a day of March, that viewer's hour, and a day for each film before this one.
    1772323200000000 + 3600000000 * cast((i * 13 % 25 + place) * 24 + 7 + i * 5 % 16 as bigint) as at_us
  from viewer
  join film on kind = i % 3 and (place + i / 3) % 4 < 2 + i / 7 % 2
),
exposed as (
  select
    v.*,
    context || ',"experimentName":"ranker","experimentVariant":"' || case i % 2 when 1 then 'enhanced_ml' else 'control' end || '"}' as exposure
  from viewing v
),
event(i, content_id, action, rating, progress, context, at_us) as (
  select i, content_id, 'view', cast(null as double precision), cast(1 + chance as double precision) / 10, exposure, at_us from exposed
  union all
  select i, content_id, 'complete', null, 1.0, exposure, at_us + 5400000000 from exposed where chance + i % 2 > 4
  union all
  select i, content_id, 'rate', cast(7 + (i * 17 + content_id * 5) % 14 as double precision) / 2, null, exposure, at_us + 6000000000 from exposed where chance > 5
  union all
  select i, content_id, 'skip', null, null, exposure, at_us + 600000000 from exposed where chance = 0
  union all
  select i, min(content_id), 'convert', null, null, min(exposure), max(at_us) + 7200000000
  from exposed
  where case i % 2 when 1 then (i / 2 - 50) * 58 % 153 < 58 else (i / 2 - 51) * 45 % 152 < 45 end
  group by i
  union all
  select i, content_id, 'view', null, null, '{"device":"tv"}', at_us - 1814400000000 from viewing where (i + place) % 4 = 0
)
select 'v' || i, content_id, action, rating, progress, context, from_epoch_us(at_us)
from event
-- The order they are numbered in.
order by at_us, i, content_id, action;

select cotaste_refresh();
