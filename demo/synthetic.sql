-- A seeded catalogue in the shape of MovieLens' files, every title and user invented: 400 titles in 12 genres, and 1,800 users
-- who give 47,000 ratings in the twelve weeks from Monday, 1 September 2025. Three titles are released each Friday;
-- people come and go, watch more at weekends and in the evening, and mostly what is of their two genres.
-- The draws are a linear congruential sequence, so every run makes the same rows.
create table staged_movies (movieId text, title text, genres text);
create table staged_links (movieId text, imdbId text, tmdbId text);
create table staged_ratings (userId text, movieId text, rating text, timestamp text);

create table staged_words as
select l.key as list, w.key as at, w.value as word
from json_each('[
  ["Drama","Comedy","Thriller","Action","Sci-Fi","Romance","Crime","Adventure","Fantasy","Animation","Mystery","Documentary"],
  ["The Beekeeper of","The Cartographer of","The Clockmaker of","The Ferryman of","The Lamplighter of","The Archivist of",
    "The Falconer of","The Signalman of","The Glazier of","The Locksmith of","The Botanist of"],
  ["Borrowed Light","Ember Street","the Long Tide","Winter Glass","Small Hours","Seven Wells","Salt Hollow","the Ninth Bell",
    "Paper Harbour","Quiet Rooms","Marrow Bay","the Second Moon","Larkspur Hill"],
  ["Amber","Crooked","Hollow","Copper","Restless","Velvet","Distant","Northbound","Painted","Stubborn","Weightless"],
  ["Meridian","Orchard","Static","Compass","Ledger","Sparrow","Monsoon","Aqueduct","Lantern","Parallel","Carousel","Semaphore",
    "Tundra"],
  ["Leaving","Counting","Chasing","Mending","Borrowing","Outrunning","Remembering","Painting","Crossing","Forgetting","Stealing"],
  ["Halden Pass","the Weather","Port Calloway","Yesterday''s Snow","the Night Ferry","Marigold","a Thousand Doors","the Quarry",
    "Saint Orla","the Last Tram","Dover Lane","the Paper Fleet","Wolfram County"],
  ["Salt and","Thunder and","Ivory and","Moss and","Gravel and","Honey and","Cinder and","Feathers and","Rust and","Smoke and",
    "Linen and"],
  ["Violins","Arithmetic","Sundays","Porcelain","Harbours","Silence","Matches","Satellites","Peppermint","Shadows","Postcards",
    "Turbines","Wolves"]
]') l, json_each(l.value) w;

-- Numbers in [0, 1).
create table staged_draws (n integer primary key, u real);
insert into staged_draws
with recursive draw(n, x) as (
  select 1, 20260101
  union all
  select n + 1, (x * 1103515245 + 12345) % 2147483648 from draw where n < 1619099
)
select n, (x / 65536) / 32768.0 from draw;

-- A title's id is its rank: the lower, the more it is watched. Of the first 200 every fifth is new in these weeks.
create table staged_titles (
  id integer primary key, title text, genre integer, second_genre integer, quality real, release_day integer, year integer
);
insert into staged_titles
with recursive
ids(id) as (
  select 1
  union all
  select id + 1 from ids where id < 400
),
drawn as (
  select
    id, 2 * (id % 4) + 1 as words, (id / 4) % 11 as first_word, (id / 4) % 13 as second_word,
    cast(12 * a.u * (a.u + 1) / 2 as integer) as genre, b.u as other, c.u as quality, d.u as age
  from ids
  join staged_draws a on a.n = 4 * id
  join staged_draws b on b.n = 4 * id + 1
  join staged_draws c on c.n = 4 * id + 2
  join staged_draws d on d.n = 4 * id + 3
)
select
  id,
  (select word from staged_words where list = words and at = first_word) || ' '
    || (select word from staged_words where list = words + 1 and at = second_word),
  genre,
  case when other < 0.7 then (genre + 1 + cast(11 * other / 0.7 as integer)) % 12 end,
  quality,
  case when id < 200 and id % 5 = 2 then 7 * ((id / 5) % 12) + 4 end,
  case when id < 200 and id % 5 = 2 then 2025 else 2024 - cast(50 * age * age as integer) end
