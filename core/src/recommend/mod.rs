//! Recommendations: EASE solved at query time ([`matrix`]) for who has touched something, what trends and then what is
//! popular for who has not, popularity beside EASE for who has touched little, the lift of genres for contents nobody has
//! touched; and, where a setting says so, the likeness of embeddings beside all of it.

mod blend;
mod evaluate;
mod gather;
mod json;
mod matrix;
mod probe;
mod reason;
mod recommender;

pub use evaluate::{evaluate, Quality};
pub use gather::{Event, Gather};
pub use json::{answer, Question};
pub use recommender::{Recommendation, Recommender};

use crate::{Error, Result};
use std::collections::HashMap;

/// Asks whether the work shall end: an error ends it.
pub type Interrupt<'a> = &'a dyn Fn() -> Result<()>;

/// How contents are scored, from the rows `recommend_*` of the settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Contents when k is not given.
    pub k: i64,
    /// Recency when it is not given.
    pub recency: f64,
    /// The ridge of EASE.
    pub lambda: f64,
    /// A user of n contents weighs n to the power of minus this.
    pub heavy_users: f64,
    /// How much a genre weighs beside users, before it is squared.
    pub genre_weight: f64,
    /// A score is divided by (1 + the content's touches by weight) to this power.
    pub novelty: f64,
    /// How much the likeness of embeddings counts beside the rest, 0 for not at all.
    pub model_weight: f64,
    /// Only some of the users are in the matrix: those most alike, and the last active.
    pub of_nearest: bool,
    /// How much of a content's touches the diagonal of the inverse is taken to be made of.
    pub self_weight: f64,
    /// Steps of the conjugate gradients.
    pub(crate) steps: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            k: 10,
            recency: 0.0,
            lambda: 600.0,
            heavy_users: 0.4,
            genre_weight: 2.0,
            novelty: 0.1,
            model_weight: 0.0,
            of_nearest: false,
            steps: 8,
            self_weight: 0.4,
        }
    }
}

impl Settings {
    /// From a JSON object of `recommend_` keys and their texts; what is missing is at its default.
    pub fn read(json: &str) -> Result<Self> {
        let rows: HashMap<String, String> =
            serde_json::from_str(json).map_err(|_| Error::invalid("settings", "are not a JSON object of texts"))?;
        let number = |key: &'static str, otherwise: f64, least: f64, most: f64| {
            let Some(text) = rows.get(key) else { return Ok(otherwise) };
            let value = text.trim().parse().ok().filter(|value: &f64| (least..=most).contains(value));
            value.ok_or_else(|| Error::invalid(key, format!("the setting {text} is not between {least} and {most}")))
        };
        let default = Self::default();
        Ok(Self {
            k: number("recommend_k", default.k as f64, 0.0, 1e9)? as i64,
            recency: number("recommend_recency", default.recency, 0.0, 100.0)?,
            lambda: number("recommend_lambda", default.lambda, 1e-3, 1e12)?,
            heavy_users: number("recommend_heavy_users", default.heavy_users, 0.0, 2.0)?,
            genre_weight: number("recommend_genre_weight", default.genre_weight, 0.0, 1e3)?,
            self_weight: number("recommend_self_weight", default.self_weight, 0.0, 1e3)?,
            novelty: number("recommend_novelty", default.novelty, 0.0, 10.0)?,
            model_weight: number("recommend_model_weight", default.model_weight, 0.0, 100.0)?,
            ..default
        })
    }
}

/// What is asked of one user's recommendations, or everybody's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ask {
    /// How many contents; none when it is 0 or less.
    pub k: Option<i64>,
    /// The user's n-th last content counts n^-recency.
    pub recency: Option<f64>,
    /// Seen contents too.
    pub include_seen: bool,
    /// Contents that are left out.
    pub exclude: Vec<i64>,
    /// Only contents of this genre.
    pub genre: Option<String>,
}

impl Ask {
    /// Checks the arguments; `exclude` is a JSON array of content ids.
    pub fn new(
        k: Option<i64>,
        recency: Option<f64>,
        include_seen: Option<bool>,
        exclude: Option<&str>,
        genre: Option<&str>,
    ) -> Result<Self> {
        if let Some(recency) = recency.filter(|recency| !(0.0..=100.0).contains(recency)) {
            return Err(Error::invalid("recency", format!("{recency} is not between 0 and 100")));
        }
        let mut exclude: Vec<i64> = match exclude {
            Some(json) => serde_json::from_str(json)
                .map_err(|_| Error::invalid("exclude", format!("{json} is not a JSON array of content ids")))?,
            None => Vec::new(),
        };
        exclude.sort_unstable();
        let genre = genre.map(|genre| crate::genre::key(genre).into_owned());
        Ok(Self { k, recency, include_seen: include_seen == Some(true), exclude, genre })
    }
}

#[cfg(test)]
mod tests;
