-- One tenth of the users (:tenth = userId modulo 10). Every rating is recorded as two events of its time: a view, and a
-- rate of 1 to 10 (MovieLens' 0.5 to 5 doubled).
--
-- SIMULATED, since MovieLens lacks them: completions, skips, device, location, and the experiment "ranker". They come from
--   h(n) = ((userId * 2654435761 + movieId * 40503 + n * 97) modulo 1000003) modulo 100
-- and every context says "simulated": true; but a view's is cut short when h(5) = 0, and absent when h(5) is 1 or 2. The
-- variant is fixed by the user: userId modulo 4 is 0: control, 1: enhanced_ml, else not in the experiment. A view of a movie
-- rated 3 or more is completed when h(3) < 55, for enhanced_ml when h(3) < 65; completions come 90 minutes after the view.
-- One of a movie rated below 2.5 is skipped when h(4) < 60, after 10 minutes. Two hours after the last rating of a user in the
-- experiment, a conversion when (userId * 2654435761 modulo 1000003) modulo 100 < 30, for enhanced_ml when < 40.
insert into user_behaviors (user_id, content_id, action, rating, context, occurred_at)
with drawn as (
  select
    userId as user_id,
    i.content_id,
    cast(r.rating as real) as stars,
    cast(r.timestamp as integer) as at,
    cast(userId as integer) % 4 as arm,
    ((cast(userId as integer) * 2654435761 + i.movie_id * 40503 + 1 * 97) % 1000003) % 100 as h1,
    ((cast(userId as integer) * 2654435761 + i.movie_id * 40503 + 2 * 97) % 1000003) % 100 as h2,
    ((cast(userId as integer) * 2654435761 + i.movie_id * 40503 + 3 * 97) % 1000003) % 100 as h3,
    ((cast(userId as integer) * 2654435761 + i.movie_id * 40503 + 4 * 97) % 1000003) % 100 as h4,
    ((cast(userId as integer) * 2654435761 + i.movie_id * 40503 + 5 * 97) % 1000003) % 100 as h5
  from staged_ratings r
  join staged_ids i on i.movie_id = cast(r.movieId as integer)
  where cast(userId as integer) % 10 = :tenth
),
simulated as (
  select
    d.*,
    json_object(
      'device', case when h1 < 40 then 'tv' when h1 < 75 then 'mobile' when h1 < 90 then 'desktop' else 'tablet' end,
      'location', case when h2 < 70 then 'home' when h2 < 80 then 'work' when h2 < 90 then 'commute' else 'other' end,
      'simulated', json('true')
    ) as context
  from drawn d
),
contexts as (
  select
    s.*,
    case arm
      when 0 then json_set(context, '$.experimentName', 'ranker', '$.experimentVariant', 'control')
      when 1 then json_set(context, '$.experimentName', 'ranker', '$.experimentVariant', 'enhanced_ml')
      else context
    end as full_context
  from simulated s
)
select
  user_id, content_id, 'view', null,
  case when h5 = 0 then substr(full_context, 1, 20) when h5 < 3 then null else full_context end,
  strftime('%Y-%m-%dT%H:%M:%fZ', at, 'unixepoch')
from contexts
union all
select user_id, content_id, 'rate', stars * 2, full_context, strftime('%Y-%m-%dT%H:%M:%fZ', at, 'unixepoch') from contexts
union all
select user_id, content_id, 'complete', null, full_context, strftime('%Y-%m-%dT%H:%M:%fZ', at + 5400, 'unixepoch')
from contexts
where stars >= 3 and h3 < case arm when 1 then 65 else 55 end
union all
select user_id, content_id, 'skip', null, full_context, strftime('%Y-%m-%dT%H:%M:%fZ', at + 600, 'unixepoch')
from contexts
where stars < 2.5 and h4 < 60
union all
select user_id, content_id, 'convert', null, full_context, strftime('%Y-%m-%dT%H:%M:%fZ', max(at) + 7200, 'unixepoch')
from contexts
where arm < 2 and ((cast(user_id as integer) * 2654435761) % 1000003) % 100 < case arm when 1 then 40 else 30 end
group by user_id;

select printf('  %3d %%  %,d events', :tenth * 10 + 10, (select count(*) from user_behaviors));
