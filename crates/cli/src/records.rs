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
use rewardanything_core::record;
pub(crate) use rewardanything_core::record::number;

use crate::items::{Id, Key};

/// What became of one item; `seconds` is the time of the item's batch, shared out equally, so that the sum is the time
/// of the run.
pub(crate) type Record = record::Record<Id>;

/// A record of an item without a verdict. Where it names no id, its message begins with `line N: `, which is how such
/// records are found again.
pub(crate) fn failed(key: &Key, kind: &str, message: &str, model: &str) -> Record {
    let (id, message) = match key {
        Key::Id(id) => (Some(id.clone()), message.to_owned()),
        Key::Line(line) => (None, format!("line {line}: {message}")),
    };
    Record::without_verdict(id, kind, message, model)
}

/// What a record goes by; `None` if it has neither an id nor a message that begins with `line N: `.
fn key(record: &Record) -> Option<Key> {
    if let Some(id) = &record.id {
        return Some(Key::Id(id.clone()));
    }
    let message = &record.error.as_ref()?.message;
    let (number, _) = message.strip_prefix("line ")?.split_once(": ")?;
    Some(Key::Line(number.parse().ok()?))
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
        let key = key(&record).with_context(|| format!("line {number} has no id and names no input line"))?;
        stored.push(Stored {
            key,
            start: start as u64,
            length: line.trim_ascii_end().len(),
            failed: record.error.is_some(),
        });
    }
    Ok((stored, end))
}
