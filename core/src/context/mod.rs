//! The JSON context of an event (CONVENTIONS C1 to C9): six labels and a status, from any text, never an error.
//!
//! Two readers give the same members: `quick`, for flat objects of plain values, and `full`, on serde_json, for
//! everything else. Property tests hold them equal.

mod full;
mod quick;

use std::borrow::Cow;

/// The longest label, in characters: longer is not a label.
pub const MAX_LABEL: usize = 256;
/// How deep a context may nest.
pub const MAX_DEPTH: usize = 128;

/// What kind of text the context is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// NULL, an empty or blank text, or JSON null.
    Empty,
    /// A JSON object whose known members are all usable.
    Ok,
    /// A JSON object with a known member of an unusable type or label, or an experiment without its variant or the reverse.
    Partial,
    /// Another JSON value.
    NotObject,
    /// Not JSON.
    Malformed,
}

impl Status {
    /// The status as SQL tells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::NotObject => "not_object",
            Self::Malformed => "malformed",
        }
    }
}

/// A context read. A member that is missing or unusable is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context<'a> {
    /// What kind of text it was.
    pub status: Status,
    /// `morning`, `afternoon`, `evening` or `night`.
    pub time_of_day: Option<&'static str>,
    /// `monday` to `sunday`.
    pub day_of_week: Option<&'static str>,
    /// The device, as given, trimmed.
    pub device: Option<Cow<'a, str>>,
    /// The location, as given, trimmed.
    pub location: Option<Cow<'a, str>>,
    /// The experiment's name, as given, trimmed.
    pub experiment: Option<Cow<'a, str>>,
    /// The variant, as given, trimmed; an integer in decimal.
    pub variant: Option<Cow<'a, str>>,
}

/// The members a context may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Field {
    TimeOfDay,
    DayOfWeek,
    Device,
    Location,
    Experiment,
    Variant,
}

/// The names of the members, by [`Field`]: camelCase, snake_case.
const NAMES: [[&str; 2]; 6] = [
    ["timeOfDay", "time_of_day"],
    ["dayOfWeek", "day_of_week"],
    ["device", "device"],
    ["location", "location"],
    ["experimentName", "experiment_name"],
    ["experimentVariant", "experiment_variant"],
];

impl Field {
    const fn names(self) -> [&'static str; 2] {
        NAMES[self as usize]
    }
}

/// A known member's value before it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Raw<'a> {
    Text(Cow<'a, str>),
    Integer(&'a str),
    Null,
    Other,
}

/// The known members, by [`Field`]; a camelCase name beats its snake_case twin, the last repeat counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Members<'a> {
    camel: [Option<Raw<'a>>; 6],
    snake: [Option<Raw<'a>>; 6],
}

// Short-lived, and never kept in numbers: boxing the members would cost every context an allocation.
#[allow(clippy::large_enum_variant)]
enum Document<'a> {
    Object(Members<'a>),
    Other(Status),
}

/// Reads a context.
///
/// ```
/// use cotaste_core::context::{parse, Status};
/// let context = parse(r#"{"timeOfDay": "Evening", "device": " tv ", "dayOfWeek": 5}"#);
/// assert_eq!((context.time_of_day, context.device.as_deref()), (Some("evening"), Some("tv")));
/// assert_eq!(context.status, Status::Partial);
/// assert_eq!(parse(r#"{"timeOfDay""#).status, Status::Malformed);
/// ```
pub fn parse(text: &str) -> Context<'_> {
    let mut members = match document(text) {
        Document::Object(members) => members,
        Document::Other(status) => return bare(status),
    };
    let [time_of_day, day_of_week, device, location, experiment, variant] =
        [Field::TimeOfDay, Field::DayOfWeek, Field::Device, Field::Location, Field::Experiment, Field::Variant]
            .map(|field| judge(field, members.take(field)));
    let partners = experiment.label.is_some() == variant.label.is_some();
    let usable = [&time_of_day, &day_of_week, &device, &location, &experiment, &variant].iter().all(|m| m.usable);
    Context {
        status: if partners && usable { Status::Ok } else { Status::Partial },
        time_of_day: time_of_day.label.and_then(|l| named(Field::TimeOfDay, &l)),
        day_of_week: day_of_week.label.and_then(|l| named(Field::DayOfWeek, &l)),
        device: device.label,
        location: location.label,
        experiment: experiment.label,
        variant: variant.label,
    }
}

/// [`parse`] for bytes that may not be UTF-8, which is not JSON either.
pub fn parse_bytes(bytes: &[u8]) -> Context<'_> {
    std::str::from_utf8(bytes).map_or_else(|_| bare(Status::Malformed), parse)
}

