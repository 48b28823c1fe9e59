//! JSON as it stands: keys keep their order, and a key that is given twice is there twice.
//!
//! A map would drop one of two equal names in silence; here whoever reads them can refuse.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// What it is, in a sentence that says what was found.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    pub(crate) fn as_list(&self) -> Option<&[Tree]> {
        match self {
            Self::List(entries) => Some(entries),
            _ => None,
        }
    }
}

/// The value of a key; the error says that it is given twice.
pub(crate) fn only<'a>(entries: &'a [(String, Tree)], key: &str) -> Result<Option<&'a Tree>, String> {
    let mut found = entries
        .iter()
        .filter(|(name, _)| name == key)
        .map(|(_, value)| value);
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        _ => Err(format!("{key:?} is given twice")),
    }
}

impl From<&Tree> for Value {
    /// Of keys given twice the last stays.
    fn from(tree: &Tree) -> Self {
        match tree {
            Tree::Null => Value::Null,
            Tree::Bool(value) => Value::Bool(*value),
            Tree::Number(number) => Value::Number(number.clone()),
            Tree::Text(text) => Value::String(text.clone()),
            Tree::List(entries) => entries.iter().map(Value::from).collect(),
            Tree::Object(entries) => entries
                .iter()
                .map(|(key, value)| (key.clone(), Value::from(value)))
                .collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        // JSON has no other numbers than finite ones.
        Ok(Number::from_f64(value).map_or(Tree::Null, Tree::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(Tree::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_between_the_text_and_the_tree() {
        let text = r#"{"b": [1, -2, 2.5, null, true, "x"], "a": {}}"#;
        let tree: Tree = serde_json::from_str(text).unwrap();
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(Value::from(&tree).to_string(), value.to_string());
    }

    #[test]
    fn a_key_given_twice_is_there_twice() {
        let tree: Tree = serde_json::from_str(r#"{"a": 1, "a": 2, "b": 3}"#).unwrap();
        let Tree::Object(entries) = tree else {
            panic!("{tree:?}")
        };
        assert_eq!(entries.len(), 3);
        assert_eq!(only(&entries, "a"), Err("\"a\" is given twice".to_owned()));
        assert_eq!(only(&entries, "b").unwrap().and_then(Tree::as_f64), Some(3.0));
        assert_eq!(only(&entries, "c"), Ok(None));
    }
}
