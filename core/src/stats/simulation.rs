//! What the tests promise, shown on simulated experiments in which nothing differs.
//!
//! Users are heavy-tailed: most have a few events, some have hundreds, and each has a rate of its own. So the events of
//! a user are not independent, and a test of events instead of users rejects several times too often.

use super::*;

const RUNS: u32 = 2_000;

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// A user: conversions among events. Log-normal events, the rate between 0 and 1 with most users near 0.
    fn user(&mut self) -> (f64, f64) {
        let events = (1.0 + self.normal()).exp().ceil().min(500.0);
        let rate = self.uniform().powi(2);
        let conversions = (0..events as u32).filter(|_| self.uniform() < rate).count();
        (conversions as f64, events)
    }
}

#[derive(Default)]
struct Group {
    moments: Moments,
    conversions: f64,
    events: f64,
}

fn group(random: &mut Random) -> Group {
    let mut group = Group::default();
    for _ in 0..300 {
        let (conversions, events) = random.user();
        group.moments.add(conversions, events).unwrap();
        group.conversions += conversions;
        group.events += events;
    }
    group
}

#[test]
fn tests_of_users_hold_their_level_and_a_test_of_events_does_not() {
    let mut random = Random(20_260_301);
    let [mut mean, mut ratio, mut naive] = [0u32; 3];
    for _ in 0..RUNS {
        let (a, b) = (group(&mut random), group(&mut random));
        let (x, y) = (a.moments.to_bytes().unwrap(), b.moments.to_bytes().unwrap());
        let rejects = |test: Option<Comparison>| u32::from(test.and_then(|test| test.p_value).unwrap() < 0.05);
        mean += rejects(welch_test(&x, &y, 0.05).unwrap());
        ratio += rejects(ratio_test(&x, &y, 0.05).unwrap());
        let events = Arms::new(a.conversions, a.events, b.conversions, b.events).unwrap().unwrap();
        naive += u32::from(two_proportion_p(events) < 0.05);
    }
    let share = |count: u32| f64::from(count) / f64::from(RUNS);
    println!("mean {} ratio {} events {}", share(mean), share(ratio), share(naive));
    assert!((share(mean) - 0.05).abs() <= 0.015, "the means of users: {}", share(mean));
    assert!((share(ratio) - 0.05).abs() <= 0.015, "the ratio by users: {}", share(ratio));
    assert!(share(naive) > 0.25, "events taken for independent: {}", share(naive));
}

#[test]
fn twenty_peeks_at_a_confidence_sequence_stay_below_5_percent_and_at_a_plain_z_do_not() {
    let mut random = Random(20_260_302);
    let [mut sequence, mut always_valid, mut plain] = [0u32; 3];
    for _ in 0..RUNS {
        let mut arms = Arms { x0: 0.0, n0: 0.0, x1: 0.0, n1: 0.0 };
        let [mut crossed, mut valid, mut fooled] = [false; 3];
        for _ in 0..20 {
            for _ in 0..250 {
                arms.x0 += f64::from(u8::from(random.uniform() < 0.1));
                arms.x1 += f64::from(u8::from(random.uniform() < 0.1));
            }
            arms.n0 += 250.0;
            arms.n1 += 250.0;
            crossed |= confidence_sequence(arms, 0.05).unwrap().is_some_and(|(low, high)| low > 0.0 || high < 0.0);
            valid |= always_valid_p(arms, 0.05).unwrap().is_some_and(|p| p < 0.05);
            fooled |= normal_p(arms.pooled_z()) < 0.05;
        }
        sequence += u32::from(crossed);
        always_valid += u32::from(valid);
        plain += u32::from(fooled);
    }
    let share = |count: u32| f64::from(count) / f64::from(RUNS);
    println!("sequence {} plain {}", share(sequence), share(plain));
    assert!(share(sequence) <= 0.05, "the sequence: {}", share(sequence));
    assert_eq!(sequence, always_valid);
    assert!(share(plain) > 0.15, "a plain z: {}", share(plain));
}
