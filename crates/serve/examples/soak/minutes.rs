//! A line a minute: what callers saw so far, what the server takes, and what it all came to.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};

use crate::callers::Counts;
use crate::trend::{Finding, Trend};
use crate::wire::Result;

/// Memory is flat where it grows by less than this share of itself in an hour, with 95% certainty.
const FLAT: f64 = 0.05;

/// Minutes of which it can be told; of fewer nothing is said.
const ENOUGH: usize = 15;

/// What the server says of itself that has a size.
const HELD: [&str; 6] = [
    "groups",
    "group_calls",
    "job_tasks",
    "store_changes",
    "replies",
    "tasks",
];

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
    pub(crate) fn minute(&mut self, server: &Seen<'_>, counts: &Counts) -> Result<()> {
        let Seen { pid, metrics, store } = *server;
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
        let Value::Object(mut line) = line else {
            return Ok(());
        };
        line.insert(
            "store_kib".to_owned(),
            json!(std::fs::metadata(store)?.len() >> 10),
        );
        line.extend(sizes(metrics));
        let text = serde_json::to_string(&line)?;
        println!("{text}");
        self.file.write_all((text + "\n").as_bytes())?;
        self.lines.push(line);
        Ok(())
    }

    /// Says what all minutes came to.
    ///
    /// # Errors
    /// Something was wrong or lost in one of them, or memory is not shown to be flat.
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
        let mut flat = true;
        for (what, name) in [
            ("memory, as the system counts it", "resident_kib"),
            ("of it what the program holds", "allocated_kib"),
            ("of that pages of the store", "pages_kib"),
        ] {
            let found = self.memory(what, name);
            // The others are part of this one, and shown for whoever looks for the reason.
            flat &= name != "resident_kib" || found != Some(false);
        }
        match (sum("wrong") + sum("lost"), flat) {
            (0, true) => Ok(()),
            (0, false) => Err("memory is not shown to be flat".into()),
            (wrong, _) => Err(format!("{wrong} were lost or out of place").into()),
        }
    }

    /// Says how memory went, and whether it is flat; `None` where there is nothing to tell it from.
    fn memory(&self, what: &str, name: &str) -> Option<bool> {
        let sizes: Vec<f64> = self
            .lines
            .iter()
            .filter(|line| line.contains_key(name))
            .map(|line| number(line, name) as f64 / 1_024.0)
            .collect();
        let first = *sizes.first()?;
        let at = |share: usize| sizes[(sizes.len() * share / 100).min(sizes.len() - 1)];
        println!(
            "{what}, in MiB: {first:.0} after the first minute, {:.0} at a quarter, {:.0} at half time, {:.0} at three \
             quarters, {:.0} at the end, {:.0} at most",
            at(25),
            at(50),
            at(75),
            at(100),
            sizes.iter().copied().fold(0.0, f64::max)
        );
        let half = &sizes[sizes.len() / 2..];
        let Some(trend) = Trend::of(half).filter(|_| half.len() >= ENOUGH) else {
            println!("  too short a time to tell whether it is flat");
            return None;
        };
        let level = half.iter().sum::<f64>() / half.len() as f64;
        let allowed = FLAT * level / 60.0;
        let finding = trend.finding(allowed);
        println!(
            "  second half: {:+.1} MiB an hour ({:+.1} to {:+.1}, 95%), which is {:+.1}% ({:+.1}% to {:+.1}%): {}",
            60.0 * trend.slope,
            60.0 * trend.low,
            60.0 * trend.high,
            6_000.0 * trend.slope / level,
            6_000.0 * trend.low / level,
            6_000.0 * trend.high / level,
            match finding {
                Finding::Flat => "flat",
                Finding::Unsure => "not shown to be flat",
                Finding::Rises => "it grows",
            }
        );
        Some(finding == Finding::Flat)
    }
}

/// Where the server can be looked at.
pub(crate) struct Seen<'a> {
    pub(crate) pid: u32,
    /// What it answers at /metrics.
    pub(crate) metrics: &'a str,
    /// The file of its store.
    pub(crate) store: &'a Path,
}

/// The sum of a family of the metrics; `None` where there is none of that name.
pub(crate) fn metric(metrics: &str, name: &str) -> Option<f64> {
    let mut values = values(metrics, name).map(|(_, value)| value).peekable();
    values.peek()?;
    Some(values.sum())
}

/// The labels of a family, as they stand, and its values.
fn values<'a>(metrics: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
    metrics.lines().filter_map(move |line| {
        let (labels, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
        // Another name may begin as this one does.
        let whole = labels.is_empty() || labels.starts_with('{');
        whole.then_some(())?;
        Some((labels, value.parse().ok()?))
    })
}

/// How many things of a kind the server holds.
pub(crate) fn held(metrics: &str, what: &str) -> Option<f64> {
    metric(metrics, &format!("rewardanything_held{{what=\"{what}\"}}"))
}

/// What the metrics say of memory, as fields of a line.
fn sizes(metrics: &str) -> Map<String, Value> {
    let mut found = Map::new();
    let mut kib = |name: &str, metric: Option<f64>| {
        if let Some(bytes) = metric {
            found.insert(name.to_owned(), json!((bytes / 1_024.0) as u64));
        }
    };
    kib("pages_kib", metric(metrics, "rewardanything_store_page_bytes"));
    kib("cached_kib", metric(metrics, "rewardanything_cache_bytes"));
    let allocated = "rewardanything_allocated_bytes";
    let bytes = metric(metrics, allocated);
    kib("allocated_kib", bytes);
    if bytes.is_some() {
        let by_size: Map<String, Value> = values(metrics, allocated)
            .filter(|(_, bytes)| *bytes >= 65_536.0)
            .map(|(labels, bytes)| {
                let digits: String = labels.chars().filter(char::is_ascii_digit).collect();
                (digits, json!((bytes / 1_024.0) as u64))
            })
            .collect();
        found.insert("allocated_kib_by_size".to_owned(), Value::Object(by_size));
    }
    let counts = HELD.iter().filter_map(|what| {
        let count = held(metrics, what)?;
        Some(((*what).to_owned(), json!(count as u64)))
    });
    found.insert("held".to_owned(), Value::Object(counts.collect()));
    found
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
