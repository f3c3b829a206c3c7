-- What set_content_embedding, cotaste_learn_embeddings and cotaste_refresh_embeddings run; sqlite_ext/src takes the
-- statements by name.

-- set embedding
insert into content_embeddings (content_id, model, dim, embedding) values (?1, ?2, ?3, ?4)
on conflict (content_id, model) do update set
  dim = excluded.dim, embedding = excluded.embedding, updated_at = strftime('%Y-%m-%dT%H:%M:%f000Z', 'now');

-- current tastes
select t.user_id, t.taste from cotaste_current_tastes t;

-- learned
select l.learned from cotaste_learned l where l.model = ?1;

-- forget embeddings
delete from content_embeddings where model = ?1;

-- forget learned contents
delete from cotaste_learned_contents where model = ?1;

-- forget learned
delete from cotaste_learned where model = ?1;

-- keep learned
insert into cotaste_learned (model, learned) values (?1, ?2);

-- learned contents
select l.content_id, l.fingerprint from cotaste_learned_contents l where l.model = ?1;

-- keep learned content
insert into cotaste_learned_contents (model, content_id, fingerprint) values (?1, ?2, ?3)
on conflict (model, content_id) do update set fingerprint = excluded.fingerprint;

-- forget learned content
delete from cotaste_learned_contents where model = ?1 and content_id = ?2;

-- place by genres
insert into content_embeddings (content_id, model, dim, embedding)
select g.content_id, g.model, length(g.embedding) / 4, g.embedding
from cotaste_genre_places g
where g.model = ?1 and g.embedding is not null
order by g.content_id
on conflict (content_id, model) do update set
  dim = excluded.dim, embedding = excluded.embedding, updated_at = strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')
where embedding is not excluded.embedding;

-- forget misplaced
delete from content_embeddings
where model = ?1
  and content_id not in (select l.content_id from cotaste_learned_contents l where l.model = ?1)
  and content_id not in (select g.content_id from cotaste_genre_places g where g.model = ?1 and g.embedding is not null);
