-- What cotaste_recommended runs; sqlite_ext/src/recommend.rs takes the statements by name.

-- recommend settings
select
  (select json_group_object(s.key, s.value) from cotaste_settings s where s.key glob 'recommend_*'), k.now,
  f.next_ord > coalesce((select cast(s.value as integer) from cotaste_settings s where s.key = 'recommend_all_users'), 4000),
  coalesce((select cast(s.value as integer) from cotaste_settings s where s.key = 'recommend_nearest'), 500)
from cotaste_clock k
cross join cotaste_fold_state f;

-- recommend tastes
select u.user_id, u.taste from cotaste_users u where not (select p.stale from cotaste_parameters p);

-- recommend taste
select u.user_id, u.taste from cotaste_users u where u.user_id = ?1 and not (select p.stale from cotaste_parameters p);

-- recommend last active
select distinct b.user_id
from (
  select b.user_id from user_behaviors b
  where b.occurred_at <= (select k.now from cotaste_clock k)
  order by b.occurred_at desc, b.id desc
  limit 1000
) b;

-- recommend users
select u.user_id from cotaste_known_users u order by u.user_id;

-- recommend first histories
select h.user_id, h.content_id, h.touched_us, h.disliked
from cotaste_histories h
where h.user_id in (
  select u.user_id from cotaste_users u order by u.user_id
  limit coalesce((select cast(s.value as integer) from cotaste_settings s where s.key = 'recommend_all_users'), 4000)
);

-- recommend changes
select t.user_id, t.content_id, t.touched from cotaste_touch_changes t;

-- recommend catalogue
select c.content_id, c.title, c.genres from contents c;

-- recommend embeddings
select e.content_id, e.embedding from cotaste_blended_embeddings e;

-- recommend trends
select t.content_id, t.score from trending_content(1000) t;

-- recommend history
select h.user_id, h.content_id, h.touched_us, h.disliked from cotaste_histories h where h.user_id = ?1;

-- recommend histories
select h.user_id, h.content_id, h.touched_us, h.disliked from cotaste_histories h;

-- forget recommendations
delete from cotaste_recommendations where user_id not in (select u.user_id from cotaste_users u);
delete from cotaste_recommendation_runs where user_id not in (select u.user_id from cotaste_users u);

-- outdated recommendations
select u.user_id
from cotaste_users u
left join cotaste_recommendation_runs r on r.user_id = u.user_id
cross join cotaste_parameters p
where r.user_id is null or r.computed_us < u.changed_us or r.computed_us <= ?1 - p.cache_ttl_hours * 3600000000.0
order by r.computed_us, u.user_id
limit ?2;

-- drop recommendations
delete from cotaste_recommendations where user_id = ?1;

-- add recommendation
insert into cotaste_recommendations (user_id, rank, content_id, score, method, reason, computed_at)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7);

-- set recommendation run
insert into cotaste_recommendation_runs (user_id, computed_us) values (?1, ?2)
on conflict (user_id) do update set computed_us = excluded.computed_us;

-- recommend pause
select 1;
