//! What the columns of a file are, found out from its lines, and how a line falls apart into them.
//!
//! Nested records are flattened as Parquet has it: each leaf is a column, and beside each of its entries stand two levels.
//! The definition level says how deep the path to it was there, the repetition level at which list it goes on. All is
//! optional, so that a missing key and a null are one.

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::ByteArray;
use parquet::schema::types::{Type, TypePtr};
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

    /// Columns that it takes.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::List(inner) => inner.width(),
            Self::Record(fields) => fields.iter().map(|(_, kind)| kind.width()).sum(),
            _ => 1,
        }
    }

    /// The part of a schema that it is. What is never anything but null is a text.
    ///
    /// # Errors
    /// It is an object without keys.
    pub(super) fn schema(&self, name: &str) -> Result<TypePtr, String> {
        let leaf =
            |physical| Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        let text = || leaf(Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String));
        let built = match self {
            Self::Bool => leaf(Physical::BOOLEAN).build(),
            Self::Int => leaf(Physical::INT64).build(),
            Self::Double => leaf(Physical::DOUBLE).build(),
            Self::Text | Self::Unknown => text().build(),
            Self::List(inner) => {
                let elements = Type::group_type_builder("list")
                    .with_repetition(Repetition::REPEATED)
                    .with_fields(vec![inner.schema("element")?])
                    .build()
                    .map_err(|error| error.to_string())?;
                Type::group_type_builder(name)
                    .with_repetition(Repetition::OPTIONAL)
                    .with_logical_type(Some(LogicalType::List))
                    .with_fields(vec![elements.into()])
                    .build()
            }
            Self::Record(fields) => {
                if fields.is_empty() {
                    return Err(format!(
                        "{name} is never anything but an object without keys, which has no columns"
                    ));
                }
                Type::group_type_builder(name)
                    .with_repetition(Repetition::OPTIONAL)
                    .with_fields(parts(fields)?)
                    .build()
            }
        };
        Ok(built.map_err(|error| error.to_string())?.into())
    }

    /// An empty column for each leaf.
    pub(super) fn columns(&self, nested: bool) -> Vec<Column> {
        let leaf = |cells| {
            vec![Column {
                cells,
                definitions: Vec::new(),
                repetitions: nested.then(Vec::new),
            }]
        };
        match self {
            Self::Bool => leaf(Cells::Bool(Vec::new())),
            Self::Int => leaf(Cells::Int(Vec::new())),
            Self::Double => leaf(Cells::Double(Vec::new())),
            Self::Text | Self::Unknown => leaf(Cells::Text(Vec::new())),
            Self::List(inner) => inner.columns(true),
            Self::Record(fields) => fields.iter().flat_map(|(_, kind)| kind.columns(nested)).collect(),
        }
    }

    /// Puts a value into its columns. It must have been [widened](Self::widen) by before.
    pub(super) fn shred(&self, value: &Value, at: Levels, columns: &mut [Column]) {
        let there = Levels {
            definition: at.definition + 1,
            ..at
        };
        match (self, value) {
            (Self::List(inner), Value::Array(values)) if !values.is_empty() => {
                for (place, value) in values.iter().enumerate() {
                    let at = Levels {
                        definition: there.definition + 1,
                        // The first element goes on where the list itself does, the others at the list.
                        repetition: if place == 0 { at.repetition } else { at.lists + 1 },
                        lists: at.lists + 1,
                    };
                    inner.shred(value, at, columns);
                }
            }
            (Self::List(_), Value::Array(_)) => columns.iter_mut().for_each(|column| column.nothing(there)),
            (Self::Record(fields), Value::Object(entries)) => {
                let mut rest = columns;
                for (key, kind) in fields {
                    let (own, others) = rest.split_at_mut(kind.width());
                    kind.shred(entries.get(key).unwrap_or(&Value::Null), there, own);
                    rest = others;
                }
            }
            (_, Value::Null) => columns.iter_mut().for_each(|column| column.nothing(at)),
            (_, value) => columns[0].push(value, there),
        }
    }
}

/// The fields of a record, as parts of a schema.
///
/// # Errors
/// One of them has no columns.
pub(super) fn parts(fields: &[(String, Kind)]) -> Result<Vec<TypePtr>, String> {
    fields.iter().map(|(name, kind)| kind.schema(name)).collect()
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

/// Where in a row a value stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Levels {
    pub(super) definition: i16,
    pub(super) repetition: i16,
    /// How many lists it is in.
    pub(super) lists: i16,
}

/// The values of a leaf, nulls left out, and the levels of every entry.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) cells: Cells,
    pub(super) definitions: Vec<i16>,
    /// `None` outside of lists.
    pub(super) repetitions: Option<Vec<i16>>,
}

#[derive(Debug)]
pub(super) enum Cells {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Double(Vec<f64>),
    Text(Vec<ByteArray>),
}

impl Column {
    fn nothing(&mut self, at: Levels) {
        self.definitions.push(at.definition);
        if let Some(repetitions) = &mut self.repetitions {
            repetitions.push(at.repetition);
        }
    }

    fn push(&mut self, value: &Value, at: Levels) {
        self.nothing(at);
        let kept = match &mut self.cells {
            Cells::Bool(cells) => value.as_bool().map(|cell| cells.push(cell)),
            Cells::Int(cells) => value.as_i64().map(|cell| cells.push(cell)),
            Cells::Double(cells) => value.as_f64().map(|cell| cells.push(cell)),
            Cells::Text(cells) => value
                .as_str()
                .map(|cell| cells.push(cell.as_bytes().to_vec().into())),
        };
        kept.expect("columns were widened by every value. This is a bug.");
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
        assert!(empty.schema("row").is_err_and(|why| why.starts_with("meta")));
    }

    #[test]
    fn levels_are_those_of_the_format() {
        // The worked example that the format's levels are commonly explained by: a list of lists.
        let mut kind = Kind::Unknown;
        let rows = [
            json!({"l": [["a", "b", "c"], ["d"]]}),
            json!({"l": [["e"], [], ["f", null]]}),
            json!({"l": []}),
            json!({}),
        ];
        for row in &rows {
            kind.widen(row).expect("it fits");
        }
        let Kind::Record(fields) = &kind else {
            panic!("{kind:?}")
        };
        let mut columns = fields[0].1.columns(false);
        for row in &rows {
            fields[0].1.shred(&row["l"], Levels::default(), &mut columns);
        }
        assert_eq!(columns[0].definitions, [5, 5, 5, 5, 5, 3, 5, 4, 1, 0]);
        assert_eq!(
            columns[0].repetitions.as_deref(),
            Some(&[0, 2, 2, 1, 0, 1, 1, 2, 0, 0][..])
        );
    }
}
