alter table plain_items add primary key (user_id, content_id);
alter table plain_sizes add primary key (user_id);
alter table plain_genres add primary key (user_id, genre);
create index plain_items_content on plain_items (content_id) include (user_id);
vacuum analyze;
