//! Rows per second of reading two labels from a million stored contexts, 2 % of them malformed.

use super::figures::{Contender, Figures, Subject};
use super::{Spaces, RUNS};
use crate::engine::Kind;
use crate::Options;
use anyhow::Result;
use std::cell::RefCell;

const ROWS: u64 = 1_000_000;

pub fn run(space: Spaces<'_>, engine: &str, _: &Options, figures: &mut Figures) -> Result<()> {
    let mut space = space()?;
    space.exec("create table stored (context text)")?;
    space.load("stored", &["context"], &mut texts().map(|text| vec![Some(text)]))?;
    let postgres = space.kind() == Kind::Postgres;
    if postgres {
        space.exec("vacuum analyze stored")?;
        space.exec(PLPGSQL)?;
    }
    let space = RefCell::new(space);
    let contender = |name: &'static str, text: &'static str| {
        let space = &space;
        Contender::new(name, move || {
            space.borrow_mut().query(text)?;
            Ok(ROWS)
        })
    };
    let mut grouped = vec![contender(
        "context_time_of_day, context_device",
        "select context_time_of_day(context), context_device(context), count(*) from stored group by 1, 2",
    )];
    let mut counted = vec![contender(
        "context_time_of_day, context_device",
        "select sum(case when t = 'evening' then 1 else 0 end), sum(case when d = 'tv' then 1 else 0 end)
         from (select context_time_of_day(context) as t, context_device(context) as d from stored) s",
    )];
    if postgres {
        grouped.insert(0, contender(
            "text::jsonb in an exception block",
            "select safe_jsonb(context) ->> 'timeOfDay', safe_jsonb(context) ->> 'device', count(*) from stored group by 1, 2",
        ));
        counted.insert(0, contender(
            "text::jsonb in an exception block",
            "select count(*) filter (where j ->> 'timeOfDay' = 'evening'), count(*) filter (where j ->> 'device' = 'tv')
             from (select safe_jsonb(context) as j from stored offset 0) s",
        ));
        if engine == "pg18" {
            grouped.push(contender(
                "IS JSON, then ->>",
                "select case when context is json then context::json ->> 'timeOfDay' end,
                        case when context is json then context::json ->> 'device' end, count(*)
                 from stored group by 1, 2",
            ));
        }
    } else {
        grouped.insert(
            0,
            contender(
                "json_valid, then json_extract",
                "select json_extract(context, '$.timeOfDay'), json_extract(context, '$.device'), count(*)
             from stored where json_valid(context) group by 1, 2",
            ),
        );
        counted.insert(
            0,
            contender(
                "json_valid, then json_extract",
                "select sum(t = 'evening'), sum(d = 'tv')
             from (select json_extract(context, '$.timeOfDay') as t, json_extract(context, '$.device') as d
                   from stored where json_valid(context)) s",
            ),
        );
    }
    let group_alone = "select substr(context, 17, 7), substr(context, 45, 5), count(*) from stored group by 1, 2";
    grouped.push(contender("the grouping alone, by substr", group_alone));
    counted.push(contender("the scan alone", "select sum(length(context)) from stored"));
    let subject = |work| Subject { work, engine, data: "1 M contexts, 2 % bad", unit: "rows/s" };
    figures.compare(subject("two labels, grouped"), RUNS, &mut grouped)?;
    figures.compare(subject("two labels, counted"), RUNS, &mut counted)
}

const PLPGSQL: &str = "
create function safe_jsonb(context text) returns jsonb language plpgsql immutable strict parallel restricted as $$
begin
  return context::jsonb;
exception when others then
  return null;
end $$";

/// The contexts of the synthetic set, by a seeded sequence.
fn texts() -> impl Iterator<Item = String> {
    let mut state = 42u64;
    let mut below = move |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    (0..ROWS).map(move |_| {
        let slot = ["morning", "afternoon", "evening", "night"][below(4)];
        let day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][below(7)];
        let device = ["tv", "mobile", "tablet", "desktop"][below(4)];
        let location = ["home", "work", "commute", "other"][below(4)];
        let mut text =
            format!(r#"{{"timeOfDay": "{slot}", "dayOfWeek": "{day}", "device": "{device}", "location": "{location}""#);
        if below(10) < 4 {
            let experiment = ["rec_algo", "ui_layout", "autoplay", "trailer", "pricing"][below(5)];
            let variant = ["control", "treatment"][below(2)];
            text += &format!(r#", "experimentName": "{experiment}", "experimentVariant": "{variant}""#);
        }
        text.push('}');
        if below(50) == 0 {
            let cut = below(text.len());
            text.truncate(cut);
        }
        text
    })
}
