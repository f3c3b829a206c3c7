//! One error type. Its code, message and hint are the same text in both engines.

use std::fmt;

/// What every fallible function of the core returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, with the stable code users may rely on.
///
/// ```
/// let error = cotaste_core::behavior::check_rating(11.0).unwrap_err();
/// assert_eq!(error.to_string(), "INVALID_ARGUMENT: rating: 11 is not between 0 and 10");
/// assert_eq!(error.sqlstate(), "22023");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// An argument has a value the function does not take.
    Invalid {
        /// The argument's name in SQL.
        argument: &'static str,
        /// What is wrong with which value.
        problem: String,
    },
    /// A stored value is not one of ours, or was changed behind our back.
    Corrupt {
        /// What kind of value it should be.
        what: &'static str,
        /// How it shows.
        problem: &'static str,
    },
    /// The schema or file has no space yet.
    NotInitialized,
    /// The space could not be created or upgraded.
    Init(String),
    /// An event could not be recorded.
    Record(String),
    /// Derived state could not be updated.
    Update(String),
    /// Memory for a result was refused.
    OutOfMemory,
    /// A defect of cotaste itself: a panic was caught.
    Internal,
}

/// The start of a text for a message: what a client sent is not repeated at any length.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

impl Error {
    /// Every code there is; docs/errors.md explains each.
    pub const CODES: [&'static str; 8] = [
        "NOT_INITIALIZED",
        "INIT_ERROR",
        "INVALID_ARGUMENT",
        "RECORD_ERROR",
        "UPDATE_ERROR",
        "CORRUPT_STATE",
        "OUT_OF_MEMORY",
        "INTERNAL_ERROR",
    ];

    /// An argument has a value the function does not take.
    pub fn invalid(argument: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { argument, problem: problem.into() }
    }

    /// A stored value is not what it should be.
    pub const fn corrupt(what: &'static str, problem: &'static str) -> Self {
        Self::Corrupt { what, problem }
    }

    /// The space is missing.
    pub const fn not_initialized() -> Self {
        Self::NotInitialized
    }

    /// The space could not be created or upgraded.
    pub fn init(problem: impl Into<String>) -> Self {
        Self::Init(problem.into())
    }

    /// An event could not be recorded.
    pub fn record(problem: impl Into<String>) -> Self {
        Self::Record(problem.into())
    }

    /// Derived state could not be updated.
    pub fn update(problem: impl Into<String>) -> Self {
        Self::Update(problem.into())
    }

    /// A caught panic.
    pub const fn internal() -> Self {
        Self::Internal
    }

    /// The stable code, upper case.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "INVALID_ARGUMENT",
            Self::Corrupt { .. } => "CORRUPT_STATE",
            Self::NotInitialized => "NOT_INITIALIZED",
            Self::Init(_) => "INIT_ERROR",
            Self::Record(_) => "RECORD_ERROR",
            Self::Update(_) => "UPDATE_ERROR",
            Self::OutOfMemory => "OUT_OF_MEMORY",
            Self::Internal => "INTERNAL_ERROR",
        }
    }

    /// The SQLSTATE Postgres reports with it: five characters.
    pub const fn sqlstate(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "22023",
            Self::Corrupt { .. } => "XX001",
            Self::NotInitialized => "55000",
            Self::Init(_) => "0A000",
            Self::Record(_) | Self::Update(_) => "23000",
            Self::OutOfMemory => "53200",
            Self::Internal => "XX000",
        }
    }

    /// What is wrong with which value, without the code.
    pub fn message(&self) -> String {
        match self {
            Self::Invalid { argument, problem } => format!("{argument}: {problem}"),
            Self::Corrupt { what, problem } => format!("{what}: {problem}"),
            Self::NotInitialized => "there is no cotaste space here".into(),
            Self::Init(problem) | Self::Record(problem) | Self::Update(problem) => problem.clone(),
            Self::OutOfMemory => "not enough memory for the result".into(),
            Self::Internal => "cotaste met a defect of its own and stopped this statement".into(),
        }
    }

    /// More than the message says, where there is more.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Corrupt { .. } => {
                Some("The bytes fail their checksum or do not have the layout this version writes.".into())
            }
            _ => None,
        }
    }

    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "Pass a value of the documented range.",
            Self::Corrupt { .. } => {
                "Derived state can be made anew from the log; a value of your own must come from taste_agg or moments."
            }
            Self::NotInitialized => "Run: select cotaste_init()",
            Self::Init(_) => "Fix the cause, then run select cotaste_init() again: it is idempotent.",
            Self::Record(_) => "The event was not recorded; fix the cause and record it again.",
            Self::Update(_) => "Nothing was changed; fix the cause and run it again.",
            Self::OutOfMemory => "Ask for less at once, or raise the memory limit.",
            Self::Internal => "Please report it with the statement that caused it.",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.message())
    }
}

impl std::error::Error for Error {}

impl From<std::collections::TryReserveError> for Error {
    fn from(_: std::collections::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}