/// One member alone: what [`parse`] gives for it, in less time.
pub fn field(text: &str, field: Field) -> Option<Cow<'_, str>> {
    let [camel, snake] = field.names();
    if let Some(raw) = quick::either(text, camel, snake) {
        return judge(field, raw).label;
    }
    match document(text) {
        Document::Object(mut members) => judge(field, members.take(field)).label,
        Document::Other(_) => None,
    }
}

/// The text itself when a Postgres jsonb can hold it for certain: valid (C5), no U+0000, every number of modest size.
pub fn storable_json(text: &str) -> Option<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match document(text) {
        Document::Other(Status::Malformed | Status::Empty) => None,
        // One mark is forgiven in a context, none in jsonb.
        _ => (!text.starts_with('\u{feff}') && full::fits_jsonb(text)).then_some(text),
    }
}

fn bare(status: Status) -> Context<'static> {
    Context {
        status,
        time_of_day: None,
        day_of_week: None,
        device: None,
        location: None,
        experiment: None,
        variant: None,
    }
}

fn document(text: &str) -> Document<'_> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    quick::members(text).map_or_else(|| full::document(text), Document::Object)
}

impl<'a> Members<'a> {
    /// Keeps a value when the key is a known one.
    fn put(&mut self, key: &str, value: Raw<'a>) {
        for (at, [camel, snake]) in NAMES.iter().enumerate() {
            let side = if key == *camel {
                &mut self.camel
            } else if key == *snake {
                &mut self.snake
            } else {
                continue;
            };
            if let Some(slot) = side.get_mut(at) {
                *slot = Some(value);
            }
            return;
        }
    }

    fn take(&mut self, field: Field) -> Option<Raw<'a>> {
        let of = |side: &mut [Option<Raw<'a>>; 6]| side.get_mut(field as usize).and_then(Option::take);
        of(&mut self.camel).or_else(|| of(&mut self.snake))
    }
}

struct Judged<'a> {
    label: Option<Cow<'a, str>>,
    usable: bool,
}

fn judge(field: Field, raw: Option<Raw<'_>>) -> Judged<'_> {
    let none = |usable| Judged { label: None, usable };
    let text = match raw {
        None | Some(Raw::Null) => return none(true),
        Some(Raw::Text(text)) => trimmed(text),
        Some(Raw::Integer(digits)) if field == Field::Variant => decimal(digits),
        Some(_) => return none(false),
    };
    if text.is_empty() {
        return none(true);
    }
    if matches!(field, Field::TimeOfDay | Field::DayOfWeek) {
        return match named(field, &text) {
            Some(label) => Judged { label: Some(Cow::Borrowed(label)), usable: true },
            None => none(false),
        };
    }
    let long = text.len() > MAX_LABEL && text.chars().count() > MAX_LABEL;
    if long || text.bytes().any(|b| b == 0) {
        return none(false);
    }
    Judged { label: Some(text), usable: true }
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

fn decimal(digits: &str) -> Cow<'_, str> {
    Cow::Borrowed(if digits == "-0" { "0" } else { digits })
}

/// The label a slot or day is known by, whatever its case (C6).
fn named(field: Field, text: &str) -> Option<&'static str> {
    const SLOTS: [&str; 4] = ["morning", "afternoon", "evening", "night"];
    const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    match field {
        Field::TimeOfDay => SLOTS.into_iter().find(|slot| slot.eq_ignore_ascii_case(text)),
        _ => {
            let short = |day: &str| day.get(..3).is_some_and(|d| d.eq_ignore_ascii_case(text));
            DAYS.into_iter().find(|day| day.eq_ignore_ascii_case(text) || short(day))
        }
    }
}

#[cfg(test)]
mod tests;
