//! Reading a training run while it runs: its metrics, its samples, how far it is, and a page that shows them.
//!
//! A run is a folder. The trainer appends one JSON object a step to `metrics.jsonl`; every number in it, however
//! deep, is a curve, so a trainer that measures something new need not be known here. Rollouts with their rewards may
//! lie beside it in `samples.jsonl`, and `run.json` ([`RunNote`]) says how long the run is meant to be and how it
//! ended. Nothing here writes into a run but the trainer's own note and, where asked for, the page.

mod curves;
mod lines;
mod page;
mod run;
mod samples;
mod summary;

pub use curves::{Bucket, Curves, Group, Thinned, group};
pub use page::{page, write_page};
pub use run::{Run, State};
pub use summary::{CurveSummary, Summary};

use crate::TrainError;
use crate::checkpoint::write_atomically;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a trainer says of its run, in `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunNote {
    /// What trains: `sft`, `grpl`.
    pub kind: String,
    /// The step at which the run means to stop, counted from its very beginning.
    pub steps: usize,
    /// How it ended; absent while it runs, and for ever where it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It did all that its recipe asks for, or stopped early by the recipe's own measure.
    Finished,
    /// It was asked to stop before that, and can be resumed.
    Stopped,
}

impl RunNote {
    /// Writes the note into a run's folder, whole or not at all.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn write(&self, folder: &Path) -> Result<(), TrainError> {
        let text = serde_json::to_string(self).expect("a note is plain data. This is a bug.");
        write_atomically(&folder.join("run.json"), (text + "\n").as_bytes())
    }

    /// The note of a run's folder, if there is one that can be read.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join("run.json")).ok()?).ok()
    }
}
