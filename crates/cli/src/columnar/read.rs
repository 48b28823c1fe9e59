//! Rows of a file as lines of JSON, one at a time.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;

use anyhow::{Context as _, Result};
use parquet::file::reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use serde_json::{Map, Value};

use crate::records::number;

/// The rows of a file as lines.
///
/// # Errors
/// The file cannot be read or is no Parquet.
pub(super) fn lines(path: &Path) -> Result<Box<dyn BufRead>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let reader =
        SerializedFileReader::new(file).with_context(|| format!("{} is no Parquet", path.display()))?;
    Ok(Box::new(Rows {
        rows: RowIter::from_file_into(Box::new(reader)),
        line: Vec::new(),
        read: 0,
    }))
}

struct Rows {
    rows: RowIter<'static>,
    line: Vec<u8>,
    /// Bytes of the line that were taken.
    read: usize,
}

impl BufRead for Rows {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.line.len() {
            self.read = 0;
            self.line.clear();
            if let Some(row) = self.rows.next() {
                let row = object(row.map_err(io::Error::other)?).map_err(io::Error::other)?;
                self.line = (Value::Object(named(row)).to_string() + "\n").into_bytes();
            }
        }
        Ok(&self.line[self.read..])
    }

    fn consume(&mut self, bytes: usize) {
        self.read += bytes;
    }
}

impl Read for Rows {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let taken = self.fill_buf()?.read(into)?;
        self.consume(taken);
        Ok(taken)
    }
}

/// A row without its nulls: a column that is there for others says nothing of this one.
fn object(row: Row) -> Result<Map<String, Value>, String> {
    let mut entries = Map::new();
    for (name, field) in row.into_columns() {
        let value = value(field).map_err(|why| format!("{name}: {why}"))?;
        if !value.is_null() {
            entries.insert(name, value);
        }
    }
    Ok(entries)
}

fn value(field: Field) -> Result<Value, String> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => value.into(),
        Field::Byte(value) => value.into(),
        Field::Short(value) => value.into(),
        Field::Int(value) => value.into(),
        Field::Long(value) => value.into(),
        Field::UByte(value) => value.into(),
        Field::UShort(value) => value.into(),
        Field::UInt(value) => value.into(),
        Field::ULong(value) => value.into(),
        Field::Float16(value) => double(value.to_f64()),
        // By its shortest decimal, which is the number that was meant.
        Field::Float(value) => double(value.to_string().parse().unwrap_or_else(|_| value.into())),
        Field::Double(value) => double(value),
        Field::Str(value) => value.into(),
        Field::Bytes(bytes) => std::str::from_utf8(bytes.data())
            .map_err(|_| "bytes that are no text")?
            .into(),
        Field::Group(row) => object(row)?.into(),
        Field::ListInternal(list) => list
            .elements()
            .iter()
            .cloned()
            .map(value)
            .collect::<Result<_, _>>()?,
        Field::MapInternal(map) => {
            let mut entries = Map::new();
            for (key, of) in map.entries() {
                let Field::Str(key) = key else {
                    return Err("keys of a map that are no texts".to_owned());
                };
                entries.insert(key.clone(), value(of.clone())?);
            }
            entries.into()
        }
        // Dates, times and decimals, as they are written.
        other => other.to_string().into(),
    })
}

/// Not a number is how some tables say that there is none.
fn double(value: f64) -> Value {
    if value.is_finite() {
        number(value)
    } else {
        Value::Null
    }
}

/// A row with objects by name where the item format has them. Lists that are not of this shape stay.
fn named(mut row: Map<String, Value>) -> Map<String, Value> {
    if let Some(responses) = row.get_mut("responses") {
        by_name(responses, "text");
    }
    if let Some(scores) = row.get_mut("gold").and_then(|gold| gold.get_mut("scores")) {
        by_name(scores, "score");
    }
    row
}

fn by_name(value: &mut Value, key: &str) {
    let Value::Array(list) = &*value else { return };
    let mut entries = Map::new();
    for entry in list {
        let Some(entry) = entry.as_object().filter(|entry| entry.len() == 2) else {
            return;
        };
        let (Some(name), Some(held)) = (entry.get("name").and_then(Value::as_str), entry.get(key)) else {
            return;
        };
        if entries.insert(name.to_owned(), held.clone()).is_some() {
            return;
        }
    }
    if !entries.is_empty() {
        *value = entries.into();
    }
}
