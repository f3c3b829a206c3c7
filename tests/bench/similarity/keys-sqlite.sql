create index plain_items_content on plain_items (content_id, user_id);
create index plain_genres_genre on plain_genres (genre, user_id, weight);
analyze;
