-- What reads of contents' measures call where the state does not tell. PL/pgSQL, because it keeps its plans: they are large,
-- and most reads have no use for them. What they might have to read makes them look dear, so JIT would compile them for a second
-- at every call.

create or replace function cotaste_content_measures(content bigint, as_of_us bigint) returns bytea
language plpgsql stable parallel safe cost 10000
set search_path from current
set jit = off
as $$
begin
  return (
@content_measures@
  );
end
$$;
comment on function cotaste_content_measures(bigint, bigint) is
  'the measures of a content as of now or later, with what is not folded yet; NULL without events';

create or replace function cotaste_mean_rating() returns double precision
language plpgsql stable parallel safe cost 10000
set search_path from current
set jit = off
as $$
begin
  return (
@mean_rating@
  );
end
$$;
comment on function cotaste_mean_rating() is 'the mean of every user''s last rating of every content; NULL without ratings';
