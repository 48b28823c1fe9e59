//! `data decontaminate`, and the same as a stage of a build.

use std::fs::File;
use std::io::{BufRead as _, BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use rewardanything_evals::build::Source;
use rewardanything_evals::decontaminate::{Index, Overlap};
use rewardanything_evals::layout::Layout;
use serde_json::{Value, json};

use super::args::DecontaminateArgs;
use crate::Outcome;
use crate::columnar::Output;
use crate::items::{self, BadLines};

/// Runs `data decontaminate`.
///
/// # Errors
/// A file cannot be read or written, or with `--strict` a line is bad.
pub(crate) fn run(args: &DecontaminateArgs) -> Result<Outcome> {
    let mut bad = BadLines::default();
    let benchmarks = Benchmarks::read(
        &args.against,
        args.near,
        args.with_responses,
        &mut bad,
        args.strict,
    )?;
    let mut out = Output::create(&args.output)?;
    let mut removed = args
        .removed
        .as_ref()
        .map(|path| -> Result<_> {
            let file = File::create_new(path).with_context(|| format!("cannot create {}", path.display()))?;
            Ok(BufWriter::new(file))
        })
        .transpose()?;
    let (mut kept, mut gone) = (0usize, 0usize);
    for (index, line) in items::open(&args.items)?.lines().enumerate() {
        let line =
            line.with_context(|| format!("cannot read {}, line {}", args.items.display(), index + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        let source = match Source::read(&line) {
            Ok(source) => source,
            Err(why) => {
                bad.report(&args.items, index + 1, &why, args.strict)?;
                continue;
            }
        };
        match benchmarks.overlap(&source) {
            None => {
                writeln!(out, "{line}")?;
                kept += 1;
            }
            Some(why) => {
                gone += 1;
                if let Some(removed) = &mut removed {
                    let id = serde_json::from_str::<Value>(&line).map(|item| item["id"].clone())?;
                    writeln!(removed, "{}", json!({"line": index + 1, "id": id, "why": why}))?;
                }
            }
        }
    }
    out.finish()?;
    if let Some(removed) = &mut removed {
        removed.flush()?;
    }
    eprintln!(
        "{kept} lines stay, {gone} stand in {} benchmark texts",
        benchmarks.index.len()
    );
    if let Some(summary) = bad.summary() {
        eprintln!("{summary}");
    }
    Ok(Outcome::of(bad.is_empty()))
}

/// Benchmark texts, and where each comes from.
pub(crate) struct Benchmarks {
    index: Index,
    places: Vec<(PathBuf, usize)>,
    with_responses: bool,
}

impl Benchmarks {
    /// Reads benchmark files, each in the item format or a published layout, as its lines look.
    ///
    /// # Errors
    /// A file cannot be read, or holds no text.
    pub(crate) fn read(
        paths: &[PathBuf],
        near: f64,
        with_responses: bool,
        bad: &mut BadLines,
        strict: bool,
    ) -> Result<Self> {
        let mut benchmarks = Benchmarks {
            index: Index::new(near),
            places: Vec::new(),
            with_responses,
        };
        for path in paths {
            let before = benchmarks.index.len();
            for (index, line) in items::open(path)?.lines().enumerate() {
                let line = line.with_context(|| format!("cannot read {}", path.display()))?;
                if line.trim().is_empty() {
                    continue;
                }
                match texts(&line, with_responses) {
                    Err(why) => bad.report(path, index + 1, &why, strict)?,
                    Ok(texts) => {
                        for text in texts {
                            benchmarks.index.add(&text);
                            benchmarks.places.push((path.clone(), index + 1));
                        }
                    }
                }
            }
            ensure!(
                benchmarks.index.len() > before,
                "{} holds no text to keep out",
                path.display()
            );
        }
        Ok(benchmarks)
    }

    /// Why an item must go, if it must.
    pub(crate) fn overlap(&self, source: &Source) -> Option<Value> {
        let responses = source.responses.iter().map(|response| response.text.as_str());
        let texts = std::iter::once(source.prompt.as_str()).chain(responses.take(if self.with_responses {
            usize::MAX
        } else {
            0
        }));
        texts.into_iter().find_map(|text| {
            let (at, similarity) = match self.index.overlap(text)? {
                Overlap::Ngram { text } => (text, None),
                Overlap::Near { text, similarity } => (text, Some(similarity)),
            };
            let (path, line) = &self.places[at];
            Some(json!({
                "kind": if similarity.is_some() { "near-duplicate" } else { "run of words" },
                "similarity": similarity, "file": path, "line": line,
            }))
        })
    }
}

/// The texts of a benchmark line, in whichever layout it is.
fn texts(line: &str, with_responses: bool) -> Result<Vec<String>, String> {
    let record: Value = serde_json::from_str(line).map_err(|error| format!("not a record: {error}"))?;
    let layouts = Layout::ALL.into_iter().filter(|&layout| layout != Layout::Items);
    let as_item = layouts
        .into_iter()
        .find_map(|layout| layout.to_item(&record).ok())
        .unwrap_or_else(|| record.clone());
    let source = Source::read(&as_item.to_string()).or_else(|why| {
        // Other benchmarks have a question or an instruction; that is text enough.
        ["question", "instruction", "text"]
            .iter()
            .find_map(|key| record.get(*key)?.as_str())
            .map(|text| Source {
                prompt: text.to_owned(),
                responses: Vec::new(),
                labels: Default::default(),
            })
            .ok_or(why)
    })?;
    let responses = source.responses.into_iter().map(|response| response.text);
    Ok(std::iter::once(source.prompt)
        .chain(responses.take(if with_responses { usize::MAX } else { 0 }))
        .collect())
}
