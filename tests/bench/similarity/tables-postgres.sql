-- What an application would materialise: the contents and the genre weights (of length 1) of every user.
create table plain_items (user_id text collate "C" not null, content_id bigint not null);
create table plain_sizes (user_id text collate "C" not null, items bigint not null);
create table plain_genres (user_id text collate "C" not null, genre integer not null, weight double precision not null);
create table pairs (n bigint primary key, a text collate "C" not null, b text collate "C" not null);
