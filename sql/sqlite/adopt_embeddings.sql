-- What an older version kept as JSON arrays.
insert into content_embeddings (content_id, model, dim, embedding, updated_at)
select content_id, model, dim, to_embedding(embedding), updated_at from cotaste_older_embeddings;

drop table cotaste_older_embeddings;
