//! Questions and answers as JSON, for an engine that computes from an aggregate over rows.

use super::{evaluate, Ask, Gather, Interrupt, Quality, Recommendation, Recommender, Settings};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Who asks for what, by which settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    user: Option<String>,
    everybody: bool,
    /// How the answer is to be evaluated, when that is what is asked.
    protocol: Option<String>,
    ask: Ask,
    settings: Settings,
    trends: Vec<(i64, f64)>,
}

/// The members of a question.
#[derive(serde::Deserialize)]
struct Members {
    user: Option<String>,
    everybody: Option<bool>,
    of_nearest: Option<bool>,
    protocol: Option<String>,
    k: Option<i64>,
    recency: Option<f64>,
    include_seen: Option<bool>,
    exclude: Option<String>,
    genre: Option<String>,
    settings: serde_json::Value,
    /// Scores by content, as texts: these are read back to the bit.
    trends: Option<BTreeMap<i64, String>>,
}

impl Question {
    /// From a JSON object of the arguments by their names, and `settings`, itself an object.
    pub fn read(json: &str) -> Result<Self> {
        let members: Members =
            serde_json::from_str(json).map_err(|_| Error::invalid("question", "is not one of recommend"))?;
        let trend = |(content, score): (i64, String)| {
            score.parse().ok().filter(|score: &f64| score.is_finite()).map(|score| (content, score))
        };
        Ok(Self {
            trends: members.trends.unwrap_or_default().into_iter().filter_map(trend).collect(),
            user: members.user,
            everybody: members.everybody == Some(true),
            protocol: members.protocol,
            ask: Ask::new(
                members.k,
                members.recency,
                members.include_seen,
                members.exclude.as_deref(),
                members.genre.as_deref(),
            )?,
            settings: Settings {
                of_nearest: members.of_nearest == Some(true),
                ..Settings::read(&members.settings.to_string())?
            },
        })
    }
}

/// The rows of the answer as a JSON array of objects, in order.
pub fn answer(question: &Question, gather: &mut Gather, interrupt: Interrupt<'_>) -> Result<String> {
    if let Some(protocol) = &question.protocol {
        let rows = evaluate(gather, protocol, question.settings, &question.ask, interrupt)?;
        return Ok(serde_json::Value::Array(rows.iter().map(quality).collect()).to_string());
    }
    question.trends.iter().try_for_each(|(content, score)| gather.trend(*content, *score))?;
    let recommender = Recommender::new(gather, question.settings)?;
    let mut json = String::from("[");
    let mut write = |user: Option<&str>, rows: Vec<Recommendation>| -> Result<()> {
        for (rank, row) in (1..).zip(rows) {
            let object = object(user, rank, row).to_string();
            json.try_reserve(object.len() + 2)?;
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&object);
        }
        Ok(())
    };
    if question.everybody {
        recommender.all(&question.ask, interrupt, |user, rows| write(Some(user), rows))?;
    } else {
        let user = question.user.as_deref();
        write(user, recommender.one(user, &question.ask, interrupt)?)?;
    }
    json.push(']');
    Ok(json)
}

fn object(user: Option<&str>, rank: i64, row: Recommendation) -> serde_json::Value {
    serde_json::json!({
        "user_id": user, "rank": rank, "content_id": row.content_id, "title": row.title, "score": row.score,
        "method": row.method.name(), "reason": row.reason,
    })
}

fn quality(row: &Quality) -> serde_json::Value {
    serde_json::json!({
        "recommender": row.recommender, "users": row.users, "ndcg": row.ndcg, "ndcg_error": row.ndcg_error,
        "recall": row.recall, "hit_rate": row.hit_rate, "coverage": row.coverage, "novelty": row.novelty,
    })
}
