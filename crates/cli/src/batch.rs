//! `judge --input`: a file of items becomes a file of records.
//!
//! What an item is judged with never depends on what else is in the file: the order in which its responses are
//! shown comes from its own text. So a run that was interrupted and taken up again writes what an uninterrupted
//! one would have written.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Outcome;
use crate::args::JudgeArgs;
use crate::items::{self, Content, Key, Line, ReadOptions};
use crate::judge;
use crate::models;
use crate::records::{self, Log, Record};

/// Runs `judge --input --output`.
///
/// # Errors
/// The input cannot be read, the output may not be or cannot be written, or the model is unusable.
pub(crate) fn run(args: &JudgeArgs, input: &Path, output: &Path) -> Result<Outcome> {
    let to_stdout = output == Path::new("-");
    let goes_on = args.resume || args.retry_failed;
    ensure!(
        !(to_stdout && goes_on),
        "standard output cannot be resumed: name a file with --output"
    );
    ensure!(
        to_stdout || !same_file(input, output),
        "--input and --output name the same file"
    );
    let items = items::read(input, ReadOptions::default(), args.strict)?;
    // Before the output, so that a model that is not there leaves no empty file behind.
    let speaker = models::resolve(&args.model)?;
    let mut sink = match (to_stdout, goes_on) {
        (true, _) => Sink::Stdout,
        (false, true) => Sink::File(Log::resume(output, speaker.name())?),
        (false, false) => Sink::File(Log::create(output)?),
    };
    let finished = match &sink {
        Sink::Stdout => HashMap::new(),
        Sink::File(log) => log.finished(),
    };
    let keys: Vec<Key> = items.iter().map(Key::of).collect();
    belongs(&items, &keys, &finished).with_context(|| format!("cannot resume {}", output.display()))?;

    let mut tally = Tally::default();
    let mut todo = Vec::new();
    for (item, key) in items.into_iter().zip(&keys) {
        match finished.get(key) {
            Some(&failed) if !(failed && args.retry_failed) => tally.skip(failed),
            _ => todo.push((key.clone(), item)),
        }
    }
    drop(finished);

    let judge = speaker.judge();
    let bar = progress(todo.len(), to_stdout);
    let size = args.batch.map_or(speaker.batch(), usize::from);
    let mut todo = todo.into_iter().peekable();
    while todo.peek().is_some() {
        let chunk: Vec<_> = todo.by_ref().take(size).collect();
        let records = judge_chunk(&judge, chunk, &speaker);
        bar.suspend(|| speaker.report_notes());
        bar.inc(records.len() as u64);
        for (_, record) in &records {
            tally.add(record);
        }
        sink.append(records)?;
    }
    bar.finish_and_clear();
    sink.finish(&keys)?;
    eprintln!("{}", tally.summary());
    Ok(Outcome::of(tally.failed() == 0))
}

/// Judges the items of a chunk that can be judged, and puts the records of all of them in order.
fn judge_chunk(
    judge: &rewardanything_core::Judge<'_>,
    chunk: Vec<(Key, Line)>,
    speaker: &models::Speaker,
) -> Vec<(Key, Record)> {
    let mut requests = Vec::new();
    let mut failed = HashMap::new();
    let mut order = Vec::new();
    for (key, item) in chunk {
        order.push(key.clone());
        match item.content {
            Content::Named(_, Ok(item)) => requests.push((key, item.request)),
            Content::Named(_, Err(why)) => {
                failed.insert(
                    key.clone(),
                    records::failed(&key, "request", &why, speaker.name()),
                );
            }
            Content::Broken(why) => {
                failed.insert(key.clone(), records::failed(&key, "input", &why, speaker.name()));
            }
        }
    }
    let mut judged = judge::records(judge, requests, speaker).into_iter();
    order
        .into_iter()
        .filter_map(|key| match failed.remove(&key) {
            Some(record) => Some((key, record)),
            None => judged.next(),
        })
        .collect()
}

/// Where records go.
enum Sink {
    Stdout,
    File(Log),
}

impl Sink {
    fn append(&mut self, records: Vec<(Key, Record)>) -> Result<()> {
        match self {
            Sink::File(log) => log.append(records),
            Sink::Stdout => {
                let mut out = io::stdout().lock();
                for (_, record) in &records {
                    out.write_all(record.line().as_bytes())?;
                }
                Ok(out.flush()?)
            }
        }
    }

    fn finish(self, keys: &[Key]) -> Result<()> {
        match self {
            Sink::Stdout => Ok(()),
            Sink::File(log) => log.finish(keys),
        }
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Refuses an output that holds what the input does not: it belongs to another input, and putting it in order
/// would lose those records. The record of a broken line that has since been mended is no such loss.
fn belongs(items: &[Line], keys: &[Key], finished: &HashMap<&Key, bool>) -> Result<()> {
    let known: HashSet<&Key> = keys.iter().collect();
    let lines: HashSet<usize> = items.iter().map(|line| line.number).collect();
    let strangers: Vec<&Key> = finished
        .keys()
        .copied()
        .filter(|key| match key {
            Key::Id(_) => !known.contains(key),
            Key::Line(line) => !lines.contains(line),
        })
        .collect();
    match strangers.first() {
        None => Ok(()),
        Some(first) => {
            let first = match first {
                Key::Id(id) => format!("the id {id}"),
                Key::Line(line) => format!("input line {line}"),
            };
            bail!(
                "it holds {} records that are not of this input, such as {first}",
                strangers.len()
            )
        }
    }
}

/// A bar on standard error, hidden where it would stand among the records.
pub(crate) fn progress(todo: usize, stdout_is_output: bool) -> ProgressBar {
    // Records and a bar on one terminal would tear each other apart.
    let target = if stdout_is_output && io::stdout().is_terminal() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let bar = ProgressBar::with_draw_target(Some(todo as u64), target);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} judged · {elapsed} spent, {eta} left")
        .expect("the template is fixed. This is a bug.");
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// What became of all items.
struct Tally {
    start: Instant,
    judged: usize,
    kept: usize,
    kept_failed: usize,
    failed: BTreeMap<String, usize>,
}

impl Default for Tally {
    fn default() -> Self {
        Tally {
            start: Instant::now(),
            judged: 0,
            kept: 0,
            kept_failed: 0,
            failed: BTreeMap::new(),
        }
    }
}

impl Tally {
    fn skip(&mut self, failed: bool) {
        self.kept += 1;
        self.kept_failed += usize::from(failed);
    }

    fn add(&mut self, record: &Record) {
        self.judged += 1;
        if let Some(failure) = &record.error {
            *self.failed.entry(failure.kind.clone()).or_default() += 1;
        }
    }

    fn failed(&self) -> usize {
        self.kept_failed + self.failed.values().sum::<usize>()
    }

    fn summary(&self) -> String {
        let failed: usize = self.failed.values().sum();
        let mut text = format!("{} verdicts", self.judged - failed);
        if failed > 0 {
            let kinds: Vec<_> = self
                .failed
                .iter()
                .map(|(kind, count)| format!("{kind} {count}"))
                .collect();
            text.push_str(&format!(", {failed} failed ({})", kinds.join(", ")));
        }
        text.push_str(&format!(" in {:.1} s", self.start.elapsed().as_secs_f64()));
        if self.kept > 0 {
            text.push_str(&format!(
                "; {} were finished before, {} of them failed",
                self.kept, self.kept_failed
            ));
        }
        text
    }
}
