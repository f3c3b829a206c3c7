//! The recommendations of a user: scores, what may be recommended, the best k with their reasons.

use super::blend;
use super::gather::Gather;
use super::matrix::Matrix;
use super::probe::{GenreBase, Probe};
use super::reason::{self, Reason};
use super::{Ask, Interrupt, Settings};
use crate::Result;
use std::cmp::Ordering;

/// How many users are solved side by side.
const LANES: usize = 8;
/// What a content everybody touched gains when nearly nothing is known of the user.
const POPULARITY: f64 = 0.06;
/// With so many contents known the gain is a quarter.
const LITTLE_KNOWN: f64 = 6.0;
/// From this score a content trends: a view has it for a half-life.
const TRENDS: f64 = 0.5;
/// The best score of a content nobody touched, as a part of the best of the others.
const NEW: f64 = 0.2;

/// How a score was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// EASE, with a little popularity where little is known of the user.
    Ease,
    /// The same over the users most alike and the last active.
    EaseNearest,
    /// 1 and the score of [`crate::trend`], which is above what popularity can be: nothing is known of the user.
    Trending,
    /// The share of users who touched the content: nothing is known of the user, and the content does not trend.
    Popular,
    /// Nobody touched the content: its genres.
    Genres,
}

impl Method {
    /// Its name in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ease => "ease",
            Self::EaseNearest => "ease_nearest",
            Self::Trending => "trending",
            Self::Popular => "popular",
            Self::Genres => "genres",
        }
    }
}

/// One recommended content.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommendation {
    /// From the catalogue.
    pub content_id: i64,
    /// From the catalogue.
    pub title: Option<String>,
    /// The higher the better, within one answer.
    pub score: f64,
    /// How the score was found.
    pub method: Method,
    /// Why, as a JSON object.
    pub reason: String,
}

/// Everything that is the same for all who ask.
pub struct Recommender<'a> {
    gather: &'a Gather,
    settings: Settings,
    matrix: Matrix,
    genres: GenreBase,
}

/// A content that may be recommended.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    pub(super) column: usize,
    score: f64,
    method: Method,
}

impl<'a> Recommender<'a> {
    /// Sorts the rows that were read into the matrix.
    pub fn new(gather: &'a Gather, settings: Settings) -> Result<Self> {
        let matrix = gather.matrix(&settings)?;
        let genres = GenreBase::new(&matrix);
        Ok(Self { gather, settings, matrix, genres })
    }

    /// The best k for one user; nobody, or a user of whom nothing is known, gets what is popular.
    pub fn one(&self, user: Option<&str>, ask: &Ask, interrupt: Interrupt<'_>) -> Result<Vec<Recommendation>> {
        if self.k(ask) == 0 {
            return Ok(Vec::new());
        }
        let probe = self.probe(user.unwrap_or_default(), ask)?;
        let mut x = self.blank::<1>()?;
        put(&mut x, 0, &probe);
        if probe.known > 0 {
            self.matrix.score(&mut x, self.settings.self_weight, interrupt)?;
        }
        let lifts = self.genres.lifts(&self.matrix, &probe);
        let best = self.best(&probe, x.iter().map(|[x]| *x), &lifts, ask)?;
        self.explained(&probe, &lifts, &best, interrupt)
    }

    /// The same for everybody with a history, in the order of the ids.
    pub fn all(
        &self,
        ask: &Ask,
        interrupt: Interrupt<'_>,
        mut each: impl FnMut(&str, Vec<Recommendation>) -> Result<()>,
    ) -> Result<()> {
        let users = self.gather.histories.keys().map(|user| &**user);
        self.candidates_of(ask, users, interrupt, |user, probe, lifts, best| {
            each(user, self.explained(probe, lifts, &best, interrupt)?)
        })
    }

    /// The contents recommended to each of the users.
    pub(super) fn lists<'u>(
        &self,
        ask: &Ask,
        users: impl Iterator<Item = &'u str>,
        interrupt: Interrupt<'_>,
        mut each: impl FnMut(&'u str, Vec<i64>),
    ) -> Result<()> {
        self.candidates_of(ask, users, interrupt, |user, _, _, best| {
            let contents = best.iter().filter_map(|candidate| self.matrix.contents.get(candidate.column));
            each(user, contents.copied().collect());
            Ok(())
        })
    }

