//! Instants, time slots and decay. An instant is microseconds since 1970-01-01T00:00Z; zones are IANA names carried by
//! the library, because SQLite has none and both engines must agree.

use crate::error::excerpt;
use crate::{behavior::out_of_range, Error, Result};
use jiff::{civil, tz::TimeZone, Timestamp};

/// 0001-01-01T00:00Z.
pub const MIN_US: i64 = -62_135_596_800_000_000;
/// 9999-12-31T23:59:59.999999Z.
pub const MAX_US: i64 = 253_402_300_799_999_999;

const DAY_US: i64 = 86_400_000_000;
const HOUR_US: f64 = 3.6e9;
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// The instant itself when it lies in the years 1 to 9999.
pub fn check_epoch_us(us: i64) -> Result<i64> {
    if (MIN_US..=MAX_US).contains(&us) {
        return Ok(us);
    }
    Err(Error::invalid("timestamp", "is outside the years 1 to 9999"))
}

/// The slot of the local wall clock: morning [05,12), afternoon [12,17), evening [17,21), night [21,05).
///
/// ```
/// use cotaste_core::time::{parse_timestamp, time_slot};
/// let us = parse_timestamp("2026-01-05T23:15:00Z").unwrap();
/// assert_eq!(time_slot(us, "UTC").unwrap(), "night");
/// assert_eq!(time_slot(us, "Asia/Kathmandu").unwrap(), "morning");
/// ```
pub fn time_slot(us: i64, zone: &str) -> Result<&'static str> {
    let hour = local(us, zone)?.hour();
    Ok(match hour {
        5..=11 => "morning",
        12..=16 => "afternoon",
        17..=20 => "evening",
        _ => "night",
    })
}

/// The calendar day of the local date, `monday` to `sunday`.
pub fn day_of_week(us: i64, zone: &str) -> Result<&'static str> {
    let day = local(us, zone)?.weekday().to_monday_zero_offset();
    DAYS.get(day as usize).copied().ok_or(Error::Internal)
}

/// When the local day of an instant began, in microseconds since 1970; where a change of the clock skips midnight, that is
/// the first instant after it.
///
/// ```
/// use cotaste_core::time::{day_start_us, format_timestamp, parse_timestamp};
/// let day = |text, zone| format_timestamp(day_start_us(parse_timestamp(text).unwrap(), zone).unwrap()).unwrap();
/// assert_eq!(day("2026-01-05T23:15:00Z", "Asia/Kathmandu"), "2026-01-05T18:15:00.000000Z");
/// assert_eq!(day("2018-11-04T12:00:00Z", "America/Sao_Paulo"), "2018-11-04T03:00:00.000000Z");
/// ```
pub fn day_start_us(us: i64, zone: &str) -> Result<i64> {
    if zone == "UTC" {
        return Ok((check_epoch_us(us)?.div_euclid(DAY_US) * DAY_US).max(MIN_US));
    }
    let day = local(us, zone)?.date();
    let start = find_zone(zone)?.to_ambiguous_zoned(day.to_datetime(civil::Time::midnight())).compatible();
    let start = match start {
        Ok(start) => start.timestamp().as_microsecond(),
        // The last days of the year 9999, which jiff's instants do not reach.
        Err(_) => {
            let offset = offset_us(us, zone)?;
            (us + offset).min(MAX_US).div_euclid(DAY_US) * DAY_US - offset
        }
    };
    // A day that began before the range does is cut off by it.
    Ok(if start > us { MIN_US } else { start.max(MIN_US) })
}

fn local(us: i64, zone: &str) -> Result<civil::DateTime> {
    if zone == "UTC" {
        return utc(check_epoch_us(us)?);
    }
    utc((us + offset_us(us, zone)?).clamp(MIN_US, MAX_US))
}

/// How far the zone's clock is ahead of UTC.
fn offset_us(us: i64, zone: &str) -> Result<i64> {
    // jiff's instants end a day before the year 9999 does.
    let near = check_epoch_us(us)?.clamp(MIN_US, MAX_US - 2 * DAY_US);
    let instant = Timestamp::from_microsecond(near).map_err(|_| out_of_range())?;
    Ok(i64::from(find_zone(zone)?.to_offset(instant).seconds()) * 1_000_000)
}

