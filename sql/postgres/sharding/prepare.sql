-- The first of the coordinator's scripts: prepare.sql, shard.sql and coordinator.sql run one after the other in one session,
-- with the schema of the space to be first in search_path. An ordinary, empty space shows what everything looks like.

create extension if not exists cotaste;
create extension if not exists postgres_fdw;
create extension if not exists dblink;
create schema if not exists cotaste_shape;
comment on schema cotaste_shape is 'cotaste: an empty space, whose relations those of the shards are declared like';
select cotaste_init('cotaste_shape');
select
  set_config('cotaste.space', current_schema(), false),
  set_config('cotaste.path', current_setting('search_path'), false),
  set_config('search_path', 'cotaste_shape, ' || current_setting('search_path'), false);
