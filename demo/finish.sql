drop table staged_ids;
drop table staged_movies;
drop table staged_ratings;
drop table staged_links;
analyze;
