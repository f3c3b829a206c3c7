//! How good recommendations are, by what users did: some of what they touched is held out, and they are asked for from
//! the rest.

use super::gather::Gather;
use super::{Ask, Interrupt, Recommender, Settings};
use crate::stats::assign_point;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is held out of a user's last contents, and from how many on.
const LAST: usize = 5;
const LAST_FROM: usize = 10;
/// Which part is held out at random, and from how many on.
const PART: usize = 5;
const PART_FROM: usize = 2;

/// How good one way to recommend is.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    /// `recommend`, or `popular`: what everybody would get from what most users touched.
    pub recommender: &'static str,
    /// Users something was held out of.
    pub users: i64,
    /// The mean over users of the discounted cumulative gain of their lists, as a part of the best possible; binary gain.
    pub ndcg: Option<f64>,
    /// Its standard error.
    pub ndcg_error: Option<f64>,
    /// The mean part of the held out contents that is in the list.
    pub recall: Option<f64>,
    /// The part of the users with one of them in the list.
    pub hit_rate: Option<f64>,
    /// Different contents in all lists, as a part of the catalogue.
    pub coverage: Option<f64>,
    /// The mean of -log2((n + 1) / (users + 1)) over what is recommended, n being the users who touched it.
    pub novelty: Option<f64>,
}

/// Evaluates lists of k (10 when it is not given) by the protocol:
///
/// * `last5`: the five contents a user touched last, of users of ten or more;
/// * `random20`: a fifth of a user's contents, by a hash of user and content, of users of two or more.
///
/// The gathered histories of all users are what is split; they are changed.
pub fn evaluate(
    gather: &mut Gather,
    protocol: &str,
    settings: Settings,
    ask: &Ask,
    interrupt: Interrupt<'_>,
) -> Result<Vec<Quality>> {
    let held = match protocol {
        "last5" => held(gather, last),
        "random20" => held(gather, random),
        _ => return Err(Error::invalid("protocol", format!("\"{protocol}\" is neither last5 nor random20"))),
    };
    gather.hold_out(&held);
    let ask = Ask { k: Some(ask.k.unwrap_or(10)), ..ask.clone() };
    let gather = &*gather;
    let recommender = Recommender::new(gather, settings)?;
    let mut lists: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    recommender.lists(&ask, held.keys().map(|user| &**user), interrupt, |user, list| {
        lists.insert(user, list);
    })?;
    let popular = recommender.by_popularity();
    let mut plain: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for user in held.keys() {
        interrupt()?;
        let seen: BTreeSet<i64> = gather.history(user).iter().map(|event| event.content_id).collect();
        let unseen = popular.iter().filter(|content| !seen.contains(*content));
        plain.insert(user, unseen.take(usize::try_from(ask.k.unwrap_or(0)).unwrap_or(0)).copied().collect());
    }
    Ok(vec![
        quality("recommend", &recommender, &held, &lists, ask.k),
        quality("popular", &recommender, &held, &plain, ask.k),
    ])
}

type Touched = (i64, i64);

fn held(gather: &Gather, choose: fn(&str, Vec<Touched>) -> Vec<i64>) -> BTreeMap<Box<str>, Vec<i64>> {
    let of = |user: &str| {
        let history = gather.history(user);
        choose(user, history.iter().filter_map(|event| Some((event.touched_us?, event.content_id))).collect())
    };
    let users = gather.histories.keys().map(|user| (user.clone(), of(user)));
    users.filter(|(_, held)| !held.is_empty()).collect()
}

/// Ties in time by a hash, so that no order of ids helps.
fn last(user: &str, mut touched: Vec<Touched>) -> Vec<i64> {
    let point = |content: i64| assign_point(user, &content.to_string());
    touched.sort_by(|a, b| b.0.cmp(&a.0).then(point(a.1).total_cmp(&point(b.1))).then(a.1.cmp(&b.1)));
    let held = if touched.len() >= LAST_FROM { LAST } else { 0 };
    touched.into_iter().take(held).map(|(_, content)| content).collect()
}

fn random(user: &str, touched: Vec<Touched>) -> Vec<i64> {
    let mut places: Vec<(f64, i64)> =
        touched.iter().map(|(_, content)| (assign_point(user, &content.to_string()), *content)).collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let held = if places.len() >= PART_FROM { (places.len() / PART).max(1) } else { 0 };
    places.into_iter().take(held).map(|(_, content)| content).collect()
}

fn quality(
    name: &'static str,
    recommender: &Recommender<'_>,
    held: &BTreeMap<Box<str>, Vec<i64>>,
    lists: &BTreeMap<&str, Vec<i64>>,
    k: Option<i64>,
) -> Quality {
    let k = usize::try_from(k.unwrap_or(0)).unwrap_or(0);
    let discount = |rank: usize| 1.0 / libm::log2(rank as f64 + 2.0);
    let (mut ndcg, mut recall, mut hits) = (Vec::new(), 0.0, 0.0);
    let (mut covered, mut novelty, mut shown) = (BTreeSet::new(), 0.0, 0.0);
    let counts: HashMap<i64, u32> = recommender.counts().collect();
    let users = recommender.users() as f64;
    for (user, held) in held {
        let list = lists.get(&**user).map_or(&[][..], Vec::as_slice);
        let ideal: f64 = (0..held.len().min(k)).map(discount).sum();
        let found: Vec<usize> =
            (0..).zip(list).filter(|(_, content)| held.contains(content)).map(|(rank, _)| rank).collect();
        let gain: f64 = found.iter().map(|rank| discount(*rank)).sum();
        ndcg.push(if ideal > 0.0 { gain / ideal } else { 0.0 });
        recall += found.len() as f64 / held.len() as f64;
        hits += if found.is_empty() { 0.0 } else { 1.0 };
        for content in list {
            covered.insert(*content);
            let count = counts.get(content).copied().unwrap_or_default();
            novelty -= libm::log2((f64::from(count) + 1.0) / (users + 1.0));
            shown += 1.0;
        }
    }
    let n = ndcg.len() as f64;
    let part = |sum: f64, of: f64| (of > 0.0).then(|| sum / of);
    let mean = part(ndcg.iter().sum(), n);
    let squares: f64 = ndcg.iter().map(|x| (x - mean.unwrap_or_default()).powi(2)).sum();
    Quality {
        recommender: name,
        users: ndcg.len() as i64,
        ndcg: mean,
        ndcg_error: (n > 1.0).then(|| (squares / (n - 1.0) / n).sqrt()),
        recall: part(recall, n),
        hit_rate: part(hits, n),
        coverage: part(covered.len() as f64, recommender.catalogue() as f64),
        novelty: part(novelty, shown),
    }
}
