//! `bench`: a model on a benchmark, as a folder that can be gone on with, rescored and compared.
//!
//! The data is read twice, an item at a time: once to know what it is, once to judge it. What stays in memory is the
//! ids; texts, records and reasoning are left on disk.

pub(crate) mod args;
pub(crate) mod data;
pub(crate) mod header;
mod load;
pub(crate) mod report;
mod scalar;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use rewardanything_core::{Fnv1a, JudgeRequest, Response};
use rewardanything_evals::benchmark::Benchmark;
use rewardanything_evals::layout::Layout;
use rewardanything_evals::principle::BLANK;
use serde_json::Map;

use self::args::{Baseline, BenchArgs, BudgetArgs};
use self::data::{Decisions, Entry, Survey, Task};
use self::header::Header;
use self::scalar::ScalarJudge;
use crate::Outcome;
use crate::items::{Id, Key};
use crate::judge;
use crate::models::{self, Speaker};
use crate::records::{Log, Record, failed, number};
use rewardanything_core::record::Usage;

/// The file of the records.
const RECORDS: &str = "records.jsonl";

/// How often an item is judged by whole.
pub(crate) fn games(benchmark: Benchmark, pointwise: bool) -> usize {
    // Alone, a response has no place that could be swapped.
    if pointwise { 1 } else { benchmark.games() }
}

/// Runs `bench`.
///
/// # Errors
/// The data, the model or the folder is unusable, or the folder holds a run of other settings.
pub(crate) fn run(args: &BenchArgs) -> Result<Outcome> {
    let given = args.principle.as_ref().map(|text| text.read()).transpose()?;
    let layout = data::layout(&args.data, args.layout, args.benchmark)?;
    let variants: Vec<(&str, Option<&str>)> = if args.principle_ablation {
        let mut variants = vec![("default", None), ("blank", Some(BLANK))];
        variants.extend(given.as_deref().map(|text| ("given", Some(text))));
        variants
    } else {
        vec![("", given.as_deref())]
    };
    let judge = if let Some(baseline) = args.baseline {
        Answers::Baseline(baseline, args.model.seed.unwrap_or(0))
    } else if args.recorded {
        Answers::Recorded(data::decisions(&args.data, args.benchmark)?)
    } else if let Some(api) = args.scalar {
        Answers::Scalar(Box::new(ScalarJudge::connect(args, api)?))
    } else {
        Answers::Judge(Box::new(models::resolve(&args.model)?))
    };
    let mut folders = Vec::new();
    let mut outcome = Outcome::Done;
    for (name, principle) in variants {
        let folder = if name.is_empty() {
            args.output.clone()
        } else {
            eprintln!("principle: {name}");
            args.output.join(name)
        };
        if Run::new(args, layout, principle, &judge)?.into(&folder)? == Outcome::SomeFailed {
            outcome = Outcome::SomeFailed;
        }
        report::write_one(&folder)?;
        folders.push(folder);
    }
    report::show(&folders, args.principle_ablation.then_some(args.output.as_path()))?;
    Ok(outcome)
}

/// Who gives the verdicts.
pub(crate) enum Answers {
    Judge(Box<Speaker>),
    Scalar(Box<ScalarJudge>),
    Baseline(Baseline, u64),
    Recorded(Decisions),
}

impl Answers {
    pub(crate) fn speaker(&self) -> Option<&Speaker> {
        match self {
            Answers::Judge(speaker) => Some(speaker),
            _ => None,
        }
    }
}

/// One run, ready to go.
struct Run<'a> {
    args: &'a BenchArgs,
    answers: &'a Answers,
    layout: Layout,
    principle: Option<&'a str>,
    header: Header,
}

impl<'a> Run<'a> {
    fn new(
        args: &'a BenchArgs,
        layout: Layout,
        principle: Option<&'a str>,
        answers: &'a Answers,
    ) -> Result<Self> {
        let survey = Survey::of(&args.data, layout, principle, args.strict)?;
        Ok(Run {
            args,
            answers,
            layout,
            principle,
            header: Header::new(args, &survey, answers, principle)?,
        })
    }

