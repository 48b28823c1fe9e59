//! The lines of an input file.
//!
//! Every line that is not blank becomes one [`Item`], in order, whatever is wrong with it: a line that names no
//! id of its own is kept as [`Content::Broken`], a line whose request is unusable keeps its id. Nothing here
//! stops a run.

use std::collections::HashMap;
use std::fmt;

use rewardanything_core::{JudgeRequest, Response};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What an item is called: a string or a whole number, given back as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Id {
    /// A string.
    Text(String),
    /// A whole number. `7` and `"7"` are two ids.
    Number(serde_json::Number),
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Text(text) => write!(out, "{text:?}"),
            Id::Number(number) => write!(out, "{number}"),
        }
    }
}

/// What tells the records of a file apart: the id, or the line where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// The item of this id.
    Id(Id),
    /// The input line of this number, counted from 1, which names no id of its own.
    Line(usize),
}

/// One line of the input that is not blank.
#[derive(Debug)]
pub(crate) struct Item {
    /// The number of the line, counted from 1, blank lines included.
    pub(crate) line: usize,
    /// What it holds.
    pub(crate) content: Content,
}

/// What a line of the input holds.
#[derive(Debug)]
pub(crate) enum Content {
    /// An item with an id of its own; `Err` says why its request is unusable.
    Named(Id, Result<JudgeRequest, String>),
    /// No item: not JSON, or the id is missing or taken. The text says which.
    Broken(String),
}

impl Item {
    /// What its record goes by.
    pub(crate) fn key(&self) -> Key {
        match &self.content {
            Content::Named(id, _) => Key::Id(id.clone()),
            Content::Broken(_) => Key::Line(self.line),
        }
    }
}

/// Reads a whole input. A byte order mark is skipped; so are blank lines.
pub(crate) fn read(bytes: &[u8]) -> Vec<Item> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut first_use = HashMap::new();
    let mut items = Vec::new();
    for (index, line_bytes) in bytes.split(|&byte| byte == b'\n').enumerate() {
        if line_bytes.trim_ascii().is_empty() {
            continue;
        }
        let line = index + 1;
        let content = match parse(line_bytes) {
            Err(why) => Content::Broken(why),
            Ok((id, request)) => match first_use.get(&id) {
                Some(first) => Content::Broken(format!("the id {id} is taken by line {first}")),
                None => {
                    first_use.insert(id.clone(), line);
                    Content::Named(id, request)
                }
            },
        };
        items.push(Item { line, content });
    }
    items
}

/// The keys of a line, each of any type, so that a wrong one can be named; others are ignored.
#[derive(Deserialize)]
struct RawItem {
    id: Option<Value>,
    principle: Option<Value>,
    prompt: Option<Value>,
    responses: Option<RawResponses>,
}

type Parsed = (Id, Result<JudgeRequest, String>);

fn parse(line: &[u8]) -> Result<Parsed, String> {
    let text = std::str::from_utf8(line).map_err(|error| format!("not UTF-8: {error}"))?;
    if !text.trim_start().starts_with('{') {
        return Err("expected a JSON object".to_owned());
    }
    let raw: RawItem = serde_json::from_str(text).map_err(|error| format!("not an item: {error}"))?;
    let id = match raw.id {
        Some(Value::String(text)) => Id::Text(text),
        Some(Value::Number(number)) if !number.is_f64() => Id::Number(number),
        Some(Value::Null) | None => return Err("the id is missing".to_owned()),
        Some(other) => {
            return Err(format!(
                "the id must be a string or a whole number, found {}",
                kind(&other)
            ));
        }
    };
    let request = request(raw.principle, raw.prompt, raw.responses);
    Ok((id, request))
}

fn request(
    principle: Option<Value>,
    prompt: Option<Value>,
    responses: Option<RawResponses>,
) -> Result<JudgeRequest, String> {
    let principle = string("principle", principle)?;
    let prompt = string("prompt", prompt)?;
    let RawResponses::Object(entries) = responses.ok_or("responses is missing")? else {
        return Err("responses must be an object {name: text}".to_owned());
    };
    let responses = entries
        .into_iter()
        .map(|(name, text)| match text {
            Value::String(text) => Ok(Response { name, text }),
            other => Err(format!(
                "responses.{name} must be a string, found {}",
                kind(&other)
            )),
        })
        .collect::<Result<Vec<_>, String>>()?;
    JudgeRequest::new(principle, prompt, responses).map_err(|error| error.to_string())
}

fn string(field: &str, value: Option<Value>) -> Result<String, String> {
    match value {
        Some(Value::String(text)) => Ok(text),
        None => Err(format!("{field} is missing")),
        Some(other) => Err(format!("{field} must be a string, found {}", kind(&other))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The responses as they stand, in order. A map type would drop the first of two equal names in silence; this
/// keeps both, so that the request can refuse them.
pub(crate) enum RawResponses {
    /// `{name: text, …}`.
    Object(Vec<(String, Value)>),
    /// Anything else.
    Other,
}

impl<'de> Deserialize<'de> for RawResponses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ResponsesVisitor)
    }
}

