-- What user_similarity and cotaste_neighbours_of run; sqlite_ext/src takes the statements by name.

-- pair
select
  (select u.taste from cotaste_clean_users u where u.user_id = ?1),
  (select u.taste from cotaste_clean_users u where u.user_id = ?2),
  jaccard_weight,
  cosine_weight
from cotaste_parameters;

-- settings
select
  p.jaccard_weight, p.cosine_weight, p.similar_users_k, p.cache_ttl_hours, p.stale, s.genre_order, k.now_us, k.now,
  p.taste_half_life_hours
from cotaste_parameters p
left join cotaste_fold_state s
left join cotaste_clock k;

-- clean
select u.ord, u.changed_us, u.taste from cotaste_clean_users u where u.user_id = ?1;

-- number
select u.ord from cotaste_users u where u.user_id = ?1;

-- run
select r.computed_us from cotaste_neighbour_runs r where r.user_id = ?1 and r.k >= ?2;

-- cached
select n.neighbour_id, n.similarity, n.jaccard, n.genre_cosine, n.shared_items, n.computed_at
from neighbours n
where n.user_id = ?1 and n.rank <= ?2
order by n.rank;

-- postings
select l.chunk, l.users from cotaste_postings l where l.content_id = ?1;

-- waiting
select q.user_id, u.ord, u.items, q.content_id, c.genres
from cotaste_queue q
left join cotaste_users u on u.user_id = q.user_id
left join contents c on c.content_id = q.content_id
where q.due_us <= ?1;

-- blocks
select b.block, b.users from cotaste_blocks b;

-- numbered
select u.user_id, u.taste from cotaste_users u where u.ord = ?1;

-- events of a user
select
  b.user_id, b.content_id, b.action, b.rating, b.occurred_at, c.genres,
  (select cast(s.value as real) from cotaste_settings s where s.key = 'action_weight.' || b.action),
  p.taste_half_life_hours, k.now_us, null
from cotaste_parameters p
cross join cotaste_clock k
cross join user_behaviors b
left join contents c on c.content_id = b.content_id
where b.user_id = ?1
union all
select b.user_id, b.content_id, null, null, null, c.genres, null, p.taste_half_life_hours, k.now_us, b.base
from cotaste_parameters p
cross join cotaste_clock k
cross join cotaste_base b
left join contents c on c.content_id = b.content_id
where b.user_id = ?1
order by 2;

-- now
select k.now_us, p.taste_half_life_hours, p.stale from cotaste_parameters p cross join cotaste_clock k;

-- folded taste
select u.taste, u.sums from cotaste_users u where u.user_id = ?1;

-- pending pairs
select q.content_id, s.touches, s.weight, c.genres
from cotaste_queue q
left join cotaste_user_contents s on s.user_id = q.user_id and s.content_id = q.content_id
left join contents c on c.content_id = q.content_id
where q.user_id = ?1 and q.due_us <= ?2;

-- events of a pair
select
  b.action, b.rating, b.occurred_at,
  (select cast(s.value as real) from cotaste_settings s where s.key = 'action_weight.' || b.action), null
from user_behaviors b
where b.user_id = ?1 and b.content_id = ?2
union all
select null, null, null, null, b.base from cotaste_base b where b.user_id = ?1 and b.content_id = ?2;

-- all events
select
  b.user_id, b.content_id, b.action, b.rating, b.occurred_at, c.genres,
  (select cast(s.value as real) from cotaste_settings s where s.key = 'action_weight.' || b.action),
  p.taste_half_life_hours, k.now_us, null
from cotaste_parameters p
cross join cotaste_clock k
cross join user_behaviors b
left join contents c on c.content_id = b.content_id
union all
select b.user_id, b.content_id, null, null, null, c.genres, null, p.taste_half_life_hours, k.now_us, b.base
from cotaste_parameters p
cross join cotaste_clock k
cross join cotaste_base b
left join contents c on c.content_id = b.content_id
order by 1, 2;

-- forget
delete from neighbours where user_id not in (select u.user_id from cotaste_users u);
delete from cotaste_neighbour_runs where user_id not in (select u.user_id from cotaste_users u);

-- outdated
select u.user_id
from cotaste_users u
left join cotaste_neighbour_runs r on r.user_id = u.user_id
where r.user_id is null or r.k < ?1 or r.computed_us < u.changed_us or r.computed_us <= ?2
order by r.computed_us, u.user_id
limit ?3;

-- cache settings
select neighbours_k, cache_ttl_hours from cotaste_parameters;

-- drop neighbours
delete from neighbours where user_id = ?1;

-- add neighbour
insert into neighbours (user_id, rank, neighbour_id, similarity, jaccard, genre_cosine, shared_items, computed_at)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);

-- set run
insert into cotaste_neighbour_runs (user_id, k, computed_us) values (?1, ?2, ?3)
on conflict (user_id) do update set k = excluded.k, computed_us = excluded.computed_us;
