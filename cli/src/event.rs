//! One event as it is recorded, made from whatever a source holds, by the rules of `cotaste-core`.

use cotaste_core::{behavior, time};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub user_id: String,
    pub content_id: i64,
    pub action: String,
    pub rating: Option<f64>,
    pub progress: Option<f64>,
    pub context: Option<String>,
    pub occurred_us: i64,
    pub event_id: String,
}

/// The fields an event is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    User,
    Content,
    Action,
    Rating,
    Progress,
    Context,
    Time,
    EventId,
}

/// By [`Field`]: the name, then others that are understood.
const NAMES: [&[&str]; 8] = [
    &["user_id", "userId"],
    &["content_id", "contentId"],
    &["action"],
    &["rating"],
    &["progress"],
    &["context"],
    &["occurred_at", "occurredAt", "timestamp"],
    &["event_id", "eventId"],
];
const FIELDS: [Field; 8] = [
    Field::User,
    Field::Content,
    Field::Action,
    Field::Rating,
    Field::Progress,
    Field::Context,
    Field::Time,
    Field::EventId,
];

impl Field {
    pub fn named(name: &str) -> Option<Self> {
        FIELDS.into_iter().zip(NAMES).find(|(_, names)| names.contains(&name)).map(|(field, _)| field)
    }

    pub fn name(self) -> &'static str {
        NAMES.get(self as usize).and_then(|names| names.first()).copied().unwrap_or_default()
    }
}

/// A value of a source. An empty text is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cell<'a> {
    #[default]
    None,
    Text(Cow<'a, str>),
    Int(i64),
    Real(f64),
    /// Microseconds since 1970.
    Instant(i64),
    /// Something that is no text, number or time, as JSON.
    Other(Cow<'a, str>),
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        match text {
            "" => Cell::None,
            text => Cell::Text(Cow::Borrowed(text)),
        }
    }
}

/// What a row without an action, a time or an event id gets.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    pub action: Option<String>,
    pub time_us: Option<i64>,
    /// Without one the id is made from the row.
    pub event_id: Option<String>,
}

/// A row's cells by [`Field`].
pub type Cells<'a> = [Cell<'a>; 8];

type Read<T> = std::result::Result<T, String>;

impl Event {
    /// The event of a row, or why there is none.
    pub fn read(cells: Cells<'_>, defaults: &Defaults) -> Read<Event> {
        let [user, content, action, rating, progress, context, at, event_id] = cells;
        let user_id = text(user, Field::User)?.ok_or("user_id: is missing")?;
        behavior::check_user_id(&user_id).map_err(reason)?;
        let content_id = integer(content)?.ok_or("content_id: is missing")?;
        let action = text(action, Field::Action)?.or_else(|| defaults.action.clone());
        let action = action.ok_or("action: is missing; --default-action names one for rows without it")?;
        behavior::check_action(&action).map_err(reason)?;
        let rating = number(rating, Field::Rating)?;
        rating.map_or(Ok(()), behavior::check_rating).map_err(reason)?;
        let progress = number(progress, Field::Progress)?;
        progress.map_or(Ok(()), behavior::check_progress).map_err(reason)?;
        let context = json(context)?;
        let occurred_us = instant(at)?.or(defaults.time_us);
        let occurred_us = occurred_us.ok_or("occurred_at: is missing; --default-time gives one to rows without it")?;
        behavior::check_occurred_at(occurred_us).map_err(reason)?;
        let event_id = text(event_id, Field::EventId)?;
        behavior_text(event_id.as_deref(), Field::EventId)?;
        behavior_text(context.as_deref(), Field::Context)?;
        let given = event_id.or_else(|| defaults.event_id.clone());
        let mut event =
            Event { user_id, content_id, action, rating, progress, context, occurred_us, event_id: String::new() };
        event.event_id = given.unwrap_or_else(|| event.derived_id());
        Ok(event)
    }

