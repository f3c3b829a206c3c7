drop table staged_ids;
drop table staged_movies;
drop table staged_ratings;
drop table staged_links;
select cotaste_refresh() || ' pairs folded into tastes and posting lists';
analyze;
