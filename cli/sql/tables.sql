-- What this program keeps beside a space.

-- How far imports, migrations and streams have come; written in the transactions of what they wrote.
create table if not exists cotaste_checkpoints (
  task text primary key not null,
  state text not null
);

-- Messages of a stream that are no events.
create table if not exists cotaste_dead_letters (
  source text not null,
  position text not null,
  reason text not null,
  payload text not null,
  primary key (source, position)
);
