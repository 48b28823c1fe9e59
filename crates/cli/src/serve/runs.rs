//! The curves of training runs, for the server to show.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use rewardanything_train::watch::{Run, page};

use crate::watch::now;

/// How often an open page looks for news.
const EVERY: Duration = Duration::from_secs(5);

/// Files of which a folder has one if it is a run's.
const SIGNS: [&str; 2] = ["run.json", "metrics.jsonl"];

/// Writes the page of the run in `folder`, or of all runs in it, as they are when it is called.
///
/// # Errors
/// There is no such folder.
pub(crate) fn page_of(folder: &Path) -> Result<impl Fn() -> String + Send + Sync + use<>> {
    ensure!(folder.is_dir(), "--runs: {} is no folder", folder.display());
    let folder = folder.to_owned();
    Ok(move || {
        // Between being listed and being read a run may be removed; then there is nothing to show.
        let runs: Vec<Run> = folders(&folder)
            .iter()
            .filter_map(|folder| Run::open(folder).ok())
            .collect();
        page(&runs, EVERY, now())
    })
}

/// The folders of runs, by name.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let is_run = |folder: &Path| SIGNS.iter().any(|sign| folder.join(sign).is_file());
    if is_run(folder) {
        return vec![folder.to_owned()];
    }
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_run(path))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_or_all_in_a_folder() {
        let scratch = tempfile::tempdir().unwrap();
        for name in ["second", "first", "no-run"] {
            fs::create_dir(scratch.path().join(name)).unwrap();
        }
        for name in ["first", "second"] {
            let line = "{\"step\":0,\"loss\":2.5,\"seconds\":1}\n";
            fs::write(scratch.path().join(name).join("metrics.jsonl"), line).unwrap();
        }
        let (first, second) = (scratch.path().join("first"), scratch.path().join("second"));
        assert_eq!(folders(scratch.path()), [first.clone(), second]);
        assert_eq!(folders(&first), std::slice::from_ref(&first));
        let page = page_of(scratch.path()).unwrap();
        assert!(page().contains("\"name\":\"second\""));
        fs::remove_dir_all(&first).unwrap();
        assert!(!page().contains("\"name\":\"first\""), "it reads anew");
        assert!(page_of(&first).is_err());
    }
}
