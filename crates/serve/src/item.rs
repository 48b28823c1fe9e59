//! A request as callers write it: the item format of files, with an id that may be left out.
//!
//! The prompt is a text or a list of chat messages, the responses are `{name: text}` or a list of `{text, name|model}`.
//! Other keys are ignored.

use std::fmt;

use rewardanything_core::{JudgeRequest, Message, Response, Role};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An item that was read: its id, and its request or why it is unusable.
#[derive(Debug, PartialEq)]
pub struct Item {
    /// A string or a whole number; `None` where there is none.
    pub id: Option<Value>,
    /// What is to be judged.
    pub request: Result<JudgeRequest, String>,
}

#[derive(Debug, Deserialize)]
struct Raw {
    #[serde(default)]
    id: Value,
    version: Option<Value>,
    principle: Option<Value>,
    prompt: Option<Value>,
    responses: Option<RawResponses>,
}

impl Item {
    /// Reads one JSON object.
    ///
    /// # Errors
    /// The text is no JSON object, or its id is neither a string nor a whole number; the message says which.
    ///
    /// ```
    /// use rewardanything_serve::item::Item;
    ///
    /// let item = Item::read(br#"{"principle": "p", "prompt": "q", "responses": {"a": "x"}}"#)?;
    /// assert_eq!(item.request?.responses()[0].name, "a");
    /// assert!(Item::read(b"[]").is_err());
    /// # Ok::<(), String>(())
    /// ```
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8: {error}"))?;
        if !text.trim_start().starts_with('{') {
            return Err("expected a JSON object".to_owned());
        }
        let raw: Raw = serde_json::from_str(text).map_err(|error| format!("not an item: {error}"))?;
        let id = match &raw.id {
            Value::Null => None,
            Value::String(_) => Some(raw.id.clone()),
            Value::Number(number) if !number.is_f64() => Some(raw.id.clone()),
            other => {
                return Err(format!(
                    "the id must be a string or a whole number, found {}",
                    kind(other)
                ));
            }
        };
        Ok(Self {
            id,
            request: request(raw),
        })
    }
}

fn request(raw: Raw) -> Result<JudgeRequest, String> {
    if let Some(version) = raw.version.filter(|version| version.as_u64() != Some(1)) {
        return Err(format!("version must be 1, found {version}"));
    }
    let principle = string("principle", raw.principle)?;
    let prompt = prompt(raw.prompt)?;
    let responses = match raw.responses.ok_or("responses is missing")? {
        RawResponses::Object(entries) => entries
            .into_iter()
            .map(|(name, text)| {
                let text = string(&format!("responses.{name}"), Some(text))?;
                Ok(Response { name, text })
            })
            .collect::<Result<_, String>>()?,
        RawResponses::List(entries) => listed(entries)?,
        RawResponses::Other => return Err(shape()),
    };
    JudgeRequest::new(principle, prompt, responses).map_err(|error| error.to_string())
}

/// Responses in a list go by their name, else by their model; one without, or whose name is taken, by its place.
fn listed(entries: Vec<Value>) -> Result<Vec<Response>, String> {
    let mut responses: Vec<Response> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let Value::Object(mut entry) = entry else {
            return Err(shape());
        };
        let own = ["name", "model"]
            .iter()
            .find_map(|key| entry.get(*key)?.as_str())
            .filter(|name| {
                !name.trim().is_empty() && responses.iter().all(|response| response.name != **name)
            });
        let name = own.map_or_else(|| format!("response-{}", index + 1), str::to_owned);
        let text = string(&format!("responses[{index}].text"), entry.remove("text"))?;
        responses.push(Response { name, text });
    }
    Ok(responses)
}

fn shape() -> String {
    "responses must be an object {name: text} or a list of {text, model}".to_owned()
}

/// A prompt, or the messages of a chat as the one text that a judge reads.
///
/// # Errors
/// It is neither; the message says what was found.
pub fn prompt(value: Option<Value>) -> Result<String, String> {
    match value {
        Some(Value::Array(turns)) => {
            let messages = turns
                .iter()
                .enumerate()
                .map(|(index, turn)| {
                    Message::deserialize(turn).map_err(|error| {
                        format!(
                            "prompt[{index}] must be {{role, content}} with the role system, user or assistant: {error}"
                        )
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
            Ok(as_text(&messages))
        }
        Some(Value::String(text)) => Ok(text),
        None => Err("prompt is missing".to_owned()),
        Some(other) => Err(format!(
            "prompt must be a string or a list of messages, found {}",
            kind(&other)
        )),
    }
}

/// A single message of the user is its content; anything longer is the turns in order with a blank line between them,
/// each after the name of its speaker.
pub fn as_text(messages: &[Message]) -> String {
    if let [
        Message {
            role: Role::User,
            content,
        },
    ] = messages
    {
        return content.clone();
    }
    let turns: Vec<String> = messages
        .iter()
        .map(|message| {
            let speaker = match message.role {
                Role::System => "System",
                Role::User => "User",
                Role::Assistant => "Assistant",
            };
            format!("{speaker}: {}", message.content)
        })
        .collect();
    turns.join("\n\n")
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

/// The responses as they stand, in order. A map type would drop the first of two equal names in silence; this keeps
/// both, so that the request can refuse them.
#[derive(Debug)]
enum RawResponses {
    Object(Vec<(String, Value)>),
    List(Vec<Value>),
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawResponses, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(RawResponses::List(entries))
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

    #[test]
    fn what_is_wrong_is_named() {
        let check = |body: &str, expect: &str| {
            let said = match Item::read(body.as_bytes()) {
                Err(why) => why,
                Ok(item) => item.request.map_or_else(|why| why, |_| "fine".to_owned()),
            };
            assert!(said.contains(expect), "{body}: {said}");
        };
        let with = |responses: &str| format!(r#"{{"principle":"p","prompt":"q","responses":{responses}}}"#);
        check(&with(r#"{"a":"x","b":""}"#), "fine");
        check(
            &with(r#"[{"text":"x"},{"text":"y","model":"m"},{"text":"z","model":"m"}]"#),
            "fine",
        );
        check(&with(r#"{"a":"x","a":"y"}"#), "responses[1].name");
        check(
            &with(r#"{"a":3}"#),
            "responses.a must be a string, found a number",
        );
        check(&with("7"), "responses must be an object");
        check(&with("null"), "responses is missing");
        check(&with("{}"), "responses: expected something");
        check("[1]", "expected a JSON object");
        check("{", "not an item");
        check(r#"{"id": 1.5}"#, "the id must be");
        check(r#"{"version": 2}"#, "version must be 1");
        check(r#"{"principle": "p"}"#, "prompt is missing");
    }

    #[test]
    fn messages_become_one_text() {
        let body = br#"{"id": 7, "principle": "p", "prompt": [{"role": "system", "content": "s"},
            {"role": "user", "content": "u"}], "responses": [{"text": "x"}]}"#;
        let item = Item::read(body).unwrap();
        assert_eq!(item.id, Some(Value::from(7)));
        let request = item.request.unwrap();
        assert_eq!(request.prompt(), "System: s\n\nUser: u");
        assert_eq!(request.responses()[0].name, "response-1");
    }
}
