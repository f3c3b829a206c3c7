//! Quality: the four readings, cold users and new contents.

use super::super::figures::{Figures, Subject};
use super::super::Spaces;
use super::splits::{peers, Protocol};
use crate::Options;
use anyhow::Result;

/// Split, reading and the recencies asked for: the default, and what validation chose for "what next".
const READINGS: [(&str, &str, &[&str]); 4] = [
    ("rand80", "all", &["0"]),
    ("rand80", "pos", &["0"]),
    ("last5", "all", &["0", "1.0"]),
    ("last5", "pos", &["0", "0.6"]),
];

/// The settings under which the method is that of the reference.
const AS_REFERENCE: [(&str, &str); 2] = [("recommend_lambda", "400"), ("recommend_novelty", "0")];

pub fn readings(fresh: Spaces<'_>, engine: &str, options: &Options, figures: &mut Figures) -> Result<()> {
    let Some(protocol) = Protocol::find(&options.target)? else { return Ok(()) };
    for (split, reading, recencies) in READINGS {
        let mut space = fresh()?;
        protocol.load(space.as_mut(), split, reading)?;
        let data = format!("MovieLens {split} {reading}");
        let subject = |work, unit| Subject { work, engine, data: &data, unit };
        let mut ours = Vec::new();
        for recency in recencies {
            let query = format!("select user_id, content_id, rank from recommend_for_all(20, {recency})");
            let list = protocol.write(space.as_mut(), &format!("{engine}-{split}-{reading}-{recency}"), &query)?;
            let score = protocol.score(split, reading, &list)?;
            figures.once(subject("quality", "nDCG@10"), &format!("recommend, recency {recency}"), score)?;
            ours.push((recency, list));
        }
        for (recency, list) in &ours {
            for (peer, theirs) in peers(split, reading)? {
                let (better, low, high) = protocol.compare(split, reading, list, &theirs)?;
                let name = format!("recency {recency} less {peer} [{low:.4}, {high:.4}]");
                figures.once(subject("paired difference", "nDCG@10"), &name, better)?;
            }
        }
        for (key, value) in AS_REFERENCE {
            space.exec(&format!("update cotaste_settings set value = '{value}' where key = '{key}'"))?;
        }
        for recency in recencies {
            let query = format!("select user_id, content_id, rank from recommend_for_all(20, {recency})");
            let list = protocol.write(space.as_mut(), &format!("{engine}-{split}-{reading}-{recency}-same"), &query)?;
            let reference = protocol.reference(split, reading, recency)?;
            let (same, theirs) = (protocol.score(split, reading, &list)?, protocol.score(split, reading, &reference)?);
            figures.once(subject("as the reference", "nDCG@10"), &format!("recommend, recency {recency}"), same)?;
            figures.once(
                subject("as the reference", "nDCG@10"),
                &format!("less the reference's {theirs:.4}"),
                same - theirs,
            )?;
        }
    }
    Ok(())
}

pub fn cold(fresh: Spaces<'_>, engine: &str, options: &Options, figures: &mut Figures) -> Result<()> {
    let Some(protocol) = Protocol::find(&options.target)? else { return Ok(()) };
    for split in ["rand80", "last5"] {
        for known in 0..4 {
            let slice = format!("{split}-cold/n{known}");
            let mut space = fresh()?;
            protocol.load(space.as_mut(), &slice, "all")?;
            space.exec("create table asked (user_id text primary key)")?;
            let test = crate::golden::read_csv(protocol.directory.join(&slice).join("test.csv"))?;
            let users: std::collections::BTreeSet<String> = test.iter().map(|row| row.text("user").into()).collect();
            space.load("asked", &["user_id"], &mut users.iter().map(|user| vec![Some(user.clone())]))?;
            let lateral = if engine == "sqlite" { "" } else { "lateral " };
            let ask = |user: &str| {
                format!(
                    "select a.user_id, r.content_id, r.rank from asked a cross join {lateral}recommend({user}, 20) r"
                )
            };
            let data = format!("MovieLens {slice}");
            let subject = Subject { work: "cold users", engine, data: &data, unit: "nDCG@10" };
            let stem = slice.replace('/', "-");
            let list = protocol.write(space.as_mut(), &format!("{engine}-{stem}"), &ask("a.user_id"))?;
            figures.once(subject, "recommend", protocol.score(&slice, "all", &list)?)?;
            // What everybody unknown gets, without what the user has seen.
            let popular = "select a.user_id, r.content_id, r.rank from asked a
                 cross join (select content_id, rank from recommend('nobody at all', 40)) r
                 where not exists (select 1 from user_behaviors b where b.user_id = a.user_id and b.content_id = r.content_id)";
            let list = protocol.write(space.as_mut(), &format!("{engine}-{stem}-popular"), popular)?;
            figures.once(subject, "popularity", protocol.score(&slice, "all", &list)?)?;
        }
    }
    let mut space = fresh()?;
    protocol.load(space.as_mut(), "new", "all")?;
    let query = "select user_id, content_id, rank from recommend_for_all(100000) where method = 'genres'";
    let list = protocol.write(space.as_mut(), &format!("{engine}-new"), query)?;
    let subject = Subject { work: "new contents", engine, data: "MovieLens new items", unit: "nDCG@10" };
    figures.once(subject, "recommend", protocol.score_new(&list)?)
}
