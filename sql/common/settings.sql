insert into cotaste_settings (key, value, description) values
  ('jaccard_weight', '0.7', 'weight of the Jaccard index of contents in user similarity, 0 to 1'),
  ('cosine_weight', '0.3', 'weight of the genre cosine in user similarity, 0 to 1'),
  ('similar_users_k', '10', 'users per user in similar_users when k is not given'),
  ('trending_k', '20', 'contents in trending_content when k is not given'),
  ('taste_half_life_hours', '720', 'after how many hours an event counts half in tastes and favourite genres'),
  ('trending_half_life_hours', '24', 'after how many hours an event counts half in trending scores'),
  ('rating_prior_weight', '10', 'how many ratings of the mean are mixed into bayes_rating'),
  ('conversion_action', 'complete', 'the action that is a conversion in experiments when no goal is given'),
  ('action_weight.view', '1', 'what one such event adds to tastes and trends'),
  ('action_weight.complete', '2', 'what one such event adds to tastes and trends'),
  ('action_weight.like', '3', 'what one such event adds to tastes and trends'),
  ('action_weight.dislike', '-3', 'what one such event adds to tastes and trends'),
  ('action_weight.skip', '-1', 'what one such event adds to tastes and trends; a skip alone puts no content into a taste'),
  ('action_weight.rate', '1', 'times (rating - 5) / 2.5 is what one such event adds; 0 without a rating'),
  ('action_weight.search', '0', 'what one such event adds to tastes and trends'),
  ('action_weight.click', '0.5', 'what one such event adds to tastes and trends'),
  ('action_weight.convert', '3', 'what one such event adds to tastes and trends')
on conflict (key) do nothing;
