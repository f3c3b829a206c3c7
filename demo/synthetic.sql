-- A seeded catalogue of the shape of MovieLens: 2,000 movies in 18 genres, 300 users, about 45,000 ratings.
-- The draws are a linear congruential sequence, so every run makes the same rows.
create table staged_movies (movieId text, title text, genres text);
create table staged_links (movieId text, imdbId text, tmdbId text);
create table staged_ratings (userId text, movieId text, rating text, timestamp text);

create table staged_names as
select value as genre, key as at
from json_each('["Action","Adventure","Animation","Children","Comedy","Crime","Documentary","Drama","Fantasy","Film-Noir","Horror","Musical","Mystery","Romance","Sci-Fi","Thriller","War","Western"]');

insert into staged_movies
with recursive movie(id, x) as (
  select 1, 12345
  union all
  select id + 1, (x * 1103515245 + 12345) % 2147483648 from movie where id < 2000
)
select
  id,
  printf('Synthetic movie %d (%d)', id, 1960 + id % 60),
  (select genre from staged_names where at = (x / 7) % 18) ||
    case when (x / 11) % 3 = 0 then '' else '|' || (select genre from staged_names where at = (x / 7 + 1 + (x / 13) % 17) % 18) end
from movie;

insert into staged_links select movieId, '', '' from staged_movies;

-- A movie's rank decides how often it is drawn: the square of a uniform draw favours the low ids.
insert into staged_ratings
with recursive draw(n, x) as (
  select 1, 20260101
  union all
  select n + 1, (x * 1103515245 + 12345) % 2147483648 from draw where n < 90000
)
select
  1 + (x / 16) % 300,
  1 + cast(1999.0 * ((n * 7919) % 100003 / 100003.0) * ((n * 7919) % 100003 / 100003.0) as integer),
  0.5 * (3 + (x / 65536) % 8),
  1500000000 + (x / 32) % 40000000
from draw
where n % 2 = 0
group by 1, 2;

drop table staged_names;
