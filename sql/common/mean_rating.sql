-- The mean of every user's last rating of every content: what a content without ratings is expected to get.
select content_number(r.measures, 'last_rating_sum') / nullif(content_count(r.measures, 'rating_users'), 0) as mean_rating
from (
  select
    case when p.stale
      then (
        select follow_content(cast(null as bytea), rating_changes(cast(null as bytea), l.facts)) from cotaste_log_pairs l
      )
      else follow_content(t.measures, (select rating_changes(f.was, f.facts) from cotaste_pending_facts f))
    end as measures
  from cotaste_parameters p
  cross join cotaste_rating_totals t
) r
