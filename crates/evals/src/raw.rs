//! The keys of a line, each of any type, so that a wrong one can be named.
//!
//! # Prompts of several messages
//!
//! A judge reads a prompt as one text. A single message of the user is its content; anything longer is the turns in
//! order with a blank line between them, each after the name of its speaker: `User: …`, `Assistant: …`, `System: …`.

use std::fmt;

use rewardanything_core::{Message, Response, Role};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::item::{Labels, VERSION};

/// The keys that the reader knows; others are ignored.
pub const KEYS: [&str; 12] = [
    "version",
    "id",
    "principle",
    "prompt",
    "responses",
    "gold",
    "category",
    "domain",
    "subset",
    "measure",
    "source",
    "licence",
];

#[derive(Debug, Deserialize)]
pub(crate) struct RawItem {
    version: Option<Value>,
    pub(crate) id: Option<Value>,
    pub(crate) principle: Option<Value>,
    pub(crate) prompt: Option<Value>,
    pub(crate) responses: Option<RawResponses>,
    pub(crate) gold: Option<Value>,
    category: Option<Value>,
    domain: Option<Value>,
    subset: Option<Value>,
    measure: Option<Value>,
    source: Option<Value>,
    licence: Option<Value>,
}

impl RawItem {
    /// Where the item belongs.
    pub(crate) fn labels(&self) -> Result<Labels, String> {
        Ok(Labels {
            category: label("category", self.category.as_ref())?,
            domain: label("domain", self.domain.as_ref())?,
            subset: label("subset", self.subset.as_ref())?,
            measure: label("measure", self.measure.as_ref())?,
            source: label("source", self.source.as_ref())?,
            licence: label("licence", self.licence.as_ref())?,
        })
    }

    /// Where the item belongs, as far as its labels are texts: in lines that are no items of ours, the same keys may
    /// mean anything.
    pub(crate) fn textual_labels(&self) -> Labels {
        let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
        Labels {
            category: text(&self.category),
            domain: text(&self.domain),
            subset: text(&self.subset),
            measure: text(&self.measure),
            source: text(&self.source),
            licence: text(&self.licence),
        }
    }

    pub(crate) fn check_version(&self) -> Result<(), String> {
        match &self.version {
            None => Ok(()),
            Some(version) if version.as_u64() == Some(VERSION) => Ok(()),
            Some(other) => Err(format!("version must be {VERSION}, found {other}")),
        }
    }
}

pub(crate) fn parse(text: &str) -> Result<RawItem, String> {
    if !text.trim_start().starts_with('{') {
        return Err("expected a JSON object".to_owned());
    }
    serde_json::from_str(text).map_err(|error| format!("not an item: {error}"))
}

pub(crate) fn string(field: &str, value: Option<&Value>) -> Result<String, String> {
    match value {
        Some(Value::String(text)) => Ok(text.clone()),
        None => Err(format!("{field} is missing")),
        Some(other) => Err(format!("{field} must be a string, found {}", kind(other))),
    }
}

/// A label may be left out or be null.
fn label(field: &str, value: Option<&Value>) -> Result<Option<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(format!("{field} must be a string, found {}", kind(other))),
    }
}

pub(crate) fn prompt(value: Option<&Value>) -> Result<String, String> {
    let Some(Value::Array(turns)) = value else {
        return match value {
            Some(Value::String(text)) => Ok(text.clone()),
            None => Err("prompt is missing".to_owned()),
            Some(other) => Err(format!(
                "prompt must be a string or a list of messages, found {}",
                kind(other)
            )),
        };
    };
    let messages = turns
        .iter()
        .enumerate()
        .map(|(index, turn)| {
            Message::deserialize(turn).map_err(|error| {
                format!("prompt[{index}] must be {{role, content}} with the role system, user or assistant: {error}")
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(as_text(&messages))
}

/// Messages as the one text that a judge reads; see the module.
///
/// ```
/// use rewardanything_core::{Message, Role};
/// use rewardanything_evals::raw::as_text;
///
/// let says = |role, content: &str| Message { role, content: content.to_owned() };
/// assert_eq!(as_text(&[says(Role::User, "Hi.")]), "Hi.");
/// let talk = [says(Role::User, "Hi."), says(Role::Assistant, "Hello."), says(Role::User, "Bye.")];
/// assert_eq!(as_text(&talk), "User: Hi.\n\nAssistant: Hello.\n\nUser: Bye.");
/// ```
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

pub(crate) fn responses(value: Option<&RawResponses>) -> Result<Vec<Response>, String> {
    match value.ok_or("responses is missing")? {
        RawResponses::Object(entries) => entries
            .iter()
            .map(|(name, text)| {
                Ok(Response {
                    name: name.clone(),
                    text: text_of(&format!("responses.{name}"), text)?,
                })
            })
            .collect(),
        RawResponses::List(entries) => listed(entries),
        RawResponses::Other => Err(shape()),
    }
}

/// Responses in a list go by their name, else by their model; one without, or whose name is taken, by its place.
fn listed(entries: &[Value]) -> Result<Vec<Response>, String> {
    let mut responses: Vec<Response> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let object = entry.as_object().ok_or_else(shape)?;
        let text = text_of(
            &format!("responses[{index}].text"),
            object.get("text").unwrap_or(&Value::Null),
        )?;
        let own = ["name", "model"]
            .iter()
            .find_map(|key| object.get(*key)?.as_str())
            .filter(|name| {
                !name.trim().is_empty() && responses.iter().all(|response| response.name != **name)
            });
        responses.push(Response {
            name: own.map_or_else(|| format!("response-{}", index + 1), str::to_owned),
            text,
        });
    }
    Ok(responses)
}

fn shape() -> String {
    "responses must be an object {name: text} or a list of {text, model}".to_owned()
}

fn text_of(field: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(format!("{field} must be a string, found {}", kind(other))),
    }
}

pub(crate) fn kind(value: &Value) -> &'static str {
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
pub(crate) enum RawResponses {
    /// `{name: text, …}`.
    Object(Vec<(String, Value)>),
    /// `[{text, model}, …]`.
    List(Vec<Value>),
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawResponses, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(RawResponses::List(entries))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawResponses, D::Error> {
        IgnoredAny::deserialize(deserializer)?;
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
