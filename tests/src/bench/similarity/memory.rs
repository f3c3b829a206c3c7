//! The peak memory of the process that does the work: the server's backend, or this program where SQLite is a library.

use crate::engine::{Engine, Kind};
use anyhow::{Context, Result};

pub struct Peak {
    status: String,
    before: u64,
}

impl Peak {
    /// Forgets the peak so far.
    pub fn start(engine: &mut dyn Engine) -> Result<Self> {
        let process = match engine.kind() {
            Kind::Postgres => engine.value("select pg_backend_pid()")?,
            Kind::Sqlite => "self".into(),
        };
        let status = format!("/proc/{process}/status");
        // Without the right to do this the peak is that of the whole life.
        let _ = std::fs::write(format!("/proc/{process}/clear_refs"), "5");
        Ok(Peak { before: megabytes(&status, "VmRSS:")?, status })
    }

    /// The peak in MB, shared buffers of a server included, and how much of it came since the start.
    pub fn end(self) -> Result<(u64, u64)> {
        let peak = megabytes(&self.status, "VmHWM:")?;
        Ok((peak, peak.saturating_sub(self.before)))
    }
}

fn megabytes(status: &str, field: &str) -> Result<u64> {
    let text = std::fs::read_to_string(status).with_context(|| status.to_string())?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)).with_context(|| field.to_string())?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}
