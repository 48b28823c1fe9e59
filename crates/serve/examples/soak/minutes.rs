//! A line a minute: what callers saw so far, what the server takes, and what it all came to.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};

use crate::callers::Counts;
use crate::wire::Result;

/// The lines so far. Counts are of the run of the program that wrote them, so they begin anew where one was cut.
pub(crate) struct Log {
    file: File,
    lines: Vec<Map<String, Value>>,
    run: u64,
}

impl Log {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let text = if path.exists() {
            std::fs::read_to_string(path)?
        } else {
            String::new()
        };
        let lines: Vec<Map<String, Value>> = text
            .lines()
            .map(serde_json::from_str)
            .collect::<std::result::Result<_, _>>()?;
        Ok(Self {
            file: OpenOptions::new().create(true).append(true).open(path)?,
            run: lines.last().map_or(0, |line| number(line, "run") + 1),
            lines,
        })
    }

    pub(crate) fn minutes(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Writes down the minute that is over.
    pub(crate) fn minute(&mut self, pid: u32, counts: &Counts) -> Result<()> {
        let of = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let line = json!({
            "minute": self.minutes() + 1,
            "run": self.run,
            "resident_kib": status(pid, "VmRSS:")?,
            "anonymous_kib": status(pid, "RssAnon:")?,
            "threads": status(pid, "Threads:")?,
            "cpu_seconds": cpu_seconds(pid)?,
            "verdicts": of(&counts.verdicts),
            "failures": of(&counts.failures),
            "groups": of(&counts.groups),
            "short": of(&counts.short),
            "jobs": of(&counts.jobs),
            "deaths": of(&counts.deaths),
            "refused": of(&counts.refused),
            "wrong": of(&counts.wrong),
            "lost": of(&counts.lost),
        });
        let Value::Object(line) = line else { return Ok(()) };
        let text = serde_json::to_string(&line)?;
        println!("{text}");
        self.file.write_all((text + "\n").as_bytes())?;
        self.lines.push(line);
        Ok(())
    }

    /// Says what all minutes came to.
    ///
    /// # Errors
    /// Something was wrong or lost in one of them.
    pub(crate) fn sum_up(&self) -> Result<()> {
        // The last line of each run holds all of it.
        let last = |line: &Map<String, Value>, next: Option<&Map<String, Value>>| {
            next.is_none_or(|next| number(next, "run") != number(line, "run"))
        };
        let lines = self.lines.iter().enumerate();
        let ends: Vec<&Map<String, Value>> = lines
            .filter(|(place, line)| last(line, self.lines.get(place + 1)))
            .map(|(_, line)| line)
            .collect();
        let sum = |name: &str| ends.iter().map(|line| number(line, name)).sum::<u64>();
        let (verdicts, minutes) = (sum("verdicts"), self.minutes());
        println!(
            "{minutes} minutes in {} runs: {verdicts} verdicts ({} a second), {} failures that were said, {} groups ({} samples without all siblings), {} jobs, \
             {} callers died waiting, {} told to come back; {} answers wrong or out of place, {} calls without an answer",
            ends.len(),
            verdicts / (60 * minutes).max(1),
            sum("failures"),
            sum("groups"),
            sum("short"),
            sum("jobs"),
            sum("deaths"),
            sum("refused"),
            sum("wrong"),
            sum("lost")
        );
        let sizes: Vec<f64> = self
            .lines
            .iter()
            .map(|line| number(line, "resident_kib") as f64 / 1_024.0)
            .collect();
        let at = |share: usize| sizes[(sizes.len() * share / 100).min(sizes.len() - 1)];
        println!(
            "memory in MiB: {:.0} after the first minute, {:.0} at a quarter, {:.0} at half time, {:.0} at three quarters, {:.0} \
             at the end, {:.0} at most; {:+.2} a minute in the second half",
            sizes[0],
            at(25),
            at(50),
            at(75),
            at(100),
            sizes.iter().copied().fold(0.0, f64::max),
            slope(&sizes[sizes.len() / 2..])
        );
        match sum("wrong") + sum("lost") {
            0 => Ok(()),
            wrong => Err(format!("{wrong} were lost or out of place").into()),
        }
    }
}

/// The slope of the straight line that fits best.
fn slope(values: &[f64]) -> f64 {
    let mean = |values: &mut dyn Iterator<Item = f64>, count: usize| values.sum::<f64>() / count as f64;
    let count = values.len();
    let centre = (count as f64 - 1.0) / 2.0;
    let level = mean(&mut values.iter().copied(), count);
    let away = |place: usize| place as f64 - centre;
    let rise = values
        .iter()
        .enumerate()
        .map(|(place, value)| away(place) * (value - level));
    let run = (0..count).map(|place| away(place).powi(2));
    let (rise, run) = (rise.sum::<f64>(), run.sum::<f64>());
    if run > 0.0 { rise / run } else { 0.0 }
}

fn number(line: &Map<String, Value>, name: &str) -> u64 {
    line.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// A number of a process's status.
fn status(pid: u32, name: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let value = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("no such line")?;
    Ok(value.parse()?)
}

/// What a process has used of the processor, at a hundred ticks a second as Linux counts.
fn cpu_seconds(pid: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name before the last bracket may hold anything.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .ok_or("no name")?
        .1
        .split_whitespace()
        .collect();
    let ticks = |place: usize| fields.get(place).and_then(|ticks| ticks.parse::<u64>().ok());
    Ok((ticks(11).ok_or("no time")? + ticks(12).ok_or("no time")?) / 100)
}
