//! Runs as one page of HTML that needs nothing but itself.
//!
//! Data, style and script are in the file, and its policy forbids it to load anything. It shows itself anew by loading
//! itself into a hidden frame, which hands its data over: so it works from a disk too, where scripts may read no files,
//! and nothing that the reader has set is lost. Texts of models are data to it, never markup.

use super::curves::{Bucket, Group, group};
use super::run::{Run, State};
use crate::TrainError;
use crate::checkpoint::write_atomically;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Points of a curve at most.
const POINTS: usize = 600;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = concat!(include_str!("drawing.js"), "\n", include_str!("page.js"));

/// All that the script knows.
#[derive(Serialize)]
struct Data<'a> {
    /// Seconds since 1970.
    written: u64,
    /// Seconds after which the file may be another.
    every: u64,
    runs: Vec<RunData<'a>>,
}

#[derive(Serialize)]
struct RunData<'a> {
    name: String,
    kind: Option<&'a str>,
    state: State,
    done: usize,
    steps: Option<usize>,
    seconds_per_step: Option<f64>,
    seconds_left: Option<f64>,
    unreadable: usize,
    rewinds: usize,
    /// Lines in a point.
    width: usize,
    /// First and last step of each point.
    from: Vec<u64>,
    to: Vec<u64>,
    curves: Vec<CurveData>,
    samples: Vec<&'a Value>,
    samples_seen: usize,
}

#[derive(Serialize)]
struct CurveData {
    name: String,
    group: Group,
    mean: Vec<Option<f64>>,
    /// Absent where a point is one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    least: Option<Vec<Option<f64>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<Vec<Option<f64>>>,
}

/// The page of `runs` at the time `now`. While any of them may still go on, it looks for a newer page every `every`
/// (whole seconds, at least one).
pub fn page(runs: &[Run], every: Duration, now: SystemTime) -> String {
    let data = Data {
        written: now
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |time| time.as_secs()),
        every: every.as_secs().max(1),
        runs: runs
            .iter()
            .zip(names(runs))
            .map(|(run, name)| run_data(run, name, now))
            .collect(),
    };
    let json = serde_json::to_string(&data).expect("the data of a page is JSON. This is a bug.");
    // No text of a model can end the element that it lies in.
    let json = json.replace('<', "\\u003c");
    TEMPLATE
        .replacen("/*STYLE*/", STYLE, 1)
        .replacen("/*SCRIPT*/", SCRIPT, 1)
        .replacen("/*DATA*/", &json, 1)
}

/// Writes [`page`] into a file, whole or not at all.
///
/// # Errors
/// [`TrainError::File`].
pub fn write_page(path: &Path, runs: &[Run], every: Duration, now: SystemTime) -> Result<(), TrainError> {
    write_atomically(path, page(runs, every, now).as_bytes())
}

/// A name for each run: its folder's, or its path where two folders are called alike.
fn names(runs: &[Run]) -> Vec<String> {
    let alike = |run: &Run| runs.iter().filter(|other| other.name() == run.name()).count() > 1;
    runs.iter()
        .map(|run| {
            if alike(run) {
                run.folder().display().to_string()
            } else {
                run.name().to_owned()
            }
        })
        .collect()
}

fn run_data(run: &Run, name: String, now: SystemTime) -> RunData<'_> {
    let thin = run.curves().thin(POINTS);
    let curves = thin
        .curves
        .into_iter()
        .map(|(name, buckets)| {
            let column =
                |part: fn(&Bucket) -> f64| buckets.iter().map(|bucket| rounded(part(bucket))).collect();
            let many = thin.width > 1;
            CurveData {
                group: group(name.split('.').next().unwrap_or(&name)).0,
                mean: column(|bucket| bucket.mean),
                least: many.then(|| column(|bucket| bucket.least)),
                most: many.then(|| column(|bucket| bucket.most)),
                name,
            }
        })
        .collect();
    RunData {
        name,
        kind: run.note().map(|note| note.kind.as_str()),
        state: run.state(now),
        done: run.done(),
        steps: run.steps(),
        seconds_per_step: run.seconds_per_step(),
        seconds_left: run.seconds_left(now),
        unreadable: run.unreadable(),
        rewinds: run.rewinds(),
        width: thin.width,
        from: thin.steps.iter().map(|steps| steps.0).collect(),
        to: thin.steps.iter().map(|steps| steps.1).collect(),
        curves,
        samples: run.samples().collect(),
        samples_seen: run.samples_seen(),
    }
}

/// Six digits: more than a chart shows, half the bytes.
fn rounded(value: f64) -> Option<f64> {
    value
        .is_finite()
        .then(|| format!("{value:.5e}").parse().unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_six_digits() {
        let check = |value: f64, expect: Option<f64>| assert_eq!(rounded(value), expect, "{value}");
        check(0.123_456_789, Some(0.123_457));
        check(-123_456_789.0, Some(-123_457_000.0));
        check(0.0, Some(0.0));
        check(f64::NAN, None);
        check(f64::INFINITY, None);
    }
}
