//! Counters and histograms, and their text for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rewardanything_core::Judgment;
use rewardanything_core::record::usage;

/// Upper bounds of the buckets, in seconds.
const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0,
];

/// A part of the way of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Until the judge takes it.
    Queue,
    /// From there to its verdict.
    Judge,
    /// From a group's first member to its last, or to its deadline.
    Assemble,
    /// A whole HTTP request, its body read.
    Request,
}

impl Stage {
    const ALL: [(Stage, &str); 4] = [
        (Stage::Queue, "queue"),
        (Stage::Judge, "judge"),
        (Stage::Assemble, "assemble"),
        (Stage::Request, "request"),
    ];
}

#[derive(Debug, Default)]
struct Histogram {
    counts: [AtomicU64; SECONDS.len() + 1],
    microseconds: AtomicU64,
}

impl Histogram {
    fn add(&self, spent: Duration) {
        let place = SECONDS
            .iter()
            .position(|&bound| spent.as_secs_f64() <= bound)
            .unwrap_or(SECONDS.len());
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        let spent = u64::try_from(spent.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(spent, Ordering::Relaxed);
    }

    fn write(&self, out: &mut String, name: &str, label: &str) {
        let mut sum = 0;
        for (place, count) in self.counts.iter().enumerate() {
            sum += count.load(Ordering::Relaxed);
            let bound = SECONDS
                .get(place)
                .map_or_else(|| "+Inf".to_owned(), f64::to_string);
            line(out, &format!("{name}_bucket{{{label},le=\"{bound}\"}}"), sum);
        }
        let seconds = self.microseconds.load(Ordering::Relaxed) as f64 / 1e6;
        line(out, &format!("{name}_sum{{{label}}}"), seconds);
        line(out, &format!("{name}_count{{{label}}}"), sum);
    }
}

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Metrics {
    stages: [Histogram; Stage::ALL.len()],
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    verdicts: Mutex<BTreeMap<&'static str, u64>>,
    groups: Mutex<BTreeMap<&'static str, u64>>,
    neutral: Mutex<BTreeMap<String, u64>>,
    members: AtomicU64,
    repairs: AtomicU64,
    prompt_tokens: AtomicU64,
    completion_tokens: AtomicU64,
}

/// What is remembered of verdicts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Remembered {
    /// Verdicts that were there.
    pub hits: u64,
    /// Verdicts that were not.
    pub misses: u64,
    /// Replies that are kept.
    pub entries: u64,
    /// What they take.
    pub bytes: u64,
}

impl Remembered {
    /// Its lines.
    pub(crate) fn text(&self) -> String {
        [
            ("hits_total", "counter", self.hits),
            ("misses_total", "counter", self.misses),
            ("entries", "gauge", self.entries),
            ("bytes", "gauge", self.bytes),
        ]
        .map(|(name, kind, value)| {
            format!("# TYPE rewardanything_cache_{name} {kind}\nrewardanything_cache_{name} {value}\n")
        })
        .concat()
    }
}

/// Numbers that are as they are right now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gauges {
    /// Requests that wait for the judge.
    pub queued: usize,
    /// Requests that are being judged.
    pub judging: usize,
    /// How many may be judged at a time.
    pub slots: usize,
    /// Groups that are not done.
    pub groups: usize,
    /// Jobs that are not done.
    pub jobs: usize,
}

/// What the server holds in memory, whatever has a size of its own: each goes back to little once nobody asks for
/// anything, and one that does not is a leak.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held {
    /// Groups, judged ones that callers may come back for included.
    pub(crate) groups: usize,
    /// Calls that wait for their group.
    pub(crate) group_calls: usize,
    /// Tasks of jobs, ended ones that were not swept yet included.
    pub(crate) job_tasks: usize,
    /// Changes that wait for the store's next commit.
    pub(crate) store_changes: usize,
    /// Batches of replies on their way into the cache.
    pub(crate) replies: usize,
    /// Tasks of the runtime: two for each connection, and those above.
    pub(crate) tasks: usize,
    /// What of the store's file is in memory.
    pub(crate) page_bytes: usize,
}

impl Held {
    /// Its lines.
    pub(crate) fn text(&self) -> String {
        let name = "rewardanything_held";
        let mut out = format!("# HELP {name} Things in memory, by what they are.\n# TYPE {name} gauge\n");
        for (what, count) in [
            ("groups", self.groups),
            ("group_calls", self.group_calls),
            ("job_tasks", self.job_tasks),
            ("store_changes", self.store_changes),
            ("replies", self.replies),
            ("tasks", self.tasks),
        ] {
            line(&mut out, &format!("{name}{{what=\"{what}\"}}"), count);
        }
        let name = "rewardanything_store_page_bytes";
        let _ = write!(
            out,
            "# HELP {name} What of the store's file is in memory.\n# TYPE {name} gauge\n{name} {}\n",
            self.page_bytes
        );
        out
    }
}

impl Metrics {
    /// Adds the time of one stage.
    pub fn stage(&self, stage: Stage, spent: Duration) {
        self.stages[stage as usize].add(spent);
    }

    /// Adds an HTTP request by the pattern of its route, so that callers cannot make names up.
    pub fn request(&self, route: &str, status: u16) {
        *lock(&self.requests)
            .entry((route.to_owned(), status))
            .or_default() += 1;
    }

