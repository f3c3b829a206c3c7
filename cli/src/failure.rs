//! What ends a command: a code, what was wrong, what to do, and the exit code a script sees.

use std::fmt;

pub type Result<T> = std::result::Result<T, Failure>;

/// The exit codes beside 0 (done) and 2 (clap's: wrong usage). docs/cli.md lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was tried and failed.
    Failed = 1,
    /// The database cannot be reached or opened.
    NoDatabase = 3,
    /// There is no space, or one that lacks what was asked for.
    NoSpace = 4,
    /// It was looked at, and is not well.
    NotWell = 5,
    /// Done, except rows that were rejected.
    Rejected = 6,
}

#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub code: String,
    pub message: String,
    pub hint: String,
    /// Whether the rows are to blame rather than the server, the disk or the program: then some of them may be written.
    pub of_rows: bool,
}

impl Failure {
    pub fn new(exit: Exit, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure { exit, code: code.into(), message: message.into(), hint: hint.into(), of_rows: false }
    }

    pub fn argument(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::Failed, "INVALID_ARGUMENT", message, hint)
    }

    pub fn file(path: &std::path::Path, error: impl fmt::Display) -> Self {
        Self::new(
            Exit::Failed,
            "FILE_ERROR",
            format!("{}: {error}", path.display()),
            "Check the path and its permissions.",
        )
    }

    pub fn stream(what: &str, error: impl fmt::Display) -> Self {
        let hint = "Check that the server runs and the address is right. What was committed stays; run the command again to go on.";
        Self::new(Exit::Failed, "STREAM_ERROR", format!("{what}: {error}"), hint)
    }

    pub fn connection(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::NoDatabase, "CONNECTION_ERROR", message, hint)
    }

    /// An error of the engine: our own start with a stable code.
    fn of_engine(message: &str, hint: Option<&str>, sqlstate: Option<&str>) -> Self {
        let (code, text) = match message.split_once(": ") {
            Some((code, text)) if code.len() > 3 && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => {
                (code, text)
            }
            _ => ("DATABASE_ERROR", message),
        };
        let missing =
            ["no such table", "no such function", "no such column"].iter().any(|start| message.starts_with(start));
        let is_missing = missing || matches!(sqlstate, Some("42883" | "42P01" | "42703"));
        let (exit, code, hint) = match code {
            "NOT_INITIALIZED" => (Exit::NoSpace, code, Some("Make the space: cotaste init")),
            _ if is_missing => (
                Exit::NoSpace,
                "NOT_INITIALIZED",
                Some("Make or upgrade the space: cotaste init. If it says so again, this version of cotaste lacks it."),
            ),
            _ => (Exit::Failed, code, hint),
        };
        let hint = hint.unwrap_or("See the engine's message; nothing of the running transaction was written.");
        Self::new(exit, code, text, hint)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let (code, message) = match &error {
            rusqlite::Error::SqliteFailure(failure, message) => (Some(failure.code), message.clone()),
            _ => (None, None),
        };
        let message = message.unwrap_or_else(|| error.to_string());
        let mut failure = Self::of_engine(&message, None, None);
        match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                failure.hint = "Another program is writing. Run it again, or give it more time: --busy-timeout".into();
            }
            Some(ErrorCode::NotADatabase | ErrorCode::CannotOpen) => failure.exit = Exit::NoDatabase,
            _ => {}
        }
        failure.of_rows = matches!(code, Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch));
        failure
    }
}

impl From<postgres::Error> for Failure {
    fn from(error: postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            let cause = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            let hint = "The server was not reached or went away. What was committed stays; run the command again.";
            return Self::connection(format!("{error}{cause}"), hint);
        };
        let sqlstate = db.code().code();
        let mut failure = Self::of_engine(db.message(), db.hint(), Some(sqlstate));
        failure.of_rows = ["22", "23", "P0"].iter().any(|class| sqlstate.starts_with(class));
        failure
    }
}

impl From<r2d2::Error> for Failure {
    fn from(error: r2d2::Error) -> Self {
        let hint = "Check the address, the password and that the server runs; --connect-timeout gives it more time.";
        Self::connection(error.to_string(), hint)
    }
}
