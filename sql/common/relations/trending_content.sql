-- trending_content: the contents with the highest exponentially decayed score at a time; ties by content id
-- argument: k bigint
-- argument: half_life_hours double
-- argument: as_of timestamp
-- column: content_id bigint
-- column: title text
-- column: genres text
-- column: score double
-- column: events bigint
-- column: rank bigint
-- column: rank_key double
-- column: half_life_hours double
-- column: as_of timestamp
-- kept plan
with recursive asked as (
  -- The state knows one half-life, and what has happened by now and later.
  select
    coalesce($k, p.trending_k) as k,
    coalesce($half_life_hours, p.trending_half_life_hours) as half_life_hours,
    coalesce(to_epoch_us($as_of), n.now_us) as as_of_us,
    p.trending_user_cap as user_cap,
    case
      when not p.stale and coalesce($half_life_hours, p.trending_half_life_hours) = p.trending_half_life_hours
        and coalesce(to_epoch_us($as_of), n.now_us) >= n.now_us
      then 1 else 0
    end as from_state,
    -- Of purged events as much is known.
    case
      when coalesce($half_life_hours, p.trending_half_life_hours) = p.trending_half_life_hours
        and coalesce(to_epoch_us($as_of), n.now_us) >= n.now_us
      then 1 else 0
    end as with_base
  from cotaste_parameters p
  cross join cotaste_clock n
),
-- From the highest rank key of a content without anything pending down to the k-th; of very many all are looked at.
walk (rank_key, place) as (
  select
    (
      select s.rank_key from cotaste_contents s
      where s.rank_key is not null and not exists (
        select 1 from cotaste_queue q
        where coalesce(q.content_id, q.lost_id) = s.content_id and q.due_us <= a.as_of_us
      )
      order by s.rank_key desc limit 1
    ),
    1
  from asked a
  where a.from_state = 1 and a.k between 1 and 1000
  union all
  select
    (
      select s.rank_key from cotaste_contents s
      where s.rank_key < w.rank_key and not exists (
        select 1 from cotaste_queue q
        where coalesce(q.content_id, q.lost_id) = s.content_id and q.due_us <= a.as_of_us
      )
      order by s.rank_key desc limit 1
    ),
    w.place + 1
  from walk w
  cross join asked a
  where w.rank_key is not null and w.place < a.k
),
-- Rank keys order as scores do but for rounding: a little lower may tie. Below 2^-900 scores lose their last bits.
least as (
  select a.*, w.rank_key - 1e-9 - abs(w.rank_key) * 1e-14 as rank_key
  from asked a
  left join walk w on w.place = a.k and w.rank_key - half_lives(a.as_of_us, a.half_life_hours) > -900
)
select
  r.content_id,
  -- Looked up: joined, Postgres would read all of the catalogue for a few.
  (select c.title from contents c where c.content_id = r.content_id) as title,
  (select c.genres from contents c where c.content_id = r.content_id) as genres,
  r.score,
  r.events,
  r.rank,
  r.rank_key,
  r.half_life_hours,
  from_epoch_us(r.as_of_us) as as_of
from (
  select s.*, row_number() over (order by score desc, content_id) as rank
  from (
    select
      t.content_id, t.events, t.rank_key, trend_score(t.trend, l.as_of_us, l.half_life_hours) as score,
      l.k, l.half_life_hours, l.as_of_us
    from (
      select s.content_id, s.events, s.rank_key, s.trend
      from cotaste_contents s
      where s.rank_key >= (select rank_key from least) and not exists (
        select 1 from cotaste_queue q
        where coalesce(q.content_id, q.lost_id) = s.content_id and q.due_us <= (select as_of_us from asked)
      )
      union all
      select s.content_id, s.events, s.rank_key, s.trend
      from cotaste_contents s
      where (select rank_key is null and from_state = 1 from least) and not exists (
        select 1 from cotaste_queue q
        where coalesce(q.content_id, q.lost_id) = s.content_id and q.due_us <= (select as_of_us from asked)
      )
      union all
      select
        x.content_id, content_count(x.measures, 'events'), content_number(x.measures, 'rank_key'), content_trend(x.measures)
      from (
        -- Distinct already; said again, the function is called once a content and not once a column.
        select distinct u.content_id, cotaste_content_measures(u.content_id, (select as_of_us from asked)) as measures
        from (
          select distinct coalesce(q.content_id, q.lost_id) as content_id
          from cotaste_queue q
          where q.due_us <= (select as_of_us from asked where from_state = 1)
            and coalesce(q.content_id, q.lost_id) is not null
        ) u
        union all
        /* partial */
        select g.content_id, follow_content(cast(null as bytea), content_changes(cast(null as bytea), g.facts))
        from (
          select
            e.content_id,
            pair_facts(e.action, e.rating, e.weight, e.occurred_us, e.id, e.half_life_hours, e.user_cap, e.base) as facts
          from (
            select
              e.user_id, e.content_id, e.action, e.rating, e.weight, e.occurred_us, e.id, a.half_life_hours, a.user_cap,
              cast(null as bytea) as base
            from asked a
            cross join cotaste_events e
            where a.from_state = 0 and e.occurred_us <= a.as_of_us
            union all
            select
              b.user_id, b.content_id, null, null, null, b.last_us, null, a.half_life_hours, a.user_cap, b.base
            from asked a
            cross join cotaste_base b
            where a.from_state = 0 and a.with_base = 1 and b.last_us <= a.as_of_us
          ) e
          group by e.user_id, e.content_id
        ) g
        group by g.content_id
        /* end partial */
      ) x
      where x.measures is not null
    ) t
    cross join least l
  ) s
) r
where r.rank <= r.k
order by rank
