use super::matrix::tests::gather;
use super::*;
use proptest::prelude::*;

const GENRES: [&str; 8] = [
    r#"["Drama"]"#,
    r#"["Drama","War"]"#,
    r#"["Comedy"]"#,
    "[]",
    r#"["War","Comedy"]"#,
    "not json",
    r#"["Noir"]"#,
    r#"["Noir","Drama"]"#,
];

/// Users who touched the given contents one after another.
fn histories(users: &[Vec<i64>]) -> Gather {
    let mut gather = gather(users, &GENRES);
    for (n, contents) in users.iter().enumerate() {
        for (at, content_id) in (0..).zip(contents) {
            let event = Event { content_id: *content_id, touched_us: Some(at), disliked: at == 3 };
            gather.event(&format!("u{n:03}"), event).unwrap();
        }
    }
    gather
}

fn ask(k: i64, recency: f64) -> Ask {
    Ask::new(Some(k), Some(recency), None, None, None).unwrap()
}

proptest! {
    #[test]
    fn a_list_is_the_beginning_of_a_longer_one_and_that_of_everybody(
        users in prop::collection::vec(prop::collection::btree_set(0i64..10, 0..6), 1..20),
        k in 0i64..9,
        recency in 0.0f64..2.0,
    ) {
        let users: Vec<Vec<i64>> = users.into_iter().map(|own| own.into_iter().collect()).collect();
        let gather = histories(&users);
        let recommender = Recommender::new(&gather, Settings::default()).unwrap();
        let mut batch = std::collections::BTreeMap::new();
        recommender.all(&ask(k, recency), &|| Ok(()), |user, rows| {
            batch.insert(user.to_owned(), rows);
            Ok(())
        }).unwrap();
        for (n, own) in users.iter().enumerate() {
            let user = format!("u{n:03}");
            let longest = recommender.one(Some(&user), &ask(100, recency), &|| Ok(())).unwrap();
            prop_assert_eq!(longest.len(), GENRES.len() - own.iter().filter(|content| **content < 8).count());
            prop_assert!(longest.iter().all(|row| !own.contains(&row.content_id) && row.score.is_finite()));
            let shorter = recommender.one(Some(&user), &ask(k, recency), &|| Ok(())).unwrap();
            prop_assert_eq!(&shorter[..], &longest[..(k as usize).min(longest.len())]);
            if !own.is_empty() && k > 0 {
                prop_assert_eq!(batch.get(&user), Some(&shorter));
            }
        }
    }
}

#[test]
fn an_interrupt_ends_the_work() {
    let gather = histories(&[vec![0, 1], vec![1, 2]]);
    let recommender = Recommender::new(&gather, Settings::default()).unwrap();
    let stopped = recommender.one(Some("u000"), &ask(5, 0.0), &|| Err(Error::OutOfMemory));
    assert_eq!(stopped, Err(Error::OutOfMemory));
}

#[test]
fn what_is_held_out_is_found_by_who_is_alike() {
    let users: Vec<Vec<i64>> = (0..40).map(|n| if n % 2 == 0 { vec![0, 1, 4] } else { vec![2, 3, 6] }).collect();
    let mut gather = histories(&users);
    let rows = evaluate(&mut gather, "random20", Settings::default(), &ask(1, 0.0), &|| Ok(())).unwrap();
    let of = |name: &str| rows.iter().find(|row| row.recommender == name).cloned().unwrap();
    assert_eq!((of("recommend").users, of("recommend").hit_rate), (40, Some(1.0)));
    assert!(of("popular").hit_rate < Some(1.0));
}

#[test]
fn settings_and_arguments_are_checked() {
    assert_eq!(Settings::read("{}"), Ok(Settings::default()));
    assert_eq!(Settings::read(r#"{"recommend_k":" 3 "}"#).unwrap().k, 3);
    for wrong in [r#"{"recommend_lambda":"0"}"#, r#"{"recommend_recency":"nan"}"#, r#"{"recommend_k":"x"}"#] {
        assert_eq!(Settings::read(wrong).unwrap_err().code(), "INVALID_ARGUMENT");
    }
    assert!(Ask::new(None, Some(f64::NAN), None, None, None).is_err());
    assert!(Ask::new(None, None, None, Some("[1,\"2\"]"), None).is_err());
}

#[test]
fn a_trend_that_is_no_number_is_none() {
    let question = Question::read(r#"{"trends":{"1":"1e999","2":"NaN","3":"x","4":"2.5"},"settings":{}}"#).unwrap();
    let json = answer(&question, &mut gather(&[vec![1, 2]], &GENRES), &|| Ok(())).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert!(rows.iter().all(|row| row["score"].is_f64()), "{json}");
    assert_eq!((&rows[0]["content_id"], &rows[0]["score"]), (&4.into(), &3.5.into()));
}