    fn into(self, folder: &Path) -> Result<Outcome> {
        let mut log = self.open(folder)?;
        let finished: HashMap<Key, bool> = log
            .finished()
            .into_iter()
            .map(|(key, failed)| (key.clone(), failed))
            .collect();
        let games = games(self.args.benchmark, self.args.alone());
        let mut budget = Budget::new(&self.args.budget);
        let mut keys = Vec::new();
        let mut failed = 0usize;
        let mut batch = Vec::new();
        let size = match (self.args.batch, self.answers.speaker()) {
            (Some(size), _) => usize::from(size),
            (None, Some(speaker)) => speaker.batch(),
            (None, None) => 256,
        };
        let bar = progress(self.header.data.items);
        for entry in data::entries(&self.args.data, self.layout, self.principle)? {
            let Entry::Item { line, id, item } = entry? else {
                continue;
            };
            let mut is_new = false;
            for task in data::tasks(&id, &item, games, self.args.alone())? {
                let key = Key::Id(task.id.clone());
                match finished.get(&key) {
                    Some(&was_failed) if !(was_failed && self.args.retry_failed) => {
                        failed += usize::from(was_failed);
                    }
                    _ => {
                        is_new = true;
                        batch.push((line, task));
                    }
                }
                keys.push(key);
            }
            if !is_new {
                bar.inc(1);
                continue;
            }
            budget.items += 1;
            if budget.items.is_multiple_of(size) || budget.items == budget.most_items() {
                failed += self.judge(&mut batch, &mut log, &mut budget)?;
                bar.inc(size.min(self.header.data.items) as u64);
                bar.set_message(budget.shown());
            }
            if budget.is_spent() {
                break;
            }
        }
        failed += self.judge(&mut batch, &mut log, &mut budget)?;
        bar.finish_and_clear();
        if let Some(speaker) = self.answers.speaker() {
            speaker.report_notes();
        }
        let whole = !budget.is_spent();
        // In the order of the data; where the budget ended the run, what comes later in it may be in the log already.
        if whole {
            log.finish(&keys)?;
        }
        eprintln!(
            "{}{}",
            budget.summary(),
            if whole {
                ""
            } else {
                "; the budget is spent, --resume goes on"
            }
        );
        Ok(Outcome::of(failed == 0 && whole))
    }

    /// Begins a folder, or goes on with one.
    fn open(&self, folder: &Path) -> Result<Log> {
        let goes_on = self.args.resume || self.args.retry_failed;
        let begun = folder.join("header.json").is_file();
        if begun {
            ensure!(
                goes_on,
                "{} holds a run; --resume goes on with it, --retry-failed judges its failed requests again",
                folder.display()
            );
            self.header
                .same_as(&Header::read(folder)?)
                .with_context(|| format!("cannot go on with {}", folder.display()))?;
        } else {
            if folder.exists() && fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
                bail!("{} exists and holds something that is no run", folder.display());
            }
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
            self.header.write(folder)?;
        }
        Log::resume(&folder.join(RECORDS), &self.header.model.name)
    }

    /// Judges what has gathered and puts it on disk; gives how many have no verdict.
    fn judge(&self, batch: &mut Vec<(usize, Task)>, log: &mut Log, budget: &mut Budget) -> Result<usize> {
        if batch.is_empty() {
            return Ok(0);
        }
        let tasks = std::mem::take(batch);
        let records: Vec<(Key, Record)> = match self.answers {
            Answers::Judge(speaker) => {
                // Two games are played in two given orders; all else as the profile says.
                let judge = if games(self.args.benchmark, self.args.alone()) == 2 {
                    speaker.judge_as_given()
                } else {
                    speaker.judge()
                };
                let requests = tasks
                    .into_iter()
                    .map(|(_, task)| (Key::Id(task.id), task.request))
                    .collect();
                judge::records(&judge, requests, speaker)
            }
            Answers::Scalar(scalar) => scalar.records(tasks.into_iter().map(|(_, task)| task).collect())?,
            Answers::Baseline(baseline, seed) => tasks
                .into_iter()
                .map(|(_, task)| {
                    let scores = by_baseline(*baseline, *seed, &task.id, &task.request);
                    self.told(task, Some(scores))
                })
                .collect(),
            Answers::Recorded(decisions) => tasks
                .into_iter()
                .map(|(line, task)| {
                    let game = usize::from(matches!(&task.id, Id::Text(id) if id.ends_with("#swapped")));
                    let scores = decisions
                        .get(&line)
                        .and_then(|games| games.get(game).copied().flatten())
                        .map(|[a, b]| {
                            let of = |response: &Response| if response.name == "A" { a } else { b };
                            task.request.responses().iter().map(of).collect()
                        });
                    self.told(task, scores)
                })
                .collect(),
        };
        for (_, record) in &records {
            budget.add(record.usage);
        }
        let failed = records
            .iter()
            .filter(|(_, record)| record.error.is_some())
            .count();
        log.append(records)?;
        Ok(failed)
    }

    /// A record of scores that no model gave.
    fn told(&self, task: Task, scores: Option<Vec<f64>>) -> (Key, Record) {
        let key = Key::Id(task.id);
        let mut record = failed(
            &key,
            "no_decision",
            "there is no decision",
            &self.header.model.name,
        );
        if let Some(scores) = scores {
            let names = task
                .request
                .responses()
                .iter()
                .map(|response| response.name.clone());
            record.error = None;
            record.scores = names
                .zip(scores.iter().map(|&score| number(score)))
                .collect::<Map<_, _>>();
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
            let responses = task.request.responses();
            record.ranking = order.iter().map(|&index| responses[index].name.clone()).collect();
        }
        (key, record)
    }
}

