//! The folder that a run writes into: a model, a checkpoint, and lines about its steps. What every trainer does in the
//! same way.

use crate::TrainError;
use crate::checkpoint::{State, write_atomically};
use crate::trainable::Trainable;
use indicatif::{ProgressBar, ProgressStyle};
use rewardanything_engine::Config;
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tokenizers::Tokenizer;

/// The files of a model beside its weights; the second says whether a model cannot be without it.
const MODEL_FILES: [(&str, bool); 6] = [
    ("config.json", true),
    ("tokenizer.json", true),
    ("tokenizer_config.json", true),
    ("chat_template.jinja", false),
    ("generation_config.json", false),
    ("judge.toml", false),
];

/// Where a run writes.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder, or with `resume` takes up what it holds.
    ///
    /// # Errors
    /// [`TrainError::File`] for a run that is there and not resumed, or resumed and not there.
    pub(crate) fn open(path: PathBuf, resume: bool) -> Result<Self, TrainError> {
        let folder = Self { path };
        let exists = folder.checkpoint().exists();
        if exists && !resume {
            let message = "holds a run already; go on with --resume, or name another output";
            return Err(folder.error(message));
        }
        if resume && !exists {
            return Err(folder.error("holds no checkpoint to resume from"));
        }
        fs::create_dir_all(&folder.path).map_err(|e| folder.error(&e.to_string()))?;
        Ok(folder)
    }

    fn error(&self, message: &str) -> TrainError {
        file_error(&self.path, message)
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What a run goes on from.
    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.file("checkpoint.safetensors")
    }

    /// Copies all but the weights of the model in `from`, and reads its configuration and tokenizer.
    ///
    /// # Errors
    /// A file that is missing or malformed.
    pub(crate) fn take_model(&self, from: &Path) -> Result<(Config, Tokenizer), TrainError> {
        copy_model_files(from, &self.path)?;
        let path = self.file("config.json");
        let bytes = fs::read(&path).map_err(|e| file_error(&path, &e.to_string()))?;
        let tokenizer = Tokenizer::from_file(self.file("tokenizer.json"))
            .map_err(|e| TrainError::Tokenizer(e.to_string()))?;
        Ok((Config::from_json(&bytes)?, tokenizer))
    }

    /// Writes the checkpoint, the model, and the adapters where those are what is trained.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub(crate) fn save(&self, state: &State, trainable: &mut Trainable) -> Result<(), TrainError> {
        state.save(&self.checkpoint())?;
        trainable.export(&self.path, &state.params)
    }
}

/// Copies the files of a model beside its weights into `to`.
///
/// # Errors
/// [`TrainError::File`] for one that is missing.
pub(crate) fn copy_model_files(from: &Path, to: &Path) -> Result<(), TrainError> {
    for (name, needed) in MODEL_FILES {
        let source = from.join(name);
        if needed || source.exists() {
            fs::copy(&source, to.join(name)).map_err(|e| file_error(&source, &e.to_string()))?;
        }
    }
    Ok(())
}

/// An error about a file.
pub(crate) fn file_error(path: &Path, message: &str) -> TrainError {
    TrainError::File {
        path: path.to_owned(),
        message: message.to_owned(),
    }
}

/// A JSON Lines file whose lines belong to steps.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens or makes it, without the lines of steps from `steps` on, which a resumed run does again. Lines have a
    /// field `step`; one without, which a killed run may have cut off, goes too.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub(crate) fn open(path: PathBuf, steps: usize) -> Result<Self, TrainError> {
        #[derive(serde::Deserialize)]
        struct Line {
            step: usize,
        }
        if let Ok(text) = fs::read_to_string(&path) {
            let before = |line: &&str| serde_json::from_str::<Line>(line).is_ok_and(|line| line.step < steps);
            let kept: String = text.lines().filter(before).flat_map(|l| [l, "\n"]).collect();
            write_atomically(&path, kept.as_bytes())?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|e| file_error(&path, &e.to_string()))?;
        Ok(Self { path, file })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub(crate) fn write(&mut self, line: &impl Serialize) -> Result<(), TrainError> {
        let text = serde_json::to_string(line).expect("a line is plain data. This is a bug.");
        writeln!(self.file, "{text}").map_err(|e| file_error(&self.path, &e.to_string()))
    }
}

/// A bar of `steps` steps, of which `done` are done.
pub(crate) fn progress(steps: usize, done: usize) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed_precise} left {eta_precise} {msg}");
    let style = style.expect("the template is valid. This is a bug.");
    let bar = ProgressBar::new(steps as u64).with_style(style);
    bar.set_position(done as u64);
    bar.reset_eta();
    bar
}

/// How many threads a run takes: as many as it says, or 0 for one on each processor.
pub(crate) fn threads(asked: usize) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    if asked == 0 { processors } else { asked }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_journal_forgets_what_is_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        let mut journal = Journal::open(path.clone(), 0).unwrap();
        for step in [0, 0, 1, 2] {
            journal.write(&json!({"step": step})).unwrap();
        }
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(b"{\"step\": 1, \"cut"))
            .unwrap();
        Journal::open(path.clone(), 2)
            .unwrap()
            .write(&json!({"step": 2}))
            .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"step\":0}\n{\"step\":0}\n{\"step\":1}\n{\"step\":2}\n");
    }
}
