//! The keys of a line, each of any type, so that a wrong one can be named.
//!
//! # Prompts of several messages
//!
//! A judge reads a prompt as one text. A single message of the user is its content; anything longer is the turns in
//! order with a blank line between them, each after the name of its speaker: `User: …`, `Assistant: …`, `System: …`.

use rewardanything_core::{Message, Response, Role};
use serde::Deserialize;
use serde_json::Value;

use crate::item::{Labels, VERSION};
use crate::tree::{Tree, only};

/// The keys that the reader knows; others are ignored.
pub const KEYS: [&str; 15] = [
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
    "difficulty",
    "kind",
    "new_quality",
    "source",
    "licence",
];

#[derive(Debug, Deserialize)]
pub(crate) struct RawItem {
    version: Option<Tree>,
    pub(crate) id: Option<Tree>,
    pub(crate) principle: Option<Tree>,
    pub(crate) prompt: Option<Tree>,
    pub(crate) responses: Option<Tree>,
    pub(crate) gold: Option<Tree>,
    category: Option<Tree>,
    domain: Option<Tree>,
    subset: Option<Tree>,
    measure: Option<Tree>,
    difficulty: Option<Tree>,
    kind: Option<Tree>,
    new_quality: Option<Tree>,
    source: Option<Tree>,
    licence: Option<Tree>,
}

impl RawItem {
    /// Where the item belongs.
    pub(crate) fn labels(&self) -> Result<Labels, String> {
        Ok(Labels {
            category: label("category", self.category.as_ref())?,
            domain: label("domain", self.domain.as_ref())?,
            subset: label("subset", self.subset.as_ref())?,
            measure: label("measure", self.measure.as_ref())?,
            difficulty: label("difficulty", self.difficulty.as_ref())?,
            kind: label("kind", self.kind.as_ref())?,
            new_quality: flag("new_quality", self.new_quality.as_ref())?,
            source: label("source", self.source.as_ref())?,
            licence: label("licence", self.licence.as_ref())?,
        })
    }

    /// Where the item belongs, as far as its labels are texts: in lines that are no items of ours, the same keys may
    /// mean anything.
    pub(crate) fn textual_labels(&self) -> Labels {
        let text = |value: &Option<Tree>| value.as_ref().and_then(Tree::as_text).map(str::to_owned);
        Labels {
            category: text(&self.category),
            domain: text(&self.domain),
            subset: text(&self.subset),
            measure: text(&self.measure),
            difficulty: text(&self.difficulty),
            kind: text(&self.kind),
            new_quality: match self.new_quality {
                Some(Tree::Bool(new)) => Some(new),
                _ => None,
            },
            source: text(&self.source),
            licence: text(&self.licence),
        }
    }

    pub(crate) fn check_version(&self) -> Result<(), String> {
        match &self.version {
            None => Ok(()),
            Some(Tree::Number(version)) if version.as_u64() == Some(VERSION) => Ok(()),
            Some(other) => Err(format!("version must be {VERSION}, found {}", Value::from(other))),
        }
    }
}

pub(crate) fn parse(text: &str) -> Result<RawItem, String> {
    if !text.trim_start().starts_with('{') {
        return Err("expected a JSON object".to_owned());
    }
    serde_json::from_str(text).map_err(|error| format!("not an item: {error}"))
}

pub(crate) fn string(field: &str, value: Option<&Tree>) -> Result<String, String> {
    match value {
        Some(Tree::Text(text)) => Ok(text.clone()),
        None => Err(format!("{field} is missing")),
        Some(other) => Err(format!("{field} must be a string, found {}", other.kind())),
    }
}

/// A label may be left out or be null.
fn label(field: &str, value: Option<&Tree>) -> Result<Option<String>, String> {
    match value {
        None | Some(Tree::Null) => Ok(None),
        some => string(field, some).map(Some),
    }
}

/// A flag may be left out or be null.
fn flag(field: &str, value: Option<&Tree>) -> Result<Option<bool>, String> {
    match value {
        None | Some(Tree::Null) => Ok(None),
        Some(Tree::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(format!("{field} must be a boolean, found {}", other.kind())),
    }
}

pub(crate) fn prompt(value: Option<&Tree>) -> Result<String, String> {
    match value {
        Some(Tree::Text(text)) => Ok(text.clone()),
        Some(Tree::List(turns)) => talk(&turns.iter().map(Value::from).collect::<Vec<_>>()),
        None => Err("prompt is missing".to_owned()),
        Some(other) => Err(format!(
            "prompt must be a string or a list of messages, found {}",
            other.kind()
        )),
    }
}

/// The messages of a chat, `[{role, content}, …]`, as the one text that a judge reads; see the module.
///
/// # Errors
/// One of them is no message; the error says which, and what it must be.
pub fn talk(turns: &[Value]) -> Result<String, String> {
    let message = |(index, turn): (usize, &Value)| {
        Message::deserialize(turn).map_err(|error| {
            format!(
                "prompt[{index}] must be {{role, content}} with the role system, user or assistant: {error}"
            )
        })
    };
    let messages = turns
        .iter()
        .enumerate()
        .map(message)
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

pub(crate) fn responses(value: Option<&Tree>) -> Result<Vec<Response>, String> {
    match value {
        None | Some(Tree::Null) => Err("responses is missing".to_owned()),
        Some(Tree::Object(entries)) => entries
            .iter()
            .map(|(name, text)| {
                Ok(Response {
                    name: name.clone(),
                    text: string(&format!("responses.{name}"), Some(text))?,
                })
            })
            .collect(),
        Some(Tree::List(entries)) => listed(entries),
        Some(_) => Err(shape()),
    }
}

/// Responses in a list go by their name, else by their model; one without, or whose name is taken, by its place.
fn listed(entries: &[Tree]) -> Result<Vec<Response>, String> {
    let mut responses: Vec<Response> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let Tree::Object(entry) = entry else {
            return Err(shape());
        };
        let field = |key: &str| only(entry, key).map_err(|why| format!("responses[{index}]: {why}"));
        let text = string(&format!("responses[{index}].text"), field("text")?)?;
        let (name, model) = (field("name")?, field("model")?);
        let own = [name, model]
            .into_iter()
            .flatten()
            .find_map(Tree::as_text)
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
