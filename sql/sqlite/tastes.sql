-- The genres of each user's current taste, as parts of all that is above 0.
create view cotaste_taste_genres as
select t.user_id, g.key as genre, g.value as share
from cotaste_current_tastes t
join json_each(taste_genre_shares(t.taste)) g;

-- A writer's work is seen after its commit.
create view cotaste_computing as
select 0 as computing;
