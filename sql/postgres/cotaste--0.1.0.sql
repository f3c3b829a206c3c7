\echo Use "create extension cotaste" to load this file. \quit

-- Everything CREATE EXTENSION brings: functions of values, aggregates, and cotaste_init(). It brings no table: the space
-- that cotaste_init() creates in a schema is the user's own. Nothing here depends on search_path or on the schema it is in.

create function cotaste_version() returns text
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'cotaste_version_wrapper';
comment on function cotaste_version() is
  'the version of the library';

-- Context: any text, never an error. See parse_context below for all members at once.

create function context_time_of_day(context text) returns text
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'context_time_of_day_wrapper';
comment on function context_time_of_day(text) is
  'morning, afternoon, evening or night; NULL when the context does not say';

create function context_day_of_week(context text) returns text
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'context_day_of_week_wrapper';
comment on function context_day_of_week(text) is
  'monday to sunday; NULL when the context does not say';

create function context_device(context text) returns text
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'context_device_wrapper';
comment on function context_device(text) is
  'the context''s device';

create function context_location(context text) returns text
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'context_location_wrapper';
comment on function context_location(text) is
  'the context''s location';

create function context_experiment(context text) returns text
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'context_experiment_wrapper';
comment on function context_experiment(text) is
  'the name of the context''s experiment';

create function context_variant(context text) returns text
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'context_variant_wrapper';
comment on function context_variant(text) is
  'the variant of the context''s experiment';

create function context_status(context text) returns text
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'context_status_wrapper';
comment on function context_status(text) is
  'empty, ok, partial, not_object or malformed';

create function context_jsonb(context text) returns jsonb
  language c immutable strict parallel safe cost 50 as 'MODULE_PATHNAME', 'context_jsonb_wrapper';
comment on function context_jsonb(text) is
  'the context as jsonb; NULL when jsonb is not certain to hold it';

-- Time. An instant as a number is microseconds since 1970-01-01T00:00Z.

create function time_slot(ts timestamptz, zone text default 'UTC') returns text
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'time_slot_wrapper';
comment on function time_slot(timestamptz, text) is
  'the slot of the wall clock in an IANA zone: morning [05,12), afternoon [12,17), evening [17,21), night [21,05)';

create function day_of_week(ts timestamptz, zone text default 'UTC') returns text
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'day_of_week_wrapper';
comment on function day_of_week(timestamptz, text) is
  'the day of the local date in an IANA zone, monday to sunday';

create function to_epoch_us(ts timestamptz) returns bigint
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'to_epoch_us_wrapper';
comment on function to_epoch_us(timestamptz) is
  'microseconds since 1970-01-01T00:00Z, for the years 1 to 9999';

create function from_epoch_us(us bigint) returns timestamptz
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'from_epoch_us_wrapper';
comment on function from_epoch_us(bigint) is
  'the instant of a number of microseconds since 1970-01-01T00:00Z';

create function day_start_us(us bigint, zone text) returns bigint
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'day_start_us_wrapper';
comment on function day_start_us(bigint, text) is
  'when the local day of an instant began, both in microseconds since 1970';

create function half_lives(us bigint, half_life_hours double precision) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'half_lives_wrapper';
comment on function half_lives(bigint, double precision) is
  'how many half-lives a duration in microseconds is';

create function decay(weight double precision, age_us bigint, half_life_hours double precision) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'decay_wrapper';
comment on function decay(double precision, bigint, double precision) is
  'weight * 2^(-age / half-life)';


-- Similarity of two values, 0 to 1 (dense vectors: -1 to 1)

create function jaccard_similarity(a text, b text) returns double precision
  language c immutable strict parallel safe cost 50 as 'MODULE_PATHNAME', 'jaccard_similarity_wrapper';
comment on function jaccard_similarity(text, text) is
  'shared ids over all ids of two JSON arrays; 0 when both are empty';

create function jaccard_similarity(a bigint[], b bigint[]) returns double precision
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'jaccard_similarity_bigint_wrapper';
comment on function jaccard_similarity(bigint[], bigint[]) is
  'shared ids over all ids of two arrays; 0 when both are empty';

create function jaccard_similarity(a text[], b text[]) returns double precision
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'jaccard_similarity_text_wrapper';
comment on function jaccard_similarity(text[], text[]) is
  'shared ids over all ids of two arrays, compared bytewise; 0 when both are empty';

create function cosine_similarity(a text, b text) returns double precision
  language c immutable strict parallel safe cost 50 as 'MODULE_PATHNAME', 'cosine_similarity_wrapper';
comment on function cosine_similarity(text, text) is
  'cosine of two JSON objects of name and weight, or of two JSON arrays of numbers; 0 when one is zero';

create function cosine_similarity(a double precision[], b double precision[]) returns double precision
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'cosine_similarity_double_wrapper';
comment on function cosine_similarity(double precision[], double precision[]) is
  'cosine of two vectors of one length; 0 when one is zero';

