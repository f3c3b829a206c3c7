use super::*;
use crate::block::BlockBuilder;
use crate::gather::{self, Gathered};
use crate::genre_order::{self, GenreOrder};
use crate::posting;
use crate::sketch::samples::{taste, tastes, Sample};
use crate::taste::{self, Parts};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Users by ordinal, some of them missing, as tables would hold them.
#[derive(Debug)]
struct World {
    probe: Vec<u8>,
    users: Vec<Option<Vec<u8>>>,
    order: GenreOrder,
}

impl World {
    fn new(probe: Vec<u8>, users: Vec<Option<Vec<u8>>>) -> Self {
        let order = users
            .iter()
            .flatten()
            .fold("[]".to_owned(), |order, taste| genre_order::extend(&order, taste).unwrap().unwrap_or(order));
        Self { probe, order: GenreOrder::read(&order).unwrap(), users }
    }

    fn parts(&self, user: usize) -> Parts {
        taste::similarity(&self.probe, self.users[user].as_ref().unwrap()).unwrap()
    }

    fn counters(&self) -> Vec<u8> {
        let shared =
            |user: usize| self.users[user].as_ref().map_or(0, |_| self.parts(user).shared_items.min(65_535) as u16);
        let last = (0..self.users.len()).rposition(|user| shared(user) > 0).map_or(0, |last| last + 1);
        (0..last).flat_map(|user| shared(user).to_le_bytes()).collect()
    }

    fn blocks(&self) -> Vec<Option<Vec<u8>>> {
        let blocks = self.users.chunks(SLOTS).map(|users| {
            let mut block = BlockBuilder::new(None).unwrap();
            for (slot, taste) in (0..=u8::MAX).zip(users) {
                taste.iter().for_each(|taste| block.set(slot, taste, &self.order).unwrap());
            }
            block.finish().unwrap()
        });
        blocks.collect()
    }

    fn finalists(&self, weights: (f64, f64), k: usize, excluded: &[u32]) -> Vec<u32> {
        let probe = probe_of(self);
        let mut ranking = Ranking::new(probe, weights.0, weights.1, k).unwrap();
        let counters = self.counters();
        for (first, block) in (0u32..).step_by(SLOTS).zip(self.blocks()) {
            if let Some(block) = block {
                ranking.block(first, &counters, &block, excluded).unwrap();
            }
        }
        ranking.finish()
    }

    /// The same from lists gathered of what the tables would hold.
    fn gathered(&self, weights: (f64, f64), k: usize, excluded: &[u32]) -> Vec<u32> {
        let mut lists: BTreeMap<i64, Vec<u16>> = BTreeMap::new();
        for (ord, user) in (0..).zip(&self.users) {
            let contents = user.as_ref().map_or_else(Vec::new, |taste| taste::contents(taste).unwrap());
            contents.into_iter().for_each(|content| lists.entry(content).or_default().push(ord));
        }
        let postings = lists.iter().map(|(content, users)| (*content, posting::apply(None, users, &[]).unwrap()));
        let blocks = (0..).zip(self.blocks());
        let (postings, blocks) = (gather_all(postings), gather_all(blocks));
        let ranking = Ranking::new(probe_of(self), weights.0, weights.1, k).unwrap();
        let (postings, blocks) = (Gathered::read(&postings).unwrap(), Gathered::read(&blocks).unwrap());
        finalists(ranking, postings, blocks, &self.probe, excluded, || ()).unwrap()
    }

    fn score(&self, weights: (f64, f64), user: usize) -> f64 {
        let parts = self.parts(user);
        similarity::weighted(parts.jaccard, parts.genre_cosine, weights.0, weights.1).unwrap()
    }

    /// Everybody above 0 who is at least as good as the k-th best, by scoring everybody.
    fn top(&self, weights: (f64, f64), k: usize, excluded: &[u32]) -> Vec<u32> {
        let present = (0..self.users.len()).filter(|u| self.users[*u].is_some() && !excluded.contains(&(*u as u32)));
        let mut scored: Vec<(f64, u32)> =
            present.map(|user| (self.score(weights, user), user as u32)).filter(|(score, _)| *score > 0.0).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        let least = k.checked_sub(1).map_or(2.0, |last| scored.get(last).map_or(0.0, |s| s.0));
        scored.into_iter().filter(|(score, _)| *score >= least).map(|(_, user)| user).collect()
    }
}

