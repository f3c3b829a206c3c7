-- A user's contents as one sorted int[], genres as one vector; intarray intersects, pgvector multiplies.
create extension intarray;
create extension vector;

create table packed (user_id text collate "C" not null, items int[] not null, genres vector not null);
alter table packed alter column items set storage external;

create function packed_cosine(a vector, b vector) returns double precision language sql immutable as $$
  select -(a <#> b)
$$;

create function packed_parts(shared integer, items_a integer, items_b integer, cosine double precision)
returns double precision language sql immutable as $$
  select 0.7 * coalesce(cast(shared as double precision) / nullif(items_a + items_b - shared, 0), 0) + 0.3 * cosine
$$;

create function packed_similarity(a text, b text) returns double precision language plpgsql stable as $$
declare
  x packed;
  y packed;
begin
  select * into x from packed where user_id = a;
  select * into y from packed where user_id = b;
  return packed_parts(icount(x.items & y.items), icount(x.items), icount(y.items), packed_cosine(x.genres, y.genres));
end
$$;
