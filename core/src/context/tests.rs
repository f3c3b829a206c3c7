use super::*;
use proptest::prelude::*;

fn full(text: &str) -> Option<Members<'_>> {
    match full::document(text) {
        Document::Object(members) => Some(members),
        Document::Other(_) => None,
    }
}

/// Texts near the edge between flat and not, valid and not.
fn near_json() -> impl Strategy<Value = String> {
    let key =
        prop::sample::select(NAMES.into_iter().flatten().chain(["x", "TimeOfDay", "k\\u0041"]).collect::<Vec<_>>());
    let value = prop_oneof![
        Just(r#""evening""#.to_owned()),
        Just(r#"" FRIDAY ""#.to_owned()),
        r#""[ -~é\u{1}]{0,12}""#,
        "-?[0-9]{1,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,3})?",
        prop::sample::select(vec![
            "true",
            "false",
            "null",
            "{}",
            "[1]",
            "nul",
            "01",
            "-",
            "\"\\ud800\"",
            "\"\\n\"",
            ""
        ])
        .prop_map(str::to_owned),
    ];
    let blank = "[ \t\n]{0,2}";
    let member = (blank, key, blank, value).prop_map(|(a, k, b, v)| format!("{a}\"{k}\"{b}:{a}{v}{b}"));
    (prop::collection::vec(member, 0..5), "[ ,}x]{0,1}", blank)
        .prop_map(|(members, tail, blank)| format!("{blank}{{{}}}{tail}", members.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn the_quick_reader_agrees_with_serde_json(text in near_json()) {
        if let Some(quick) = quick::members(&text) {
            prop_assert_eq!(Some(quick), full(&text), "{}", text);
        }
    }

    #[test]
    fn one_field_alone_is_the_field_of_the_whole(text in near_json()) {
        let whole = parse(&text);
        prop_assert_eq!(field(&text, Field::Device), whole.device);
        prop_assert_eq!(field(&text, Field::Variant), whole.variant);
        prop_assert_eq!(field(&text, Field::TimeOfDay), whole.time_of_day.map(Cow::Borrowed));
        prop_assert_eq!(field(&text, Field::DayOfWeek), whole.day_of_week.map(Cow::Borrowed));
    }

    #[test]
    fn valid_json_is_what_serde_json_takes(text in near_json()) {
        let valid = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        let out_of_range = text.contains(['e', 'E']); // serde_json reads 1e999 as an error, a context skips it
        prop_assert!(out_of_range || valid == (parse(&text).status != Status::Malformed), "{}", text);
    }

    #[test]
    fn any_bytes_have_a_status(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = parse_bytes(&bytes);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = storable_json(text);
        }
    }
}

#[test]
fn nesting_is_allowed_to_the_limit_and_not_beyond() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(parse(&nested(MAX_DEPTH)).status, Status::NotObject);
    assert_eq!(parse(&nested(MAX_DEPTH + 1)).status, Status::Malformed);
    assert_eq!(parse(&nested(1_000_000)).status, Status::Malformed);
    assert_eq!(parse(&format!(r#"{{"x":{},"device":"tv"}}"#, nested(MAX_DEPTH - 1))).device.as_deref(), Some("tv"));
    assert_eq!(parse(r#"{"x":"[[[[\"[[","device":"tv"}"#).status, Status::Ok);
}

#[test]
fn what_stands_in_unknown_members_is_not_interpreted() {
    assert_eq!(parse(r#"{"x":1e400,"timeOfDay":"evening"}"#).status, Status::Ok);
    assert_eq!(parse(r#"{"x":"\ud800","timeOfDay":"evening"}"#).status, Status::Malformed);
    assert_eq!(parse(r#"{"x":"\ud83c\udfac","timeOfDay":"evening"}"#).status, Status::Ok);
    assert_eq!(parse("\u{feff}{\"device\":\"tv\"}").status, Status::Ok);
    assert_eq!(parse("\u{feff}\u{feff}{}").status, Status::Malformed);
    assert_eq!(parse(" \t\n").status, Status::Empty);
    assert_eq!(parse(" null ").status, Status::Empty);
}

#[test]
fn only_what_jsonb_is_certain_to_take_is_stored_as_json() {
    for text in [r#"{"a":1}"#, "\u{feff}{}", "[1]", r#"{"a":"\u0041"}"#] {
        assert!(storable_json(text).is_some(), "{text}");
    }
    let long = format!("[{}]", "9".repeat(500));
    for text in
        ["", "\u{feff}\u{feff}{}", "null ,", "{", r#"{"a":"\u0000"}"#, r#"{"a":1e400}"#, &long, r#"{"\u0000":1}"#]
    {
        assert!(storable_json(text).is_none(), "{text}");
    }
}
