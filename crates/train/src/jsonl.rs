//! Files of one JSON object a line, plain or gzip.

use crate::TrainError;
use crate::folder::file_error;
use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;

/// Calls `take` with every line that is not blank.
///
/// # Errors
/// [`TrainError::File`] naming the line: one that is no such object, or that `take` refuses.
pub(crate) fn each<R: DeserializeOwned>(
    path: &Path,
    mut take: impl FnMut(R) -> Result<(), String>,
) -> Result<(), TrainError> {
    let error = |message: String| file_error(path, &message);
    for (number, line) in BufReader::new(open(path)?).lines().enumerate() {
        let at = |message: String| error(format!("line {}: {message}", number + 1));
        let line = line.map_err(|e| at(e.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        let record = serde_json::from_str(&line).map_err(|e| at(e.to_string()))?;
        take(record).map_err(at)?;
    }
    Ok(())
}

/// A file, unpacked where its name ends in `.gz`.
///
/// # Errors
/// [`TrainError::File`].
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, TrainError> {
    let file = File::open(path).map_err(|e| file_error(path, &e.to_string()))?;
    Ok(if path.extension().is_some_and(|e| e == "gz") {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    })
}
