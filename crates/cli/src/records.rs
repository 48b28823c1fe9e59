//! The output of a run over a file: one record a line, in the order of the input.
//!
//! While a run goes on the file is a log: records are appended and flushed, and a later record of the same key
//! stands for an earlier one. A run that ends leaves the records in the order of the input, one for each item;
//! only where appending did not give that order is the file written anew, beside itself, and moved into place.
//! So whatever moment a run is stopped at, what was judged is in the file, and a torn last line is all that can
//! be lost.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::items::{Id, Key};

/// What became of one item. The order of the fields is the order on the line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The item's id; `None` for a line that names no id of its own.
    pub(crate) id: Option<Id>,
    /// Score of each response by its name, in the item's order; empty where there is an error.
    pub(crate) scores: Map<String, Value>,
    /// Names of the responses, best first.
    pub(crate) ranking: Vec<String>,
    /// What the judge wrote before its verdict.
    pub(crate) reasoning: String,
    /// Why there is no verdict.
    pub(crate) error: Option<Failure>,
    /// What had to be repaired to read the reply.
    pub(crate) repairs: Vec<Value>,
    /// The model that was asked.
    pub(crate) model: String,
    /// What the model read and wrote.
    pub(crate) usage: Usage,
    /// Seconds spent: the time of the item's batch, shared out equally, so that the sum is the time of the run.
    pub(crate) seconds: f64,
    /// For each response whose score the model's probabilities are known of: their mean, their entropy in nats, and
    /// themselves, from 1 to 5.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) soft: Map<String, Value>,
    /// What several runs over the item had in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) votes: Option<Tally>,
}

/// Several runs over one item. Shares are from 0 to 1, to four places.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// How many runs there were.
    pub(crate) asked: usize,
    /// How many gave a verdict.
    pub(crate) answered: usize,
    /// The chance that two of them order two responses alike.
    pub(crate) agreement: Option<f64>,
    /// The share of them that give the winner the highest score.
    pub(crate) confidence: Option<f64>,
}

/// Why an item has no verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// A word for programs: `input` (no item on this line), `request` (an unusable one), or the kind of the
    /// judge's error.
    pub(crate) kind: String,
    /// A sentence for people. For kind `input` it begins with `line N: `, which is how such records are found
    /// again.
    pub(crate) message: String,
}

/// Tokens of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Tokens the model read.
    pub(crate) prompt_tokens: usize,
    /// Tokens it wrote.
    pub(crate) completion_tokens: usize,
}

impl Record {
    /// A record of an item without a verdict.
    pub(crate) fn failed(key: &Key, kind: &str, message: &str, model: &str) -> Self {
        let (id, message) = match key {
            Key::Id(id) => (Some(id.clone()), message.to_owned()),
            Key::Line(line) => (None, format!("line {line}: {message}")),
        };
        Record {
            id,
            scores: Map::new(),
            ranking: Vec::new(),
            reasoning: String::new(),
            error: Some(Failure {
                kind: kind.to_owned(),
                message,
            }),
            repairs: Vec::new(),
            model: model.to_owned(),
            usage: Usage::default(),
            seconds: 0.0,
            soft: Map::new(),
            votes: None,
        }
    }

    /// The record as a line, with its line break.
    pub(crate) fn line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("a record is plain data. This is a bug.");
        line.push('\n');
        line
    }

    /// What the record goes by; `None` if it has neither an id nor a message that begins with `line N: `.
    fn key(&self) -> Option<Key> {
        if let Some(id) = &self.id {
            return Some(Key::Id(id.clone()));
        }
        let message = &self.error.as_ref()?.message;
        let (number, _) = message.strip_prefix("line ")?.split_once(": ")?;
        Some(Key::Line(number.parse().ok()?))
    }
}

/// A score as JSON: a whole number without a decimal point.
pub(crate) fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        Value::from(value as i64)
    } else {
        Value::from(value)
    }
}

/// A record in the file: where it lies there. Its text is left on disk, so that memory does not grow with it.
#[derive(Debug, Clone)]
struct Stored {
    key: Key,
    start: u64,
    length: usize,
    failed: bool,
}

/// An output file: what it holds, and a place to add to it.
///
/// The file is locked while this lives, so that two runs cannot write into one another.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    stored: Vec<Stored>,
    /// Where the next record begins.
    end: u64,
}

