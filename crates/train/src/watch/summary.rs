//! A run in a few numbers, for scripts.

use super::run::{Run, State};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Values of a curve that make up its recent mean.
const RECENT: usize = 50;

/// What `train watch --json` prints of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The folder, as it was given.
    pub run: String,
    /// What trains, by the run's note.
    pub kind: Option<String>,
    /// How it is doing.
    pub state: State,
    /// Steps done.
    pub done: usize,
    /// Steps that it means to do.
    pub steps: Option<usize>,
    /// Seconds of a step, of late.
    pub seconds_per_step: Option<f64>,
    /// Seconds to the end at that pace.
    pub seconds_left: Option<f64>,
    /// Seconds since the last line.
    pub quiet_seconds: Option<f64>,
    /// Lines that could not be read.
    pub unreadable: usize,
    /// Lines of samples.
    pub samples: usize,
    /// Each curve by its name.
    pub curves: BTreeMap<String, CurveSummary>,
}

/// A curve in a few numbers. Where a curve has no finite number, it has no summary.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurveSummary {
    /// Its last number.
    pub last: f64,
    /// The step of that number.
    pub last_step: u64,
    /// The mean of its last 50 numbers, or of all that there are.
    pub recent: f64,
    /// Its least number.
    pub least: f64,
    /// The first step that had it.
    pub least_step: u64,
    /// Its greatest number.
    pub most: f64,
    /// The first step that had it.
    pub most_step: u64,
    /// How many numbers it has.
    pub count: usize,
}

impl CurveSummary {
    /// The summary of finite numbers by step; `None` if there are none.
    pub fn new(steps: &[u64], values: &[f64]) -> Option<Self> {
        let points: Vec<(u64, f64)> = steps
            .iter()
            .copied()
            .zip(values.iter().copied())
            .filter(|(_, value)| value.is_finite())
            .collect();
        let &(last_step, last) = points.last()?;
        let recent = &points[points.len().saturating_sub(RECENT)..];
        let mut summary = Self {
            last,
            last_step,
            recent: recent.iter().map(|(_, value)| value).sum::<f64>() / recent.len() as f64,
            least: f64::INFINITY,
            least_step: 0,
            most: f64::NEG_INFINITY,
            most_step: 0,
            count: points.len(),
        };
        for (step, value) in points {
            if value < summary.least {
                (summary.least, summary.least_step) = (value, step);
            }
            if value > summary.most {
                (summary.most, summary.most_step) = (value, step);
            }
        }
        Some(summary)
    }
}

impl Summary {
    /// The summary of a run at the time `now`.
    pub fn new(run: &Run, now: SystemTime) -> Self {
        let curves = run.curves();
        let summaries = curves.names().into_iter().filter_map(|name| {
            let summary = CurveSummary::new(curves.steps(), curves.values(name)?)?;
            Some((name.to_owned(), summary))
        });
        Self {
            run: run.folder().display().to_string(),
            kind: run.note().map(|note| note.kind.clone()),
            state: run.state(now),
            done: run.done(),
            steps: run.steps(),
            seconds_per_step: run.seconds_per_step(),
            seconds_left: run.seconds_left(now),
            quiet_seconds: run.quiet(now).map(|quiet| quiet.as_secs_f64()),
            unreadable: run.unreadable(),
            samples: run.samples_seen(),
            curves: summaries.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_in_a_few_numbers() {
        let values = [2.0, f64::NAN, 5.0, 1.0, 5.0];
        let found = CurveSummary::new(&[0, 1, 2, 3, 7], &values).unwrap();
        assert_eq!((found.last, found.last_step, found.count), (5.0, 7, 4));
        assert_eq!((found.least, found.least_step), (1.0, 3));
        assert_eq!((found.most, found.most_step), (5.0, 2));
        assert_eq!(found.recent, 3.25);
        assert!(CurveSummary::new(&[0], &[f64::NAN]).is_none());
        let steps: Vec<u64> = (0..200).collect();
        let values: Vec<f64> = steps
            .iter()
            .map(|step| if *step < 150 { 0.0 } else { 1.0 })
            .collect();
        assert_eq!(CurveSummary::new(&steps, &values).unwrap().recent, 1.0);
    }
}
