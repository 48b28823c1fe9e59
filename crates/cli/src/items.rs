//! The lines of an input file: how files are opened, and what their records go by. What a line means is read by
//! [`rewardanything_evals::item`].

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use flate2::read::MultiGzDecoder;
pub(crate) use rewardanything_evals::item::{Content, Id, Line, ReadOptions, Reader};
use serde_json::Value;

use crate::columnar;
use crate::table::plain;

/// What tells the records of a file apart: the id, or the line where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// The item of this id.
    Id(Id),
    /// The input line of this number, counted from 1, which names no id of its own.
    Line(usize),
}

impl Key {
    /// What the record of a line goes by.
    pub(crate) fn of(line: &Line) -> Self {
        match &line.content {
            Content::Named(id, _) => Key::Id(id.clone()),
            Content::Broken(_) => Key::Line(line.number),
        }
    }
}

/// A file of lines, or standard input for a hyphen. A file that ends in `.gz` is unpacked; one JSON array, as some
/// data sets are published, is read as if each of its elements stood on a line, and Parquet as if each of its rows did.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    if columnar::is_parquet(path) {
        return columnar::lines(path);
    }
    let raw: Box<dyn io::Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        if path.extension().is_some_and(|extension| extension == "gz") {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        }
    };
    let mut input = BufReader::new(raw);
    let start = input
        .fill_buf()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let text = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start);
    let is_array = text.trim_ascii_start().first() == Some(&b'[') && path != Path::new("-");
    if !is_array {
        return Ok(Box::new(input));
    }
    let mut bytes = Vec::new();
    input
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let Ok(elements) = serde_json::from_slice::<Vec<Value>>(bytes) else {
        // Lines, the first of which is an array: the reader says so.
        return Ok(Box::new(Cursor::new(bytes.to_vec())));
    };
    let lines: String = elements.iter().map(|element| format!("{element}\n")).collect();
    Ok(Box::new(Cursor::new(lines.into_bytes())))
}

/// What is wrong with a line, if something is.
pub(crate) fn fault(line: &Line) -> Option<&str> {
    match &line.content {
        Content::Named(_, Ok(_)) => None,
        Content::Named(_, Err(why)) | Content::Broken(why) => Some(why),
    }
}

/// Reads a whole input.
///
/// # Errors
/// The file cannot be read; with `strict`, a line is bad: the message names it and says why.
pub(crate) fn read(path: &Path, options: ReadOptions, strict: bool) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for line in Reader::new(open(path)?, options) {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        if let (true, Some(why)) = (strict, fault(&line)) {
            bail!("{}, line {}: {}", path.display(), line.number, plain(why));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Lines that could not be used, reported as they come and counted.
#[derive(Debug, Default)]
pub(crate) struct BadLines {
    count: usize,
}

impl BadLines {
    /// The most lines that are named one by one.
    const SHOWN: usize = 10;

    /// Reports a line.
    ///
    /// # Errors
    /// With `strict`: the line and what is wrong with it.
    pub(crate) fn report(&mut self, path: &Path, number: usize, why: &str, strict: bool) -> Result<()> {
        if strict {
            bail!("{}, line {number}: {}", path.display(), plain(why));
        }
        self.count += 1;
        if self.count <= Self::SHOWN {
            eprintln!("{}, line {number}: {}", path.display(), plain(why));
        }
        Ok(())
    }

    /// Says how many there were in all, where there were any.
    pub(crate) fn summary(&self) -> Option<String> {
        (self.count > 0).then(|| format!("{} bad lines left out; --strict stops at the first", self.count))
    }

    /// Whether there were none.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}
