-- The first $1 pairs as a join of the packed users.
select sum(packed_parts(icount(x.items & y.items), icount(x.items), icount(y.items), packed_cosine(x.genres, y.genres)))
from pairs p
join packed x on x.user_id = p.a
join packed y on y.user_id = p.b
where p.n <= $1
