-- sqlite
insert into contents (content_id, title, genres, attributes) values (?1, ?2, ?3, ?4)
on conflict (content_id) do update set title = excluded.title, genres = excluded.genres, attributes = excluded.attributes
where (title, genres, attributes) is not (excluded.title, excluded.genres, excluded.attributes);

-- postgres
insert into contents as c (content_id, title, genres, attributes)
select distinct on (n.content_id) n.content_id, n.title, n.genres, cast(n.attributes as jsonb)
from unnest(cast($1 as bigint[]), cast($2 as text[]), cast($3 as text[]), cast($4 as text[]))
  with ordinality n (content_id, title, genres, attributes, position)
order by n.content_id, n.position desc
on conflict (content_id) do update set title = excluded.title, genres = excluded.genres, attributes = excluded.attributes
where (c.title, c.genres, c.attributes) is distinct from (excluded.title, excluded.genres, excluded.attributes)
