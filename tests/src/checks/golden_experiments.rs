//! The golden tables of experiment statistics, value by value through SQL.

use crate::compare::Answers;
use crate::engine::Host;
use crate::golden::{close, Row};
use crate::report::Report;
use anyhow::Result;

use super::golden_tables::table;

/// Golden column, expression over x0, n0, x1, n1, absolute and relative tolerance.
const COMPARISONS: [(&str, &str, f64, f64); 14] = [
    ("diff_newcombe_lo", "newcombe_lower(x0, n0, x1, n1)", 1e-12, 1e-9),
    ("diff_newcombe_hi", "newcombe_upper(x0, n0, x1, n1)", 1e-12, 1e-9),
    ("z_pooled", "pooled_z(x0, n0, x1, n1)", 1e-12, 1e-9),
    ("p_pooled", "chi_square_p(pooled_z(x0, n0, x1, n1) * pooled_z(x0, n0, x1, n1), 1)", 1e-12, 1e-8),
    ("rel_delta_lo", "lift_lower(x0, n0, x1, n1)", 1e-12, 1e-9),
    ("rel_delta_hi", "lift_upper(x0, n0, x1, n1)", 1e-12, 1e-9),
    ("fisher_p", "fisher_exact(x0, n0, x1, n1)", 1e-12, 1e-8),
    ("bayes_ctw", "chance_to_win(x0, n0, x1, n1)", 5e-9, 1e-6),
    ("bayes_loss_treatment", "expected_loss(x0, n0, x1, n1)", 1e-9, 1e-6),
    ("bayes_loss_control", "expected_loss(x1, n1, x0, n0)", 1e-9, 1e-6),
    ("acs_lo", "confidence_sequence_lower(x0, n0, x1, n1)", 1e-12, 1e-9),
    ("acs_hi", "confidence_sequence_upper(x0, n0, x1, n1)", 1e-12, 1e-9),
    ("acs_p", "always_valid_p(x0, n0, x1, n1)", 1e-12, 1e-9),
    (
        "p_pooled",
        "case two_proportion_method(x0, n0, x1, n1) when 'pooled_z' then two_proportion_p(x0, n0, x1, n1) \
      else chi_square_p(pooled_z(x0, n0, x1, n1) * pooled_z(x0, n0, x1, n1), 1) end",
        1e-12,
        1e-8,
    ),
];

pub fn run(host: &mut dyn Host, report: &mut Report, answers: &Answers) -> Result<()> {
    let Some(rows) = table("ab_pairwise.csv", report)? else { return Ok(()) };
    let mut engine = host.uninitialised()?;
    let before = report.passed;
    let expressions: Vec<&str> = COMPARISONS.iter().map(|(_, expression, ..)| *expression).collect();
    for row in &rows {
        let name = format!("{} {}", row.text("case_id"), row.text("variant"));
        let counts = ["x0", "n0", "x1", "n1"].map(|c| format!("cast({} as double precision) as {c}", row.text(c)));
        let answer =
            engine.query(&format!("select {} from (select {}) arms", expressions.join(", "), counts.join(", ")))?;
        answers.leave("experiment statistics", &name, &answer)?;
        for ((column, _, absolute, relative), got) in COMPARISONS.iter().zip(&answer[0]) {
            report.row(&format!("{name} {column}"), || close(got, row.optional(column), *absolute, *relative));
        }
    }
    report.rows_done("values of ab_pairwise.csv", before);
    let before = report.passed;
    let Some(rows) = table("srm.csv", report)? else { return Ok(()) };
    for row in rows.iter().filter(|row| row.optional("p").is_some()) {
        report.row(row.text("id"), || srm(engine.as_mut(), row));
    }
    report.rows_done("rows of srm.csv", before);
    Ok(())
}

fn srm(engine: &mut dyn crate::engine::Engine, row: &Row) -> Result<()> {
    let sql = format!("select chi_square_p(cast({} as double precision), {})", row.text("chi2"), row.text("df"));
    close(&engine.value(&sql)?, row.optional("p"), 1e-12, 1e-8)
}
