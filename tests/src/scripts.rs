//! Checks that scripts make: every client in its own language, packages in clean places, pages in a browser. A script tells a line a
//! case, `ok NAME`, `FAILED NAME: why` or `SKIPPED NAME: why`, and anything else that helps a person.

use crate::report::Report;
use crate::Options;
use anyhow::{bail, ensure, Context, Result};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// The section, and the script below the repository. Each is run as `SCRIPT TARGET PG_CONFIG quick`.
const SCRIPTS: [(&str, &str); 3] =
    [("clients", "tests/clients/run"), ("packages", "packaging/test"), ("dashboards", "tests/bi/run")];

/// One that takes longer hangs.
const SECONDS: &str = "900";

pub fn run(options: &Options, report: &mut Report) {
    for (section, script) in SCRIPTS {
        if report.section(section) {
            if let Err(error) = told(options, script, report) {
                report.fail("the script runs to its end", &format!("{error:#}"));
            }
        }
    }
}

fn told(options: &Options, script: &str, report: &mut Report) -> Result<()> {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=10", SECONDS, "bash", "-c", r#"exec "$@" 2>&1"#, "script"]);
    command.arg(crate::repository().join(script)).arg(&options.target).arg(&options.pg15).arg("quick");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| script.to_string())?;
    let (cases, failed) = (report.passed + report.failed + report.skipped, report.failed);
    for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
        case(&line?, report);
    }
    let status = child.wait()?;
    ensure!(report.passed + report.failed + report.skipped > cases, "it told no case: {status}");
    if !status.success() && report.failed == failed {
        bail!("{status}");
    }
    Ok(())
}

fn case(line: &str, report: &mut Report) {
    let split = |text: &str| {
        let (name, why) = text.split_once(": ").unwrap_or((text, "it says no more"));
        (name.to_string(), why.to_string())
    };
    if let Some(name) = line.strip_prefix("ok ") {
        report.case(name, || Ok(()));
    } else if let Some((name, why)) = line.strip_prefix("FAILED ").map(split) {
        report.fail(&name, &why);
    } else if let Some((name, why)) = line.strip_prefix("SKIPPED ").map(split) {
        report.skip(&name, &why);
    } else if !line.is_empty() {
        report.note(line);
    }
}
