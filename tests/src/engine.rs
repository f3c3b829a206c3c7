//! What a test sees of an engine: SQL in, rows of text out, printed by one rule for all engines.

use anyhow::Result;
use std::fmt;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// A parameter of a prepared statement.
#[derive(Clone, Debug)]
pub enum Value {
    Text(String),
    Int(i64),
}

/// What a statement gives, each cell printed by the rule of this module.
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// One connection to one database.
pub trait Engine: Send {
    fn kind(&self) -> Kind;
    /// Runs one or more statements and drops their rows.
    fn exec(&mut self, sql: &str) -> Result<(), SqlError>;
    /// Runs one statement and returns its rows, each cell printed by the rule of this module.
    fn query(&mut self, sql: &str) -> Result<Vec<Vec<String>>, SqlError>;
    /// The same with the names of its columns.
    fn table(&mut self, sql: &str) -> Result<Table, SqlError>;
    /// Inserts rows of text (None is NULL) in bulk.
    fn load(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: &mut dyn Iterator<Item = Vec<Option<String>>>,
    ) -> Result<()>;

    /// From now on the plans of queries are kept by their texts, as clients do that prepare.
    fn keep_plans(&mut self);

    /// Prepares one statement, runs it with each list of parameters and reads all rows, as a client does. Returns how
    /// long each run took; ends before the next one when `budget` is over.
    fn each(&mut self, sql: &str, parameters: &[Vec<Value>], budget: Duration) -> Result<Vec<Duration>>;
    /// What the server told since the last call, besides rows and errors.
    fn notices(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// The only cell of the only row.
    fn value(&mut self, sql: &str) -> Result<String> {
        match self.query(sql)?.as_slice() {
            [row] if row.len() == 1 => Ok(row[0].clone()),
            rows => anyhow::bail!("one value expected, got {rows:?} from {sql}"),
        }
    }

    /// A literal for a blob.
    fn blob(&self, bytes: &[u8]) -> String {
        match self.kind() {
            Kind::Sqlite => format!("x'{}'", hex(bytes)),
            Kind::Postgres => format!("'\\x{}'::bytea", hex(bytes)),
        }
    }
}

/// Makes fresh databases of one engine.
pub trait Host {
    fn kind(&self) -> Kind;
    /// With the extension and an initialised space.
    fn space(&mut self) -> Result<Box<dyn Engine>>;
    /// With the extension, before `cotaste_init`.
    fn uninitialised(&mut self) -> Result<Box<dyn Engine>>;
    /// An initialised space under the build that panics on purpose.
    fn planted(&mut self) -> Result<Box<dyn Engine>>;
}

/// An error as a client sees it. SQLite has only the message.
#[derive(Debug, Default)]
pub struct SqlError {
    pub message: String,
    pub sqlstate: Option<String>,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl SqlError {
    /// The stable code in front of the message: `CODE: message`.
    pub fn code(&self) -> Option<&str> {
        let (code, _) = self.message.split_once(": ")?;
        code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_').then_some(code)
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SqlError {}

/// How NULL is printed.
pub const NULL: &str = "NULL";

/// Shortest text that reads back to the same double; integral values keep one decimal.
pub fn print_double(value: f64) -> String {
    format!("{value:?}")
}

/// ISO-8601 in UTC to the microsecond, always 27 characters.
pub fn print_timestamp(unix_micros: i64) -> String {
    const DAY: i64 = 86_400_000_000;
    let (days, micros) = (unix_micros.div_euclid(DAY), unix_micros.rem_euclid(DAY));
    let (year, month, day) = civil_from_days(days);
    let seconds = micros / 1_000_000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = micros % 1_000_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
}

/// Howard Hinnant's civil_from_days: the proleptic Gregorian date of a day count since 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A text literal that both engines read the same way.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A text literal, or NULL.
pub fn quote_or_null(text: Option<&str>) -> String {
    text.map_or(NULL.to_lowercase(), quote)
}
