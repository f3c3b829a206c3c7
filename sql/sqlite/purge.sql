-- What purge_behaviors runs, statement by statement; sqlite_ext/src/purge.rs takes them by name. Times are texts, which sort
-- as the instants do unless another tool wrote them in a form of its own; but not by more than an offset: so a text two days
-- after the cut bounds what the index has to give. ?1 is the cut, ?2 that text, ?3 and ?4 time and id of the last event.

-- retention
select cast(value as integer) from cotaste_settings where key = 'retention_days' and cast(value as integer) > 0;

-- previewed
select events from purge_preview(?1) where part = 'purged';

-- bound
select date(substr(from_epoch_us(?1), 1, 10), '+2 days');

-- last of a batch
select b.occurred_at, b.id
from user_behaviors b
where b.occurred_at < ?2 and to_epoch_us(b.occurred_at) < ?1
order by b.occurred_at, b.id
limit 1 offset ?3;

-- events of a batch
select count(*)
from user_behaviors b
where b.occurred_at < ?2 and to_epoch_us(b.occurred_at) < ?1 and (b.occurred_at, b.id) <= (?3, ?4);

-- queue exposed users
insert into cotaste_queue (user_id)
select distinct b.user_id
from user_behaviors b
where b.occurred_at < ?2 and to_epoch_us(b.occurred_at) < ?1 and (b.occurred_at, b.id) <= (?3, ?4)
  and exists (select 1 from cotaste_user_events u where u.user_id = b.user_id);

-- carry
insert into cotaste_base (
  user_id, content_id, base, events, touches, touched_us, first_us, last_us, last_id, last_action
)
select
  x.user_id, x.content_id, x.base, base_number(x.base, 'events'), base_number(x.base, 'touches'),
  base_number(x.base, 'touched_us'), base_number(x.base, 'first_us'), base_number(x.base, 'last_us'),
  base_number(x.base, 'last_id'), base_action(x.base)
from (
  select
    r.user_id, r.content_id,
    pair_base(
      r.base, r.action, r.rating, r.weight, r.occurred_us, r.id, p.taste_half_life_hours, p.trending_half_life_hours,
      p.trending_user_cap
    ) as base
  from (
    select e.user_id, e.content_id, null as base, e.action, e.rating, e.weight, e.occurred_us, e.id
    from cotaste_events e
    where e.occurred_at < ?2 and e.occurred_us < ?1 and (e.occurred_at, e.id) <= (?3, ?4)
    union all
    select s.user_id, s.content_id, s.base, null, null, null, null, null
    from (
      select distinct b.user_id, b.content_id
      from user_behaviors b
      where b.occurred_at < ?2 and to_epoch_us(b.occurred_at) < ?1 and (b.occurred_at, b.id) <= (?3, ?4)
    ) k
    cross join cotaste_base s
    where s.user_id = k.user_id and s.content_id = k.content_id
  ) r
  cross join cotaste_parameters p
  group by r.user_id, r.content_id
) x
where true
on conflict (user_id, content_id) do update set
  base = excluded.base, events = excluded.events, touches = excluded.touches, touched_us = excluded.touched_us,
  first_us = excluded.first_us, last_us = excluded.last_us, last_id = excluded.last_id, last_action = excluded.last_action;

-- last key
select coalesce(max(rowid), 0) from cotaste_queue;

-- purge
delete from user_behaviors
where occurred_at < ?2 and to_epoch_us(occurred_at) < ?1 and (occurred_at, id) <= (?3, ?4);

-- unqueue
delete from cotaste_queue where rowid > ?1 and content_id is null and lost_id is not null;

-- is stale
select stale from cotaste_parameters;
