//! One run's folder, read again and again.

use super::curves::Curves;
use super::lines::Lines;
use super::samples::Samples;
use super::{Ended, RunNote};
use crate::TrainError;
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Newest steps whose duration tells how long the rest will take.
const PACE_STEPS: usize = 50;
/// A run is silent after so many times the duration of a step,
const SILENT_STEPS: f64 = 20.0;
/// but not before so many seconds: checkpoints and validation take their time.
const SILENT_SECONDS: f64 = 120.0;

/// How a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is no step yet.
    Waiting,
    /// Steps come.
    Running,
    /// No step for a while, and no word of an end: paused, killed, or busy with something long.
    Silent,
    /// It was asked to stop before its end.
    Stopped,
    /// It is done.
    Finished,
}

impl State {
    /// Whether no further step is to come by itself.
    pub fn ended(self) -> bool {
        matches!(self, Self::Stopped | Self::Finished)
    }

    /// The word for it, as JSON has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Silent => "silent",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
        }
    }
}

/// A run and all that was read of it so far.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    name: String,
    note: Option<RunNote>,
    metrics: Lines,
    curves: Curves,
    sample_lines: Lines,
    samples: Samples,
    modified: Option<SystemTime>,
    unreadable: usize,
    rewinds: usize,
}

impl Run {
    /// Looks at a run's folder for the first time. It may be empty still.
    ///
    /// # Errors
    /// [`TrainError::File`] if there is no such folder, or one of its files cannot be read.
    pub fn open(folder: &Path) -> Result<Self, TrainError> {
        let error = |message: &str| TrainError::File {
            path: folder.to_owned(),
            message: message.to_owned(),
        };
        if folder.is_file() {
            return Err(error(
                "is a file; expected the folder of a run, where metrics.jsonl lies",
            ));
        }
        if !folder.is_dir() {
            return Err(error(
                "there is no such folder; expected the output folder of a training run",
            ));
        }
        // `.` and `..` do not tell a name.
        let full = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let name = full.file_name().map_or_else(
            || folder.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        );
        let mut run = Self {
            folder: folder.to_owned(),
            name,
            note: None,
            metrics: Lines::new(folder.join("metrics.jsonl")),
            curves: Curves::default(),
            sample_lines: Lines::new(folder.join("samples.jsonl")),
            samples: Samples::default(),
            modified: None,
            unreadable: 0,
            rewinds: 0,
        };
        run.refresh()?;
        Ok(run)
    }

    /// Reads what is new. True if anything is.
    ///
    /// # Errors
    /// [`TrainError::File`] if a file is there and cannot be read.
    pub fn refresh(&mut self) -> Result<bool, TrainError> {
        let error = |path: &Path, error: std::io::Error| TrainError::File {
            path: path.to_owned(),
            message: error.to_string(),
        };
        let note = RunNote::read(&self.folder);
        let mut changed = note != self.note;
        self.note = note;
        let news = self.metrics.news().map_err(|e| error(self.metrics.path(), e))?;
        if news.anew {
            self.curves = Curves::default();
            self.unreadable = 0;
            self.rewinds += 1;
        }
        changed |= news.anew || !news.text.is_empty();
        self.modified = fs::metadata(self.metrics.path())
            .and_then(|about| about.modified())
            .ok();
        for line in objects(&news.text) {
            match line.as_ref().and_then(|line| self.curves.push(line)) {
                Some(back) => self.rewinds += usize::from(back),
                None => self.unreadable += 1,
            }
        }
        let news = self
            .sample_lines
            .news()
            .map_err(|e| error(self.sample_lines.path(), e))?;
        if news.anew {
            self.samples = Samples::default();
        }
        changed |= news.anew || !news.text.is_empty();
        for line in objects(&news.text) {
            if !line.is_some_and(|line| self.samples.push(line)) {
                self.unreadable += 1;
            }
        }
        Ok(changed)
    }

    /// Its folder, as it was given.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The last part of its folder's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its trainer says of it; runs of other programs have no note.
    pub fn note(&self) -> Option<&RunNote> {
        self.note.as_ref()
    }

    /// Its numbers.
    pub fn curves(&self) -> &Curves {
        &self.curves
    }

    /// Some of its samples, oldest first: evenly chosen, and all of the newest.
    pub fn samples(&self) -> impl DoubleEndedIterator<Item = &Value> {
        self.samples.iter()
    }

    /// Lines of samples that were read, kept or not.
    pub fn samples_seen(&self) -> usize {
        self.samples.seen()
    }

    /// Lines that are no JSON object with a step.
    pub fn unreadable(&self) -> usize {
        self.unreadable
    }

    /// How often it went back to an earlier step while we looked.
    pub fn rewinds(&self) -> usize {
        self.rewinds
    }

    /// Steps done.
    pub fn done(&self) -> usize {
        self.curves.last_step().map_or(0, |step| {
            usize::try_from(step).unwrap_or(usize::MAX).saturating_add(1)
        })
    }

    /// The step at which it means to stop, where it says.
    pub fn steps(&self) -> Option<usize> {
        self.note.as_ref().map(|note| note.steps)
    }

    /// How it is doing at the time `now`.
    pub fn state(&self, now: SystemTime) -> State {
        match self.note.as_ref().and_then(|note| note.ended) {
            Some(Ended::Finished) => return State::Finished,
            Some(Ended::Stopped) => return State::Stopped,
            None => {}
        }
        if self.steps().is_some_and(|steps| self.done() >= steps) {
            return State::Finished;
        }
        if self.done() == 0 {
            return State::Waiting;
        }
        let patience = self.seconds_per_step().map_or(SILENT_SECONDS, |seconds| {
            (SILENT_STEPS * seconds).max(SILENT_SECONDS)
        });
        match self.quiet(now) {
            Some(quiet) if quiet.as_secs_f64() > patience => State::Silent,
            _ => State::Running,
        }
    }

    /// Since when no line came.
    pub fn quiet(&self, now: SystemTime) -> Option<Duration> {
        now.duration_since(self.modified?).ok()
    }

    /// Seconds that a step took of late, by the run's own `seconds`, or their `total` where they have parts.
    pub fn seconds_per_step(&self) -> Option<f64> {
        let named = |name| self.curves.values(name);
        let values = named("seconds").or_else(|| named("seconds.total"))?;
        let recent = &values[values.len().saturating_sub(PACE_STEPS)..];
        let finite: Vec<f64> = recent.iter().copied().filter(|value| value.is_finite()).collect();
        (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / finite.len() as f64)
    }

    /// Seconds to its end at the pace of late; none where it has ended or either is unknown.
    pub fn seconds_left(&self, now: SystemTime) -> Option<f64> {
        if self.state(now).ended() {
            return None;
        }
        let left = self.steps()?.saturating_sub(self.done());
        Some(left as f64 * self.seconds_per_step()?)
    }
}

/// The JSON of each line that is not blank; `None` for what is none.
fn objects(text: &[u8]) -> impl Iterator<Item = Option<Value>> {
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .map(|line| serde_json::from_slice(line).ok())
}