struct ResponsesVisitor;

impl<'de> Visitor<'de> for ResponsesVisitor {
    type Value = RawResponses;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object of names and texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawResponses, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(RawResponses::Object(entries))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<RawResponses, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(RawResponses::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<RawResponses, E> {
        Ok(RawResponses::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<RawResponses, E> {
        Ok(RawResponses::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<RawResponses, E> {
        Ok(RawResponses::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<RawResponses, E> {
        Ok(RawResponses::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<RawResponses, E> {
        Ok(RawResponses::Other)
    }

    fn visit_unit<E>(self) -> Result<RawResponses, E> {
        Ok(RawResponses::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(line: &str) -> Item {
        let mut items = read(line.as_bytes());
        assert_eq!(items.len(), 1, "{line}");
        items.remove(0)
    }

    #[test]
    fn a_good_line_is_a_request() {
        let item = only(
            r#"{"id": "x", "principle": "p", "prompt": "q", "responses": {"b": "1", "a": ""}, "gold": [1]}"#,
        );
        let Content::Named(id, Ok(request)) = item.content else {
            panic!("{item:?}")
        };
        assert_eq!(id, Id::Text("x".to_owned()));
        let names: Vec<_> = request
            .responses()
            .iter()
            .map(|response| response.name.as_str())
            .collect();
        assert_eq!(names, ["b", "a"], "the order of the file is kept");
    }

    #[test]
    fn lines_without_an_id_of_their_own_are_kept_as_broken() {
        let check = |line: &str, expect: &str| match only(line).content {
            Content::Broken(why) => assert!(why.contains(expect), "{line}: {why}"),
            Content::Named(id, _) => panic!("{line}: read as the item {id}"),
        };
        check("no json", "expected a JSON object");
        check("[1]", "expected a JSON object");
        check(r#"{"id": "x""#, "not an item");
        check(r#"{"id": "x"} {"id": "y"}"#, "trailing characters");
        check(r#"{"id": "x", "id": "y"}"#, "duplicate field");
        check(r#"{"principle": "p"}"#, "the id is missing");
        check(r#"{"id": null}"#, "the id is missing");
        check(r#"{"id": 1.5}"#, "found a number");
        check(r#"{"id": ["x"]}"#, "found a list");
    }

    #[test]
    fn an_unusable_request_keeps_its_id_and_names_the_field() {
        let check = |rest: &str, expect: &str| {
            let line = format!(r#"{{"id": 7{rest}}}"#);
            match only(&line).content {
                Content::Named(Id::Number(_), Err(why)) => assert!(why.contains(expect), "{line}: {why}"),
                other => panic!("{line}: {other:?}"),
            }
        };
        check("", "principle is missing");
        check(
            r#", "principle": 3"#,
            "principle must be a string, found a number",
        );
        check(r#", "principle": "p""#, "prompt is missing");
        check(r#", "principle": "p", "prompt": null"#, "prompt is missing");
        check(r#", "principle": "p", "prompt": "q""#, "responses is missing");
        for other in [r#"["a"]"#, r#""a""#, "1", "-1", "1.5", "true"] {
            check(
                &format!(r#", "principle": "p", "prompt": "q", "responses": {other}"#),
                "an object",
            );
        }
        check(
            r#", "principle": "p", "prompt": "q", "responses": {"a": {}}"#,
            "responses.a must be a string, found an object",
        );
        check(
            r#", "principle": "p", "prompt": "q", "responses": {}"#,
            "responses",
        );
        check(
            r#", "principle": " ", "prompt": "q", "responses": {"a": "x"}"#,
            "principle",
        );
        check(
            r#", "principle": "p", "prompt": "q", "responses": {"a": "x", "a": "y"}"#,
            "a",
        );
    }

    #[test]
    fn blank_lines_count_but_are_no_items() {
        let items = read("\u{feff}\n  \r\n{\"id\": 1}\r\n\n{\"id\": 1}\nnot \u{fe}\n".as_bytes());
        let lines: Vec<_> = items.iter().map(|item| item.line).collect();
        assert_eq!(lines, [3, 5, 6]);
        let Content::Broken(why) = &items[1].content else {
            panic!("{items:?}")
        };
        assert_eq!(why, "the id 1 is taken by line 3");
        assert_eq!(items[1].key(), Key::Line(5));
    }

    #[test]
    fn bytes_that_are_no_text_break_only_their_line() {
        let items = read(b"\xff\xfe\n{\"id\": \"x\"}");
        assert!(matches!(&items[0].content, Content::Broken(why) if why.contains("not UTF-8")));
        assert_eq!(items[1].key(), Key::Id(Id::Text("x".to_owned())));
    }

    #[test]
    fn a_number_and_its_text_are_two_ids() {
        let items = read(b"{\"id\": 7}\n{\"id\": \"7\"}");
        assert_ne!(items[0].key(), items[1].key());
    }
}
