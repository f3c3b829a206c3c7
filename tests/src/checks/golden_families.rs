//! The golden tables of adjusted p values, sample ratios, repeated looks, sample sizes and metrics of users, column by
//! column through SQL.

use super::golden_experiments::{compare, elements, Column};
use super::golden_tables::table;
use crate::compare::Answers;
use crate::engine::{quote, Engine, Host};
use crate::golden::{close, Row};
use crate::report::Report;
use anyhow::{ensure, Context, Result};

pub fn run(host: &mut dyn Host, report: &mut Report, answers: &Answers) -> Result<()> {
    let mut engine = host.uninitialised()?;
    multiple_testing(engine.as_mut(), report, answers)?;
    sample_ratio(engine.as_mut(), report, answers)?;
    sequential(engine.as_mut(), report, answers)?;
    power(engine.as_mut(), report, answers)?;
    user_level(engine.as_mut(), report, answers)
}

fn multiple_testing(engine: &mut dyn Engine, report: &mut Report, answers: &Answers) -> Result<()> {
    let Some(rows) = table("multiple_testing.csv", report)? else { return Ok(()) };
    let before = report.passed;
    for row in &rows {
        report.row(row.text("id"), || {
            let p_values: Vec<Option<f64>> = serde_json::from_str(row.text("p"))?;
            let mut tests = vec!["select cast(null as double precision) as p, 0 as i where 1 = 0".to_string()];
            // From the last to the first: the position orders the result, not the rows.
            tests.extend(p_values.iter().enumerate().rev().map(|(i, p)| {
                let p = p.map_or("null".into(), |p| format!("{p:?}"));
                format!("select cast({p} as double precision), {i}")
            }));
            let sql = format!("select holm_adjust(p, i), bh_adjust(p, i) from ({}) tests", tests.join(" union all "));
            let answer = engine.query(&sql)?;
            answers.leave("adjusted p values", row.text("id"), &answer)?;
            for (column, got) in ["holm", "bh"].into_iter().zip(&answer[0]) {
                let (got, want) = (elements(got)?, elements(row.text(column))?);
                ensure!(got.len() == want.len(), "{column}: {got:?}");
                for (got, want) in got.iter().zip(&want) {
                    close(got, Some(want.as_str()).filter(|want| *want != crate::engine::NULL), 1e-12, 1e-9)?;
                }
            }
            Ok(())
        });
    }
    report.rows_done("rows of multiple_testing.csv", before);
    Ok(())
}

fn sample_ratio(engine: &mut dyn Engine, report: &mut Report, answers: &Answers) -> Result<()> {
    let Some(rows) = table("srm.csv", report)? else { return Ok(()) };
    let before = report.passed;
    for row in &rows {
        report.row(row.text("id"), || {
            let answer = engine.query(&format!(
                "select result_number(s, 'chi_square'), result_number(s, 'df'), result_number(s, 'p_value'), result_number(s, 'unplanned_users'), s
                 from (select srm_test({}, {}) as s) test",
                quote(row.text("n")),
                quote(row.text("weights"))
            ))?;
            answers.leave("sample ratios", row.text("id"), &answer)?;
            for (column, got) in ["chi2", "df", "p", "users_in_zero_weight"].into_iter().zip(&answer[0]) {
                close(got, row.optional(column), 1e-12, 1e-8).context(column)?;
            }
            let status = format!("\"status\":\"{}\"", row.text("status"));
            ensure!(answer[0][4].contains(&status), "{status} expected: {}", answer[0][4]);
            Ok(())
        });
    }
    report.rows_done("rows of srm.csv", before);
    Ok(())
}

