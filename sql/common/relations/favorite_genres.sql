-- favorite_genres: each user's genres by decayed event weight, split over a content's genres; ties by genre
-- key: user_id text
-- argument: k bigint
-- argument: as_of timestamp
-- column: user_id text
-- column: genre text
-- column: score double
-- column: share double
-- column: events bigint
-- column: rank bigint
-- kept plan
select user_id, genre, score, share, events, rank
from (
  select
    g.*,
    coalesce(score / nullif(reproducible_sum(score) over (partition by user_id), 0), 0.0) as share,
    row_number() over (partition by user_id order by score desc, genre) as rank
  from (
    select user_id, genre, case when score > 0 then score else 0.0 end as score, events
    from (
      select
        e.user_id,
        g.genre,
        reproducible_sum(decay(e.weight * g.share, a.as_of_us - e.occurred_us, p.taste_half_life_hours)) as score,
        count(*) as events
      from cotaste_events e
      join content_genres g on g.content_id = e.content_id
      cross join cotaste_parameters p
      cross join (select coalesce(to_epoch_us($3), now_us) as as_of_us from cotaste_clock) a
      where e.occurred_us <= a.as_of_us
      group by e.user_id, g.genre
    ) s
  ) g
) ranked
where $2 is null or rank <= $2
order by user_id, rank