fn gather_all(lists: impl Iterator<Item = (i64, Option<Vec<u8>>)>) -> Vec<u8> {
    let mut rows = Vec::new();
    for (key, list) in lists.filter_map(|(key, list)| list.map(|list| (key, list))) {
        let start = rows.len();
        rows.resize(start + gather::row_len(&list).unwrap(), 0);
        gather::write_row(&mut rows[start..], key, 0, &list).unwrap();
    }
    gather::finish(&rows).unwrap()
}

fn probe_of(world: &World) -> Probe {
    Probe::new(&world.probe, &world.order).unwrap()
}

fn weight() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(-0.0), Just(0.3), Just(0.7), Just(1.0), Just(1e-300), 0.0..1.0f64]
}

/// A few different tastes, each of several users, so that ties are common.
fn worlds() -> impl Strategy<Value = World> {
    let size = prop_oneof![1usize..30, 1usize..600];
    (prop_oneof![Just(3usize), Just(20), Just(30), Just(60)], size).prop_flat_map(|(genres, size)| {
        let kinds = prop::collection::vec(tastes(genres), 1..40);
        let users = prop::collection::vec(prop::option::weighted(0.9, any::<prop::sample::Index>()), size);
        (tastes(genres + 1), kinds, users, any::<bool>()).prop_map(|(probe, kinds, users, own)| {
            let kinds: Vec<Vec<u8>> = kinds.iter().map(taste).collect();
            let users: Vec<_> = users.into_iter().map(|user| user.map(|kind| kind.get(&kinds).clone())).collect();
            World::new(if own { kinds[0].clone() } else { taste(&probe) }, users)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_sketch_bounds_the_cosine(a in tastes(60), b in tastes(60), sum in 20usize..80) {
        // From as few genres as make folding impossible up to all of them.
        let cut = |(contents, genres): &Sample| (contents.clone(), genres.iter().copied().filter(|(g, _)| *g < sum).collect());
        let world = World::new(taste(&cut(&a)), vec![Some(taste(&cut(&b)))]);
        let block = world.blocks().remove(0).unwrap();
        let sketches = block::read(&block).unwrap().1;
        let sketch = &sketches.slot(0);
        let rough = f64::from(probe_of(&world).cosines_roughly_at_most(sketches, 0)[0]) / 65_025.0;
        let probe = probe_of(&world);
        let cosine = world.parts(0).genre_cosine;
        let (lower, upper) = (probe.cosine_at_least(sketch), probe.cosine_at_most(sketch));
        prop_assert!(lower - 1e-9 <= cosine && cosine <= upper + 1e-9, "{lower} {cosine} {upper}");
        prop_assert!(upper > 0.0 || cosine == 0.0);
        prop_assert!(rough >= upper - 1e-12, "{rough} {upper}");
        prop_assert!((0.0..=1.0).contains(&lower) && upper <= 1.0);
        // 24 steps of 1/255 and two of 2^-14, each times a vector of at most unit length: never further apart than this.
        let vague = *sketch == block::VAGUE || probe.is_vague();
        prop_assert!(vague || world.order.len() > 24 || upper - lower <= 24f64.sqrt() * (1.0 / 255.0 + 2.0 / 16_384.0) + 1e-9);
    }

    #[test]
    fn the_finalists_hold_the_exact_top_k_with_its_ties(world in worlds(), k in prop_oneof![0usize..12, 0usize..700], weights in (weight(), weight()), excluded in prop::collection::btree_set(0u32..700, 0..40)) {
        let excluded: Vec<u32> = excluded.into_iter().collect();
        let finalists = world.finalists(weights, k, &excluded);
        prop_assert!(finalists.is_sorted_by(|a, b| a < b));
        prop_assert!(finalists.iter().all(|user| !excluded.contains(user) && world.users[*user as usize].is_some()));
        prop_assert!(k > 0 || finalists.is_empty());
        for user in world.top(weights, k, &excluded) {
            prop_assert!(finalists.binary_search(&user).is_ok(), "{user} is missing");
        }
        // Nobody is there without a reason: with all of one thing in common, or with none, bounds are scores.
        if weights.1 == 0.0 {
            let mut top = world.top(weights, k, &excluded);
            top.sort_unstable();
            let close = |user: u32| top.iter().any(|t| world.score(weights, *t as usize) - world.score(weights, user as usize) < 3e-6);
            prop_assert!(finalists.iter().all(|user| close(*user)));
        }
    }

    #[test]
    fn hostile_blocks_and_counters_do_no_harm(world in worlds(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..200), counters in prop::collection::vec(any::<u8>(), 0..1300), first in prop_oneof![Just(0u32), Just(u32::MAX - 255), any::<u32>()], excluded in prop::collection::vec(any::<u32>(), 0..20)) {
        let mut ranking = Ranking::new(probe_of(&world), 0.7, 0.3, 5).unwrap();
        for mut block in world.blocks().into_iter().flatten() {
            for (at, by) in &changes {
                let at = at.index(block.len());
                block[at] ^= by;
            }
            let _ = ranking.block(first, &counters, &block, &excluded);
            let _ = ranking.block(0, &counters, &block[..first as usize % block.len()], &excluded);
            let _ = BlockBuilder::new(Some(&block));
        }
        ranking.finish();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn gathered_lists_give_the_same_finalists(world in worlds(), k in 0usize..12, excluded in prop::collection::btree_set(0u32..700, 0..40)) {
        let excluded: Vec<u32> = excluded.into_iter().collect();
        prop_assert_eq!(world.gathered((0.7, 0.3), k, &excluded), world.finalists((0.7, 0.3), k, &excluded));
    }
}

#[test]
fn a_full_counter_means_that_many_or_more() {
    let many = |count: i64| taste(&((0..count).collect(), vec![]));
    let mut users: Vec<Option<Vec<u8>>> = vec![Some(many(65_600)), Some(many(65_536))];
    users.extend((0..40).map(|_| Some(many(3))));
    // Last, when what the full counters of the others prove is higher than what its own does.
    users.push(Some(many(66_000)));
    let world = World::new(many(66_000), users);
    assert_eq!(world.top((1.0, 0.0), 1, &[]), [42]);
    let finalists = world.finalists((1.0, 0.0), 1, &[]);
    assert!(finalists.contains(&42) && finalists.len() <= 3, "{finalists:?}");
    assert!(world.finalists((1.0, 0.0), 2, &[]).contains(&0));
    // And where all users of a group are bounded by both measures.
    let users = std::iter::repeat_n(Some(many(65_536)), 20).chain(std::iter::repeat_n(Some(many(66_000)), 20));
    let world = World::new(many(66_000), users.collect());
    assert!((20..40).all(|user| world.finalists((1.0, 0.0), 1, &[]).contains(&user)));
}

#[test]
fn what_cannot_be_ranked_is_told() {
    let world = World::new(taste(&(vec![1], vec![])), vec![Some(taste(&(vec![1], vec![])))]);
    let probe = probe_of(&world);
    for weights in [(1.1, 0.0), (0.0, -0.1), (f64::NAN, 0.0)] {
        let refused = Ranking::new(probe.clone(), weights.0, weights.1, 1).map_err(|e| e.code()).err();
        assert_eq!(refused, Some("INVALID_ARGUMENT"));
    }
    let mut ranking = Ranking::new(probe, 0.7, 0.3, 1).unwrap();
    let block = world.blocks().remove(0).unwrap();
    assert_eq!(ranking.block(u32::MAX - 254, &[], &block, &[]).map_err(|e| e.code()), Err("INVALID_ARGUMENT"));
    assert_eq!(ranking.block(0, &[], &block[1..], &[]).map_err(|e| e.code()), Err("CORRUPT_STATE"));
    assert_eq!(Probe::new(b"x", &world.order).map_err(|e| e.code()).err(), Some("CORRUPT_STATE"));
}

#[test]
fn a_block_of_a_far_number_costs_no_more_than_a_near_one() {
    let order = GenreOrder::default();
    let probe = taste(&(vec![5], vec![]));
    let block = |slot| {
        let mut built = BlockBuilder::new(None).unwrap();
        built.set(slot, &probe, &order).unwrap();
        built.finish().unwrap()
    };
    let list = crate::posting::apply(None, &[0xff03], &[]).unwrap();
    let last = (1i64 << 24) - 1;
    let blocks = gather_all([(0, block(1)), (last, block(3))].into_iter());
    let mut rows = vec![0; gather::row_len(list.as_deref().unwrap()).unwrap()];
    gather::write_row(&mut rows, 5, 0xffff, list.as_deref().unwrap()).unwrap();
    let postings = gather::finish(&rows).unwrap();
    let (postings, blocks) = (gather::Gathered::read(&postings).unwrap(), gather::Gathered::read(&blocks).unwrap());
    let ranking = Ranking::new(Probe::new(&probe, &order).unwrap(), 1.0, 0.0, 9).unwrap();
    assert_eq!(finalists(ranking, postings, blocks, &probe, &[], || ()), Ok(vec![u32::MAX - 252]));
}
