//! How similar a user with events that are not folded yet can be at most, from the folded taste and the pairs that
//! changed alone: nothing of the log is read for those who cannot be among the k best anyhow.
//!
//! A pair that changed may be in the user's taste now or not, whatever it was. Where it is also in the probe, having it
//! is best: it adds to what is shared and leaves the union alone. Otherwise lacking it is. The genres of its content may
//! weigh anything, at least 0 in a cosine; all others weigh what they did. With p the probe's weights as a unit vector,
//! S the genres that may weigh anything and v the others' weights, the cosine is at most
//! `sqrt((p·v)² / |v|² + |p in S|²)`, the length of p's projection on v and on S.

use crate::sketch::ACCURATE;
use crate::taste::{self, Taste};
use crate::{genre, similarity, Result};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// The pairs of a user that changed since they were folded.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    contents: BTreeSet<i64>,
    /// The keys of their genres.
    genres: BTreeSet<Vec<u8>>,
    everything: bool,
}

impl Changed {
    /// One pair, by its content and the content's genres as a JSON array; no content stands for all pairs of the user.
    pub fn add(&mut self, content: Option<i64>, genres: Option<&str>) {
        let Some(content) = content else {
            self.everything = true;
            return;
        };
        if self.contents.insert(content) {
            for name in genre::names(genres.unwrap_or_default()) {
                let key = genre::key(&name);
                if !self.genres.contains(key.as_bytes()) {
                    self.genres.insert(key.as_bytes().to_vec());
                }
            }
        }
    }
}

/// At least the similarity of `me` and a user whose folded taste is `theirs` (`None` is one without), once what changed
/// is folded, but for rounding by less than 1e-9; weights as in [`similarity::weighted`]. `CORRUPT_STATE` when one of
/// them is not a taste.
pub fn similarity_at_most(me: &[u8], theirs: Option<&[u8]>, changed: &Changed, weights: (f64, f64)) -> Result<f64> {
    if changed.everything {
        return similarity::weighted(1.0, 1.0, weights.0, weights.1);
    }
    let me = Taste::read(me)?;
    let theirs = theirs.map(Taste::read).transpose()?;
    let jaccard = jaccard(&me, theirs.as_ref(), &changed.contents);
    let cosine = cosine(&me, theirs.as_ref(), &changed.genres);
    similarity::weighted(jaccard, cosine, weights.0, weights.1)
}

fn jaccard(me: &Taste<'_>, theirs: Option<&Taste<'_>>, contents: &BTreeSet<i64>) -> f64 {
    let (mut shared, mut size) = theirs.map_or((0, 0), |theirs| (taste::shared(me, theirs), theirs.contents));
    let mut gained = 0;
    for content in contents {
        let (mine, had) = (me.has(*content), theirs.is_some_and(|theirs| theirs.has(*content)));
        size -= u32::from(had).min(size);
        shared -= u32::from(had && mine).min(shared);
        gained += u32::from(mine);
    }
    let wide = |count: u32| count as usize;
    similarity::ratio(wide(shared) + wide(gained), wide(me.contents), wide(size) + wide(gained))
}

