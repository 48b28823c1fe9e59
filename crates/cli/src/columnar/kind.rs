//! What the columns of a file are, found out from its lines. Of lines that do not go together it says which, where and why.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields};
use serde_json::Value;

/// What stands in a column or in a part of one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// Nothing but nulls so far.
    Unknown,
    Bool,
    Int,
    Double,
    Text,
    List(Box<Kind>),
    /// In the order in which the keys came up.
    Record(Vec<(String, Kind)>),
}

impl Kind {
    /// Makes room for one more value.
    ///
    /// # Errors
    /// It does not go into one column with those before; the message names the path to it.
    pub(super) fn widen(&mut self, value: &Value) -> Result<(), String> {
        if let Self::Unknown = self {
            *self = match value {
                Value::Null => Self::Unknown,
                Value::Bool(_) => Self::Bool,
                Value::Number(number) if number.is_i64() => Self::Int,
                Value::Number(_) => Self::Double,
                Value::String(_) => Self::Text,
                Value::Array(_) => Self::List(Box::new(Self::Unknown)),
                Value::Object(_) => Self::Record(Vec::new()),
            };
        }
        match (&mut *self, value) {
            (_, Value::Null) | (Self::Bool, Value::Bool(_)) | (Self::Text, Value::String(_)) => Ok(()),
            (Self::Int | Self::Double, Value::Number(number)) => {
                if !number.is_i64() {
                    *self = Self::Double;
                }
                Ok(())
            }
            (Self::List(inner), Value::Array(values)) => values
                .iter()
                .try_for_each(|value| inner.widen(value))
                .map_err(|why| format!("[]{why}")),
            (Self::Record(fields), Value::Object(entries)) => {
                for (key, value) in entries {
                    let at = fields.iter().position(|(name, _)| name == key);
                    let at = at.unwrap_or_else(|| {
                        fields.push((key.clone(), Self::Unknown));
                        fields.len() - 1
                    });
                    fields[at].1.widen(value).map_err(|why| format!(".{key}{why}"))?;
                }
                Ok(())
            }
            (kind, value) => Err(format!(
                ": found {}, where lines before have {}",
                told(value),
                kind.told()
            )),
        }
    }

    fn told(&self) -> &'static str {
        match self {
            Self::Unknown => "nothing",
            Self::Bool => "true or false",
            Self::Int | Self::Double => "a number",
            Self::Text => "a text",
            Self::List(_) => "a list",
            Self::Record(_) => "an object",
        }
    }

    /// The column that it is; what is never anything but null is one of texts. All is optional, so that a missing key and a
    /// null are one.
    ///
    /// # Errors
    /// It is an object without keys.
    pub(super) fn column(&self, name: &str) -> Result<Field, String> {
        let of = match self {
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Text | Self::Unknown => DataType::Utf8,
            Self::List(inner) => DataType::List(Arc::new(inner.column("element")?)),
            Self::Record(fields) if fields.is_empty() => {
                return Err(format!(
                    "{name} is never anything but an object without keys, which has no columns"
                ));
            }
            Self::Record(fields) => DataType::Struct(columns(fields)?),
        };
        Ok(Field::new(name, of, true))
    }
}

/// The columns of a record.
///
/// # Errors
/// One of its fields has none.
pub(super) fn columns(fields: &[(String, Kind)]) -> Result<Fields, String> {
    fields.iter().map(|(name, kind)| kind.column(name)).collect()
}

fn told(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_make_columns_together_or_say_why_not() {
        let mut kind = Kind::Unknown;
        for line in [
            json!({"a": 1, "b": null}),
            json!({"b": [{"c": "x"}], "a": 2.5}),
            json!({"b": []}),
        ] {
            kind.widen(&line).expect("it fits");
        }
        let inner = Kind::Record(vec![("c".to_owned(), Kind::Text)]);
        let expect = [
            ("a".to_owned(), Kind::Double),
            ("b".to_owned(), Kind::List(Box::new(inner))),
        ];
        assert_eq!(kind, Kind::Record(expect.to_vec()));
        let why = kind.widen(&json!({"b": [{"c": 1}]})).expect_err("a number");
        assert_eq!(why, ".b[].c: found a number, where lines before have a text");
        let mut empty = Kind::Unknown;
        empty.widen(&json!({"meta": {}})).expect("it fits so far");
        assert!(empty.column("row").is_err_and(|why| why.starts_with("meta")));
    }
}