/// The looks of a scenario in their order; the running p value is the least so far.
fn sequential(engine: &mut dyn Engine, report: &mut Report, answers: &Answers) -> Result<()> {
    const LOOKS: [Column; 6] = [
        ("acs_lo", "confidence_sequence_lower(x0, n0, x1, n1)", 1e-12, 1e-9),
        ("acs_hi", "confidence_sequence_upper(x0, n0, x1, n1)", 1e-12, 1e-9),
        ("acs_p_now", "always_valid_p(x0, n0, x1, n1)", 1e-12, 1e-9),
        ("acs_p_running_min", "min(always_valid_p(x0, n0, x1, n1)) over (order by look)", 1e-12, 1e-9),
        ("msprt_p_now", "msprt_p(x0, n0, x1, n1, tau)", 1e-12, 1e-9),
        ("msprt_p_running_min", "min(msprt_p(x0, n0, x1, n1, tau)) over (order by look)", 1e-12, 1e-9),
    ];
    let Some(rows) = table("sequential.csv", report)? else { return Ok(()) };
    let before = report.passed;
    let expressions: Vec<&str> = LOOKS.iter().map(|(_, expression, ..)| *expression).collect();
    for looks in rows.chunk_by(|a, b| a.text("id") == b.text("id")) {
        let selects: Vec<String> = looks
            .iter()
            .map(|row| {
                let counts = ["x0", "n0", "x1", "n1", "tau"]
                    .map(|c| format!("cast({} as double precision) as {c}", row.text(c)));
                format!("select {} as look, {}", row.text("look"), counts.join(", "))
            })
            .collect();
        let sql =
            format!("select {} from ({}) looks order by look", expressions.join(", "), selects.join(" union all "));
        let answer = engine.query(&sql)?;
        answers.leave("repeated looks", looks[0].text("id"), &answer)?;
        for (row, got) in looks.iter().zip(&answer) {
            compare(&format!("{} look {}", row.text("id"), row.text("look")), &LOOKS, row, got, report);
        }
    }
    report.rows_done("values of sequential.csv", before);
    Ok(())
}

fn power(engine: &mut dyn Engine, report: &mut Report, answers: &Answers) -> Result<()> {
    const SIZES: [Column; 7] = [
        ("n0_pooled", "result_number(s, 'pooled')", 1e-12, 1e-9),
        ("n0_pooled_ceil", "result_number(s, 'control')", 0.0, 0.0),
        ("n1_pooled_ceil", "result_number(s, 'treatment')", 0.0, 0.0),
        ("n0_unpooled", "result_number(s, 'unpooled')", 1e-12, 1e-9),
        ("n0_arcsine", "result_number(s, 'arcsine')", 1e-12, 1e-9),
        ("n0_pooled_ceil", "required_sample_size(p0, p1, power, alpha, ratio)", 0.0, 0.0),
        (
            "power",
            "achieved_power(p0, p1, result_number(s, 'pooled'), result_number(s, 'pooled') * ratio, alpha)",
            1e-12,
            1e-9,
        ),
    ];
    let Some(rows) = table("power.csv", report)? else { return Ok(()) };
    let before = report.passed;
    let expressions: Vec<&str> = SIZES.iter().map(|(_, expression, ..)| *expression).collect();
    for row in &rows {
        let given = ["p0", "rel_mde", "alpha", "power", "ratio"]
            .map(|column| format!("cast({} as double precision) as {column}", row.text(column)));
        let answer = engine.query(&format!(
            "select {} from (
               select p.*, sample_sizes(p0, p1, power, alpha, ratio) as s
               from (select g.*, p0 * (1 + rel_mde) as p1 from (select {}) g) p
             ) sizes",
            expressions.join(", "),
            given.join(", ")
        ))?;
        answers.leave("sample sizes", row.text("id"), &answer)?;
        compare(row.text("id"), &SIZES, row, &answer[0], report);
    }
    report.rows_done("values of power.csv", before);
    Ok(())
}

