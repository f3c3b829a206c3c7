//! What an experiment asks for: its goal and the dimension it is cut by.

use crate::error::excerpt;
use crate::{behavior, Error, Result};

/// The least rating that meets a goal `rating >= x`; none when the goal is an action.
///
/// ```
/// use cotaste_core::stats::rating_goal;
/// assert_eq!(rating_goal("rating >= 8"), Ok(Some(8.0)));
/// assert_eq!(rating_goal("complete"), Ok(None));
/// assert!(rating_goal("rating > 8").is_err());
/// ```
pub fn rating_goal(goal: &str) -> Result<Option<f64>> {
    let goal = goal.trim();
    if !goal.contains(['<', '>', '=']) {
        return Ok(None);
    }
    let wrong = || Error::invalid("goal", format!("\"{}\" is neither an action nor rating >= x", excerpt(goal)));
    let (name, least) = goal.split_once(">=").ok_or_else(wrong)?;
    if name.trim() != "rating" {
        return Err(wrong());
    }
    let least: f64 = least.trim().parse().map_err(|_| wrong())?;
    behavior::check_rating(least).map_err(|_| wrong())?;
    Ok(Some(least))
}

/// What an experiment can be cut by: `device`, `location`, `slot` or `day`.
pub fn check_dimension(dimension: &str) -> Result<()> {
    if ["device", "location", "slot", "day"].contains(&dimension) {
        return Ok(());
    }
    Err(Error::invalid("dimension", format!("\"{}\" is not device, location, slot or day", excerpt(dimension))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_an_action_or_a_rating() {
        assert_eq!(rating_goal(" rating>=8.5 "), Ok(Some(8.5)));
        assert_eq!(rating_goal("rating"), Ok(None));
        for goal in ["rating >= ", "rating >= 11", "rating >= NaN", "rating <= 3", "views >= 3", "rating = 3", ">="] {
            assert_eq!(rating_goal(goal).map_err(|e| e.code()), Err("INVALID_ARGUMENT"), "{goal}");
        }
        assert!(check_dimension("slot").is_ok() && check_dimension("Slot").is_err());
    }
}
