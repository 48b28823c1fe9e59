//! Parquet: files of records in columns, read as lines and written from lines, so that no command knows of it but where
//! files are opened.
//!
//! A file by the name of `*.parquet` is read like one of JSON Lines, a row for a line, nulls left out; what is written to
//! such a name goes into columns. Responses and gold scores, which items have by name, are lists of `{name, text}` and
//! `{name, score}` there, since every name would be a column otherwise. The feature `parquet` brings it all; without it,
//! such a name is an error that says so.

#[cfg(feature = "parquet")]
mod kind;
#[cfg(feature = "parquet")]
mod read;
#[cfg(feature = "parquet")]
mod write;

use std::fs::File;
use std::io::{self, BufRead, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result};

#[cfg(feature = "parquet")]
use self::write::Table;

/// Whether a file is Parquet, by its name.
pub(crate) fn is_parquet(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"))
}

/// What a build without the feature says.
#[cfg(not(feature = "parquet"))]
fn missing<T>(path: &Path) -> Result<T> {
    anyhow::bail!(
        "{}: this build knows no Parquet. Released binaries and images do; from source, build with `--features parquet`, \
         or convert the file to JSON Lines",
        path.display()
    )
}

/// The rows of a file, as lines of JSON.
///
/// # Errors
/// The file cannot be read, or this build knows no Parquet.
pub(crate) fn lines(path: &Path) -> Result<Box<dyn BufRead>> {
    #[cfg(feature = "parquet")]
    {
        read::lines(path)
    }
    #[cfg(not(feature = "parquet"))]
    {
        missing(path)
    }
}

/// Writes the lines of a file into columns, in the place of what is there.
///
/// # Errors
/// A file cannot be read or written, lines do not fit into columns, or this build knows no Parquet.
pub(crate) fn convert(from: &Path, to: &Path) -> Result<()> {
    #[cfg(feature = "parquet")]
    {
        write::convert(from, to).with_context(|| format!("cannot write {}", to.display()))
    }
    #[cfg(not(feature = "parquet"))]
    {
        missing(if is_parquet(to) { to } else { from })
    }
}

/// Insists that this build can write `path`, before work is done for it.
///
/// # Errors
/// It knows no Parquet.
pub(crate) fn check(path: &Path) -> Result<()> {
    #[cfg(not(feature = "parquet"))]
    if is_parquet(path) {
        return missing(path);
    }
    let _ = path;
    Ok(())
}

/// A file that lines of JSON are written to.
pub(crate) enum Output {
    /// As they are.
    Lines(Box<dyn Write>),
    /// In columns.
    #[cfg(feature = "parquet")]
    Table(Box<Table>),
}

impl Output {
    /// A file to write, or standard output for a hyphen.
    ///
    /// # Errors
    /// The file exists or cannot be created, or this build knows no Parquet.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Lines(Box::new(io::stdout().lock())));
        }
        check(path)?;
        let file = File::create_new(path).with_context(|| format!("cannot create {}", path.display()))?;
        #[cfg(feature = "parquet")]
        if is_parquet(path) {
            return Ok(Self::Table(Box::new(Table::new(file)?)));
        }
        Ok(Self::Lines(Box::new(BufWriter::new(file))))
    }

    /// Writes what is still to be written.
    ///
    /// # Errors
    /// The file cannot be written; or lines do not fit into columns, and the message says which.
    pub(crate) fn finish(self) -> Result<()> {
        match self {
            Self::Lines(mut out) => Ok(out.flush()?),
            #[cfg(feature = "parquet")]
            Self::Table(table) => table.finish(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Lines(out) => out.write(bytes),
            #[cfg(feature = "parquet")]
            Self::Table(table) => table.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Lines(out) => out.flush(),
            #[cfg(feature = "parquet")]
            Self::Table(_) => Ok(()),
        }
    }
}
