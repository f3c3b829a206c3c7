-- The content id is the TMDB id of links.csv; where there is none, or two movies claim it, it is 1000000000 + movieId.
create table staged_ids as
select
  cast(m.movieId as integer) as movie_id,
  case
    when l.tmdbId <> '' and count(*) over (partition by l.tmdbId) = 1 then cast(l.tmdbId as integer)
    else 1000000000 + cast(m.movieId as integer)
  end as content_id
from staged_movies m
left join staged_links l on l.movieId = m.movieId;

create unique index staged_ids_movie on staged_ids (movie_id);

insert into contents (content_id, title, genres)
select
  i.content_id,
  m.title,
  case m.genres when '(no genres listed)' then '[]' else '["' || replace(m.genres, '|', '","') || '"]' end
from staged_movies m
join staged_ids i on i.movie_id = cast(m.movieId as integer);

select printf('Catalogue: %,d contents.', count(*)) from contents;