/// The wall clock in UTC, by arithmetic: it reaches further than jiff's instants do.
fn utc(us: i64) -> Result<civil::DateTime> {
    let days = civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(us.div_euclid(DAY_US)));
    let seconds = us.rem_euclid(DAY_US) / 1_000_000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let nanosecond = us.rem_euclid(1_000_000) * 1000;
    let time = civil::Time::new(hour as i8, minute as i8, second as i8, nanosecond as i32);
    match (days, time) {
        (Ok(day), Ok(time)) => Ok(day.to_datetime(time)),
        _ => Err(out_of_range()),
    }
}

fn find_zone(name: &str) -> Result<TimeZone> {
    let unknown = || Error::invalid("zone", format!("\"{}\" is not an IANA time zone", excerpt(name)));
    if name.is_empty() || name.len() > 64 {
        return Err(unknown());
    }
    jiff::tz::db().get(name).map_err(|_| unknown())
}

/// Reads ISO 8601: a date, optionally a time to the fraction of a second after `T` or a blank, optionally `Z` or an
/// offset. Without an offset it is UTC. Digits beyond the microsecond are cut off.
///
/// ```
/// use cotaste_core::time::{format_timestamp, parse_timestamp};
/// let us = parse_timestamp("2026-03-29 02:30+02:00").unwrap();
/// assert_eq!(format_timestamp(us).unwrap(), "2026-03-29T00:30:00.000000Z");
/// ```
pub fn parse_timestamp(text: &str) -> Result<i64> {
    let wrong = || Error::invalid("timestamp", format!("\"{}\" is not an ISO 8601 date and time", excerpt(text)));
    check_epoch_us(Digits(text.trim().as_bytes()).instant().ok_or_else(wrong)?)
}

/// What is left of a text of fixed-width numbers.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    /// `YYYY-MM-DD[(T| )HH:MM[:SS[.f...]][Z|(+|-)HH[[:]MM]]]`
    fn instant(&mut self) -> Option<i64> {
        let year = self.number(4, 9999)?;
        self.eat(b"-")?;
        let month = self.number(2, 12)?;
        self.eat(b"-")?;
        let day = self.number(2, 31)?;
        let date = civil::Date::new(year as i16, month as i8, day as i8).ok()?;
        let days = i64::from(date.since(civil::date(1970, 1, 1)).ok()?.get_days());
        let mut us = days * DAY_US;
        if self.eat(b"Tt ").is_some() {
            us += self.clock()? - self.offset()?;
        }
        self.0.is_empty().then_some(us)
    }

    fn clock(&mut self) -> Option<i64> {
        let hour = self.number(2, 23)?;
        self.eat(b":")?;
        let mut seconds = hour * 3600 + self.number(2, 59)? * 60;
        let mut fraction = 0;
        if self.eat(b":").is_some() {
            seconds += self.number(2, 59)?;
            if self.eat(b".,").is_some() {
                fraction = self.fraction()?;
            }
        }
        Some(seconds * 1_000_000 + fraction)
    }

    /// Microseconds; further digits are cut off.
    fn fraction(&mut self) -> Option<i64> {
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        let padded = digits.iter().chain(std::iter::repeat(&b'0')).take(6);
        (!digits.is_empty()).then(|| padded.fold(0, |us, d| us * 10 + i64::from(d - b'0')))
    }

    /// How far the clock is ahead of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.eat(b"Zz+-") {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Some(0),
        };
        let mut minutes = self.number(2, 23)? * 60;
        if self.eat(b":").is_some() || !self.0.is_empty() {
            minutes += self.number(2, 59)?;
        }
        Some(sign * minutes * 60_000_000)
    }

    /// A number of exactly so many digits.
    fn number(&mut self, digits: usize, most: i64) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        let value = |n: i64, d: &u8| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0'));
        digits.iter().try_fold(0, value).filter(|n| *n <= most)
    }

    /// One of these bytes.
    fn eat(&mut self, any: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        any.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }
}

