-- What the fold runs, statement by statement; sqlite_ext/src/fold.rs takes them by name.

-- parameters
select taste_half_life_hours, stale, fold_at from cotaste_parameters;

-- action weights
select substr(key, 15), cast(value as real) from cotaste_settings where key glob 'action_weight.*';

-- fold state
select next_ord, genre_order from cotaste_fold_state;

-- set fold state
insert into cotaste_fold_state (only_row, next_ord, genre_order) values (1, ?1, ?2)
on conflict (only_row) do update set next_ord = excluded.next_ord, genre_order = excluded.genre_order;

-- pending
select count(*) from (select 1 from cotaste_queue where due_us <= ?1 limit ?2);

-- pairs
select count(*) from cotaste_user_contents;

-- take
select rowid, user_id, content_id from cotaste_queue where due_us <= ?1 order by rowid limit ?2;

-- taken
delete from cotaste_queue where due_us <= ?1 and rowid <= ?2;

-- later
insert into cotaste_queue (user_id, content_id, due_us) values (?1, ?2, ?3);

-- contents of a user
select content_id from cotaste_user_contents where user_id = ?1
union
select content_id from user_behaviors where user_id = ?1;

-- user
select ord, taste, sums from cotaste_users where user_id = ?1;

-- level 1
select touches, weight from cotaste_user_contents where user_id = ?1 and content_id = ?2;

-- events
select action, rating, occurred_at from user_behaviors where user_id = ?1 and content_id = ?2;

-- all events
select user_id, content_id, action, rating, occurred_at from user_behaviors order by user_id, content_id;

-- genres
select genres from contents where content_id = ?1;

-- set level 1
insert into cotaste_user_contents (user_id, content_id, events, touches, weight) values (?1, ?2, ?3, ?4, ?5)
on conflict (user_id, content_id) do update
set events = excluded.events, touches = excluded.touches, weight = excluded.weight;

-- drop level 1
delete from cotaste_user_contents where user_id = ?1 and content_id = ?2;

-- set user
insert into cotaste_users (user_id, ord, items, changed_us, taste, sums) values (?1, ?2, ?3, ?4, ?5, ?6)
on conflict (user_id) do update
set items = excluded.items, changed_us = excluded.changed_us, taste = excluded.taste, sums = excluded.sums;

-- drop user
delete from cotaste_users where user_id = ?1;

-- posting
select users from cotaste_postings where content_id = ?1 and chunk = ?2;

-- set posting
insert into cotaste_postings (content_id, chunk, users) values (?1, ?2, ?3)
on conflict (content_id, chunk) do update set users = excluded.users;

-- drop posting
delete from cotaste_postings where content_id = ?1 and chunk = ?2;

-- block
select users from cotaste_blocks where block = ?1;

-- set block
insert into cotaste_blocks (block, users) values (?1, ?2) on conflict (block) do update set users = excluded.users;

-- drop block
delete from cotaste_blocks where block = ?1;

-- clear
delete from cotaste_queue;
delete from cotaste_user_contents;
delete from cotaste_users;
delete from cotaste_postings;
delete from cotaste_blocks;
delete from cotaste_fold_state;
update cotaste_parameters set stale = 0;
