//! Lines of JSON into columns.
//!
//! What the columns are is known when the last line is, so lines wait in a file without a name, and are read from there
//! twice: memory holds one group of rows, however many there are.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use arrow_json::reader::{Decoder, ReaderBuilder};
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value, json};

use super::kind::{Kind, columns};

/// Rows that are turned into columns at a time.
const BATCH: usize = 1024;
/// Bytes of lines in a group of rows: what readers have to hold at once.
const GROUP: usize = 32 << 20;

/// A file that is being written.
pub(crate) struct Table {
    out: File,
    waiting: BufWriter<File>,
}

impl Table {
    /// A table that will be written to `out`, which is empty.
    ///
    /// # Errors
    /// There is no room for lines to wait in.
    pub(super) fn new(out: File) -> Result<Self> {
        let waiting = tempfile::tempfile().context("cannot create a file for lines to wait in")?;
        Ok(Self {
            out,
            waiting: BufWriter::new(waiting),
        })
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written, there are no lines, or they do not fit into columns; the message says which.
    pub(super) fn finish(self) -> Result<()> {
        let mut waiting = self
            .waiting
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        let (kind, talks) = columns_of(&mut waiting)?;
        let Kind::Record(fields) = &kind else {
            anyhow::bail!("there are no lines to write")
        };
        ensure!(!fields.is_empty(), "no line has a key, so there are no columns");
        let schema = Arc::new(Schema::new(columns(fields).map_err(anyhow::Error::msg)?));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let mut decoder = ReaderBuilder::new(Arc::clone(&schema))
            .with_batch_size(BATCH)
            .build_decoder()?;
        let mut writer = ArrowWriter::try_new(self.out, schema, Some(properties))?;
        let mut bytes = 0;
        for (index, line) in lines(&mut waiting)?.enumerate() {
            let line = line?;
            bytes += line.len();
            decoder.serialize(&[row(&line, talks)?])?;
            if (index + 1).is_multiple_of(BATCH) {
                write(&mut writer, &mut decoder)?;
            }
            if bytes >= GROUP {
                write(&mut writer, &mut decoder)?;
                writer.flush()?;
                bytes = 0;
            }
        }
        write(&mut writer, &mut decoder)?;
        writer.close()?;
        Ok(())
    }
}

impl Write for Table {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the lines of a file into columns, in the place of what is there.
///
/// # Errors
/// A file cannot be read or written, or lines do not fit into columns.
pub(super) fn convert(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().context("a file has a folder")?;
    let fresh = tempfile::NamedTempFile::new_in(folder)?;
    let mut table = Table::new(fresh.reopen()?)?;
    let mut lines = File::open(from).with_context(|| format!("cannot read {}", from.display()))?;
    io::copy(&mut lines, &mut table)?;
    table.finish()?;
    fresh.persist(to)?;
    Ok(())
}

fn lines(waiting: &mut File) -> Result<impl Iterator<Item = io::Result<String>>> {
    waiting.rewind()?;
    Ok(BufReader::new(waiting).lines())
}

/// What the columns are, and whether a prompt is ever a list of messages.
fn columns_of(waiting: &mut File) -> Result<(Kind, bool)> {
    let mut kind = Kind::Unknown;
    let (mut texts, mut talks) = (false, false);
    for (index, line) in lines(waiting)?.enumerate() {
        let mut row = listed(&line?)?;
        // Texts and lists of messages may stand beside one another: the text is the one message of a user.
        if let Some(prompt) = row.get_mut("prompt") {
            texts |= prompt.is_string();
            talks |= prompt.is_array();
            if prompt.is_string() {
                *prompt = Value::Null;
            }
        }
        kind.widen(&Value::Object(row))
            .map_err(|why| anyhow::anyhow!("row {}: {}", index + 1, why.trim_start_matches('.')))?;
    }
    if let (true, Kind::Record(fields)) = (texts, &mut kind)
        && let Some((_, prompt)) = fields.iter_mut().find(|(name, _)| name == "prompt")
    {
        let example = if talks { messages("") } else { json!("") };
        prompt
            .widen(&example)
            .map_err(|why| anyhow::anyhow!("prompt{why}"))?;
    }
    Ok((kind, talks))
}

fn messages(text: &str) -> Value {
    json!([{"role": "user", "content": text}])
}

/// A line as it goes into the columns.
fn row(line: &str, talks: bool) -> Result<Map<String, Value>> {
    let mut row = listed(line)?;
    if let (true, Some(prompt)) = (talks, row.get_mut("prompt"))
        && let Some(text) = prompt.as_str()
    {
        *prompt = messages(text);
    }
    Ok(row)
}

/// A line with lists in the place of objects whose keys are names of responses.
fn listed(line: &str) -> Result<Map<String, Value>> {
    let mut row: Map<String, Value> = serde_json::from_str(line).context("a line to write is no object")?;
    if let Some(responses) = row.get_mut("responses") {
        by_name(responses, "text");
    }
    if let Some(scores) = row.get_mut("gold").and_then(|gold| gold.get_mut("scores")) {
        by_name(scores, "score");
    }
    Ok(row)
}

fn by_name(value: &mut Value, key: &str) {
    if let Value::Object(entries) = value {
        let list = std::mem::take(entries)
            .into_iter()
            .map(|(name, value)| json!({"name": name, key: value}));
        *value = list.collect();
    }
}

/// Hands over the rows that wait, if any do.
fn write(writer: &mut ArrowWriter<File>, decoder: &mut Decoder) -> Result<()> {
    if let Some(rows) = decoder.flush()? {
        writer.write(&rows)?;
    }
    Ok(())
}