/// Scores of a judge that reads nothing, spread evenly from 1 to 5 by their order.
fn by_baseline(baseline: Baseline, seed: u64, id: &Id, request: &JudgeRequest) -> Vec<f64> {
    let lengths = request
        .responses()
        .iter()
        .map(|response| response.text.chars().count() as f64);
    let worth: Vec<f64> = match baseline {
        Baseline::Longest => lengths.collect(),
        Baseline::Shortest => lengths.map(|length| -length).collect(),
        Baseline::Random => {
            // From the id, so that a run that was cut draws as one that was not.
            let mut rng = ChaCha8Rng::seed_from_u64(Fnv1a::of(&id.to_string()) ^ seed);
            lengths.map(|_| f64::from(rng.next_u32())).collect()
        }
    };
    let mut levels = worth.clone();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let steps = (levels.len() - 1).max(1) as f64;
    let place = |worth: &f64| levels.iter().position(|level| level == worth).unwrap_or(0);
    worth
        .iter()
        .map(|worth| 1.0 + 4.0 * place(worth) as f64 / steps)
        .collect()
}

/// What this call has spent, and may.
struct Budget {
    limits: BudgetArgs,
    start: Instant,
    items: usize,
    requests: usize,
    read: usize,
    written: usize,
}

impl Budget {
    fn new(limits: &BudgetArgs) -> Self {
        Budget {
            limits: limits.clone(),
            start: Instant::now(),
            items: 0,
            requests: 0,
            read: 0,
            written: 0,
        }
    }

    fn most_items(&self) -> usize {
        self.limits.max_items.unwrap_or(usize::MAX)
    }

    fn add(&mut self, usage: Usage) {
        self.requests += 1;
        self.read += usage.prompt_tokens;
        self.written += usage.completion_tokens;
    }

    fn cost(&self) -> Option<f64> {
        let (read, written) = (self.limits.price_read?, self.limits.price_written?);
        Some((self.read as f64 * read + self.written as f64 * written) / 1e6)
    }

    fn is_spent(&self) -> bool {
        let over = |cost: f64| self.limits.max_cost.is_some_and(|most| cost >= most);
        self.items >= self.most_items()
            || self
                .limits
                .max_tokens
                .is_some_and(|most| self.read + self.written >= most)
            || self.cost().is_some_and(over)
    }

    fn shown(&self) -> String {
        let rate = self.items as f64 / self.start.elapsed().as_secs_f64().max(1e-3);
        let cost = self
            .cost()
            .map(|cost| format!(", cost {cost:.2}"))
            .unwrap_or_default();
        format!("{rate:.1} items/s, {} tokens{cost}", self.read + self.written)
    }

    fn summary(&self) -> String {
        let cost = self
            .cost()
            .map(|cost| format!(", cost {cost:.2}"))
            .unwrap_or_default();
        format!(
            "{} requests judged in {:.1} s: {} tokens read, {} written{cost}",
            self.requests,
            self.start.elapsed().as_secs_f64(),
            self.read,
            self.written
        )
    }
}

fn progress(items: usize) -> ProgressBar {
    let bar = ProgressBar::new(items as u64);
    let style =
        ProgressStyle::with_template("{bar:30} {pos}/{len} items · {msg} · {elapsed} spent, {eta} left")
            .expect("the template is fixed. This is a bug.");
    bar.set_style(style);
    bar.enable_steady_tick(std::time::Duration::from_millis(500));
    bar
}

/// The path of a file of a run.
fn records(folder: &Path) -> PathBuf {
    folder.join(RECORDS)
}