create function weighted_similarity(
  jaccard double precision, cosine double precision,
  jaccard_weight double precision default 0.7, cosine_weight double precision default 0.3
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'weighted_similarity_wrapper';
comment on function weighted_similarity(double precision, double precision, double precision, double precision) is
  'jaccard_weight * jaccard + cosine_weight * cosine, clamped to [0, 1]';


-- Genres: a JSON array of names, each trimmed, lower-cased and in NFC before it counts

create function genre_vector(genres text, weight double precision default 1) returns text
  language c immutable strict parallel safe cost 50 as 'MODULE_PATHNAME', 'genre_vector_wrapper';
comment on function genre_vector(text, double precision) is
  'a weight per genre as a JSON object';

create function genre_list(genres text) returns text
  language c immutable strict parallel safe cost 50 as 'MODULE_PATHNAME', 'genre_list_wrapper';
comment on function genre_list(text) is
  'the usable names of a JSON array of genres as a JSON array; [] when there are none';


-- Tastes: what taste_agg returns

create function taste_similarity(
  a bytea, b bytea, jaccard_weight double precision default 0.7, cosine_weight double precision default 0.3
) returns double precision
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'taste_similarity_wrapper';
comment on function taste_similarity(bytea, bytea, double precision, double precision) is
  'jaccard_weight * Jaccard of the contents + cosine_weight * cosine of the genres, 0 to 1';

create function taste_jaccard(a bytea, b bytea) returns double precision
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'taste_jaccard_wrapper';
comment on function taste_jaccard(bytea, bytea) is
  'shared contents over all contents of two tastes';

create function taste_genre_cosine(a bytea, b bytea) returns double precision
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'taste_genre_cosine_wrapper';
comment on function taste_genre_cosine(bytea, bytea) is
  'cosine of the genre weights of two tastes';

create function taste_shared_items(a bytea, b bytea) returns bigint
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'taste_shared_items_wrapper';
comment on function taste_shared_items(bytea, bytea) is
  'how many contents are in both tastes';

create function taste_items(taste bytea) returns bigint
  language c immutable strict parallel safe cost 5 as 'MODULE_PATHNAME', 'taste_items_wrapper';
comment on function taste_items(bytea) is
  'how many contents are in a taste';

create function taste_json(taste bytea) returns text
  language c immutable strict parallel safe cost 100 as 'MODULE_PATHNAME', 'taste_json_wrapper';
comment on function taste_json(bytea) is
  'a taste as JSON, for people';

create function taste_genre_shares(taste bytea) returns text
  language c immutable strict parallel safe cost 100 as 'MODULE_PATHNAME', 'taste_genre_shares_wrapper';
comment on function taste_genre_shares(bytea) is
  'the part of each genre in all weight above 0, as a JSON object';

create function taste_has(taste bytea, content bigint) returns boolean
  language c immutable strict parallel safe cost 5 as 'MODULE_PATHNAME', 'taste_has_wrapper';
comment on function taste_has(bytea, bigint) is
  'whether a content is in a taste';

create function taste_contents(taste bytea) returns bigint[]
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'taste_contents_wrapper';
comment on function taste_contents(bytea) is
  'the contents of a taste, ascending';


-- Statistics

create function wilson_lower(
  successes double precision, trials double precision, z double precision default 1.959963984540054
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'wilson_lower_wrapper';
comment on function wilson_lower(double precision, double precision, double precision) is
  'lower end of the Wilson interval of a proportion; NULL at 0 trials';

create function wilson_upper(
  successes double precision, trials double precision, z double precision default 1.959963984540054
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'wilson_upper_wrapper';
comment on function wilson_upper(double precision, double precision, double precision) is
  'upper end of the Wilson interval of a proportion; NULL at 0 trials';

create function two_proportion_p(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'two_proportion_p_wrapper';
comment on function two_proportion_p(double precision, double precision, double precision, double precision) is
  'two-sided p value of no difference between two rates, x0 of n0 and x1 of n1';

create function two_proportion_method(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision
) returns text
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'two_proportion_method_wrapper';
comment on function two_proportion_method(double precision, double precision, double precision, double precision) is
  'the test two_proportion_p is: fisher when an expected cell is below 5, else pooled_z';

create function pooled_z(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'pooled_z_wrapper';
comment on function pooled_z(double precision, double precision, double precision, double precision) is
  'pooled z statistic of the difference of two rates';

create function fisher_exact(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'fisher_exact_wrapper';
comment on function fisher_exact(double precision, double precision, double precision, double precision) is
  'two-sided p value of Fisher''s exact test';

create function chance_to_win(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'chance_to_win_wrapper';
comment on function chance_to_win(double precision, double precision, double precision, double precision) is
  'probability that the second rate is above the first, with uniform priors';

create function expected_loss(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'expected_loss_wrapper';
comment on function expected_loss(double precision, double precision, double precision, double precision) is
  'what choosing the second rate is expected to lose, with uniform priors';

create function newcombe_lower(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision,
  z double precision default 1.959963984540054
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'newcombe_lower_wrapper';
comment on function newcombe_lower(double precision, double precision, double precision, double precision, double precision) is
  'lower end of Newcombe''s interval of the difference of two rates';

create function newcombe_upper(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision,
  z double precision default 1.959963984540054
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'newcombe_upper_wrapper';
comment on function newcombe_upper(double precision, double precision, double precision, double precision, double precision) is
  'upper end of Newcombe''s interval of the difference of two rates';

create function lift_lower(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision,
  z double precision default 1.959963984540054
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'lift_lower_wrapper';
comment on function lift_lower(double precision, double precision, double precision, double precision, double precision) is
  'lower end of the lift by the delta method; NULL when the control has no success';

create function lift_upper(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision,
  z double precision default 1.959963984540054
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'lift_upper_wrapper';
comment on function lift_upper(double precision, double precision, double precision, double precision, double precision) is
  'upper end of the lift by the delta method; NULL when the control has no success';

create function confidence_sequence_lower(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision,
  alpha double precision default 0.05
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'confidence_sequence_lower_wrapper';
comment on function confidence_sequence_lower(double precision, double precision, double precision, double precision, double precision) is
  'lower end of the confidence sequence of the difference of two rates';

create function confidence_sequence_upper(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision,
  alpha double precision default 0.05
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'confidence_sequence_upper_wrapper';
comment on function confidence_sequence_upper(double precision, double precision, double precision, double precision, double precision) is
  'upper end of the confidence sequence of the difference of two rates';

create function always_valid_p(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision,
  alpha double precision default 0.05
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'always_valid_p_wrapper';
comment on function always_valid_p(double precision, double precision, double precision, double precision, double precision) is
  'p value that stays valid however often it is looked at';

create function critical_z(
  alpha double precision
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'critical_z_wrapper';
comment on function critical_z(double precision) is
  'the z beyond which alpha of a standard normal lies, both sides together';

create function chi_square_p(
  chi_square double precision, degrees bigint
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'chi_square_p_wrapper';
comment on function chi_square_p(double precision, bigint) is
  'upper tail of the chi-square distribution';

-- Experiments. What gives several numbers gives a JSON object; undefined is null in it, and the whole is NULL where nothing
-- is defined.

create function wilson_interval(
  successes double precision, trials double precision, z double precision default 1.959963984540054
) returns text
  language c immutable strict parallel safe cost 5 as 'MODULE_PATHNAME', 'wilson_interval_wrapper';
comment on function wilson_interval(double precision, double precision, double precision) is
  'Wilson interval of a proportion: lower, upper; NULL at 0 trials';

create function clopper_pearson_interval(
  successes double precision, trials double precision, alpha double precision default 0.05
) returns text
  language c immutable strict parallel safe cost 100 as 'MODULE_PATHNAME', 'clopper_pearson_interval_wrapper';
comment on function clopper_pearson_interval(double precision, double precision, double precision) is
  'exact interval of a proportion: lower, upper; NULL at 0 trials';

create function posterior_interval(
  successes double precision, trials double precision, alpha double precision default 0.05
) returns text
  language c immutable strict parallel safe cost 100 as 'MODULE_PATHNAME', 'posterior_interval_wrapper';
comment on function posterior_interval(double precision, double precision, double precision) is
  'posterior of a proportion with a uniform prior: mean, lower, upper';

create function newcombe_interval(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision,
  z double precision default 1.959963984540054
) returns text
  language c immutable strict parallel safe cost 5 as 'MODULE_PATHNAME', 'newcombe_interval_wrapper';
comment on function newcombe_interval(double precision, double precision, double precision, double precision, double precision) is
  'Newcombe interval of the difference of two rates: lower, upper';

create function lift_intervals(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision,
  z double precision default 1.959963984540054
) returns text
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'lift_intervals_wrapper';
comment on function lift_intervals(double precision, double precision, double precision, double precision, double precision) is
  'lift with its intervals by the delta method, Katz, Walter and Fieller';

create function two_proportion_test(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision,
  alpha double precision default 0.05
) returns text
  language c immutable strict parallel safe cost 50 as 'MODULE_PATHNAME', 'two_proportion_test_wrapper';
comment on function two_proportion_test(double precision, double precision, double precision, double precision, double precision) is
  'comparison of two rates: difference, lift, intervals, p value and method, chance to win, expected loss';

create function confidence_sequence(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision,
  alpha double precision default 0.05
) returns text
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'confidence_sequence_wrapper';
comment on function confidence_sequence(double precision, double precision, double precision, double precision, double precision) is
  'what may be watched daily of the difference of two rates: lower, upper, p_value';

create function posterior_difference(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision,
  alpha double precision default 0.05
) returns text
  language c immutable strict parallel safe cost 1000 as 'MODULE_PATHNAME', 'posterior_difference_wrapper';
comment on function posterior_difference(double precision, double precision, double precision, double precision, double precision) is
  'posterior of the difference of two rates with uniform priors: mean, lower, upper';

create function barnard_exact(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision
) returns double precision
  language c immutable strict parallel safe cost 10000 as 'MODULE_PATHNAME', 'barnard_exact_wrapper';
comment on function barnard_exact(double precision, double precision, double precision, double precision) is
  'two-sided p value of Barnard''s exact test; NULL when n0 * n1 is above 2500';

create function msprt_p(
  x0 double precision, n0 double precision, x1 double precision, n1 double precision, tau double precision
) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'msprt_p_wrapper';
comment on function msprt_p(double precision, double precision, double precision, double precision, double precision) is
  'always valid p value of the mixture sequential probability ratio test';

create function prob_best(arms text) returns text
  language c immutable strict parallel safe cost 1000 as 'MODULE_PATHNAME', 'prob_best_wrapper';
comment on function prob_best(text) is
  'JSON array: of each arm of [[successes, trials], ...] the probability that its rate is the highest';

create function omnibus_test(arms text) returns text
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'omnibus_test_wrapper';
comment on function omnibus_test(text) is
  'test that all arms of [[successes, trials], ...] have one rate: chi_square, df, p_value';

create function srm_test(users text, weights text) returns text
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'srm_test_wrapper';
comment on function srm_test(text, text) is
  'test of the users of each variant against the planned weights, two JSON arrays: chi_square, df, p_value, unplanned_users, status';

create function moments_count(moments bytea) returns bigint
  language c immutable strict parallel safe cost 5 as 'MODULE_PATHNAME', 'moments_count_wrapper';
comment on function moments_count(bytea) is
  'how many rows a value of moments is made of';

create function moments_json(moments bytea) returns text
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'moments_json_wrapper';
comment on function moments_json(bytea) is
  'means, variances, covariance and sums of a value of moments';

create function welch_test(control bytea, treatment bytea, alpha double precision default 0.05) returns text
  language c immutable strict parallel safe cost 50 as 'MODULE_PATHNAME', 'welch_test_wrapper';
comment on function welch_test(bytea, bytea, double precision) is
  'test of two arms'' means, two values of moments(y)';

create function ratio_test(control bytea, treatment bytea, alpha double precision default 0.05) returns text
  language c immutable strict parallel safe cost 50 as 'MODULE_PATHNAME', 'ratio_test_wrapper';
comment on function ratio_test(bytea, bytea, double precision) is
  'test of two arms'' ratios sum(y) / sum(x) by the delta method, two values of moments(y, x)';

create function cuped_test(control bytea, treatment bytea, alpha double precision default 0.05) returns text
  language c immutable strict parallel safe cost 50 as 'MODULE_PATHNAME', 'cuped_test_wrapper';
comment on function cuped_test(bytea, bytea, double precision) is
  'test of two arms'' means of y adjusted by x from before the experiment, two values of moments(y, x)';

create function result_number(result text, name text) returns double precision
  language c immutable strict parallel safe cost 5 as 'MODULE_PATHNAME', 'result_number_wrapper';
comment on function result_number(text, text) is
  'the number of that name in the JSON object of a test; NULL when it is undefined';

create function required_sample_size(
  p0 double precision, p1 double precision, power double precision default 0.8,
  alpha double precision default 0.05, ratio double precision default 1
) returns bigint
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'required_sample_size_wrapper';
comment on function required_sample_size(double precision, double precision, double precision, double precision, double precision) is
  'users of the control to find the difference of two rates; the treatment has ratio times as many; NULL when they are equal';

create function sample_sizes(
  p0 double precision, p1 double precision, power double precision default 0.8,
  alpha double precision default 0.05, ratio double precision default 1
) returns text
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'sample_sizes_wrapper';
comment on function sample_sizes(double precision, double precision, double precision, double precision, double precision) is
  'the same with the treatment''s users and by other formulas: control, treatment, pooled, unpooled, arcsine';

create function achieved_power(
  p0 double precision, p1 double precision, n0 double precision, n1 double precision,
  alpha double precision default 0.05
) returns double precision
  language c immutable strict parallel safe cost 5 as 'MODULE_PATHNAME', 'achieved_power_wrapper';
comment on function achieved_power(double precision, double precision, double precision, double precision, double precision) is
  'probability to find the difference of two rates with so many users';

create function experiment_assign(experiment text, user_id text, weights text default '["control","treatment"]') returns text
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'experiment_assign_wrapper';
comment on function experiment_assign(text, text, text) is
  'the variant of a user: a stable hash; weights are a JSON object of variant and weight or an array of variants';

create function experiment_assign(
  experiment text, user_id bigint, weights text default '["control","treatment"]'
) returns text
  language sql immutable strict parallel safe
  return experiment_assign($1, cast($2 as text), $3);
comment on function experiment_assign(text, bigint, text) is
  'experiment_assign for users with numbers for ids';

create function experiment_assign(
  experiment text, user_id uuid, weights text default '["control","treatment"]'
) returns text
  language sql immutable strict parallel safe
  return experiment_assign($1, cast($2 as text), $3);
comment on function experiment_assign(text, uuid, text) is
  'experiment_assign for users with uuids for ids';

create function rating_goal(goal text) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'rating_goal_wrapper';
comment on function rating_goal(text) is
  'the least rating that meets a goal rating >= x; NULL when the goal is an action';

create function check_dimension(dimension text) returns boolean
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'check_dimension_wrapper';
comment on function check_dimension(text) is
  'true when an experiment can be cut by it: device, location, slot or day';

-- What an event may hold: true, or INVALID_ARGUMENT with what is wrong. The constraints of user_behaviors call them.

create function check_user_id(user_id text) returns boolean
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'check_user_id_wrapper';
comment on function check_user_id(text) is
  'true when it can be a user id: 1 to 1000 bytes';

create function check_content_id(content_id bigint) returns boolean
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'check_content_id_wrapper';
comment on function check_content_id(bigint) is
  'true when it can be a content id';

create function check_action(action text) returns boolean
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'check_action_wrapper';
comment on function check_action(text) is
  'true when it can be an action: 1 to 64 characters';

create function check_rating(rating double precision) returns boolean
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'check_rating_wrapper';
comment on function check_rating(double precision) is
  'true when it is a rating: 0 to 10';

create function check_progress(progress double precision) returns boolean
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'check_progress_wrapper';
comment on function check_progress(double precision) is
  'true when it is a progress: 0 to 1';

create function check_occurred_at(occurred_at timestamptz) returns boolean
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'check_occurred_at_wrapper';
comment on function check_occurred_at(timestamptz) is
  'true when it can be the time of an event: in the years 1 to 9999';

create function parse_context(context text)
  returns table (time_of_day text, day_of_week text, device text, location text, experiment text, variant text, context_status text)
  language sql immutable parallel safe rows 1
begin atomic
  select
    context_time_of_day($1), context_day_of_week($1), context_device($1), context_location($1),
    context_experiment($1), context_variant($1), coalesce(context_status($1), 'empty');
end;
comment on function parse_context(text) is
  'all members of a context in one row; NULL is an empty context';

-- Aggregates. A state is a bytea of any two halves of a group, so they run in parallel and their result does not depend
-- on the order of the rows.

create function taste_agg_step(state bytea, content bigint, genres text, weight double precision) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'taste_agg_step_wrapper';
comment on function taste_agg_step(bytea, bigint, text, double precision) is
  'part of taste_agg: adds a row';

create function taste_agg_step(
  state bytea, content bigint, genres text, weight double precision, half_lives double precision
) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'taste_agg_decayed_step_wrapper';
comment on function taste_agg_step(bytea, bigint, text, double precision, double precision) is
  'part of taste_agg: adds a row';

create function taste_rollup_step(state bytea, taste bytea) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'taste_rollup_step_wrapper';
comment on function taste_rollup_step(bytea, bytea) is
  'part of taste_rollup: adds a taste';

create function taste_combine(state bytea, other bytea) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'taste_combine_wrapper';
comment on function taste_combine(bytea, bytea) is
  'part of taste_agg and taste_rollup: joins two states';

create function taste_final(state bytea) returns bytea
  language c immutable strict parallel safe cost 100 as 'MODULE_PATHNAME', 'taste_final_wrapper';
comment on function taste_final(bytea) is
  'part of taste_agg and taste_rollup: the taste';

create aggregate taste_agg(content bigint, genres text, weight double precision) (
  sfunc = taste_agg_step, stype = bytea, sspace = 2048, combinefunc = taste_combine, finalfunc = taste_final, parallel = safe
);
comment on aggregate taste_agg(bigint, text, double precision) is
  'a taste: the distinct contents of the rows, and the weight of each genre, each row''s weight split over its genres';

create aggregate taste_agg(content bigint, genres text, weight double precision, half_lives double precision) (
  sfunc = taste_agg_step, stype = bytea, sspace = 2048, combinefunc = taste_combine, finalfunc = taste_final, parallel = safe
);
comment on aggregate taste_agg(bigint, text, double precision, double precision) is
  'a taste whose weights mean weight * 2^half_lives';

create aggregate taste_rollup(taste bytea) (
  sfunc = taste_rollup_step, stype = bytea, sspace = 2048, combinefunc = taste_combine, finalfunc = taste_final, parallel = safe
);
comment on aggregate taste_rollup(bytea) is
  'the taste of several tastes together';

create function reproducible_sum_step(state bytea, value double precision) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'reproducible_sum_step_wrapper';
comment on function reproducible_sum_step(bytea, double precision) is
  'part of reproducible_sum: adds a number';

create function reproducible_sum_combine(state bytea, other bytea) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'reproducible_sum_combine_wrapper';
comment on function reproducible_sum_combine(bytea, bytea) is
  'part of reproducible_sum: joins two states';

create function reproducible_sum_final(state bytea) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'reproducible_sum_final_wrapper';
comment on function reproducible_sum_final(bytea) is
  'part of reproducible_sum: the sum';

create aggregate reproducible_sum(value double precision) (
  sfunc = reproducible_sum_step, stype = bytea, sspace = 64,
  combinefunc = reproducible_sum_combine, finalfunc = reproducible_sum_final, parallel = safe
);
comment on aggregate reproducible_sum(double precision) is
  'a sum that has the same bits for every order of the rows';

create function latest_value_step(state bytea, value double precision, at bigint, id bigint) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'latest_value_step_wrapper';
comment on function latest_value_step(bytea, double precision, bigint, bigint) is
  'part of latest_value: adds a row';

create function latest_value_combine(state bytea, other bytea) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'latest_value_combine_wrapper';
comment on function latest_value_combine(bytea, bytea) is
  'part of latest_value: joins two states';

create function latest_value_final(state bytea) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'latest_value_final_wrapper';
comment on function latest_value_final(bytea) is
  'part of latest_value: the value';

create aggregate latest_value(value double precision, at bigint, id bigint) (
  sfunc = latest_value_step, stype = bytea, sspace = 32,
  combinefunc = latest_value_combine, finalfunc = latest_value_final, parallel = safe
);
comment on aggregate latest_value(double precision, bigint, bigint) is
  'the value of the last row by time, then id; rows with a NULL are left out';

create function ordered_json_array_step(state bytea, value text, "position" bigint) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'ordered_json_array_step_wrapper';
comment on function ordered_json_array_step(bytea, text, bigint) is
  'part of ordered_json_array: adds a value';

create function ordered_json_array_combine(state bytea, other bytea) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'ordered_json_array_combine_wrapper';
comment on function ordered_json_array_combine(bytea, bytea) is
  'part of ordered_json_array: joins two states';

create function ordered_json_array_final(state bytea) returns text
  language c immutable parallel safe cost 10 as 'MODULE_PATHNAME', 'ordered_json_array_final_wrapper';
comment on function ordered_json_array_final(bytea) is
  'part of ordered_json_array: the array';

create aggregate ordered_json_array(value text, "position" bigint) (
  sfunc = ordered_json_array_step, stype = bytea, sspace = 256,
  combinefunc = ordered_json_array_combine, finalfunc = ordered_json_array_final, parallel = safe
);
comment on aggregate ordered_json_array(text, bigint) is
  'the values as a JSON array by position, ties by the values'' bytes; [] without rows';

-- The state of a space. The tables cotaste_users, cotaste_postings and cotaste_blocks hold what these make.

create function decayed_weight_step(state bytea, weight double precision, half_lives double precision) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'decayed_weight_step_wrapper';
comment on function decayed_weight_step(bytea, double precision, double precision) is
  'part of decayed_weight: adds a row';

create function decayed_weight_final(state bytea) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'decayed_weight_final_wrapper';
comment on function decayed_weight_final(bytea) is
  'part of decayed_weight: the value';

create aggregate decayed_weight(weight double precision, half_lives double precision) (
  sfunc = decayed_weight_step, stype = bytea, sspace = 64,
  combinefunc = reproducible_sum_combine, finalfunc = decayed_weight_final, parallel = safe
);
comment on aggregate decayed_weight(double precision, double precision) is
  'the sum of weight * 2^half_lives as mantissa and exponent; it has the same bits for every order of the rows';

create function decayed_weight_based_step(
  state bytea, weight double precision, half_lives double precision, base bytea, half_life_hours double precision
) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'decayed_weight_based_step_wrapper';
comment on function decayed_weight_based_step(bytea, double precision, double precision, bytea, double precision) is
  'part of decayed_weight: adds a row';

create aggregate decayed_weight(weight double precision, half_lives double precision, base bytea, half_life_hours double precision) (
  sfunc = decayed_weight_based_step, stype = bytea, sspace = 64,
  combinefunc = reproducible_sum_combine, finalfunc = decayed_weight_final, parallel = safe
);
comment on aggregate decayed_weight(double precision, double precision, bytea, double precision) is
  'the same with what pair_base kept of purged events, with a half-life in hours';

create function taste_changes_step(
  state bytea, content bigint, genres text, was_touched boolean, was_weight bytea, is_touched boolean, is_weight bytea
) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'taste_changes_step_wrapper';
comment on function taste_changes_step(bytea, bigint, text, boolean, bytea, boolean, bytea) is
  'part of taste_changes: adds a row';

create function posting_changes_step(state bytea, place bigint, added boolean) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'posting_changes_step_wrapper';
comment on function posting_changes_step(bytea, bigint, boolean) is
  'part of posting_changes: adds a row';

create function block_changes_step(state bytea, slot bigint, taste bytea) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'block_changes_step_wrapper';
comment on function block_changes_step(bytea, bigint, bytea) is
  'part of block_changes: adds a row';

create function changes_combine(state bytea, other bytea) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'changes_combine_wrapper';
comment on function changes_combine(bytea, bytea) is
  'part of taste_changes, posting_changes and block_changes: joins two states';

create function changes_final(state bytea) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'changes_final_wrapper';
comment on function changes_final(bytea) is
  'part of taste_changes, posting_changes and block_changes: the changes';

create aggregate taste_changes(
  content bigint, genres text, was_touched boolean, was_weight bytea, is_touched boolean, is_weight bytea
) (
  sfunc = taste_changes_step, stype = bytea, sspace = 1024, combinefunc = changes_combine, finalfunc = changes_final,
  parallel = safe
);
comment on aggregate taste_changes(bigint, text, boolean, bytea, boolean, bytea) is
  'changes of a user''s contents for follow_taste: what each was and what it is, NULL weights where it was or is nothing';

create aggregate posting_changes(place bigint, added boolean) (
  sfunc = posting_changes_step, stype = bytea, sspace = 256, combinefunc = changes_combine, finalfunc = changes_final,
  parallel = safe
);
comment on aggregate posting_changes(bigint, boolean) is
  'changes of a posting list for apply_postings: places 0 to 65535 added or removed';

create aggregate block_changes(slot bigint, taste bytea) (
  sfunc = block_changes_step, stype = bytea, sspace = 4096, combinefunc = changes_combine, finalfunc = changes_final,
  parallel = safe
);
comment on aggregate block_changes(bigint, bytea) is
  'changes of a block for apply_block: slots 0 to 255 with their new tastes, NULL for nobody';

create function follow_taste(taste bytea, sums bytea, changes bytea) returns bytea
  language c immutable parallel safe cost 200 as 'MODULE_PATHNAME', 'follow_taste_wrapper';
comment on function follow_taste(bytea, bytea, bytea) is
  'a taste and its sums, or NULLs, after changes; NULL when nothing is left';

create function followed_taste(followed bytea) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'followed_taste_wrapper';
comment on function followed_taste(bytea) is
  'the taste follow_taste made';

create function followed_sums(followed bytea) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'followed_sums_wrapper';
comment on function followed_sums(bytea) is
  'the sums follow_taste made';

create function apply_postings(users bytea, changes bytea) returns bytea
  language c immutable parallel safe cost 100 as 'MODULE_PATHNAME', 'apply_postings_wrapper';
comment on function apply_postings(bytea, bytea) is
  'a posting list, or NULL, after changes; NULL when nobody is left';

create function apply_block(users bytea, changes bytea, genre_order text) returns bytea
  language c immutable parallel safe cost 100 as 'MODULE_PATHNAME', 'apply_block_wrapper';
comment on function apply_block(bytea, bytea, text) is
  'a block, or NULL, after changes; NULL when nobody is left';

create function extend_genre_order_step(state internal, genre_order text, taste bytea) returns internal
  language c immutable parallel safe as 'MODULE_PATHNAME', 'extend_genre_order_step_wrapper';
comment on function extend_genre_order_step(internal, text, bytea) is
  'part of extend_genre_order: adds a taste';

create function extend_genre_order_final(state internal) returns text
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'extend_genre_order_final_wrapper';
comment on function extend_genre_order_final(internal) is
  'part of extend_genre_order: the order';

create aggregate extend_genre_order(genre_order text, taste bytea) (
  sfunc = extend_genre_order_step, stype = internal, sspace = 512, finalfunc = extend_genre_order_final, parallel = safe
);
comment on aggregate extend_genre_order(text, bytea) is
  'a JSON array of genres with those of the tastes appended that it lacks';

create function count_postings_step(state bytea, chunk integer, users bytea) returns bytea
  language c immutable parallel safe cost 10 as 'MODULE_PATHNAME', 'count_postings_step_wrapper';
comment on function count_postings_step(bytea, integer, bytea) is
  'part of count_postings: counts a posting list';

create aggregate count_postings(chunk integer, users bytea) (
  sfunc = count_postings_step, stype = bytea, sspace = 262144, parallel = safe
);
comment on aggregate count_postings(integer, bytea) is
  'in how many of the posting lists each user is: 16 bits a user, by number';

create function counted(counters bytea, ord integer) returns bigint
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'counted_wrapper';
comment on function counted(bytea, integer) is
  'the count of a user in what count_postings made';

create function similarity_at_most_step(
  state internal, taste bytea, folded bytea, content bigint, genres text, jaccard_weight double precision,
  cosine_weight double precision
) returns internal
  language c immutable parallel safe cost 10 as 'MODULE_PATHNAME', 'similarity_at_most_step_wrapper';
comment on function similarity_at_most_step(internal, bytea, bytea, bigint, text, double precision, double precision) is
  'part of similarity_at_most: adds a pair';

create function similarity_at_most_final(state internal) returns double precision
  language c immutable parallel safe cost 10 as 'MODULE_PATHNAME', 'similarity_at_most_final_wrapper';
comment on function similarity_at_most_final(internal) is
  'part of similarity_at_most: the bound';

create aggregate similarity_at_most(
  taste bytea, folded bytea, content bigint, genres text, jaccard_weight double precision, cosine_weight double precision
) (
  sfunc = similarity_at_most_step, stype = internal, sspace = 2048, finalfunc = similarity_at_most_final, parallel = safe
);
comment on aggregate similarity_at_most(bytea, bytea, bigint, text, double precision, double precision) is
  'how similar a taste and a user can be at most: a row a pair that changed since the user''s taste was folded, with its content''s genres';

create function pending_bounds_step(
  state internal, taste bytea, counters bytea, ord integer, items bigint, content bigint, jaccard_weight double precision,
  cosine_weight double precision
) returns internal
  language c immutable parallel safe cost 10 as 'MODULE_PATHNAME', 'pending_bounds_step_wrapper';
comment on function pending_bounds_step(internal, bytea, bytea, integer, bigint, bigint, double precision, double precision) is
  'part of pending_bounds: adds a pair';

create function pending_bounds_final(state internal) returns bytea
  language c immutable parallel safe cost 10 as 'MODULE_PATHNAME', 'pending_bounds_final_wrapper';
comment on function pending_bounds_final(internal) is
  'part of pending_bounds: the value';

create aggregate pending_bounds(
  taste bytea, counters bytea, ord integer, items bigint, content bigint, jaccard_weight double precision,
  cosine_weight double precision
) (
  sfunc = pending_bounds_step, stype = internal, sspace = 65536, finalfunc = pending_bounds_final, parallel = safe
);
comment on aggregate pending_bounds(bytea, bytea, integer, bigint, bigint, double precision, double precision) is
  'how similar a taste and each user can be at most, by numbers alone: a row a pair that changed since the user''s taste was folded';

create function pending_ords(bounds bytea) returns integer[]
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'pending_ords_wrapper';
comment on function pending_ords(bytea) is
  'the numbers of all users in what pending_bounds made';

create function pending_reaching(bounds bytea, at_least double precision) returns integer[]
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'pending_reaching_wrapper';
comment on function pending_reaching(bytea, double precision) is
  'the numbers of the users in what pending_bounds made who may be at least so similar';

create function rank_users_step(
  state internal, counters bytea, block integer, users bytea, taste bytea, genre_order text, excluded integer[], k bigint,
  jaccard_weight double precision, cosine_weight double precision
) returns internal
  language c immutable parallel safe cost 50 as 'MODULE_PATHNAME', 'rank_users_step_wrapper';
comment on function rank_users_step(internal, bytea, integer, bytea, bytea, text, integer[], bigint, double precision, double precision) is
  'part of rank_users: ranks the users of a block';

create function rank_users_final(state internal) returns integer[]
  language c immutable parallel safe as 'MODULE_PATHNAME', 'rank_users_final_wrapper';
comment on function rank_users_final(internal) is
  'part of rank_users: the users';

create aggregate rank_users(
  counters bytea, block integer, users bytea, taste bytea, genre_order text, excluded integer[], k bigint,
  jaccard_weight double precision, cosine_weight double precision
) (
  sfunc = rank_users_step, stype = internal, sspace = 65536, finalfunc = rank_users_final, finalfunc_modify = read_write,
  parallel = safe
);
comment on aggregate rank_users(bytea, integer, bytea, bytea, text, integer[], bigint, double precision, double precision) is
  'the numbers of all users who can be among the k most similar to a taste, by bounds';

create function gather_lists_step(state bytea, key bigint, part integer, list bytea) returns bytea
  language c immutable parallel safe cost 10 as 'MODULE_PATHNAME', 'gather_lists_step_wrapper';
comment on function gather_lists_step(bytea, bigint, integer, bytea) is
  'part of gather_lists: adds a list';

create function gather_lists_final(state bytea) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'gather_lists_final_wrapper';
comment on function gather_lists_final(bytea) is
  'part of gather_lists: the value';

create aggregate gather_lists(key bigint, part integer, list bytea) (
  sfunc = gather_lists_step, stype = bytea, sspace = 16777216, finalfunc = gather_lists_final, parallel = safe
);
comment on aggregate gather_lists(bigint, integer, bytea) is
  'posting lists by content and chunk, or blocks by number, as one value for find_finalists';

create function find_finalists(
  postings bytea, blocks bytea, taste bytea, genre_order text, excluded integer[], k bigint, jaccard_weight double precision,
  cosine_weight double precision
) returns integer[]
  language c immutable strict parallel safe cost 100000 as 'MODULE_PATHNAME', 'find_finalists_wrapper';
comment on function find_finalists(bytea, bytea, bytea, text, integer[], bigint, double precision, double precision) is
  'as rank_users, from lists gather_lists made';

-- Measures of contents

create function pair_facts_step(
  state internal, action text, rating double precision, weight double precision, at_us bigint, id bigint,
  half_life_hours double precision, user_cap bigint, base bytea
) returns internal
  language c immutable parallel safe as 'MODULE_PATHNAME', 'pair_facts_step_wrapper';
comment on function pair_facts_step(
  internal, text, double precision, double precision, bigint, bigint, double precision, bigint, bytea
) is
  'part of pair_facts: adds an event, or what pair_base kept of events';

create function pair_facts_final(state internal) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'pair_facts_final_wrapper';
comment on function pair_facts_final(internal) is
  'part of pair_facts: the value';

create aggregate pair_facts(
  action text, rating double precision, weight double precision, at_us bigint, id bigint, half_life_hours double precision,
  user_cap bigint, base bytea
) (
  sfunc = pair_facts_step, stype = internal, sspace = 256, finalfunc = pair_facts_final, parallel = safe
);
comment on aggregate pair_facts(
  text, double precision, double precision, bigint, bigint, double precision, bigint, bytea
) is
  'what a user''s events with a content come to for its measures; events without a time do not count';

create function pair_base_step(
  state internal, base bytea, action text, rating double precision, weight double precision, at_us bigint, id bigint,
  taste_half_life_hours double precision, trending_half_life_hours double precision, user_cap bigint
) returns internal
  language c immutable parallel safe as 'MODULE_PATHNAME', 'pair_base_step_wrapper';
comment on function pair_base_step(
  internal, bytea, text, double precision, double precision, bigint, bigint, double precision, double precision, bigint
) is
  'part of pair_base: adds an event, or what was kept before';

create function pair_base_final(state internal) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'pair_base_final_wrapper';
comment on function pair_base_final(internal) is
  'part of pair_base: the value';

create aggregate pair_base(
  base bytea, action text, rating double precision, weight double precision, at_us bigint, id bigint,
  taste_half_life_hours double precision, trending_half_life_hours double precision, user_cap bigint
) (
  sfunc = pair_base_step, stype = internal, sspace = 512, finalfunc = pair_base_final, parallel = safe
);
comment on aggregate pair_base(
  bytea, text, double precision, double precision, bigint, bigint, double precision, double precision, bigint
) is
  'what is kept of a pair''s purged events: all that level 1 needs, unrounded';

create function base_number(base bytea, name text) returns bigint
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'base_number_wrapper';
comment on function base_number(bytea, text) is
  'of purged events: events, touches, first_us, last_us, last_id or touched_us';

create function base_action(base bytea) returns text
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'base_action_wrapper';
comment on function base_action(bytea) is
  'the action of the last purged event';

create function content_changes_step(state internal, was bytea, facts bytea) returns internal
  language c immutable parallel safe as 'MODULE_PATHNAME', 'content_changes_step_wrapper';
comment on function content_changes_step(internal, bytea, bytea) is
  'part of content_changes and rating_changes: adds a pair';

create function content_changes_final(state internal) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'content_changes_final_wrapper';
comment on function content_changes_final(internal) is
  'part of content_changes: the changes';

create function rating_changes_final(state internal) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'rating_changes_final_wrapper';
comment on function rating_changes_final(internal) is
  'part of rating_changes: the changes';

create aggregate content_changes(was bytea, facts bytea) (
  sfunc = content_changes_step, stype = internal, sspace = 512, finalfunc = content_changes_final, parallel = safe
);
comment on aggregate content_changes(bytea, bytea) is
  'changes of a content''s pairs for follow_content: the facts of each as they were and as they are, NULL for none';

create aggregate rating_changes(was bytea, facts bytea) (
  sfunc = content_changes_step, stype = internal, sspace = 512, finalfunc = rating_changes_final, parallel = safe
);
comment on aggregate rating_changes(bytea, bytea) is
  'what of these changes is of users'' last ratings, for follow_content';

create function follow_content(measures bytea, changes bytea) returns bytea
  language c immutable parallel safe cost 20 as 'MODULE_PATHNAME', 'follow_content_wrapper';
comment on function follow_content(bytea, bytea) is
  'the measures of a content, or NULL, after changes; NULL when no pair is left';

create function content_merge_step(state bytea, measures bytea) returns bytea
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'content_merge_step_wrapper';
comment on function content_merge_step(bytea, bytea) is
  'part of content_merge: adds measures';

create aggregate content_merge(measures bytea) (
  sfunc = content_merge_step, stype = bytea, sspace = 256, combinefunc = content_merge_step, parallel = safe
);
comment on aggregate content_merge(bytea) is
  'the measures of a content from those of several parts of its users, each user in one';

create function set_content_extent(measures bytea, first_us bigint, last_us bigint) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'set_content_extent_wrapper';
comment on function set_content_extent(bytea, bigint, bigint) is
  'the measures of a content with first and last activity where they are unknown';

create function content_count(measures bytea, name text) returns bigint
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'content_count_wrapper';
comment on function content_count(bytea, text) is
  'one count of a content''s measures by its name, or first_us or last_us, NULL when these are unknown';

create function content_number(measures bytea, name text) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'content_number_wrapper';
comment on function content_number(bytea, text) is
  'rating_sum, last_rating_sum or rank_key of a content''s measures';

create function content_trend(measures bytea) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'content_trend_wrapper';
comment on function content_trend(bytea) is
  'the sum of the weights of a content''s events as of 1970, for trend_score';

create function trend_score(trend bytea, as_of_us bigint, half_life_hours double precision) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'trend_score_wrapper';
comment on function trend_score(bytea, bigint, double precision) is
  'what a sum of weights as of 1970 has decayed to at a time';

create function sample_sd(count bigint, sum double precision, sum_of_squares double precision) returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'sample_sd_wrapper';
comment on function sample_sd(bigint, double precision, double precision) is
  'the standard deviation (n - 1) of so many values, from their sum and the sum of their squares; NULL of fewer than two';

create function z_score(current double precision, periods bigint, sum double precision, sum_of_squares double precision)
  returns double precision
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'z_score_wrapper';
comment on function z_score(double precision, bigint, double precision, double precision) is
  '(current - mean) / sqrt(max(sd^2, mean, 1)) against so many periods; NULL when they are fewer than two';

-- A user's events as one value

create function event_changes_step(
  state bytea, content bigint, occurred_us bigint, action text, rating double precision, experiment text, variant text
) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'event_changes_step_wrapper';
comment on function event_changes_step(bytea, bigint, bigint, text, double precision, text, text) is
  'part of event_changes: adds a row';

create aggregate event_changes(
  content bigint, occurred_us bigint, action text, rating double precision, experiment text, variant text
) (
  sfunc = event_changes_step, stype = bytea, sspace = 8192, combinefunc = changes_combine, finalfunc = changes_final,
  parallel = safe
);
comment on aggregate event_changes(bigint, bigint, text, double precision, text, text) is
  'all events of a user''s contents for follow_events; a NULL time stands for a content without events';

create function follow_events(events bytea, changes bytea) returns bytea
  language c immutable parallel safe cost 200 as 'MODULE_PATHNAME', 'follow_events_wrapper';
comment on function follow_events(bytea, bytea) is
  'a user''s events, or NULL, after changes; NULL when none names a variant of an experiment, empty when they are too many';

create function experiment_user(
  events bytea, experiment text, from_us bigint, to_us bigint, goal text, window_us bigint, now_us bigint
) returns json
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'experiment_user_wrapper';
comment on function experiment_user(bytea, text, bigint, bigint, text, bigint, bigint) is
  'what a user of an experiment did: a JSON object of variant, first_us (of the first exposure), goals and first_goal_us; NULL for one of several variants or none; no window below 0';

create function experiment_arms_step(
  state internal, events bytea, experiment text, from_us bigint, to_us bigint, goal text, window_us bigint, now_us bigint
) returns internal
  language c immutable parallel safe cost 20 as 'MODULE_PATHNAME', 'experiment_arms_step_wrapper';
comment on function experiment_arms_step(internal, bytea, text, bigint, bigint, text, bigint, bigint) is
  'part of experiment_arms: adds a user';

create function experiment_arms_combine(state internal, other internal) returns internal
  language c immutable parallel safe as 'MODULE_PATHNAME', 'experiment_arms_combine_wrapper';
comment on function experiment_arms_combine(internal, internal) is
  'part of experiment_arms: joins two states';

create function experiment_arms_serial(state internal) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'experiment_arms_serial_wrapper';
comment on function experiment_arms_serial(internal) is
  'part of experiment_arms: a state on its way between processes';

create function experiment_arms_deserial(state bytea, unused internal) returns internal
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'experiment_arms_deserial_wrapper';
comment on function experiment_arms_deserial(bytea, internal) is
  'part of experiment_arms: a state that arrived';

create function experiment_arms_final(state internal) returns json
  language c immutable parallel safe as 'MODULE_PATHNAME', 'experiment_arms_final_wrapper';
comment on function experiment_arms_final(internal) is
  'part of experiment_arms: the counts';

create aggregate experiment_arms(
  events bytea, experiment text, from_us bigint, to_us bigint, goal text, window_us bigint, now_us bigint
) (
  sfunc = experiment_arms_step, stype = internal, sspace = 1024, finalfunc = experiment_arms_final,
  combinefunc = experiment_arms_combine, serialfunc = experiment_arms_serial, deserialfunc = experiment_arms_deserial,
  parallel = safe
);
comment on aggregate experiment_arms(bytea, text, bigint, bigint, text, bigint, bigint) is
  'what the users of an experiment did, by variant, from the events of each: a JSON object with a member a variant';

-- Recommendations

create function recommend_rows_step(
  state internal, kind integer, a text, b text, content bigint, at bigint, flag boolean, taste bytea
) returns internal
  language c immutable parallel safe cost 10 as 'MODULE_PATHNAME', 'recommend_rows_step_wrapper';
comment on function recommend_rows_step(internal, integer, text, text, bigint, bigint, boolean, bytea) is
  'part of recommend_rows: reads a row';

create function recommend_rows_final(state internal) returns text
  language c immutable parallel safe cost 100000 as 'MODULE_PATHNAME', 'recommend_rows_final_wrapper';
comment on function recommend_rows_final(internal) is
  'part of recommend_rows: the answer';

create aggregate recommend_rows(kind integer, a text, b text, content bigint, at bigint, flag boolean, taste bytea) (
  sfunc = recommend_rows_step, stype = internal, sspace = 4194304, finalfunc = recommend_rows_final,
  finalfunc_modify = read_write, parallel = safe
);
comment on aggregate recommend_rows(integer, text, text, bigint, bigint, boolean, bytea) is
  'the answer, as JSON, to the question of recommend among the rows';

-- Aggregates of experiments

create function moments_step(state bytea, y double precision) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'moments_step_wrapper';
comment on function moments_step(bytea, double precision) is
  'part of moments: adds a row';

create function moments_step(state bytea, y double precision, x double precision) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'moments_of_two_step_wrapper';
comment on function moments_step(bytea, double precision, double precision) is
  'part of moments: adds a row';

create function moments_merge_step(state bytea, moments bytea) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'moments_merge_step_wrapper';
comment on function moments_merge_step(bytea, bytea) is
  'part of moments_merge: adds a value of moments';

create function moments_combine(state bytea, other bytea) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'moments_combine_wrapper';
comment on function moments_combine(bytea, bytea) is
  'part of moments and moments_merge: joins two states';

create function moments_final(state bytea) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'moments_final_wrapper';
comment on function moments_final(bytea) is
  'part of moments and moments_merge: the value';

create aggregate moments(y double precision) (
  sfunc = moments_step, stype = bytea, sspace = 320, combinefunc = moments_combine, finalfunc = moments_final, parallel = safe
);
comment on aggregate moments(double precision) is
  'what the mean and the variance of a column can be computed from; values merge';

create aggregate moments(y double precision, x double precision) (
  sfunc = moments_step, stype = bytea, sspace = 320, combinefunc = moments_combine, finalfunc = moments_final, parallel = safe
);
comment on aggregate moments(double precision, double precision) is
  'the same of two columns, with how they vary together; rows with a NULL are left out';

create aggregate moments_merge(moments bytea) (
  sfunc = moments_merge_step, stype = bytea, sspace = 320, combinefunc = moments_combine, finalfunc = moments_final, parallel = safe
);
comment on aggregate moments_merge(bytea) is
  'the moments of several values of moments together';

create function adjust_step(state bytea, p double precision, "position" bigint) returns bytea
  language c immutable parallel safe as 'MODULE_PATHNAME', 'adjust_step_wrapper';
comment on function adjust_step(bytea, double precision, bigint) is
  'part of holm_adjust and bh_adjust: adds a p value';

create function adjust_combine(state bytea, other bytea) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'adjust_combine_wrapper';
comment on function adjust_combine(bytea, bytea) is
  'part of holm_adjust and bh_adjust: joins two states';

create function holm_adjust_final(state bytea) returns text
  language c immutable parallel safe cost 10 as 'MODULE_PATHNAME', 'holm_adjust_final_wrapper';
comment on function holm_adjust_final(bytea) is
  'part of holm_adjust: the array';

create function bh_adjust_final(state bytea) returns text
  language c immutable parallel safe cost 10 as 'MODULE_PATHNAME', 'bh_adjust_final_wrapper';
comment on function bh_adjust_final(bytea) is
  'part of bh_adjust: the array';

create aggregate holm_adjust(p double precision, "position" bigint) (
  sfunc = adjust_step, stype = bytea, sspace = 256, combinefunc = adjust_combine, finalfunc = holm_adjust_final, parallel = safe
);
comment on aggregate holm_adjust(double precision, bigint) is
  'p values adjusted by Holm as a JSON array by position; NULL stays null and does not count';

create aggregate bh_adjust(p double precision, "position" bigint) (
  sfunc = adjust_step, stype = bytea, sspace = 256, combinefunc = adjust_combine, finalfunc = bh_adjust_final, parallel = safe
);
comment on aggregate bh_adjust(double precision, bigint) is
  'p values adjusted by Benjamini and Hochberg as a JSON array by position; NULL stays null and does not count';

-- Embeddings: arrays of single precision, which pgvector casts to its vector and back

create function to_embedding(embedding real[]) returns real[]
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'to_embedding_wrapper';
comment on function to_embedding(real[]) is
  'the embedding, checked: 1 to 16000 finite numbers';

create function to_embedding(embedding text) returns real[]
  language c immutable strict parallel safe cost 50 as 'MODULE_PATHNAME', 'to_embedding_json_wrapper';
comment on function to_embedding(text) is
  'an embedding from a JSON array of numbers';

create function to_embedding(embedding bytea) returns real[]
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'to_embedding_bytes_wrapper';
comment on function to_embedding(bytea) is
  'an embedding from its numbers as 32-bit floats, little-endian';

create function to_embedding(embedding double precision[]) returns real[]
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'to_embedding_double_wrapper';
comment on function to_embedding(double precision[]) is
  'an embedding from doubles, each rounded to single precision';

create function embedding_bytes(embedding real[]) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'embedding_bytes_wrapper';
comment on function embedding_bytes(real[]) is
  'part of recommend: an embedding as its numbers, 32-bit floats, little-endian';

create function embedding_json(embedding real[]) returns text
  language c immutable strict parallel safe cost 50 as 'MODULE_PATHNAME', 'embedding_json_wrapper';
comment on function embedding_json(real[]) is
  'an embedding as a JSON array';

create function embedding_similarity(a real[], b real[]) returns double precision
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'embedding_similarity_wrapper';
comment on function embedding_similarity(real[], real[]) is
  'cosine of two embeddings of one dimension, -1 to 1; NULL when one is zero';

create function embedding_similarity(a text, b text) returns double precision
  language c immutable strict parallel safe cost 100 as 'MODULE_PATHNAME', 'embedding_similarity_json_wrapper';
comment on function embedding_similarity(text, text) is
  'cosine of two embeddings in JSON; NULL when one is zero';

create function embedding_similarity(a bytea, b bytea) returns double precision
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'embedding_similarity_bytes_wrapper';
comment on function embedding_similarity(bytea, bytea) is
  'cosine of two embeddings given as 32-bit floats, little-endian; NULL when one is zero';

create function embedding_similarity(a double precision[], b double precision[]) returns double precision
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'embedding_similarity_double_wrapper';
comment on function embedding_similarity(double precision[], double precision[]) is
  'cosine of two embeddings given as doubles, each rounded to single precision; NULL when one is zero';

create function check_embedding(embedding real[], dim bigint) returns boolean
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'check_embedding_wrapper';
comment on function check_embedding(real[], bigint) is
  'true, or INVALID_ARGUMENT: 1 to 16000 finite numbers, as many as dim says';

create function check_model(model text) returns boolean
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'check_model_wrapper';
comment on function check_model(text) is
  'true, or INVALID_ARGUMENT: 1 to 200 bytes';

create function nearest_contents_step(state internal, content_id bigint, embedding real[], probe real[], k bigint) returns internal
  language c immutable parallel safe cost 5 as 'MODULE_PATHNAME', 'nearest_contents_step_wrapper';
comment on function nearest_contents_step(internal, bigint, real[], real[], bigint) is
  'part of nearest_contents: looks at a row';

create function nearest_contents_combine(state internal, other internal) returns internal
  language c immutable parallel safe as 'MODULE_PATHNAME', 'nearest_contents_combine_wrapper';
comment on function nearest_contents_combine(internal, internal) is
  'part of nearest_contents: joins two states';

create function nearest_contents_serial(state internal) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'nearest_contents_serial_wrapper';
comment on function nearest_contents_serial(internal) is
  'part of nearest_contents: a state on its way';

create function nearest_contents_deserial(state bytea, other internal) returns internal
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'nearest_contents_deserial_wrapper';
comment on function nearest_contents_deserial(bytea, internal) is
  'part of nearest_contents: a state that arrived';

create function nearest_contents_final(state internal) returns text
  language c immutable parallel safe as 'MODULE_PATHNAME', 'nearest_contents_final_wrapper';
comment on function nearest_contents_final(internal) is
  'part of nearest_contents: the ids';

create aggregate nearest_contents(content_id bigint, embedding real[], probe real[], k bigint) (
  sfunc = nearest_contents_step, stype = internal, sspace = 4096, combinefunc = nearest_contents_combine,
  serialfunc = nearest_contents_serial, deserialfunc = nearest_contents_deserial, finalfunc = nearest_contents_final,
  parallel = safe
);
comment on aggregate nearest_contents(bigint, real[], real[], bigint) is
  'the ids of the k embeddings nearest to a probe by cosine, exactly, ties by id, as a JSON array; [] without rows';

create function embedding_mean_step(state internal, embedding real[]) returns internal
  language c immutable parallel safe as 'MODULE_PATHNAME', 'embedding_mean_step_wrapper';
comment on function embedding_mean_step(internal, real[]) is
  'part of embedding_mean: adds a row';

create function embedding_mean_combine(state internal, other internal) returns internal
  language c immutable parallel safe as 'MODULE_PATHNAME', 'embedding_mean_combine_wrapper';
comment on function embedding_mean_combine(internal, internal) is
  'part of embedding_mean: joins two states';

create function embedding_mean_serial(state internal) returns bytea
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'embedding_mean_serial_wrapper';
comment on function embedding_mean_serial(internal) is
  'part of embedding_mean: a state on its way';

create function embedding_mean_deserial(state bytea, other internal) returns internal
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'embedding_mean_deserial_wrapper';
comment on function embedding_mean_deserial(bytea, internal) is
  'part of embedding_mean: a state that arrived';

create function embedding_mean_final(state internal) returns real[]
  language c immutable parallel safe as 'MODULE_PATHNAME', 'embedding_mean_final_wrapper';
comment on function embedding_mean_final(internal) is
  'part of embedding_mean: the value';

create aggregate embedding_mean(embedding real[]) (
  sfunc = embedding_mean_step, stype = internal, sspace = 4096, combinefunc = embedding_mean_combine,
  serialfunc = embedding_mean_serial, deserialfunc = embedding_mean_deserial, finalfunc = embedding_mean_final,
  parallel = safe
);
comment on aggregate embedding_mean(real[]) is
  'the mean direction of embeddings, of length 1, with the same bits for every order of the rows';

create function posting_length(users bytea) returns bigint
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'posting_length_wrapper';
comment on function posting_length(bytea) is
  'how many users a posting list holds';

create function posting_bitmap(users bytea) returns bytea
  language c immutable strict parallel safe cost 20 as 'MODULE_PATHNAME', 'posting_bitmap_wrapper';
comment on function posting_bitmap(bytea) is
  'a posting list with one bit a place, for posting_shared';

create function posting_shared(users bytea, members bytea) returns bigint
  language c immutable strict parallel safe cost 10 as 'MODULE_PATHNAME', 'posting_shared_wrapper';
comment on function posting_shared(bytea, bytea) is
  'how many users of a posting list have their bit set';

create function block_touching(users bytea) returns bigint
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'block_touching_wrapper';
comment on function block_touching(bytea) is
  'how many users of a block have touched a content';

create function taste_embedding(taste bytea, genres text) returns text
  language c immutable strict parallel safe cost 100 as 'MODULE_PATHNAME', 'taste_embedding_wrapper';
comment on function taste_embedding(bytea, text) is
  'the genre weights of a taste as a vector of length 1 over a JSON array of genres, a JSON array; NULL when none is above 0';

create function genre_dimensions_step(state internal, genre_order text, taste bytea) returns internal
  language c immutable parallel safe as 'MODULE_PATHNAME', 'genre_dimensions_step_wrapper';
comment on function genre_dimensions_step(internal, text, bytea) is
  'part of genre_dimensions: adds a row';

create function genre_dimensions_final(state internal) returns text
  language c immutable parallel safe as 'MODULE_PATHNAME', 'genre_dimensions_final_wrapper';
comment on function genre_dimensions_final(internal) is
  'part of genre_dimensions: the array';

create aggregate genre_dimensions(genre_order text, taste bytea) (
  sfunc = genre_dimensions_step, stype = internal, sspace = 4096, finalfunc = genre_dimensions_final, parallel = safe
);
comment on aggregate genre_dimensions(text, bytea) is
  'the genres of orders and tastes together, ascending, as a JSON array';

create function learn_embeddings_step(state internal, user_id text, taste bytea, dim bigint) returns internal
  language c immutable parallel safe as 'MODULE_PATHNAME', 'learn_embeddings_step_wrapper';
comment on function learn_embeddings_step(internal, text, bytea, bigint) is
  'part of learn_embeddings: adds a user';

create function fold_in_embeddings_step(state internal, user_id text, taste bytea, learned bytea) returns internal
  language c immutable parallel safe as 'MODULE_PATHNAME', 'fold_in_embeddings_step_wrapper';
comment on function fold_in_embeddings_step(internal, text, bytea, bytea) is
  'part of fold_in_embeddings: adds a user';

create function learn_embeddings_final(state internal) returns bytea
  language c immutable parallel safe cost 10000 as 'MODULE_PATHNAME', 'learn_embeddings_final_wrapper';
comment on function learn_embeddings_final(internal) is
  'part of learn_embeddings and fold_in_embeddings: the work';

create aggregate learn_embeddings(user_id text, taste bytea, dim bigint) (
  sfunc = learn_embeddings_step, stype = internal, sspace = 1000000, finalfunc = learn_embeddings_final,
  finalfunc_modify = read_write, parallel = safe
);
comment on aggregate learn_embeddings(text, bytea, bigint) is
  'embeddings of the contents of all tastes, learned by a singular value decomposition; a value of learned_embedding and its like';

create aggregate fold_in_embeddings(user_id text, taste bytea, learned bytea) (
  sfunc = fold_in_embeddings_step, stype = internal, sspace = 1000000, finalfunc = learn_embeddings_final,
  finalfunc_modify = read_write, parallel = safe
);
comment on aggregate fold_in_embeddings(text, bytea, bytea) is
  'the same for the tastes of now, each content placed by its users among what was learned before';

create function learned_contents(learned bytea) returns bigint[]
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'learned_contents_wrapper';
comment on function learned_contents(bytea) is
  'the contents of a value of learn_embeddings';

create function learned_fingerprint(learned bytea, content_id bigint) returns bigint
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'learned_fingerprint_wrapper';
comment on function learned_fingerprint(bytea, bigint) is
  'a number that changes when the users of a content do';

create function learned_embedding(learned bytea, content_id bigint) returns real[]
  language c immutable strict parallel safe as 'MODULE_PATHNAME', 'learned_embedding_wrapper';
comment on function learned_embedding(bytea, bigint) is
  'the embedding of a content; NULL when it cannot be placed';

-- The space

create function cotaste_space_sql() returns setof text
  language c immutable strict parallel safe rows 20 as 'MODULE_PATHNAME', 'cotaste_space_sql_wrapper';
comment on function cotaste_space_sql() is
  'what cotaste_init() executes, in order, for those who want to read it first';

create function cotaste_space_objects() returns table (kind text, name text)
  language sql immutable parallel safe
begin atomic
  select m.m[1], m.m[2]
  from cotaste_space_sql() t,
    regexp_matches(t, 'create (?:or replace )?(table|view|index|function|trigger)(?: if not exists)? (\w+)', 'g') m (m);
end;
comment on function cotaste_space_objects() is
  'kind and name of everything cotaste_init() makes; an overloaded function once for each';

create function cotaste_own_functions(space_schema name) returns table (oid oid)
  language sql stable
begin atomic
  select p.oid
  from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace
  where n.nspname = $1
    and (p.proname like 'cotaste\_%' or p.proname in (select o.name from cotaste_space_objects() o where o.kind = 'function'))
    and obj_description(p.oid, 'pg_proc') is not null
    and not exists (select from pg_depend d where d.classid = cast('pg_proc' as regclass) and d.objid = p.oid and d.deptype = 'e');
end;
comment on function cotaste_own_functions(name) is
  'part of cotaste_init: the functions of a space, which are those of our names with a comment; a user''s overload without one is the user''s';

create function cotaste_add_columns(space_schema name) returns boolean
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  extension_schema name := (
    select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'cotaste');
  line record;
  in_table text;
  column_name text;
  is_stale boolean := false;
begin
  perform set_config('search_path', concat_ws(', ', quote_ident(space_schema),
    case when extension_schema <> space_schema then quote_ident(extension_schema) end, 'pg_temp'), true);
  -- The first text makes the tables that hold what is given, the others those of what is derived.
  for line in
    select l.text, s.place = 1 as is_given
    from cotaste_space_sql() with ordinality s (text, place),
      regexp_split_to_table(s.text, '\n') with ordinality l (text, place)
    where s.text like '%create table if not exists %'
    order by s.place, l.place
  loop
    if line.text ~ '^create table if not exists \w+ \($' then
      in_table := split_part(line.text, ' ', 6);
    elsif line.text like ')%' then
      in_table := null;
    elsif in_table is not null and line.text ~ '^  \w' then
      column_name := split_part(ltrim(line.text), ' ', 1);
      if column_name not in ('primary', 'unique', 'constraint', 'check', 'foreign', 'exclude')
        and to_regclass(quote_ident(space_schema) || '.' || quote_ident(in_table)) is not null
        and not exists (
          select from pg_attribute a
          where a.attrelid = to_regclass(quote_ident(space_schema) || '.' || quote_ident(in_table))
            and a.attname = column_name and not a.attisdropped)
      then
        if not line.is_given then
          execute format('delete from %I.%I', space_schema, in_table);
          is_stale := true;
        end if;
        execute format('alter table %I.%I add column %s', space_schema, in_table, rtrim(ltrim(line.text), ','));
      end if;
    end if;
  end loop;
  if is_stale then
    -- What is left of the state does not belong to the emptied part.
    foreach in_table in array array['cotaste_user_contents', 'cotaste_users', 'cotaste_postings', 'cotaste_blocks'] loop
      execute format('delete from %I.%I', space_schema, in_table);
    end loop;
  end if;
  return is_stale;
end
$$;
comment on function cotaste_add_columns(name) is
  'part of cotaste_init: gives an older space''s tables the columns they lack; says whether a derived table was emptied, which cotaste_refresh() makes anew';

-- A dependent of ours that is the user's is named, and nothing is dropped: dropping it would lose what the user made.
create function cotaste_drop_relations(space_schema name) returns text[]
  language plpgsql
as $$
declare
  views oid[];
  functions oid[];
  others text;
  grants text[];
begin
  select coalesce(array_agg(c.oid), '{}') into views
  from pg_class c
  where c.relnamespace = quote_ident(space_schema)::regnamespace and c.relkind = 'v'
    and (c.relname like 'cotaste\_%' or c.relname in (select o.name from cotaste_space_objects() o where o.kind = 'view'));
  select coalesce(array_agg(p.oid), '{}') into functions
  from cotaste_own_functions(space_schema) o join pg_proc p on p.oid = o.oid
  where p.prorettype <> 'trigger'::regtype;
  select string_agg(distinct coalesce('view ' || r.ev_class::regclass, pg_describe_object(d.classid, d.objid, d.objsubid)), ', ')
  into others
  from pg_depend d
  left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
  where d.deptype = 'n'
    and case d.refclassid
      when 'pg_class'::regclass then d.refobjid = any (views)
      when 'pg_proc'::regclass then d.refobjid = any (functions)
      when 'pg_type'::regclass then d.refobjid in (select t.oid from pg_type t where t.typrelid = any (views))
    end
    and not (coalesce(r.ev_class = any (views), false) or (d.classid = 'pg_proc'::regclass and d.objid = any (functions)));
  if others is not null then
    raise exception using errcode = '0A000',
      message = format('INIT_ERROR: %s cannot stay as it is: it uses what has other columns in this version', others),
      hint = 'Drop it, run select cotaste_init(), and make it again.';
  end if;
  select coalesce(array_agg(format('grant %s on %s %s to %s%s', a.privilege_type, o.kind, o.name,
    case when a.grantee = 0 then 'public' else a.grantee::regrole::text end, case when a.is_grantable then ' with grant option' end)), '{}')
  into grants
  from (
    select 'table' as kind, c.oid::regclass::text as name, c.relacl as acl, c.relowner as owner from pg_class c where c.oid = any (views)
    union all
    select 'function', p.oid::regprocedure::text, p.proacl, p.proowner from pg_proc p where p.oid = any (functions)
  ) o
  cross join lateral aclexplode(o.acl) a
  where a.grantee <> o.owner;
  execute (select format('drop view %s cascade', string_agg(v::regclass::text, ', ')) from unnest(views) v);
  execute coalesce((
    select format('drop function %s cascade', string_agg(p.oid::regprocedure::text, ', ')) from pg_proc p where p.oid = any (functions)
  ), 'select 1');
  return grants;
end
$$;
comment on function cotaste_drop_relations(name) is
  'part of cotaste_init: drops a space''s views and what is made of them, and returns the grants to give again';

create function cotaste_init(space_schema name default current_schema()) returns text
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set client_min_messages = warning
as $$
declare
  library text;
  extension_schema name;
  space oid;
  found_version text;
  found_fingerprint text;
  wanted_fingerprint text;
  is_whole boolean;
  was_ours oid[];
  was_written bigint[];
  grants text[];
  is_stale boolean;
  part text;
  state text;
  problem text;
  problem_detail text;
  problem_hint text;
begin
  if getdatabaseencoding() <> 'UTF8' then
    raise exception using errcode = '0A000',
      message = format('INIT_ERROR: the database has the encoding %s', getdatabaseencoding()),
      hint = 'Create a database with encoding UTF8; texts of users and of their clients are Unicode.';
  end if;
  select n.oid into space from pg_namespace n
  where n.nspname = space_schema and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema';
  if not found then
    raise exception using errcode = '0A000',
      message = format('INIT_ERROR: no space can be created in schema %s', coalesce(quote_ident(space_schema), 'NULL')),
      hint = 'Put an existing schema first into search_path, or name one: select cotaste_init(''public'').';
  end if;

  -- One at a time in a schema; the second waits and finds everything there.
  perform pg_advisory_xact_lock(hashtext('cotaste_init'), hashtext(space_schema));
  -- Local to this function, because it sets search_path itself. Functions created with "set search_path from current"
  -- keep this one; pg_catalog, not named, comes first.
  select n.nspname into strict extension_schema
  from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'cotaste';
  perform set_config('search_path', concat_ws(', ', quote_ident(space_schema),
    case when extension_schema <> space_schema then quote_ident(extension_schema) end, 'pg_temp'), true);

  library := cotaste_version();
  select md5(concat(current_setting('search_path'), string_agg(t, e'\n'))) into wanted_fingerprint from cotaste_space_sql() t;
  if to_regclass(quote_ident(space_schema) || '.cotaste_meta') is not null then
    execute format('select max(value) filter (where key = %L), max(value) filter (where key = %L) from %I.cotaste_meta',
      'schema_version', 'fingerprint', space_schema) into found_version, found_fingerprint;
  end if;
  if string_to_array(found_version, '.')::int[] > string_to_array(library, '.')::int[] then
    raise exception using errcode = '0A000',
      message = format('INIT_ERROR: the space is of version %s, the library is %s: install the newer library', found_version, library),
      hint = 'Install the newer library, then run alter extension cotaste update.';
  end if;

  -- When all is as it should be, nothing is written and no lock is taken: an application may call this at every start.
  if found_version = library and found_fingerprint = wanted_fingerprint then
    select coalesce(bool_and(case o.kind
      when 'function' then o.number <= (
        select count(*) from pg_proc where pronamespace = space and proname = o.name)
      when 'trigger' then exists (
        select from pg_trigger t join pg_class c on c.oid = t.tgrelid where c.relnamespace = space and t.tgname = o.name)
      else to_regclass(quote_ident(space_schema) || '.' || o.name) is not null
    end), false) into is_whole
    from (select o.kind, o.name, count(*) as number from cotaste_space_objects() o group by o.kind, o.name) o;
    if is_whole then
      return format('cotaste %s: space is up to date', library);
    end if;
  end if;

  if found_version is not null then
    is_stale := cotaste_add_columns(space_schema);
    select coalesce(array_agg(p.oid), '{}'), coalesce(array_agg(cast(cast(p.xmin as text) as bigint)), '{}') into was_ours, was_written
    from cotaste_own_functions(space_schema) o join pg_proc p on p.oid = o.oid;
  end if;
  for attempt in 1..2 loop
    begin
      for part in select t from cotaste_space_sql() t loop
        execute replace(part, '@space@', quote_ident(space_schema));
      end loop;
      exit;
    exception
      -- A view's columns or a function's result are others now: "create or replace" does not change these.
      when invalid_table_definition or invalid_function_definition then
        if attempt = 2 or found_version is null then
          raise;
        end if;
        grants := cotaste_drop_relations(space_schema);
    end;
  end loop;
  -- Only now: the row of parameters may have been emptied, and was made again with the settings.
  if is_stale then
    execute format('update %I.cotaste_parameters set stale = true', space_schema);
  end if;
  foreach part in array coalesce(grants, '{}') loop
    begin
      execute part;
    exception
      when undefined_function or undefined_table then null;
    end;
  end loop;
  -- What this version no longer has, or has with other arguments only.
  for part in
    select format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass)
    from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where c.relnamespace = space and not t.tgisinternal and t.tgname like 'cotaste\_%'
      and t.tgname not in (select o.name from cotaste_space_objects() o where o.kind = 'trigger')
  loop
    execute part;
  end loop;
  for part in
    select format('drop function %s', p.oid::regprocedure)
    from unnest(was_ours, was_written) w (oid, written) join pg_proc p on p.oid = w.oid
    where cast(cast(p.xmin as text) as bigint) = w.written
  loop
    execute part;
  end loop;
  for part in
    select format('drop view %s', c.oid::regclass)
    from pg_class c
    where c.relnamespace = space and c.relkind = 'v' and c.relname like 'cotaste\_%'
      and c.relname not in (select o.name from cotaste_space_objects() o where o.kind = 'view')
  loop
    execute part;
  end loop;
  -- Who may read and write may read and write what is new, and policies hold for it.
  for part in
    select format('select cotaste_grant_%s(%L)',
      case when has_table_privilege(a.grantee, format('%I.cotaste_queue', space_schema), 'insert') then 'writer' else 'reader' end,
      pg_get_userbyid(a.grantee))
    from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.relnamespace = space and c.relname = 'cotaste_meta' and a.privilege_type = 'SELECT' and a.grantee <> 0
      and a.grantee <> c.relowner and found_version is not null
    union all
    select 'select cotaste_carry_row_security()'
    where exists (
      select from pg_policy p join pg_class c on c.oid = p.polrelid
      where c.relnamespace = space and p.polname = 'cotaste_carried')
  loop
    execute part;
  end loop;
  execute format(
    'insert into %I.cotaste_meta (key, value) values (%L, %L), (%L, %L) on conflict (key) do update set value = excluded.value',
    space_schema, 'schema_version', library, 'fingerprint', wanted_fingerprint);
  return format('cotaste %s: space %s', library, case when found_version is null then 'created' else 'updated' end);
exception
  when serialization_failure or deadlock_detected then
    raise;
  when others then
    get stacked diagnostics state = returned_sqlstate, problem = message_text,
      problem_detail = pg_exception_detail, problem_hint = pg_exception_hint;
    if problem like 'INIT\_ERROR: %' then
      raise;
    end if;
    raise exception using errcode = '0A000', message = 'INIT_ERROR: ' || problem,
      detail = concat_ws(e'\n', nullif(problem_detail, ''), 'SQLSTATE ' || state),
      hint = coalesce(nullif(problem_hint, ''), 'Fix the cause, then run select cotaste_init() again: it is idempotent.');
end
$$;
comment on function cotaste_init(name) is
  'creates or upgrades a space in a schema, by default the current one: tables, views and functions owned by the caller';

-- Stand-ins: before a schema has a space, its functions answer NOT_INITIALIZED with what to do. Their text parameters are
-- of a domain, which loses to the text of a space's own function in every call, wherever the two are in search_path. What
-- takes no text has no stand-in, because for numbers no declaration is certain to lose.

create function cotaste_not_initialized() returns boolean
  language c parallel safe as 'MODULE_PATHNAME', 'cotaste_not_initialized_wrapper';
comment on function cotaste_not_initialized() is
  'raises NOT_INITIALIZED';

create domain cotaste_unset as text;
comment on domain cotaste_unset is
  'the text of functions that stand in for a space''s until cotaste_init() has run';

create function user_similarity(a cotaste_unset, b cotaste_unset) returns double precision
  language c stable parallel safe as 'MODULE_PATHNAME', 'cotaste_not_initialized_wrapper';
comment on function user_similarity(cotaste_unset, cotaste_unset) is
  'stands in until cotaste_init() has run';

create function record_behavior(
  user_id cotaste_unset, content_id bigint, action cotaste_unset, rating double precision default null,
  context cotaste_unset default null, occurred_at timestamptz default null, event_id cotaste_unset default null
) returns bigint
  language c stable parallel safe as 'MODULE_PATHNAME', 'cotaste_not_initialized_wrapper';
comment on function record_behavior(cotaste_unset, bigint, cotaste_unset, double precision, cotaste_unset, timestamptz, cotaste_unset) is
  'stands in until cotaste_init() has run';

create function set_content_embedding(content_id bigint, model cotaste_unset, embedding cotaste_unset) returns bigint
  language c stable parallel safe as 'MODULE_PATHNAME', 'cotaste_not_initialized_wrapper';
comment on function set_content_embedding(bigint, cotaste_unset, cotaste_unset) is
  'stands in until cotaste_init() has run';

create function cotaste_stand_in_sql() returns setof text
  language c immutable strict parallel safe rows 10 as 'MODULE_PATHNAME', 'cotaste_stand_in_sql_wrapper';
comment on function cotaste_stand_in_sql() is
  'the stand-ins for the functions that return rows, from the same list as these functions themselves';

do $$
declare
  stand_in text;
begin
  for stand_in in select cotaste_stand_in_sql() loop
    execute stand_in;
  end loop;
end
$$;