impl Log {
    /// Begins an output.
    ///
    /// # Errors
    /// The file already holds something, is in use, or cannot be written.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let (file, bytes) = open(path)?;
        ensure!(
            bytes.is_empty(),
            "{} exists and is not empty; --resume goes on with it, --retry-failed judges its failed items again",
            path.display()
        );
        Ok(Log {
            path: path.to_owned(),
            file,
            stored: Vec::new(),
            end: 0,
        })
    }

    /// Goes on with an output, or begins it where there is none. A torn last line is cut off the file.
    ///
    /// # Errors
    /// A line is no record, a record was made by a model other than `model`, or the file is in use or cannot be
    /// written. The file is not touched then.
    pub(crate) fn resume(path: &Path, model: &str) -> Result<Self> {
        let (mut file, bytes) = open(path)?;
        let (stored, end) =
            parse(&bytes, model).with_context(|| format!("cannot resume {}", path.display()))?;
        if end < bytes.len() {
            file.set_len(end as u64)
                .with_context(|| format!("cannot write {}", path.display()))?;
            file.seek(SeekFrom::End(0))?;
        }
        let mut length = end as u64;
        if end > 0 && bytes[end - 1] != b'\n' {
            file.write_all(b"\n")
                .with_context(|| format!("cannot write {}", path.display()))?;
            length += 1;
        }
        Ok(Log {
            path: path.to_owned(),
            file,
            stored,
            end: length,
        })
    }

    /// What the file holds by key: whether that item failed. The last record of a key counts.
    pub(crate) fn finished(&self) -> HashMap<&Key, bool> {
        self.stored
            .iter()
            .map(|stored| (&stored.key, stored.failed))
            .collect()
    }

    /// Appends records and flushes them.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn append(&mut self, records: Vec<(Key, Record)>) -> Result<()> {
        let mut text = String::new();
        for (key, record) in records {
            let line = record.line();
            self.stored.push(Stored {
                key,
                start: self.end + text.len() as u64,
                length: line.trim_end().len(),
                failed: record.error.is_some(),
            });
            text.push_str(&line);
        }
        self.end += text.len() as u64;
        // One write for the whole batch: the file has no buffer of ours, so the lines are the system's now.
        self.file
            .write_all(text.as_bytes())
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Ends a run: the file holds the last record of each of `keys`, in this order, and no other.
    ///
    /// # Errors
    /// The file cannot be written anew; it then still holds all records.
    pub(crate) fn finish(mut self, keys: &[Key]) -> Result<()> {
        let in_order = self.stored.len() == keys.len()
            && self
                .stored
                .iter()
                .zip(keys)
                .all(|(stored, key)| stored.key == *key);
        if in_order {
            return Ok(());
        }
        let last: HashMap<&Key, &Stored> = self.stored.iter().map(|stored| (&stored.key, stored)).collect();
        let file = &mut self.file;
        let mut line = |stored: &Stored| -> io::Result<Vec<u8>> {
            let mut line = vec![0; stored.length];
            file.seek(SeekFrom::Start(stored.start))?;
            file.read_exact(&mut line)?;
            line.push(b'\n');
            Ok(line)
        };
        let mut write = || -> Result<()> {
            // Moving a file onto a link would replace the link.
            let path = self.path.canonicalize()?;
            let folder = path.parent().context("a file has a folder")?;
            let mut fresh = BufWriter::new(tempfile::NamedTempFile::new_in(folder)?);
            for key in keys {
                if let Some(stored) = last.get(key) {
                    fresh.write_all(&line(stored)?)?;
                }
            }
            let fresh = fresh.into_inner().map_err(io::IntoInnerError::into_error)?;
            fresh.as_file().set_permissions(path.metadata()?.permissions())?;
            fresh.as_file().sync_all()?;
            fresh.persist(&path)?;
            Ok(())
        };
        write().with_context(|| format!("cannot put {} in order", self.path.display()))
    }
}

fn open(path: &Path) -> Result<(File, Vec<u8>)> {
    let read = || -> io::Result<(File, Vec<u8>)> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut bytes = Vec::new();
        file.try_lock()?;
        file.read_to_end(&mut bytes)?;
        Ok((file, bytes))
    };
    read().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => anyhow::anyhow!("{} is being written by another run", path.display()),
        _ => anyhow::Error::new(error).context(format!("cannot write {}", path.display())),
    })
}

/// The records in `bytes`, and where the last whole one ends.
fn parse(bytes: &[u8], model: &str) -> Result<(Vec<Stored>, usize)> {
    let mut stored = Vec::new();
    let mut end = 0;
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        let start = end;
        end += line.len();
        if line.trim_ascii().is_empty() {
            continue;
        }
        let record = match serde_json::from_slice::<Record>(line) {
            Ok(record) => record,
            // Only a last line without a line break can be torn; anything else is not ours to drop.
            Err(_) if !line.ends_with(b"\n") => return Ok((stored, start)),
            Err(error) => bail!("line {number} is not a record of this program: {error}"),
        };
        ensure!(
            record.model == model,
            "line {number} was judged by the model `{}`, this run asks `{model}`; judge into another file, or name \
             that model",
            record.model
        );
        let key = record
            .key()
            .with_context(|| format!("line {number} has no id and names no input line"))?;
        stored.push(Stored {
            key,
            start: start as u64,
            length: line.trim_ascii_end().len(),
            failed: record.error.is_some(),
        });
    }
    Ok((stored, end))
}
