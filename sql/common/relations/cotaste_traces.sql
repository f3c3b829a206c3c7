-- cotaste_traces: what the space holds of a user, by table; no row after forget_user. That posting lists and blocks, which hold numbers and no ids, hold none of a forgotten user is what cotaste_verify() says
-- function only
-- argument: for_user_id text
-- column: table_name text
-- column: row_count bigint
select table_name, row_count
from (
  select 'user_behaviors' as table_name, cast(count(*) as bigint) as row_count
  from user_behaviors t where t.user_id = $for_user_id
  union all
  select 'cotaste_base', count(*) from cotaste_base t where t.user_id = $for_user_id
  union all
  select 'cotaste_user_events', count(*) from cotaste_user_events t where t.user_id = $for_user_id
  union all
  select 'cotaste_user_contents', count(*) from cotaste_user_contents t where t.user_id = $for_user_id
  union all
  select 'cotaste_users', count(*) from cotaste_users t where t.user_id = $for_user_id
  union all
  select 'cotaste_postings', count(*)
  from cotaste_users u
  join cotaste_user_contents s on s.user_id = u.user_id and s.touches > 0
  join cotaste_postings t on t.content_id = s.content_id and t.chunk = u.ord / 65536
  where u.user_id = $for_user_id
  union all
  select 'cotaste_blocks', count(*)
  from cotaste_users u
  join cotaste_blocks t on t.block = u.ord / 256
  where u.user_id = $for_user_id
  union all
  select 'cotaste_queue', count(*) from cotaste_queue t where t.user_id = $for_user_id and t.due_us < 9223372036854775807
  union all
  select 'cotaste_recommendations', count(*) from cotaste_recommendations t where t.user_id = $for_user_id
  union all
  select 'cotaste_recommendation_runs', count(*) from cotaste_recommendation_runs t where t.user_id = $for_user_id
  union all
  select 'neighbours', count(*) from neighbours t where t.user_id = $for_user_id or t.neighbour_id = $for_user_id
  union all
  select 'cotaste_neighbour_runs', count(*) from cotaste_neighbour_runs t where t.user_id = $for_user_id
) t
where row_count > 0
order by table_name