/// Over the results `w`, `r` and `u` of the mean, the ratio and the adjusted mean, and over the totals of events.
#[rustfmt::skip]
const USERS: [Column; 29] = [
    ("mean_c", "result_number(w, 'control')", 1e-12, 1e-9),
    ("mean_t", "result_number(w, 'treatment')", 1e-12, 1e-9),
    ("mean_diff", "result_number(w, 'diff')", 1e-12, 1e-9),
    ("mean_p", "result_number(w, 'p_value')", 1e-12, 1e-8),
    ("mean_lo", "result_number(w, 'diff_lower')", 1e-12, 1e-9),
    ("mean_hi", "result_number(w, 'diff_upper')", 1e-12, 1e-9),
    ("mean_rel", "result_number(w, 'lift')", 1e-12, 1e-9),
    ("mean_rel_lo", "result_number(w, 'lift_lower')", 1e-12, 1e-9),
    ("mean_rel_hi", "result_number(w, 'lift_upper')", 1e-12, 1e-9),
    ("ratio_c", "result_number(r, 'control')", 1e-12, 1e-9),
    ("ratio_t", "result_number(r, 'treatment')", 1e-12, 1e-9),
    ("ratio_var_c", "result_number(r, 'control_variance')", 1e-12, 1e-9),
    ("ratio_var_t", "result_number(r, 'treatment_variance')", 1e-12, 1e-9),
    ("ratio_diff", "result_number(r, 'diff')", 1e-12, 1e-9),
    ("ratio_lo", "result_number(r, 'diff_lower')", 1e-12, 1e-9),
    ("ratio_hi", "result_number(r, 'diff_upper')", 1e-12, 1e-9),
    ("ratio_p", "result_number(r, 'p_value')", 1e-12, 1e-8),
    ("ratio_rel", "result_number(r, 'lift')", 1e-12, 1e-9),
    ("ratio_rel_lo", "result_number(r, 'lift_lower')", 1e-12, 1e-9),
    ("ratio_rel_hi", "result_number(r, 'lift_upper')", 1e-12, 1e-9),
    ("naive_event_z", "pooled_z(x0, n0, x1, n1)", 1e-12, 1e-9),
    ("cuped_theta", "result_number(u, 'theta')", 1e-12, 1e-9),
    ("cuped_mean_c", "result_number(u, 'control')", 1e-12, 1e-9),
    ("cuped_mean_t", "result_number(u, 'treatment')", 1e-12, 1e-9),
    ("cuped_diff", "result_number(u, 'diff')", 1e-12, 1e-9),
    ("cuped_lo", "result_number(u, 'diff_lower')", 1e-12, 1e-9),
    ("cuped_hi", "result_number(u, 'diff_upper')", 1e-12, 1e-9),
    ("cuped_p", "result_number(u, 'p_value')", 1e-12, 1e-8),
    ("var_reduction", "result_number(u, 'variance_reduction')", 1e-12, 1e-9),
];

fn user_level(engine: &mut dyn Engine, report: &mut Report, answers: &Answers) -> Result<()> {
    let Some(input) = table("userlevel_input.csv", report)? else { return Ok(()) };
    let Some(expected) = table("userlevel_expected.csv", report)? else { return Ok(()) };
    engine.exec(
        "create table users (dataset text, variant text, user_id text, denominator double precision, numerator double precision, pre double precision)",
    )?;
    let columns = ["dataset", "variant", "user_id", "denominator", "numerator", "pre"];
    let row = |row: &Row| columns.iter().map(|column| row.optional(column).map(str::to_string)).collect();
    engine.load("users", &columns, &mut input.iter().map(row))?;
    let before = report.passed;
    let expressions: Vec<&str> = USERS.iter().map(|(_, expression, ..)| *expression).collect();
    for want in &expected {
        let name = want.text("dataset");
        let answer = engine.query(&format!(
            "select {}, pooled_z(x0, n0, x1, n1) from (
               select
                 welch_test(moments(y0), moments(y1)) as w,
                 ratio_test(moments(y0, denominator), moments(y1, denominator)) as r,
                 cuped_test(moments(y0, pre), moments(y1, pre)) as u,
                 sum(y0) as x0, sum(case when y0 is not null then denominator end) as n0,
                 sum(y1) as x1, sum(case when y1 is not null then denominator end) as n1
               from (
                 select users.*, case when variant = 'control' then numerator end as y0, case when variant <> 'control' then numerator end as y1
                 from users where dataset = {}
               ) arms
             ) tests",
            expressions.join(", "),
            quote(name)
        ))?;
        answers.leave("metrics of users", name, &answer)?;
        compare(name, &USERS, want, &answer[0], report);
        report.row(&format!("{name} is not tested by events"), || {
            let at = USERS.iter().position(|(column, ..)| *column == "ratio_p").context("no ratio_p")?;
            let (got, naive): (f64, f64) = (answer[0][at].parse()?, want.text("naive_event_p_WRONG").parse()?);
            ensure!((got - naive).abs() > 1e-3, "{got} is the event-level p value");
            Ok(())
        });
    }
    report.rows_done("values of userlevel_expected.csv", before);
    report.case("every column of userlevel_expected.csv is compared", || {
        let known = |column: &str| {
            ["dataset", "naive_event_p_WRONG"].contains(&column) || USERS.iter().any(|(name, ..)| *name == column)
        };
        let left: Vec<&str> = expected[0].columns().filter(|column| !known(column)).collect();
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    });
    report.case("moments of parts merge to the moments of the whole, bit by bit", || {
        let whole = "select moments(numerator, pre) from users";
        let merged = "select moments_merge(m) from (select moments(numerator, pre) as m from users group by dataset, variant, denominator) parts";
        let (whole, merged) = (engine.value(whole)?, engine.value(merged)?);
        ensure!(whole == merged, "{whole}\n{merged}");
        answers.leave("metrics of users", "moments", &[vec![whole]])
    });
    Ok(())
}