    /// `row-` and 72 bits of SHA-256 over the other fields: equal rows have equal ids, wherever they stand.
    pub fn derived_id(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => {
                hash.update((bytes.len() as u64).to_le_bytes());
                hash.update(bytes);
            }
            None => hash.update(u64::MAX.to_le_bytes()),
        };
        let real = |value: Option<f64>| value.map(|value| (value + 0.0).to_le_bytes());
        add(Some(self.user_id.as_bytes()));
        add(Some(&self.content_id.to_le_bytes()));
        add(Some(self.action.as_bytes()));
        add(real(self.rating).as_ref().map(<[u8; 8]>::as_slice));
        add(real(self.progress).as_ref().map(<[u8; 8]>::as_slice));
        add(self.context.as_deref().map(str::as_bytes));
        add(Some(&self.occurred_us.to_le_bytes()));
        let digest = hash.finalize();
        let mut id = String::with_capacity(16);
        id.push_str("row-");
        for three in digest.chunks_exact(3).take(3) {
            let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
            for shift in [18, 12, 6, 0] {
                id.push(char::from(DIGITS.get((bits >> shift & 63) as usize).copied().unwrap_or(b'-')));
            }
        }
        id
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The message of an error without its code: the file of rejects holds nothing but invalid values.
fn reason(error: cotaste_core::Error) -> String {
    error.message()
}

/// Postgres has no U+0000 in texts, and in SQLite it ends most readers' view of one.
fn behavior_text(text: Option<&str>, field: Field) -> Read<()> {
    match text {
        Some(text) if text.contains('\0') => Err(format!("{}: contains U+0000", field.name())),
        _ => Ok(()),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

fn text(cell: Cell<'_>, field: Field) -> Read<Option<String>> {
    match cell {
        Cell::None => Ok(None),
        Cell::Text(text) => Ok(Some(text.into_owned())),
        Cell::Int(value) => Ok(Some(value.to_string())),
        _ => Err(format!("{}: is not a text", field.name())),
    }
}

fn integer(cell: Cell<'_>) -> Read<Option<i64>> {
    match cell {
        Cell::None => Ok(None),
        Cell::Int(value) => Ok(Some(value)),
        Cell::Text(text) => {
            let value = text.trim().parse();
            value.map(Some).map_err(|_| format!("content_id: \"{}\" is not an integer", excerpt(&text)))
        }
        Cell::Real(value) if value.fract() == 0.0 && value.abs() < 9e15 => Ok(Some(value as i64)),
        _ => Err("content_id: is not an integer".into()),
    }
}

fn number(cell: Cell<'_>, field: Field) -> Read<Option<f64>> {
    match cell {
        Cell::None => Ok(None),
        Cell::Int(value) => Ok(Some(value as f64)),
        Cell::Real(value) => Ok(Some(value)),
        Cell::Text(text) => {
            let value = text.trim().parse();
            value.map(Some).map_err(|_| format!("{}: \"{}\" is not a number", field.name(), excerpt(&text)))
        }
        _ => Err(format!("{}: is not a number", field.name())),
    }
}

/// A context may be any text; what is no text is kept as JSON.
fn json(cell: Cell<'_>) -> Read<Option<String>> {
    match cell {
        Cell::None => Ok(None),
        Cell::Text(text) | Cell::Other(text) => Ok(Some(text.into_owned())),
        Cell::Int(value) => Ok(Some(value.to_string())),
        Cell::Real(value) => Ok(Some(format!("{value:?}"))),
        Cell::Instant(_) => Err("context: is a time".into()),
    }
}

/// ISO 8601, or a number since 1970 whose size tells its unit: seconds below 1e11, then milli-, micro- and nanoseconds.
fn instant(cell: Cell<'_>) -> Read<Option<i64>> {
    let epoch = |value: i64| match value.unsigned_abs() {
        0..100_000_000_000 => value.saturating_mul(1_000_000),
        100_000_000_000..100_000_000_000_000 => value.saturating_mul(1000),
        100_000_000_000_000..100_000_000_000_000_000 => value,
        _ => value / 1000,
    };
    match cell {
        Cell::None => Ok(None),
        Cell::Instant(us) => Ok(Some(us)),
        Cell::Int(value) => Ok(Some(epoch(value))),
        Cell::Real(value) if value.abs() < 1e11 => Ok(Some((value * 1e6).round() as i64)),
        Cell::Text(text) => match text.trim().parse() {
            Ok(value) => Ok(Some(epoch(value))),
            Err(_) => time::parse_timestamp(&text).map(Some).map_err(|_| {
                format!(
                    "occurred_at: \"{}\" is neither an ISO 8601 date and time nor a number since 1970",
                    excerpt(&text)
                )
            }),
        },
        _ => Err("occurred_at: is not a time".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 8]) -> Read<Event> {
        Event::read(cells.map(Cell::from), &Defaults::default())
    }

    #[test]
    fn a_row_is_an_event_or_a_reason() {
        let event =
            row(["ann", "550", "rate", "9.2", "0.5", "{\"device\":\"tv\"}", "2026-01-05T11:59:59Z", "e1"]).unwrap();
        assert_eq!((event.content_id, event.rating, event.occurred_us), (550, Some(9.2), 1_767_614_399_000_000));
        let long = "u".repeat(1001);
        for (cells, reason) in [
            (["", "1", "view", "", "", "", "2026-01-05", ""], "user_id: is missing"),
            ([long.as_str(), "1", "view", "", "", "", "2026-01-05", ""], "user_id: is 1001 bytes long"),
            (["a", "x", "view", "", "", "", "2026-01-05", ""], "content_id: \"x\" is not an integer"),
            (["a", "1", "", "", "", "", "2026-01-05", ""], "action: is missing"),
            (["a", "1", "rate", "11", "", "", "2026-01-05", ""], "rating: 11 is not between 0 and 10"),
            (["a", "1", "rate", "NaN", "", "", "2026-01-05", ""], "rating: NaN is not between"),
            (["a", "1", "view", "", "2", "", "2026-01-05", ""], "progress: 2 is not between 0 and 1"),
            (["a", "1", "view", "", "", "", "", ""], "occurred_at: is missing"),
            (["a", "1", "view", "", "", "", "yesterday", ""], "occurred_at: \"yesterday\" is neither"),
            (["a", "1", "view", "", "", "", "2026-01-05", "\0"], "event_id: contains U+0000"),
        ] {
            let found = row(cells).unwrap_err();
            assert!(found.starts_with(reason), "{found}");
        }
    }

    #[test]
    fn a_number_since_1970_is_of_the_unit_its_size_tells() {
        for number in ["1767614399", "1767614399000", "1767614399000000", "1767614399000000000"] {
            assert_eq!(row(["a", "1", "view", "", "", "", number, ""]).unwrap().occurred_us, 1_767_614_399_000_000);
        }
    }

    #[test]
    fn an_id_is_made_from_every_field_and_from_nothing_else() {
        let base = ["a", "1", "rate", "5", "0.5", "{}", "2026-01-05", ""];
        let id = |cells| row(cells).unwrap().event_id;
        assert_eq!(id(base), id(base));
        assert_eq!(id(base).len(), 16);
        assert_eq!(
            id(base),
            id(["a", "1", "rate", "5.0", "0.50", "{}", "2026-01-05T00:00:00Z", ""]),
            "values, not spellings"
        );
        for (i, other) in ["b", "2", "view", "6", "", "{ }", "2026-01-06"].into_iter().enumerate() {
            let mut changed = base;
            changed[i] = other;
            assert_ne!(id(base), id(changed), "field {i}");
        }
    }
}