    fn candidates_of<'u>(
        &self,
        ask: &Ask,
        mut users: impl Iterator<Item = &'u str>,
        interrupt: Interrupt<'_>,
        mut each: impl FnMut(&'u str, &Probe, &[f64], Vec<Candidate>) -> Result<()>,
    ) -> Result<()> {
        if self.k(ask) == 0 {
            return Ok(());
        }
        loop {
            let some: Vec<&str> = users.by_ref().take(LANES).collect();
            if some.is_empty() {
                return Ok(());
            }
            let probes: Vec<Probe> = some.iter().map(|user| self.probe(user, ask)).collect::<Result<_>>()?;
            let mut x = self.blank::<LANES>()?;
            probes.iter().enumerate().for_each(|(lane, probe)| put(&mut x, lane, probe));
            self.matrix.score(&mut x, self.settings.self_weight, interrupt)?;
            for (lane, (user, probe)) in some.iter().zip(&probes).enumerate() {
                let scores = x.iter().map(|x| x.get(lane).copied().unwrap_or_default());
                let lifts = self.genres.lifts(&self.matrix, probe);
                each(user, probe, &lifts, self.best(probe, scores, &lifts, ask)?)?;
            }
        }
    }

    /// The catalogue by the number of users who touched each, ties by id.
    pub(super) fn by_popularity(&self) -> Vec<i64> {
        let mut contents: Vec<(u32, i64)> = self.counts().map(|(content, count)| (count, content)).collect();
        contents.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        contents.into_iter().map(|(_, content)| content).collect()
    }

