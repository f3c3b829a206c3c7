//! What one recorded event may hold. The engines' own constraints say the same; these say it with a code.

use crate::{time, Error, Result};

/// The longest user id, in bytes: an index entry of either engine holds it.
pub const MAX_USER_ID: usize = 1000;

/// A user id is a non-empty text of at most [`MAX_USER_ID`] bytes without U+0000.
pub fn check_user_id(user_id: &str) -> Result<()> {
    if user_id.is_empty() {
        return Err(Error::invalid("user_id", "is empty"));
    }
    if user_id.len() > MAX_USER_ID {
        return Err(Error::invalid("user_id", format!("is {} bytes long, {MAX_USER_ID} at most", user_id.len())));
    }
    if user_id.contains('\0') {
        return Err(Error::invalid("user_id", "contains U+0000"));
    }
    Ok(())
}

/// Every 64-bit integer is a content id.
pub fn check_content_id(_content_id: i64) -> Result<()> {
    Ok(())
}

/// An action is a non-empty name of at most 64 characters; which names are known is a setting of the space.
pub fn check_action(action: &str) -> Result<()> {
    let characters = action.chars().count();
    if action.trim().is_empty() || characters > 64 || action.contains('\0') {
        return Err(Error::invalid("action", "is not a name of 1 to 64 characters"));
    }
    Ok(())
}

/// A rating is between 0 and 10, both included.
pub fn check_rating(rating: f64) -> Result<()> {
    within("rating", rating, 10.0)
}

/// Progress is a fraction between 0 and 1, both included.
pub fn check_progress(progress: f64) -> Result<()> {
    within("progress", progress, 1.0)
}

/// An event happened in the years 1 to 9999.
pub fn check_occurred_at(epoch_us: i64) -> Result<()> {
    time::check_epoch_us(epoch_us).map(drop).map_err(|_| out_of_range())
}

/// The error for a time outside the years 1 to 9999.
pub(crate) fn out_of_range() -> Error {
    Error::invalid("occurred_at", "is outside the years 1 to 9999")
}

fn within(argument: &'static str, value: f64, most: f64) -> Result<()> {
    if (0.0..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(argument, format!("{value} is not between 0 and {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_belong_to_the_range_and_nan_does_not() {
        assert!(check_rating(0.0).is_ok() && check_rating(10.0).is_ok() && check_progress(1.0).is_ok());
        for bad in [f64::NAN, f64::INFINITY, -0.1, 10.1] {
            assert_eq!(check_rating(bad).map_err(|e| e.code()), Err("INVALID_ARGUMENT"));
        }
        assert!(check_user_id("").is_err() && check_user_id(&"a".repeat(1001)).is_err());
        assert!(check_action("  ").is_err() && check_action("view").is_ok());
    }
}