/// Writes `YYYY-MM-DDTHH:MM:SS.ffffffZ`: one width, so that texts sort as the instants do.
pub fn format_timestamp(us: i64) -> Result<String> {
    let t = utc(check_epoch_us(us)?)?;
    let (year, month, day) = (t.year(), t.month(), t.day());
    let (hour, minute, second, fraction) = (t.hour(), t.minute(), t.second(), t.subsec_nanosecond() / 1000);
    Ok(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z"))
}

/// How many half-lives `us` microseconds are: `us / half life`, the half-life in hours.
pub fn half_lives(us: i64, half_life_hours: f64) -> Result<f64> {
    if !(half_life_hours.is_finite() && half_life_hours >= 1e-3) {
        return Err(Error::invalid("half_life_hours", format!("{half_life_hours} is not a number of at least 0.001")));
    }
    Ok(us as f64 / (half_life_hours * HOUR_US))
}

/// `weight * 2^(-age / half life)`. An age below 0 (an event still to come) grows the weight.
///
/// ```
/// assert_eq!(cotaste_core::time::decay(3.0, 86_400_000_000, 24.0).unwrap(), 1.5);
/// ```
pub fn decay(weight: f64, age_us: i64, half_life_hours: f64) -> Result<f64> {
    let decayed = weight * libm::exp2(-half_lives(age_us, half_life_hours)?);
    if decayed.is_finite() {
        return Ok(decayed);
    }
    Err(Error::invalid("weight", "decays to a value outside the range of a double"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_instant_reads_alike() {
        let us = 1_767_614_399_123_000;
        for text in [
            "2026-01-05T11:59:59.123Z",
            "2026-01-05T11:59:59.123000Z",
            "2026-01-05 11:59:59.123",
            " 2026-01-05T12:59:59.1230009+01:00 ",
            "2026-01-05 06:59:59.123-05",
            "2026-01-05T17:29:59.123+0530",
        ] {
            assert_eq!(parse_timestamp(text), Ok(us), "{text}");
        }
        assert_eq!(parse_timestamp("1969-12-31"), Ok(-86_400_000_000));
        assert_eq!(parse_timestamp("9999-12-31 23:59:59"), Ok(MAX_US - 999_999));
        assert_eq!(parse_timestamp("9999-12-31T23:59-01:00").map_err(|e| e.code()), Err("INVALID_ARGUMENT"));
        assert!(time_slot(MAX_US, "Asia/Tokyo").is_ok() && day_of_week(MIN_US, "America/New_York").is_ok());
        for text in [
            "",
            "now",
            "2026-13-01",
            "2026-01-05T24:00:00.000Z",
            "12345",
            "-001-01-01",
            "2026-01-05T",
            "2026-01-05T11:59.5",
            "2026-01-05T11:59:59.Z",
            "2026-01-05T11:59:59+5",
            "2026-01-05 11:59:59 Z",
            "2026-02-30T00:00:00.000Z",
        ] {
            assert!(parse_timestamp(text).is_err(), "{text}");
        }
    }

    #[test]
    fn writing_then_reading_is_the_identity_to_the_ends_of_the_range() {
        for us in [MIN_US, MIN_US + 1, -1, 0, 1, 999_999, MAX_US - 1, MAX_US] {
            let text = format_timestamp(us).unwrap();
            assert_eq!((text.len(), parse_timestamp(&text)), (27, Ok(us)), "{text}");
        }
        assert!(format_timestamp(MAX_US + 1).is_err() && check_epoch_us(MIN_US - 1).is_err());
    }

    #[test]
    fn a_day_starts_in_every_zone_to_the_ends_of_the_range() {
        assert_eq!(day_start_us(MIN_US + 1, "America/Sao_Paulo"), Ok(MIN_US));
        for (zone, start) in
            [("America/Sao_Paulo", "9999-12-31T03:00"), ("Europe/Berlin", "9999-12-30T23:00"), ("UTC", "9999-12-31")]
        {
            assert_eq!(day_start_us(MAX_US, zone), parse_timestamp(start), "{zone}");
            assert!(day_start_us(MIN_US, zone).unwrap() == MIN_US && day_start_us(MAX_US - 3 * DAY_US, zone).is_ok());
        }
    }

    #[test]
    fn an_unknown_zone_is_told_by_its_name() {
        let error = time_slot(0, "Mars/Olympus").unwrap_err();
        assert_eq!(error.to_string(), "INVALID_ARGUMENT: zone: \"Mars/Olympus\" is not an IANA time zone");
    }
}
