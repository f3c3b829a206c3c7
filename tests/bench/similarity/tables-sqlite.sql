-- What an application would materialise: the contents and the genre weights (of length 1) of every user.
create table plain_items (user_id text not null, content_id integer not null, primary key (user_id, content_id)) without rowid;
create table plain_sizes (user_id text primary key not null, items integer not null) without rowid;
create table plain_genres (user_id text not null, genre integer not null, weight real not null, primary key (user_id, genre)) without rowid;
create table pairs (n integer primary key, a text not null, b text not null);
