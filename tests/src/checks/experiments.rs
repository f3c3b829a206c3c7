//! The relations of experiments over the golden event log: they agree with each other, and byte by byte between engines.

use super::end_to_end::load;
use crate::compare::Answers;
use crate::engine::{Engine, Host};
use crate::golden;
use crate::report::Report;
use anyhow::{ensure, Result};

pub fn run(host: &mut dyn Host, report: &mut Report, answers: &Answers) -> Result<()> {
    if !golden::directory().join("e2e/events.csv").is_file() {
        report.skip("golden event log", &format!("{} is not here; set COTASTE_SHARED", golden::directory().display()));
        return Ok(());
    }
    let mut space = host.space()?;
    let engine = space.as_mut();
    load(engine)?;
    agreement(engine, report);
    golden_p_values(engine, report)?;
    same_bits(engine, report, answers)?;
    settings(engine, report)
}

/// What must be true of every row: statements that count the rows of which it is not.
const AGREEMENT: [(&str, &str); 9] = [
    (
        "the last day of a timeline is the result",
        "select count(*) from experiment_results('exp1') r
         join (select variant, max(users) as users, max(conversions) as conversions, min(p_running) as p, min(p_always_valid) as least
               from experiment_timeline('exp1') group by variant) t on t.variant = r.variant
         where t.users <> r.users or t.conversions <> r.conversions or t.p <> t.least",
    ),
    (
        "a timeline only grows, and a day's comparison is that day's result",
        "select count(*) from experiment_timeline('exp1') t
         join experiment_timeline('exp1') b on b.variant = t.variant and b.day < t.day
         where b.users > t.users or b.conversions > t.conversions",
    ),
    (
        "the control of a timeline is compared at the end of the same day",
        "select count(*) from experiment_timeline('exp1') t
         join experiment_timeline('exp1') c on c.variant = 'control' and c.day = t.day
         where t.variant = 't1' and t.diff <> t.conversion_rate - c.conversion_rate",
    ),
    (
        "the segments of each dimension add up to the result",
        "select count(*) from experiment_results('exp1') r
         join (select dimension, variant, cast(sum(users) as bigint) as users, cast(sum(conversions) as bigint) as conversions
               from experiment_segments('exp1') group by dimension, variant) s on s.variant = r.variant
         where s.users <> r.users or s.conversions <> r.conversions",
    ),
    (
        "a dimension asked for is that of the view",
        "select count(*) from (
           select * from experiment_segments where experiment = 'exp1' and dimension = 'slot'
           except select * from experiment_segments('exp1', 'slot')
         ) differing",
    ),
    (
        "the numeric metrics are those of the result",
        "select count(*) from experiment_results('exp1') r
         join experiment_numeric('exp1') n on n.variant = r.variant
         where n.users <> r.users or (n.metric = 'view' and n.total <> r.views)
           or (n.metric = 'goals' and n.total <> r.conversion_events)
           or (n.metric = 'events' and n.value <> r.events_per_user)",
    ),
    (
        "an action is a metric, and the one asked for alone gives the same",
        "select count(*) from experiment_numeric('exp1', 'complete') a
         join experiment_numeric('exp1', 'goals') b on b.variant = a.variant
         where a.p_value <> b.p_value or a.cuped_p <> b.cuped_p or a.total <> b.total",
    ),
    (
        "a p value is below 0.05 when its interval leaves out 0",
        "select count(*) from experiment_numeric('exp1')
         where p_value is not null and (case when p_value < 0.05 then 1 else 0 end) <> (case when diff_lower > 0 or diff_upper < 0 then 1 else 0 end)",
    ),
    (
        "the summary is of the result",
        "select count(*) from experiment_summary('exp1') s
         join experiment_results('exp1') r on r.variant = s.best_variant
         where s.lift <> r.lift or s.p_adjusted <> r.p_adjusted or s.best_rate <> r.conversion_rate
           or s.users <> (select sum(users) from experiment_results('exp1'))",
    ),
];

