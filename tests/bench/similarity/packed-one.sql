-- One user against all.
select sum(packed_parts(icount(x.items & y.items), icount(x.items), icount(y.items), packed_cosine(x.genres, y.genres)))
from packed x
cross join packed y
where x.user_id = cast($1 as text)
