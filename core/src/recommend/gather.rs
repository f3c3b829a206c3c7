//! What a recommendation is computed from, row by row in any order: users' tastes, what is not folded of them yet, the
//! catalogue, and what the users who ask have seen.

use super::matrix::Matrix;
use crate::{genre, taste, Result};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// The rows read so far.
#[derive(Default)]
pub struct Gather {
    pub(super) tastes: Vec<(Box<str>, Range<usize>)>,
    /// The contents of all tastes, one after another.
    pub(super) touched: Vec<i64>,
    pub(super) changes: HashMap<Box<str>, Changes>,
    pub(super) contents: Vec<Content>,
    titles: String,
    genres: Genres,
    pub(super) histories: BTreeMap<Box<str>, Vec<Event>>,
    /// The scores of what trends.
    pub(super) trends: HashMap<i64, f64>,
    /// Contents by the model that is blended in.
    pub(super) embeddings: HashMap<i64, Box<[u8]>>,
}

/// What is not folded of a user: contents that are in the taste now, or no longer.
#[derive(Default)]
pub(super) struct Changes {
    /// The folded contents do not hold.
    pub(super) all: bool,
    pub(super) contents: BTreeMap<i64, bool>,
}

/// A row of the catalogue.
pub(super) struct Content {
    pub(super) id: i64,
    pub(super) title: Option<Range<usize>>,
    /// A place in the list of genre sets.
    pub(super) genres: usize,
}

/// A user and a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The content.
    pub content_id: i64,
    /// The user's last touch of it, in microseconds since 1970; `None` when all there was is skips.
    pub touched_us: Option<i64>,
    /// The user's last word about it was negative: nothing is recommended because of it.
    pub disliked: bool,
}

/// Sets of genres by the text they were written as: a catalogue has few different ones.
#[derive(Default)]
struct Genres {
    by_text: HashMap<Box<str>, usize>,
    sets: Vec<Vec<usize>>,
    by_key: HashMap<Box<str>, usize>,
    /// Keys, in the order they were first seen.
    keys: Vec<Box<str>>,
}

impl Genres {
    fn set(&mut self, text: &str) -> usize {
        if let Some(known) = self.by_text.get(text) {
            return *known;
        }
        let mut set: Vec<usize> = genre::names(text)
            .iter()
            .map(|name| genre::key(name))
            .filter(|key| !key.is_empty())
            .map(|key| self.place(key))
            .collect();
        set.sort_unstable();
        set.dedup();
        self.sets.push(set);
        self.by_text.insert(text.into(), self.sets.len() - 1);
        self.sets.len() - 1
    }

    fn place(&mut self, key: Cow<'_, str>) -> usize {
        if let Some(known) = self.by_key.get(&*key) {
            return *known;
        }
        let place = self.keys.len();
        self.keys.push(key.as_ref().into());
        self.by_key.insert(key.into(), place);
        place
    }
}

impl Gather {
    /// A user's folded taste. `CORRUPT_STATE` when it is not a taste.
    pub fn taste(&mut self, user: &str, taste: &[u8]) -> Result<()> {
        let start = self.touched.len();
        self.touched.try_reserve(taste::items(taste)? as usize)?;
        taste::each_content(taste, |content| self.touched.push(content))?;
        self.tastes.try_reserve(1)?;
        self.tastes.push((user.into(), start..self.touched.len()));
        Ok(())
    }

    /// A user's pair that is pending: whether the content is in the taste now. Without content, the folded taste does
    /// not hold at all, and what does comes as pairs.
    pub fn change(&mut self, user: &str, content: Option<i64>, touched: bool) {
        if !self.changes.contains_key(user) {
            self.changes.insert(user.into(), Changes::default());
        }
        let Some(changes) = self.changes.get_mut(user) else { return };
        match content {
            Some(content) => {
                changes.contents.insert(content, touched);
            }
            None => changes.all = true,
        }
    }

    /// A row of the catalogue.
    pub fn content(&mut self, id: i64, title: Option<&str>, genres: Option<&str>) -> Result<()> {
        let title = match title {
            Some(title) => {
                let start = self.titles.len();
                self.titles.try_reserve(title.len())?;
                self.titles.push_str(title);
                Some(start..self.titles.len())
            }
            None => None,
        };
        self.contents.try_reserve(1)?;
        self.contents.push(Content { id, title, genres: self.genres.set(genres.unwrap_or("[]")) });
        Ok(())
    }

    /// What a user who asks did with a content.
    pub fn event(&mut self, user: &str, event: Event) -> Result<()> {
        if !self.histories.contains_key(user) {
            self.histories.insert(user.into(), Vec::new());
        }
        let Some(history) = self.histories.get_mut(user) else { return Ok(()) };
        history.try_reserve(1)?;
        history.push(event);
        Ok(())
    }

    /// Whether something is known of somebody, and of everybody whose events were read.
    pub fn knows_all(&self) -> bool {
        let known = |event: &Event| event.touched_us.is_some() && !event.disliked;
        !self.histories.is_empty() && self.histories.values().all(|history| history.iter().any(known))
    }

    /// How much a content trends now.
    pub fn trend(&mut self, content: i64, score: f64) -> Result<()> {
        self.trends.try_reserve(1)?;
        self.trends.insert(content, score);
        Ok(())
    }

    /// A content's embedding by the model of `recommend_model`.
    pub fn embedding(&mut self, content: i64, embedding: &[u8]) -> Result<()> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(embedding.len())?;
        bytes.extend_from_slice(embedding);
        self.embeddings.try_reserve(1)?;
        self.embeddings.insert(content, bytes.into());
        Ok(())
    }

    /// Takes contents out of what a user did, and makes everybody's contents what the histories hold.
    pub(super) fn hold_out(&mut self, held: &BTreeMap<Box<str>, Vec<i64>>) {
        self.tastes.clear();
        self.touched.clear();
        self.changes.clear();
        for (user, history) in &mut self.histories {
            let held = held.get(user).map_or(&[][..], Vec::as_slice);
            history.retain(|event| !held.contains(&event.content_id));
            let touched = history.iter().filter(|event| event.touched_us.is_some());
            let contents = touched.map(|event| (event.content_id, true)).collect();
            self.changes.insert(user.clone(), Changes { all: true, contents });
        }
    }

    /// A user's history, ascending by content.
    pub(super) fn history(&self, user: &str) -> Vec<Event> {
        let mut history = self.histories.get(user).cloned().unwrap_or_default();
        history.sort_unstable_by_key(|event| event.content_id);
        history
    }

    pub(super) fn title(&self, content: &Content) -> Option<&str> {
        self.titles.get(content.title.clone()?)
    }

    /// The genres' keys ascending, and every set of genres as places among them.
    pub(super) fn genres(&self) -> (Vec<&str>, Vec<Vec<usize>>) {
        let mut keys: Vec<(&str, usize)> = self.genres.keys.iter().map(|key| &**key).zip(0..).collect();
        keys.sort_unstable();
        let mut places = vec![0; keys.len()];
        for (place, (_, seen)) in keys.iter().enumerate() {
            if let Some(to) = places.get_mut(*seen) {
                *to = place;
            }
        }
        let set = |set: &Vec<usize>| {
            let mut set: Vec<usize> = set.iter().filter_map(|seen| places.get(*seen).copied()).collect();
            set.sort_unstable();
            set
        };
        (keys.iter().map(|(key, _)| *key).collect(), self.genres.sets.iter().map(set).collect())
    }

    /// Everybody's contents as a matrix.
    pub(super) fn matrix(&self, settings: &super::Settings) -> Result<Matrix> {
        Matrix::new(self, settings)
    }
}