fn agreement(engine: &mut dyn Engine, report: &mut Report) {
    for (promise, sql) in AGREEMENT {
        report.case(promise, || {
            let differing = engine.value(sql)?;
            ensure!(differing == "0", "{differing} rows differ");
            Ok(())
        });
    }
    report.case("there is something to compare", || {
        for (relation, least) in [("timeline", 30), ("segments", 20), ("numeric", 12), ("summary", 1)] {
            let rows: i64 = engine.value(&format!("select count(*) from experiment_{relation}('exp1')"))?.parse()?;
            ensure!(rows >= least, "experiment_{relation} has {rows} rows");
        }
        Ok(())
    });
}

fn golden_p_values(engine: &mut dyn Engine, report: &mut Report) -> Result<()> {
    for (range, arguments) in [
        ("full", "'exp1', '2026-03-01T00:00:00Z', '2026-03-26T00:00:00Z'"),
        ("sub", "'exp1', '2026-03-04T00:00:00Z', '2026-03-13T00:00:00Z'"),
    ] {
        let rows = engine.query(&format!(
            "select chi_square_p(pooled_z(x0, n0, x1, n1) * pooled_z(x0, n0, x1, n1), 1), fisher_exact(x0, n0, x1, n1),
               p_value, method
             from (
               select t.conversions as x1, t.users as n1, c.conversions as x0, c.users as n0, t.p_value, t.method
               from experiment_results({arguments}) t
               join experiment_results({arguments}) c on c.variant = 'control'
               where t.variant = 't1'
             ) arms"
        ))?;
        report.case(&format!("experiment, range {range}: pooled and Fisher's p value"), || {
            let expected = golden::read(&format!("e2e/expected_experiment_{range}.csv"))?;
            let want = expected.iter().find(|row| row.text("variant") == "t1");
            let want = want.ok_or_else(|| anyhow::anyhow!("no t1"))?;
            for (got, column) in rows[0].iter().zip(["p_pooled", "fisher_p", "fisher_p"]) {
                golden::close(got, want.optional(column), 1e-12, 1e-8)?;
            }
            ensure!(rows[0][3] == "fisher", "{}", rows[0][3]);
            Ok(())
        });
    }
    Ok(())
}

fn same_bits(engine: &mut dyn Engine, report: &mut Report, answers: &Answers) -> Result<()> {
    const QUESTIONS: [&str; 9] = [
        "experiment_results",
        "experiment_results('exp1', '2026-03-04T00:00:00Z', '2026-03-13T00:00:00Z', 'rating >= 7', 't1', 0.01)",
        "experiment_results('exp1', null, null, 'like', null, null, 48)",
        "experiment_summary",
        "experiment_timeline",
        "experiment_timeline('exp1', '2026-03-04T00:00:00Z', '2026-03-13T00:00:00Z', 'rating >= 7', null, 0.1, 24)",
        "experiment_segments",
        "experiment_numeric",
        "experiment_numeric('exp1', 'skip', '2026-03-04T00:00:00Z')",
    ];
    let before = report.passed;
    for question in QUESTIONS {
        let rows = engine.query(&format!("select * from {question}"))?;
        report.row(&format!("{question} has rows"), || {
            ensure!(!rows.is_empty());
            Ok(())
        });
        answers.leave("experiments", question, &rows)?;
    }
    report.rows_done("questions left for the comparison of engines", before);
    Ok(())
}

fn settings(engine: &mut dyn Engine, report: &mut Report) -> Result<()> {
    let control = "select conversions from experiment_results where experiment = 'exp1' and variant = 'control'";
    let asked = engine.value(
        "select conversions from experiment_results('exp1', null, null, 'rating >= 7') where variant = 'control'",
    )?;
    let plain = engine.value(control)?;
    engine.exec("insert into cotaste_settings(key, value) values ('experiment_goal.exp1', 'rating >= 7')")?;
    let set = engine.value(control)?;
    report.case("a goal that is set is the view's goal", || {
        ensure!(set == asked && set != plain, "set {set}, asked {asked}, plain {plain}");
        Ok(())
    });
    Ok(())
}
