//! The data of a run: what it is, its items one at a time, and the requests that each makes.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::BufRead as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use rewardanything_core::{JudgeRequest, Response};
use rewardanything_evals::benchmark::Benchmark;
use rewardanything_evals::item::Item;
use rewardanything_evals::layout::{Layout, judgebench_decisions};
use rewardanything_evals::principle::rm_bench_domain;
use rewardanything_remote::sha256;
use serde_json::Value;

use crate::items::{self, BadLines, Content, Id, ReadOptions, Reader};

/// What the data is, found out before anything is judged.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) sha256: String,
    pub(crate) layout: Layout,
    pub(crate) items: usize,
    pub(crate) bad_lines: usize,
    /// The principles that ship for a published layout, by domain.
    pub(crate) principles: BTreeMap<String, String>,
}

impl Survey {
    /// Reads the data once.
    ///
    /// # Errors
    /// It cannot be read, holds no usable item, or with `strict` a bad line.
    pub(crate) fn of(path: &Path, layout: Layout, principle: Option<&str>, strict: bool) -> Result<Self> {
        let mut survey = Survey {
            sha256: hash(path)?,
            layout,
            items: 0,
            bad_lines: 0,
            principles: BTreeMap::new(),
        };
        let mut bad = BadLines::default();
        for entry in entries(path, layout, principle)? {
            match entry? {
                Entry::Bad(line, why) => {
                    bad.report(path, line, &why, strict)?;
                    survey.bad_lines += 1;
                }
                Entry::Item { item, .. } => {
                    survey.items += 1;
                    if layout != Layout::Items && principle.is_none() {
                        let domain = item.labels.domain.as_deref().unwrap_or("all");
                        let domain = if layout == Layout::RmBench {
                            rm_bench_domain(domain)
                        } else {
                            domain
                        };
                        survey
                            .principles
                            .entry(domain.to_owned())
                            .or_insert_with(|| item.request.principle().to_owned());
                    }
                }
            }
        }
        if let Some(summary) = bad.summary() {
            eprintln!("{summary}");
        }
        ensure!(
            survey.items > 0,
            "{} holds no usable item in the layout {}",
            path.display(),
            layout.name()
        );
        Ok(survey)
    }
}

/// SHA-256 of a file as it lies on disk.
pub(crate) fn hash(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    sha256(&mut file).with_context(|| format!("cannot read {}", path.display()))
}

/// The layout that was asked for, else items where the first line has responses, else the benchmark's own.
pub(crate) fn layout(path: &Path, asked: Option<Layout>, benchmark: Benchmark) -> Result<Layout> {
    if let Some(layout) = asked {
        return Ok(layout);
    }
    ensure!(
        path != Path::new("-"),
        "a run needs a file of data, which it can read again: standard input is none"
    );
    for line in items::open(path)?.lines() {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        let first: Value = serde_json::from_str(line.trim_start_matches('\u{feff}')).unwrap_or_default();
        if first.get("responses").is_some() {
            return Ok(Layout::Items);
        }
        break;
    }
    Ok(benchmark.layout())
}

/// A line of the data.
pub(crate) enum Entry {
    /// An item that can be judged and scored.
    Item { line: usize, id: Id, item: Box<Item> },
    /// A line that is none, and why.
    Bad(usize, String),
}

/// The lines of the data, one at a time.
pub(crate) fn entries(
    path: &Path,
    layout: Layout,
    principle: Option<&str>,
) -> Result<impl Iterator<Item = Result<Entry>>> {
    let options = ReadOptions {
        layout,
        principle: principle.map(str::to_owned),
    };
    let name = path.to_owned();
    Ok(Reader::new(items::open(path)?, options).map(move |line| {
        let line = line.with_context(|| format!("cannot read {}", name.display()))?;
        let number = line.number;
        Ok(match line.content {
            Content::Named(id, Ok(item)) => match item.gold() {
                Ok(_) => Entry::Item {
                    line: number,
                    id,
                    item,
                },
                Err(why) => Entry::Bad(number, why),
            },
            Content::Named(_, Err(why)) | Content::Broken(why) => Entry::Bad(number, why),
        })
    }))
}

/// A request that an item makes, under the id of its record.
pub(crate) struct Task {
    pub(crate) id: Id,
    pub(crate) request: JudgeRequest,
}

/// The ids of the records of an item, game by game, and within a game piece by piece. They don't depend on texts.
pub(crate) fn record_ids(id: &Id, names: &[String], games: usize, pointwise: bool) -> Vec<Vec<Id>> {
    let text = match id {
        Id::Text(text) => text.clone(),
        Id::Number(number) => number.to_string(),
    };
    if pointwise {
        let piece = |name: &String| Id::Text(format!("{text}#{name}"));
        return vec![names.iter().map(piece).collect()];
    }
    let mut ids = vec![vec![id.clone()]];
    if games == 2 {
        ids.push(vec![Id::Text(format!("{text}#swapped"))]);
    }
    ids
}

/// The requests of an item: one; or two, the second with the responses the other way round; or one for each response.
pub(crate) fn tasks(id: &Id, item: &Item, games: usize, pointwise: bool) -> Result<Vec<Task>> {
    let request = &item.request;
    let names: Vec<String> = request
        .responses()
        .iter()
        .map(|response| response.name.clone())
        .collect();
    let with = |responses: Vec<Response>| JudgeRequest::new(request.principle(), request.prompt(), responses);
    let requests: Vec<JudgeRequest> = if pointwise {
        let alone = |response: &Response| with(vec![response.clone()]);
        request.responses().iter().map(alone).collect::<Result<_, _>>()?
    } else {
        let mut requests = vec![request.clone()];
        if games == 2 {
            let swapped = request.responses().iter().rev().cloned().collect();
            requests.push(with(swapped)?);
        }
        requests
    };
    let ids = record_ids(id, &names, games, pointwise).into_iter().flatten();
    Ok(ids
        .zip(requests)
        .map(|(id, request)| Task { id, request })
        .collect())
}

/// The decisions that published outputs hold, by the number of their line: scores of A and B for each game.
pub(crate) type Decisions = HashMap<usize, Vec<Option<[f64; 2]>>>;

/// Reads the decisions out of published outputs of JudgeBench.
///
/// # Errors
/// Another benchmark, or a line without decisions.
pub(crate) fn decisions(path: &Path, benchmark: Benchmark) -> Result<Decisions> {
    if benchmark != Benchmark::JudgeBench {
        bail!(
            "--recorded: published outputs are understood of judgebench, not of {}",
            benchmark.name()
        );
    }
    let mut decisions = HashMap::new();
    for (index, line) in items::open(path)?.lines().enumerate() {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        let record: Value =
            serde_json::from_str(&line).with_context(|| format!("{}, line {}", path.display(), index + 1))?;
        let found = judgebench_decisions(&record)
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("{}, line {}", path.display(), index + 1))?;
        decisions.insert(index + 1, found);
    }
    Ok(decisions)
}
