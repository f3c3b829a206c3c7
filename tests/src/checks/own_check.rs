//! The first user's own check, word for word: a fresh space, one content, one view in an experiment, one rating.

use crate::compare::Answers;
use crate::engine::{Host, Kind};
use crate::report::Report;
use anyhow::{ensure, Result};

pub fn run(host: &mut dyn Host, report: &mut Report, _: &Answers) -> Result<()> {
    let mut engine = host.space()?;
    let db_type = match host.kind() {
        Kind::Sqlite => "sqlite",
        Kind::Postgres => "postgres",
    };
    let steps: [(&str, &str, &[&str]); 7] = [
        (
            "a fresh space is healthy, with 0 records and no last activity",
            "select status, record_count, last_activity, db_type from cotaste_health",
            &["healthy", "0", "NULL", db_type],
        ),
        (
            "a content is added",
            r#"insert into contents(content_id, genres) values (550, '["Drama","Thriller"]') returning content_id"#,
            &["550"],
        ),
        (
            "a view in the evening, variant enhanced_ml, is recorded",
            r#"select record_behavior('ann', 550, 'view', null, '{"timeOfDay":"evening","experimentName":"ranker","experimentVariant":"enhanced_ml"}') > 0"#,
            &["1"],
        ),
        (
            "a rating of 9.2 is recorded",
            r#"select record_behavior('ann', 550, 'rate', 9.2, '{"timeOfDay":"evening"}') > 0"#,
            &["1"],
        ),
        (
            "content metrics: average 9.2, 1 view, Drama and Thriller",
            "select average_rating, total_views, genres from content_metrics where content_id = 550",
            &["9.2", "1", r#"["Drama","Thriller"]"#],
        ),
        (
            "user analytics: Drama and Thriller, preferred slot evening, 1 view",
            "select favorite_genres, preferred_time_slots, total_views from user_analytics where user_id = 'ann'",
            &[r#"["Drama","Thriller"]"#, r#"["evening"]"#, "1"],
        ),
        (
            "the experiment: enhanced_ml with 1 view and 0 conversions",
            "select variant, views, conversions from experiment_results('ranker')",
            &["enhanced_ml", "1", "0"],
        ),
    ];
    for (name, sql, wanted) in steps {
        report.case(name, || {
            let got = engine.query(sql)?;
            ensure!(got == [wanted], "{wanted:?} expected, got {got:?} from {sql}");
            Ok(())
        });
    }
    report.case("the space is still healthy and counts 2 records", || {
        let got = engine.query("select status, record_count, last_activity is not null from cotaste_health")?;
        ensure!(got == [["healthy", "2", "1"]], "{got:?}");
        Ok(())
    });
    Ok(())
}
