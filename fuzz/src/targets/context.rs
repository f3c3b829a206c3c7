//! The context parser beside a reader of JSON that was written for this alone, from the definition, and beside serde_json.

use super::texts;
use crate::{law, Target, Verdict};
use cotaste_core::context::{field, parse, parse_bytes, storable_json, Context, Field, Status, MAX_DEPTH, MAX_LABEL};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;

pub const TARGETS: &[Target] = &[Target {
    name: "context",
    corpus: || {
        texts(&[
            r#"{"timeOfDay":"evening","dayOfWeek":"friday","device":"tv","location":"home"}"#,
            r#"{"experimentName":"checkout","experimentVariant":"b","device":"phone"}"#,
            r#"{"experiment_name":" x ","experiment_variant":3,"time_of_day":"NIGHT","day_of_week":"Mon"}"#,
            r#"{"a":{"b":[1,-2.5e+10,true,false,null,"\n\u00e9\ud83c\udfac"]},"device":null,"location":""}"#,
            "\u{feff}{ \"device\" : \"tv\" ,\t\"device\" : 7 }",
            r#"{"timeOfDay":7,"time_of_day":"morning","experimentVariant":-0}"#,
            "[[[[[[1]]]]]]",
            "null",
            " \n",
            "{}",
        ])
    },
    run,
}];

fn run(input: &[Vec<u8>]) -> Verdict {
    let bytes = &input[0];
    let got = parse_bytes(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        law!(got == bare(Status::Malformed), "bytes that are no text are {got:?}");
        return Ok(false);
    };
    law!(got == parse(text), "parse and parse_bytes differ");
    let plain = text.strip_prefix('\u{feff}').unwrap_or(text);
    let read = if plain.chars().all(char::is_whitespace) { Ok(Json::Null) } else { Json::read(plain) };
    let expected = expected(&read);
    law!(got == expected, "{got:?}, expected {expected:?}");
    let alone = |of| field(text, of);
    let all = [Field::TimeOfDay, Field::DayOfWeek, Field::Device, Field::Location, Field::Experiment, Field::Variant];
    let [time, day, device, location, experiment, variant] = all.map(alone);
    law!(time.as_deref() == got.time_of_day && day.as_deref() == got.day_of_week, "a slot or day alone is another");
    let labels = (device, location, experiment, variant);
    let whole = (got.device, got.location, got.experiment, got.variant);
    law!(labels == whole, "{labels:?} alone, {whole:?} of the whole");
    if storable_json(text).is_some() {
        law!(!matches!(got.status, Status::Malformed) && read.is_ok(), "not JSON, and yet storable");
    }
    // serde_json takes numbers beyond a double for errors, and nests one level less deep.
    match serde_json::from_str::<Value>(plain) {
        Ok(value) => {
            law!(got.status != Status::Malformed, "serde_json reads it");
            law!(value.is_object() == matches!(got.status, Status::Ok | Status::Partial), "an object: {value}");
        }
        Err(problem) => {
            let strict = problem.to_string().contains("out of range") || problem.to_string().contains("recursion");
            let refused = strict || matches!(got.status, Status::Malformed | Status::Empty);
            law!(refused, "serde_json refuses it: {problem}");
        }
    }
    Ok(matches!(got.status, Status::Ok | Status::Partial))
}

fn bare(status: Status) -> Context<'static> {
    Context {
        status,
        time_of_day: None,
        day_of_week: None,
        device: None,
        location: None,
        experiment: None,
        variant: None,
    }
}

/// Conventions C1 to C9 once more, the slow way.
fn expected(read: &Result<Json, ()>) -> Context<'static> {
    let members = match read {
        Err(()) => return bare(Status::Malformed),
        Ok(Json::Null) => return bare(Status::Empty),
        Ok(Json::Object(members)) => members,
        Ok(_) => return bare(Status::NotObject),
    };
    let mut partial = false;
    let mut label = |camel: &str, snake: &str, numbers: bool, names: &[&'static str]| -> Option<String> {
        let text = match members.get(camel).or_else(|| members.get(snake))? {
            Json::Null => return None,
            Json::Text(text) => text.trim().to_owned(),
            Json::Number(number) if numbers && !number.contains(['.', 'e', 'E']) => match number.as_str() {
                "-0" => "0".to_owned(),
                _ => number.clone(),
            },
            _ => {
                partial = true;
                return None;
            }
        };
        if text.is_empty() {
            return None;
        }
        let known = names.iter().find(|name| text.eq_ignore_ascii_case(name) || short(names, name, &text));
        let label = if names.is_empty() { Some(text.as_str()) } else { known.copied() };
        match label.filter(|label| label.chars().count() <= MAX_LABEL && !label.contains('\0')) {
            Some(label) => Some(label.to_owned()),
            None => {
                partial = true;
                None
            }
        }
    };
    let time = label("timeOfDay", "time_of_day", false, &["morning", "afternoon", "evening", "night"]);
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let day = label("dayOfWeek", "day_of_week", false, &days);
    let device = label("device", "device", false, &[]);
    let location = label("location", "location", false, &[]);
    let experiment = label("experimentName", "experiment_name", false, &[]);
    let variant = label("experimentVariant", "experiment_variant", true, &[]);
    let lone = experiment.is_some() != variant.is_some();
    let name = |of: Option<String>| {
        let slots = ["morning", "afternoon", "evening", "night"];
        of.and_then(|of| slots.into_iter().chain(days).find(|name| *name == of))
    };
    Context {
        status: if partial || lone { Status::Partial } else { Status::Ok },
        time_of_day: name(time),
        day_of_week: name(day),
        device: device.map(Cow::Owned),
        location: location.map(Cow::Owned),
        experiment: experiment.map(Cow::Owned),
        variant: variant.map(Cow::Owned),
    }
}

