-- What `cotaste bench` asks, about many users and contents of the space in turn.

select user_similarity({user}, {other})

select * from similar_users({user}, 10)

select * from user_analytics({user})

select * from favorite_genres({user})

select * from content_metrics({content})

select * from trending_content(20)

select count(*) from user_behaviors where user_id = {user}
