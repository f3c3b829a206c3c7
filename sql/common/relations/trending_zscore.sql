-- trending_zscore: the contents whose last period lies highest above the periods before it; ties by content id
-- argument: k bigint
-- argument: period_hours double
-- argument: periods bigint
-- argument: as_of timestamp
-- column: content_id bigint
-- column: title text
-- column: genres text
-- column: z double
-- column: current bigint
-- column: baseline_mean double
-- column: baseline_sd double
-- column: rank bigint
-- column: period_hours double
-- column: periods bigint
-- column: as_of timestamp
with asked as (
  select
    coalesce($k, p.trending_k) as k,
    coalesce($period_hours, 24.0) as period_hours,
    cast(round(coalesce($period_hours, 24.0) * 3600000000.0) as bigint) as period_us,
    coalesce($periods, 7) as periods,
    coalesce(to_epoch_us($as_of), n.now_us) as as_of_us
  from cotaste_parameters p
  cross join cotaste_clock n
)
select
  r.content_id,
  c.title,
  c.genres,
  r.z,
  r."current",
  r.baseline_mean,
  r.baseline_sd,
  r.rank,
  r.period_hours,
  r.periods,
  from_epoch_us(r.as_of_us) as as_of
from (
  select s.*, row_number() over (order by s.z is null, s.z desc, s.content_id) as rank
  from (
    select
      g.content_id,
      g."current",
      z_score(cast(g."current" as double precision), a.periods, g.total, g.squares) as z,
      g.total / nullif(a.periods, 0) as baseline_mean,
      sample_sd(a.periods, g.total, g.squares) as baseline_sd,
      a.k, a.period_hours, a.periods, a.as_of_us
    from (
      -- Events that mean liking, by content; a period without any adds nothing to the sums.
      select
        t.content_id,
        cast(sum(case when t.period = 0 then t.events else 0 end) as bigint) as "current",
        cast(sum(case when t.period > 0 then t.events else 0 end) as double precision) as total,
        cast(sum(case when t.period > 0 then t.events * t.events else 0 end) as double precision) as squares
      from (
        /* partial */
        select e.content_id, (a.as_of_us - e.occurred_us) / a.period_us as period, count(*) as events
        from cotaste_events e
        cross join asked a
        where e.weight > 0 and e.occurred_us <= a.as_of_us and e.occurred_us > a.as_of_us - (a.periods + 1) * a.period_us
        group by 1, 2
        /* end partial */
      ) t
      group by t.content_id
    ) g
    cross join asked a
  ) s
) r
left join contents c on c.content_id = r.content_id
where r.rank <= r.k
order by rank