fn cosine(me: &Taste<'_>, theirs: Option<&Taste<'_>>, genres: &BTreeSet<Vec<u8>>) -> f64 {
    let is_free = |key: &[u8]| genres.contains(key);
    let (mut mine, mut free, mut dot, mut others, mut meets) = (0.0, 0.0, 0.0, 0.0, false);
    let mut fixed = theirs.into_iter().flat_map(Taste::genres).filter(|(key, w)| *w > 0.0 && !is_free(key)).peekable();
    for (key, weight) in me.genres() {
        let weight = weight.max(0.0);
        mine += weight * weight;
        if is_free(key) {
            free += weight * weight;
        }
        while let Some((_, other)) = fixed.next_if(|(other, _)| (*other).cmp(key) == Ordering::Less) {
            others += other * other;
        }
        if let Some((_, other)) = fixed.next_if(|(other, _)| *other == key) {
            others += other * other;
            dot += weight * other;
            meets |= weight > 0.0;
        }
    }
    others += fixed.map(|(_, other)| other * other).sum::<f64>();
    if mine <= 0.0 {
        return 0.0;
    }
    let known = if meets { dot * dot / others } else { 0.0 };
    // Where rounding decides, nothing is known.
    if !ACCURATE.contains(&mine) || (meets && !ACCURATE.contains(&others)) {
        return 1.0;
    }
    ((known + free) / mine).sqrt().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neighbours::{reaching, Waiting};
    use crate::taste::ledger::{self, changes, weight};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const GENRES: [&str; 6] =
        [r#"["War"]"#, r#"["war","Drama"]"#, r#"["Noir","Kids"]"#, "[]", "broken", r#"["Sci-Fi","drama","kids"]"#];

    /// Touched, mantissa and exponent of each content's pair.
    type Pairs = BTreeMap<i64, (bool, f64, i64)>;

    fn genres(content: i64) -> &'static str {
        GENRES[content as usize % GENRES.len()]
    }

    fn taste_of(pairs: &Pairs) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for (content, (touched, mantissa, exponent)) in pairs {
            let (start, genres) = (bytes.len(), Some(genres(*content)));
            bytes.resize(start + changes::row_len(genres).unwrap(), 0);
            let weight = weight::write((*mantissa, *exponent));
            changes::write_row(&mut bytes[start..], *content, genres, None, Some((*touched, &weight))).unwrap();
        }
        ledger::apply(None, None, &bytes).unwrap().map(|followed| followed.taste)
    }

    fn pairs() -> impl Strategy<Value = Pairs> {
        let exponent = prop_oneof![8 => -3i64..3, 1 => -900i64..900];
        prop::collection::btree_map(0i64..30, (prop::bool::weighted(0.8), -0.5..3.0f64, exponent), 0..20)
    }

    fn similarity_of(me: &[u8], theirs: Option<&[u8]>, weights: (f64, f64)) -> f64 {
        theirs.map_or(0.0, |theirs| {
            let parts = taste::similarity(me, theirs).unwrap();
            similarity::weighted(parts.jaccard, parts.genre_cosine, weights.0, weights.1).unwrap()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn whatever_changes_nobody_is_more_similar(me in pairs(), before in pairs(), new in pairs(), gone in prop::collection::btree_set(0i64..30, 0..5), few in 0usize..6) {
            let Some(me) = taste_of(&me) else { return Ok(()) };
            let theirs = taste_of(&before);
            let mut after = before.clone();
            let mut changed = Changed::default();
            let keys: Vec<i64> = gone.iter().chain(new.keys().take(few)).copied().collect();
            after.retain(|content, _| !gone.contains(content));
            after.extend(new.into_iter().take(few));
            for content in keys.iter().chain(keys.first()) {
                changed.add(Some(*content), Some(genres(*content)));
            }
            for weights in [(0.7, 0.3), (1.0, 0.0), (0.0, 1.0)] {
                let bound = similarity_at_most(&me, theirs.as_deref(), &changed, weights).unwrap();
                let now = similarity_of(&me, taste_of(&after).as_deref(), weights);
                prop_assert!(now <= bound + 1e-9, "{now} {bound}");
                prop_assert!(!keys.is_empty() || weights.1 > 0.0 || bound == now);
                // Without reading their taste, nothing less is known.
                if let Some(theirs) = &theirs {
                    let (mine, had) = (taste::contents(&me).unwrap(), taste::contents(theirs).unwrap());
                    let shared = had.iter().filter(|content| mine.contains(content)).count() as u16;
                    let mut waiting = Waiting::new(&me).unwrap();
                    keys.iter().for_each(|content| waiting.add(0, had.len() as u32, Some(*content)));
                    let value = waiting.bounds(&shared.to_le_bytes(), weights).unwrap();
                    prop_assert!(keys.is_empty() || reaching(&value, bound).unwrap() == [0], "{bound} {value:?}");
                }
            }
        }
    }

    #[test]
    fn the_bound_is_met() {
        // Both contents are mine; they have one, of half my genres, and may get the other, of the other half.
        let me = taste_of(&[(0, (true, 1.0, 0)), (2, (true, 1.0, 0))].into()).unwrap();
        let theirs = taste_of(&[(0, (true, 1.0, 0)), (6, (true, 5.0, 0))].into()).unwrap();
        let mut changed = Changed::default();
        let at_most = |changed: &Changed, weights| similarity_at_most(&me, Some(&theirs), changed, weights).unwrap();
        assert_eq!(at_most(&changed, (1.0, 0.0)), 1.0 / 3.0);
        changed.add(Some(2), Some(genres(2)));
        assert_eq!(at_most(&changed, (1.0, 0.0)), 2.0 / 3.0);
        // War weighs 1 of mine, noir and kids 0.5 each: whatever those weigh to them, the cosine reaches 1 and no more.
        assert_eq!(at_most(&changed, (0.0, 1.0)), 1.0);
        changed = Changed::default();
        changed.add(Some(6), Some(genres(6)));
        assert_eq!(at_most(&changed, (1.0, 0.0)), 0.5);
        changed.add(None, None);
        assert_eq!(at_most(&changed, (0.7, 0.3)), 1.0);
        // Nobody yet: what is pending is all there can be.
        let mut new = Changed::default();
        new.add(Some(2), Some(genres(2)));
        let cosine = similarity_at_most(&me, None, &new, (0.0, 1.0)).unwrap();
        assert!((cosine - (0.5f64 / 1.5).sqrt()).abs() < 1e-12, "{cosine}");
    }
}