from drawn;

-- Each user's two genres, first day and number of days.
create table staged_users (id integer primary key, genre integer, second_genre integer, first_day integer, days integer);
insert into staged_users
with recursive ids(id) as (
  select 1
  union all
  select id + 1 from ids where id < 1800
)
select
  id, cast(12 * a.u * (a.u + 1) / 2 as integer), cast(12 * b.u * (b.u + 1) / 2 as integer),
  max(0, cast(95 * c.u - 18 as integer)), 5 + cast(60 * d.u as integer)
from ids
join staged_draws a on a.n = 1600 + 4 * id
join staged_draws b on b.n = 1600 + 4 * id + 1
join staged_draws c on c.n = 1600 + 4 * id + 2
join staged_draws d on d.n = 1600 + 4 * id + 3;

insert into staged_movies
select
  t.id,
  printf('%s (%d)', t.title, t.year),
  a.word || coalesce('|' || b.word, '')
from staged_titles t
join staged_words a on a.list = 0 and a.at = t.genre
left join staged_words b on b.list = 0 and b.at = t.second_genre;

insert into staged_links select movieId, '', '' from staged_movies;

-- Seven draws a candidate: user, title, whether the title is to the user's taste, day, weekday, hour, rating.
insert into staged_ratings
with
candidates as (
  select
    n / 7 as candidate,
    max(u) filter (where n % 7 = 0) as who, max(u) filter (where n % 7 = 1) as what, max(u) filter (where n % 7 = 2) as chance,
    max(u) filter (where n % 7 = 3) as at, max(u) filter (where n % 7 = 4) as weekday, max(u) filter (where n % 7 = 5) as hour,
    max(u) filter (where n % 7 = 6) as noise
  from staged_draws
  where n >= 9100
  group by 1
),
met as (
  select
    c.*, u.id as user_id, t.id as movie_id, t.quality, t.release_day,
    (t.genre in (u.genre, u.second_genre)) + 0.5 * coalesce(t.second_genre in (u.genre, u.second_genre), 0) as taste,
    -- What is new is watched soon.
    case
      when t.release_day is null then u.first_day + cast(u.days * at as integer)
      else max(t.release_day, u.first_day) + cast(u.days * at * at * at as integer)
    end as day
  from candidates c
  join staged_users u on u.id = 1 + cast(1800 * who * (who + 1) / 2 as integer)
  join staged_titles t on t.id = 1 + cast(400 * what * (4 * what + 1) / 5 as integer)
),
kept as (
  select * from met
  where day < 84 and day < (select first_day + days from staged_users where id = user_id)
    -- The last evening ends early, so that what follows the last views is of the same day.
    and not (day = 83 and hour >= 0.75)
    and chance < 0.25 + 0.5 * taste + 0.25 * (release_day is not null)
    -- From Monday.
    and weekday < json_extract('[0.5, 0.47, 0.52, 0.55, 0.75, 1, 0.9]', printf('$[%d]', day % 7))
)
select
  user_id,
  movie_id,
  max(0.5, min(5.0, round(2 * (2.2 + 0.9 * taste + 1.2 * quality + 1.6 * (noise - 0.5))) / 2)),
  -- Half of it from 17 to 22 o'clock, a quarter in the day, the rest later.
  1756684800 + 86400 * day + cast(3600 * case
    when hour < 0.08 then 6 + 50 * hour
    when hour < 0.28 then 10 + 35 * (hour - 0.08)
    when hour < 0.75 then 17 + 10 * (hour - 0.28)
    else 21.7 + 9 * (hour - 0.75)
  end as integer) + candidate % 60
from (select *, row_number() over (partition by user_id, movie_id order by candidate) as nth from kept)
where nth = 1;

drop table staged_words;
drop table staged_draws;
drop table staged_titles;
drop table staged_users;