    /// Adds what a judge made of a request.
    pub fn judgment(&self, judgment: &Judgment) {
        let outcome = match &judgment.verdict {
            Ok(verdict) => {
                self.repairs
                    .fetch_add(verdict.repairs.len() as u64, Ordering::Relaxed);
                "verdict"
            }
            Err(error) => error.kind(),
        };
        *lock(&self.verdicts).entry(outcome).or_default() += 1;
        let usage = usage(judgment);
        self.prompt_tokens
            .fetch_add(usage.prompt_tokens as u64, Ordering::Relaxed);
        self.completion_tokens
            .fetch_add(usage.completion_tokens as u64, Ordering::Relaxed);
    }

    /// Adds a group of so many members, and why it was judged: `full`, or `deadline`.
    pub fn group(&self, why: &'static str, members: usize) {
        *lock(&self.groups).entry(why).or_default() += 1;
        self.members.fetch_add(members as u64, Ordering::Relaxed);
    }

    /// Adds a neutral answer that stands for a missing verdict, by the kind of what went wrong.
    pub fn neutral(&self, kind: &str) {
        *lock(&self.neutral).entry(kind.to_owned()).or_default() += 1;
    }

    /// All of it in the text format of Prometheus, `extra` lines at the end.
    pub fn text(&self, now: Gauges, extra: &str) -> String {
        let mut out = String::new();
        let family = |out: &mut String, name: &str, kind: &str, help: &str| {
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        };
        let name = "rewardanything_stage_seconds";
        family(&mut out, name, "histogram", "Time by stage of a request.");
        for (stage, label) in Stage::ALL {
            self.stages[stage as usize].write(&mut out, name, &format!("stage=\"{label}\""));
        }
        let name = "rewardanything_http_requests_total";
        family(&mut out, name, "counter", "HTTP requests by route and status.");
        for ((route, status), count) in lock(&self.requests).iter() {
            line(
                &mut out,
                &format!("{name}{{route=\"{route}\",status=\"{status}\"}}"),
                count,
            );
        }
        let name = "rewardanything_judgments_total";
        family(
            &mut out,
            name,
            "counter",
            "Judged requests by outcome: verdict, or the kind of error.",
        );
        for (outcome, count) in lock(&self.verdicts).iter() {
            line(&mut out, &format!("{name}{{outcome=\"{outcome}\"}}"), count);
        }
        let name = "rewardanything_groups_total";
        family(
            &mut out,
            name,
            "counter",
            "Groups judged, by what completed them.",
        );
        for (why, count) in lock(&self.groups).iter() {
            line(&mut out, &format!("{name}{{by=\"{why}\"}}"), count);
        }
        let name = "rewardanything_neutral_total";
        family(
            &mut out,
            name,
            "counter",
            "Neutral answers in the place of a verdict, by the kind of error.",
        );
        for (kind, count) in lock(&self.neutral).iter() {
            line(&mut out, &format!("{name}{{kind=\"{kind}\"}}"), count);
        }
        let tokens = "rewardanything_tokens_total";
        family(&mut out, tokens, "counter", "Tokens read and written.");
        for (label, count) in [
            ("prompt", &self.prompt_tokens),
            ("completion", &self.completion_tokens),
        ] {
            line(
                &mut out,
                &format!("{tokens}{{kind=\"{label}\"}}"),
                count.load(Ordering::Relaxed),
            );
        }
        let counters = [
            (
                "rewardanything_group_members_total",
                &self.members,
                "Members of judged groups.",
            ),
            (
                "rewardanything_repairs_total",
                &self.repairs,
                "Mended faults of replies.",
            ),
        ];
        for (name, count, help) in counters {
            family(&mut out, name, "counter", help);
            line(&mut out, name, count.load(Ordering::Relaxed));
        }
        let gauges = [
            ("queue_depth", now.queued, "Requests that wait for the judge."),
            ("judging", now.judging, "Requests that are being judged."),
            ("slots", now.slots, "Requests that may be judged at a time."),
            ("open_groups", now.groups, "Groups that are not done."),
            ("open_jobs", now.jobs, "Jobs that are not done."),
        ];
        for (name, value, help) in gauges {
            let name = format!("rewardanything_{name}");
            family(&mut out, &name, "gauge", help);
            line(&mut out, &name, value);
        }
        out + extra
    }
}

fn line(out: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{name} {value}");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_families_are_named_once() {
        let metrics = Metrics::default();
        for milliseconds in [0, 3, 3, 40, 500_000] {
            metrics.stage(Stage::Judge, Duration::from_millis(milliseconds));
        }
        metrics.request("/v1/judge", 200);
        metrics.group("full", 8);
        let text = metrics.text(Gauges::default(), "extra 1\n");
        let check = |line: &str| assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        check("rewardanything_stage_seconds_bucket{stage=\"judge\",le=\"0.001\"} 1");
        check("rewardanything_stage_seconds_bucket{stage=\"judge\",le=\"0.005\"} 3");
        check("rewardanything_stage_seconds_bucket{stage=\"judge\",le=\"120\"} 4");
        check("rewardanything_stage_seconds_bucket{stage=\"judge\",le=\"+Inf\"} 5");
        check("rewardanything_stage_seconds_sum{stage=\"judge\"} 500.046");
        check("rewardanything_http_requests_total{route=\"/v1/judge\",status=\"200\"} 1");
        check("rewardanything_group_members_total 8");
        check("extra 1");
        for family in text.lines().filter(|line| line.starts_with("# TYPE")) {
            assert_eq!(text.matches(family).count(), 1, "{family}");
        }
    }
}
