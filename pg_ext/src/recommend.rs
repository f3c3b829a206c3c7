//! `recommend_rows`: the aggregate recommendations are computed by, from rows of six kinds.

use crate::convert::{report, OrReport};
use crate::state::{InAggregate, Kept};
use cotaste_core::recommend::{answer, Event, Gather, Question};
use cotaste_core::Error;
use pgrx::prelude::*;

/// The state: what was read, and the question once its row has come.
#[derive(Default)]
struct Asked {
    question: Option<Question>,
    gather: Gather,
}

/// What a row is: the question (its JSON), a taste (its user), a pending pair (user, content, whether it is touched), a
/// content (its id, title and genres), or an event of who asks (user, content, time of the last touch, whether disliked).
#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn recommend_rows_step(
    call: InAggregate,
    state: Option<Kept<Asked>>,
    kind: i32,
    a: Option<&str>,
    b: Option<&str>,
    content: Option<i64>,
    at: Option<i64>,
    flag: Option<bool>,
    taste: Option<&[u8]>,
) -> Kept<Asked> {
    let mut state = state.unwrap_or_else(|| Kept::keep(&call, Asked::default()));
    let Asked { question, gather } = state.get();
    let (text, flag) = (a.unwrap_or_default(), flag == Some(true));
    match (kind, content) {
        (0, _) => *question = Some(Question::read(text).or_report()),
        (1, _) => gather.taste(text, taste.unwrap_or_default()).or_report(),
        (2, content) => gather.change(text, content, flag),
        (3, Some(id)) => gather.content(id, a, b).or_report(),
        (4, Some(content_id)) => {
            gather.event(text, Event { content_id, touched_us: at, disliked: flag }).or_report();
        }
        (5, Some(id)) => gather.embedding(id, taste.unwrap_or_default()).or_report(),
        _ => report(&Error::Internal),
    }
    state
}

#[pg_extern]
fn recommend_rows_final(state: Option<Kept<Asked>>) -> Option<String> {
    let mut state = state?;
    let Asked { question, gather } = state.get();
    let interrupt = || {
        check_for_interrupts!();
        Ok(())
    };
    Some(answer(question.as_ref()?, gather, &interrupt).or_report())
}