    /// The contents of the catalogue, and how many users touched each.
    pub(super) fn counts(&self) -> impl Iterator<Item = (i64, u32)> + '_ {
        let counts = self.matrix.contents.iter().zip(&self.matrix.counts).zip(&self.matrix.rows);
        counts.filter(|(_, row)| row.is_some()).map(|((content, count), _)| (*content, *count))
    }

    pub(super) fn users(&self) -> usize {
        self.matrix.users
    }

    pub(super) fn catalogue(&self) -> usize {
        self.gather.contents.len()
    }

    fn k(&self, ask: &Ask) -> usize {
        usize::try_from(ask.k.unwrap_or(self.settings.k)).unwrap_or(0)
    }

    fn probe(&self, user: &str, ask: &Ask) -> Result<Probe> {
        let recency = ask.recency.unwrap_or(self.settings.recency);
        Probe::new(&self.matrix, &self.gather.history(user), recency)
    }

    fn blank<const L: usize>(&self) -> Result<Vec<[f64; L]>> {
        let mut blank = Vec::new();
        blank.try_reserve_exact(self.matrix.contents.len())?;
        blank.resize(self.matrix.contents.len(), [0.0; L]);
        Ok(blank)
    }

    fn best(
        &self,
        probe: &Probe,
        scores: impl Iterator<Item = f64>,
        lifts: &[f64],
        ask: &Ask,
    ) -> Result<Vec<Candidate>> {
        let mut candidates = self.candidates(probe, scores, lifts)?;
        let of_genre = ask.genre.as_ref().map(|genre| self.columns_of(genre));
        candidates.retain(|candidate| {
            let content = self.matrix.contents.get(candidate.column).copied().unwrap_or_default();
            (ask.include_seen || !probe.has_seen(candidate.column))
                && ask.exclude.binary_search(&content).is_err()
                && of_genre.is_none_or(|columns| columns.binary_search(&(candidate.column as u32)).is_ok())
        });
        let k = self.k(ask);
        if k < candidates.len() {
            candidates.select_nth_unstable_by(k, Candidate::order);
            candidates.truncate(k);
        }
        candidates.sort_unstable_by(Candidate::order);
        Ok(candidates)
    }

    fn explained(
        &self,
        probe: &Probe,
        lifts: &[f64],
        candidates: &[Candidate],
        interrupt: Interrupt<'_>,
    ) -> Result<Vec<Recommendation>> {
        let reasons = reason::of(&self.matrix, probe, lifts, candidates, interrupt)?;
        let mut rows = Vec::new();
        rows.try_reserve_exact(candidates.len())?;
        for (candidate, reason) in candidates.iter().zip(reasons) {
            rows.push(self.row(candidate, &reason));
        }
        Ok(rows)
    }

    fn columns_of(&self, genre: &str) -> &[u32] {
        let place = self.matrix.genres.binary_search_by(|key| (**key).cmp(genre));
        place.map_or(&[], |place| self.matrix.genre_row(place))
    }

    /// The contents of the catalogue with their scores, seen or not.
    fn candidates(&self, probe: &Probe, scores: impl Iterator<Item = f64>, lifts: &[f64]) -> Result<Vec<Candidate>> {
        let users = self.matrix.users.max(1) as f64;
        let known = probe.known as f64;
        let gain = POPULARITY * (LITTLE_KNOWN / (LITTLE_KNOWN + known)).powi(2);
        let mut candidates: Vec<Candidate> = Vec::new();
        candidates.try_reserve_exact(self.matrix.contents.len())?;
        let method = if self.settings.of_nearest { Method::EaseNearest } else { Method::Ease };
        let columns = scores.zip(&self.matrix.counts).zip(&self.matrix.rows).enumerate();
        for (column, ((score, count), row)) in columns {
            if row.is_none() {
                continue;
            }
            let popularity = f64::from(*count) / users;
            let trend =
                || self.matrix.contents.get(column).and_then(|content| self.gather.trends.get(content).copied());
            candidates.push(match probe.known {
                0 => match trend().filter(|trend| *trend >= TRENDS) {
                    Some(trend) => Candidate { column, score: 1.0 + trend, method: Method::Trending },
                    None => Candidate { column, score: popularity, method: Method::Popular },
                },
                _ if *count == 0 => Candidate { column, score: 0.0, method: Method::Genres },
                _ => Candidate { column, score: score + gain * popularity, method },
            });
        }
        if probe.known > 0 {
            self.score_new(probe, lifts, &mut candidates)?;
            self.blend(probe, &mut candidates)?;
        }
        Ok(candidates)
    }

    /// Contents nobody touched, by their genres: the best fit scores a part of the best of the others, and from there it
    /// goes down with the odds.
    fn score_new(&self, probe: &Probe, lifts: &[f64], candidates: &mut [Candidate]) -> Result<()> {
        let fits = self.genres.fits(&self.matrix, lifts)?;
        let fit = |candidate: &Candidate| fits.get(candidate.column).copied().unwrap_or_default();
        let (mut best, mut best_fit) = (0.0f64, f64::NEG_INFINITY);
        for candidate in candidates.iter() {
            match candidate.method {
                Method::Genres => best_fit = best_fit.max(fit(candidate)),
                _ if probe.has_seen(candidate.column) => {}
                _ => best = best.max(candidate.score),
            }
        }
        let top = if best > 0.0 { NEW * best } else { 1.0 };
        for candidate in candidates.iter_mut().filter(|candidate| candidate.method == Method::Genres) {
            candidate.score = top * libm::exp(fit(candidate) - best_fit);
        }
        Ok(())
    }

    /// Adds the likeness by embeddings, a cosine of 1 as much as the best score of what was not seen, times the setting.
    fn blend(&self, probe: &Probe, candidates: &mut [Candidate]) -> Result<()> {
        if self.settings.model_weight == 0.0 {
            return Ok(());
        }
        let Some(likeness) = blend::likeness(self.gather, &self.matrix, probe)? else { return Ok(()) };
        let unseen = candidates.iter().filter(|candidate| !probe.has_seen(candidate.column));
        let best = unseen.map(|candidate| candidate.score).fold(0.0, f64::max);
        let unit = self.settings.model_weight * if best > 0.0 { best } else { 1.0 };
        for candidate in candidates {
            candidate.score += unit * likeness.get(candidate.column).copied().unwrap_or_default();
        }
        Ok(())
    }

    fn row(&self, candidate: &Candidate, reason: &Reason) -> Recommendation {
        let content_id = self.matrix.contents.get(candidate.column).copied().unwrap_or_default();
        let title = |column: usize| {
            let row = self.matrix.rows.get(column).copied().flatten()?;
            self.gather.title(self.gather.contents.get(row as usize)?).map(str::to_owned)
        };
        let because = reason.because.iter().map(|column| {
            let id = self.matrix.contents.get(*column).copied().unwrap_or_default();
            serde_json::json!({ "content_id": id, "title": title(*column) })
        });
        let genres: Vec<&str> =
            reason.genres.iter().filter_map(|g| self.matrix.genres.get(*g)).map(|key| &**key).collect();
        let count = self.matrix.counts.get(candidate.column).copied().unwrap_or_default();
        let text = match candidate.method {
            Method::Trending | Method::Popular => serde_json::json!({ "users": count }),
            Method::Genres => serde_json::json!({ "genres": genres }),
            Method::Ease | Method::EaseNearest => {
                serde_json::json!({ "because": because.collect::<Vec<_>>(), "genres": genres })
            }
        };
        Recommendation {
            content_id,
            title: title(candidate.column),
            score: candidate.score,
            method: candidate.method,
            reason: text.to_string(),
        }
    }
}

impl Candidate {
    /// The best first, ties by content.
    fn order(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.column.cmp(&other.column))
    }
}

fn put<const L: usize>(x: &mut [[f64; L]], lane: usize, probe: &Probe) {
    for (column, weight) in &probe.own {
        if let Some(x) = x.get_mut(*column).and_then(|x| x.get_mut(lane)) {
            *x = *weight;
        }
    }
}