/// Days may be given by three letters.
fn short(names: &[&str], name: &str, text: &str) -> bool {
    names.len() == 7 && name[..3].eq_ignore_ascii_case(text)
}

/// RFC 8259, of an object the last of each member.
enum Json {
    Null,
    Text(String),
    Number(String),
    Object(HashMap<String, Json>),
    Other,
}

impl Json {
    fn read(text: &str) -> Result<Self, ()> {
        let characters: Vec<char> = text.chars().collect();
        let mut reader = Reader { rest: &characters, depth: 0 };
        let value = reader.value()?;
        reader.blank();
        if reader.rest.is_empty() {
            Ok(value)
        } else {
            Err(())
        }
    }
}

struct Reader<'a> {
    rest: &'a [char],
    depth: usize,
}

impl Reader<'_> {
    fn blank(&mut self) {
        while self.rest.first().is_some_and(|c| " \t\n\r".contains(*c)) {
            self.rest = &self.rest[1..];
        }
    }

    fn eat(&mut self, word: &str) -> bool {
        let is = self.rest.len() >= word.len() && word.chars().zip(self.rest).all(|(a, b)| a == *b);
        if is {
            self.rest = &self.rest[word.len()..];
        }
        is
    }

    fn value(&mut self) -> Result<Json, ()> {
        self.blank();
        for (word, value) in [("null", Json::Null), ("true", Json::Other), ("false", Json::Other)] {
            if self.eat(word) {
                return Ok(value);
            }
        }
        match self.rest.first() {
            Some('"') => self.text().map(Json::Text),
            Some('{') => self.nested('}'),
            Some('[') => self.nested(']'),
            _ => self.number().map(Json::Number),
        }
    }

    fn nested(&mut self, end: char) -> Result<Json, ()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(());
        }
        self.rest = &self.rest[1..];
        let mut members = HashMap::new();
        self.blank();
        if !self.eat(&end.to_string()) {
            loop {
                self.blank();
                let key = if end == '}' { Some(self.text()?) } else { None };
                self.blank();
                if end == '}' && !self.eat(":") {
                    return Err(());
                }
                let value = self.value()?;
                key.map(|key| members.insert(key, value));
                self.blank();
                if self.eat(&end.to_string()) {
                    break;
                }
                if !self.eat(",") {
                    return Err(());
                }
            }
        }
        self.depth -= 1;
        Ok(if end == '}' { Json::Object(members) } else { Json::Other })
    }

    fn text(&mut self) -> Result<String, ()> {
        let mut text = String::new();
        if !self.eat("\"") {
            return Err(());
        }
        loop {
            let (first, rest) = self.rest.split_first().ok_or(())?;
            self.rest = rest;
            text.push(match first {
                '"' => return Ok(text),
                '\\' => self.escape()?,
                '\0'..='\u{1f}' => return Err(()),
                other => *other,
            });
        }
    }

    fn escape(&mut self) -> Result<char, ()> {
        let (first, rest) = self.rest.split_first().ok_or(())?;
        self.rest = rest;
        let plain = [
            ('"', '"'),
            ('\\', '\\'),
            ('/', '/'),
            ('b', '\u{8}'),
            ('f', '\u{c}'),
            ('n', '\n'),
            ('r', '\r'),
            ('t', '\t'),
        ];
        if let Some((_, means)) = plain.into_iter().find(|(name, _)| name == first) {
            return Ok(means);
        }
        if *first != 'u' {
            return Err(());
        }
        let unit = self.unit()?;
        if !(0xd800..0xdc00).contains(&unit) {
            return char::from_u32(unit).ok_or(());
        }
        if !self.eat("\\u") {
            return Err(());
        }
        let low = self.unit()?;
        let pair = (0xdc00..0xe000).contains(&low).then(|| 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
        pair.and_then(char::from_u32).ok_or(())
    }

    fn unit(&mut self) -> Result<u32, ()> {
        let digits = self.rest.get(..4).ok_or(())?;
        self.rest = &self.rest[4..];
        digits.iter().try_fold(0, |unit, digit| Ok(unit * 16 + digit.to_digit(16).ok_or(())?))
    }

    fn number(&mut self) -> Result<String, ()> {
        let begin = self.rest;
        self.eat("-");
        if !self.eat("0") {
            self.digits()?;
        }
        if self.eat(".") {
            self.digits()?;
        }
        if self.eat("e") || self.eat("E") {
            let _ = self.eat("+") || self.eat("-");
            self.digits()?;
        }
        Ok(begin[..begin.len() - self.rest.len()].iter().collect())
    }

    fn digits(&mut self) -> Result<(), ()> {
        let count = self.rest.iter().take_while(|c| c.is_ascii_digit()).count();
        self.rest = &self.rest[count..];
        if count > 0 {
            Ok(())
        } else {
            Err(())
        }
    }
}
