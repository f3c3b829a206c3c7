//! Questions and settings of recommendations, with an answer from a few rows.

use super::{taste, text};
use crate::{law, Target, Verdict};
use cotaste_core::recommend::{answer, Ask, Event, Gather, Question, Settings};
use serde_json::Value;

pub const TARGETS: &[Target] = &[
    Target {
        name: "recommend",
        corpus: || {
            super::texts(&[
                r#"{"user":"u1","k":3,"settings":{}}"#,
                r#"{"user":"u0","recency":0.5,"include_seen":true,"exclude":"[1,2]","genre":"Drama","settings":{"recommend_k":"5"}}"#,
                r#"{"everybody":true,"of_nearest":true,"settings":{"recommend_lambda":"1","recommend_novelty":"0.5"}}"#,
                r#"{"protocol":"random20","k":-1,"settings":{"recommend_model_weight":"1e2"}}"#,
                r#"{"user":"new","trends":{"3":"2.5","-1":"x"},"settings":{"recommend_heavy_users":"2"}}"#,
            ])
        },
        run: questions,
    },
    Target {
        name: "settings",
        corpus: || {
            super::texts(&[
                r#"{"recommend_k":"12","recommend_recency":" 0.5 ","recommend_lambda":"600"}"#,
                r#"{"recommend_genre_weight":"1e3","recommend_self_weight":"0","x":"y"}"#,
                "{}",
            ])
        },
        run: settings,
    },
];

fn questions(input: &[Vec<u8>]) -> Verdict {
    let Ok(question) = Question::read(text(&input[0])) else { return Ok(false) };
    let mut gather = gather().map_err(|e| e.to_string())?;
    let Ok(json) = answer(&question, &mut gather, &|| Ok(())) else { return Ok(true) };
    let rows = serde_json::from_str::<Vec<Value>>(&json).map_err(|_| format!("{json} is no array"))?;
    for row in rows.iter().filter(|row| row.get("rank").is_some()) {
        law!(row["score"].is_f64() && row["content_id"].is_i64(), "{row} is no recommendation");
    }
    Ok(true)
}

fn gather() -> cotaste_core::Result<Gather> {
    thread_local!(static TASTES: Vec<Vec<u8>> = vec![taste(&[1, 2, 3], &[]), taste(&[2, 3], &[]), taste(&[1, 4, 9], &[])]);
    let mut gather = Gather::default();
    TASTES
        .with(|tastes| (0..).zip(tastes).try_for_each(|(i, taste): (i64, _)| gather.taste(&format!("u{i}"), taste)))?;
    for (content, genres) in (1..6).zip([r#"["Drama"]"#, r#"["War","Drama"]"#, "[]", "no json", r#"["Noir"]"#]) {
        gather.content(content, (content != 2).then_some("title"), Some(genres))?;
    }
    gather.change("u1", Some(5), true);
    for (user, content) in [("u0", 1), ("u0", 2), ("u0", 3), ("u1", 2), ("u1", 3), ("u1", 5)] {
        gather.event(user, Event { content_id: content, touched_us: Some(content), disliked: content == 3 })?;
    }
    gather.embedding(1, &[0, 0, 128, 63])?;
    gather.embedding(5, &[0, 0, 128, 191])?;
    Ok(gather)
}

fn settings(input: &[Vec<u8>]) -> Verdict {
    let text = text(&input[0]);
    let ask = Ask::new(None, None, None, Some(text), Some(text));
    law!(ask.is_ok() == serde_json::from_str::<Vec<i64>>(text).is_ok(), "{ask:?}");
    let Ok(settings) = Settings::read(text) else { return Ok(false) };
    law!(settings.k >= 0 && (1e-3..=1e12).contains(&settings.lambda), "{settings:?}");
    Ok(true)
}
