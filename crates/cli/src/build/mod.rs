//! `data build`: prompts, principles, responses and judges become a data set, stage by stage in a folder.

pub(crate) mod args;
pub(crate) mod clean;
pub(crate) mod csv;
pub(crate) mod people;
mod sample;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use rewardanything_core::Gold;
use rewardanything_evals::build::{
    DraftOptions, Merged, Principle, Source, balanced, curve, draft, meets, merge, with_gold,
};
use rewardanything_evals::item::{Item, Labels};
use rewardanything_principles::library;
use serde_json::{Value, json};

use self::args::{BuildArgs, Principles, Stage};
use self::clean::Benchmarks;
use crate::Outcome;
use crate::args::{JudgeArgs, ModelArgs};
use crate::batch;
use crate::bench::data::hash;
use crate::bench::header::first_difference;
use crate::items::{self, BadLines, Content, Id, ReadOptions, Reader};
use crate::records::Record;

/// Runs `data build`.
///
/// # Errors
/// A file or a model is unusable, or the folder was begun with other settings.
pub(crate) fn run(args: &BuildArgs) -> Result<Outcome> {
    let build = Build::begin(args)?;
    let mut bad = BadLines::default();
    let drafts = build.drafts(&mut bad)?;
    let mut outcome = Outcome::of(bad.is_empty());
    if let Some(summary) = bad.summary() {
        eprintln!("{summary}");
    }
    if args.until < Stage::Verdicts {
        return Ok(outcome);
    }
    for judge in &build.judges {
        eprintln!("judge: {judge}");
        if build.judge(judge)? == Outcome::SomeFailed {
            outcome = Outcome::SomeFailed;
        }
    }
    if args.until < Stage::Consensus {
        return Ok(outcome);
    }
    let merged = build.consensus(&drafts)?;
    if args.until < Stage::Items {
        return Ok(outcome);
    }
    build.finish(&drafts, &merged)?;
    Ok(outcome)
}

/// A draft as it stands in its file, and as it is read.
struct Draft {
    value: Value,
    id: Id,
    item: Box<Item>,
}

struct Build<'a> {
    args: &'a BuildArgs,
    folder: &'a Path,
    judges: Vec<String>,
    seed: u64,
}

impl<'a> Build<'a> {
    /// Begins the folder, or goes on with it where what was drafted would be the same.
    fn begin(args: &'a BuildArgs) -> Result<Self> {
        let folder = args.output.as_path();
        let seed = args.model.seed.unwrap_or(0);
        let mut inputs = Vec::new();
        for path in &args.responses {
            inputs.push(hash(path)?);
        }
        let settings = json!({
            "format": "rewardanything.build/1", "inputs_sha256": inputs, "sample_from": args.sample_from,
            "steered": args.steered, "max_prompts": args.max_prompts,
            "principles": format!("{:?}", args.principles).to_lowercase(), "draft": args.draft,
            "per_item": args.per_item, "per_prompt": args.per_prompt, "seed": seed,
            "version": env!("CARGO_PKG_VERSION"),
        });
        let path = folder.join("build.json");
        if path.is_file() {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let begun: Value = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
            if let Some((field, now, then)) = first_difference("", &settings, &begun) {
                anyhow::bail!(
                    "{} was begun with other settings, and what was judged would not fit: {field} was {then} and would \
                     be {now}",
                    folder.display()
                );
            }
        } else {
            ensure!(
                !folder.exists() || fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none()),
                "{} exists and holds something that is no build",
                folder.display()
            );
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
            fs::write(&path, serde_json::to_string_pretty(&settings)? + "\n")
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let judges = if args.judge.is_empty() {
            vec![args.model.model.clone()]
        } else {
            args.judge.clone()
        };
        Ok(Build {
            args,
            folder,
            judges,
            seed,
        })
    }

    /// The drafts, made where they are not there yet.
    fn drafts(&self, bad: &mut BadLines) -> Result<Vec<Draft>> {
        let path = self.folder.join("drafts.jsonl");
        if !path.is_file() {
            let mut sources = Vec::new();
            for path in &self.args.responses {
                self.read_sources(path, &mut sources, bad)?;
            }
            if let Some(most) = self.args.max_prompts {
                sample::draw(&mut sources, most, self.seed);
            }
            let principles = principles(self.args.principles);
            sample::run(self.args, self.folder, &mut sources, &principles)?;
            if self.args.until < Stage::Drafts {
                return Ok(Vec::new());
            }
            let options = DraftOptions {
                items: self.args.draft,
                per_item: usize::from(self.args.per_item),
                per_prompt: self.args.per_prompt,
                seed: self.seed,
            };
            let drafts = draft(&sources, &principles, options);
            ensure!(
                !drafts.is_empty(),
                "nothing to draft: none of the {} prompts has {} different responses",
                sources.len(),
                self.args.per_item
            );
            write_lines(&path, drafts.iter())?;
            eprintln!("{} items drafted of {} prompts", drafts.len(), sources.len());
        }
        let mut drafts = Vec::new();
        let values = read_values(&path)?;
        for (value, line) in values
            .into_iter()
            .zip(Reader::new(items::open(&path)?, ReadOptions::default()))
        {
            match line?.content {
                Content::Named(id, Ok(item)) => drafts.push(Draft { value, id, item }),
                Content::Named(_, Err(why)) | Content::Broken(why) => {
                    anyhow::bail!("{} was changed: {why}", path.display())
                }
            }
        }
        Ok(drafts)
    }

    fn read_sources(&self, path: &Path, sources: &mut Vec<Source>, bad: &mut BadLines) -> Result<()> {
        for (index, line) in items::open(path)?.lines().enumerate() {
            let line = line.with_context(|| format!("cannot read {}", path.display()))?;
            if line.trim().is_empty() {
                continue;
            }
            match Source::read(&line) {
                Ok(source) => sources.push(source),
                Err(why) => bad.report(path, index + 1, &why, self.args.strict)?,
            }
        }
        Ok(())
    }

    /// The file of a judge's records.
    fn verdicts(&self, judge: &str) -> PathBuf {
        self.folder.join("verdicts").join(sample::file_name(judge))
    }

    /// Judges what the judge has not judged yet.
    fn judge(&self, judge: &str) -> Result<Outcome> {
        let output = self.verdicts(judge);
        fs::create_dir_all(self.folder.join("verdicts"))
            .with_context(|| format!("cannot create {}", output.display()))?;
        let input = self.folder.join("drafts.jsonl");
        let args = JudgeArgs {
            principle: None,
            prompt: None,
            responses: Vec::new(),
            json: false,
            input: Some(input.clone()),
            output: Some(output.clone()),
            resume: true,
            retry_failed: false,
            strict: true,
            batch: None,
            model: ModelArgs {
                model: judge.to_owned(),
                ..self.args.model.clone()
            },
        };
        batch::run(&args, &input, &output)
    }

    /// The consensus on each draft; `None` where no judge has a verdict.
    fn consensus(&self, drafts: &[Draft]) -> Result<Vec<Option<Merged>>> {
        let mut by_id: HashMap<Id, Vec<Record>> = HashMap::new();
        for judge in &self.judges {
            for record in read_values(&self.verdicts(judge))? {
                let record: Record = serde_json::from_value(record)
                    .with_context(|| format!("{}", self.verdicts(judge).display()))?;
                if let Some(id) = record.id.clone().filter(|_| record.error.is_none()) {
                    by_id.entry(id).or_default().push(record);
                }
            }
        }
        let merged: Vec<Option<Merged>> = drafts
            .iter()
            .map(|draft| {
                let names = names(&draft.item);
                let golds: Vec<Gold> = by_id
                    .get(&draft.id)
                    .into_iter()
                    .flatten()
                    .filter_map(|record| gold(record, &names))
                    .collect();
                if golds.is_empty() {
                    return Ok(None);
                }
                Ok(Some(merge(&golds)?))
            })
            .collect::<Result<_>>()?;
        let lines: Vec<Value> = drafts
            .iter()
            .zip(&merged)
            .filter_map(|(draft, merged)| {
                Some(with_gold(&draft.value, &names(&draft.item), merged.as_ref()?))
            })
            .collect();
        write_lines(&self.folder.join("consensus.jsonl"), lines.iter())?;
        Ok(merged)
    }

    /// The later stages, which are quick and made anew each time.
    fn finish(&self, drafts: &[Draft], merged: &[Option<Merged>]) -> Result<()> {
        let judges = self.judges.len();
        // Three of four, by default.
        let demand = self.args.agree.unwrap_or((3 * judges).div_ceil(4));
        let benchmarks = (!self.args.against.is_empty())
            .then(|| {
                let mut bad = BadLines::default();
                let near = rewardanything_evals::decontaminate::NEAR;
                Benchmarks::read(&self.args.against, near, false, &mut bad, self.args.strict)
            })
            .transpose()?;
        let (mut clean, mut removed, mut disagreed, mut unjudged) = (Vec::new(), Vec::new(), 0usize, 0usize);
        for (draft, merged) in drafts.iter().zip(merged) {
            let Some(merged) = merged else {
                unjudged += 1;
                removed.push(json!({"id": draft.id, "why": {"kind": "no verdict"}}));
                continue;
            };
            if !meets(merged, demand) {
                disagreed += 1;
                removed
                    .push(json!({"id": draft.id, "why": {"kind": "agreement", "agreeing": merged.agreeing}}));
                continue;
            }
            let source = Source {
                prompt: draft.item.request.prompt().to_owned(),
                responses: draft.item.request.responses().to_vec(),
                labels: Labels::default(),
            };
            if let Some(why) = benchmarks
                .as_ref()
                .and_then(|benchmarks| benchmarks.overlap(&source))
            {
                removed.push(json!({"id": draft.id, "why": why}));
                continue;
            }
            clean.push((draft, with_gold(&draft.value, &names(&draft.item), merged)));
        }
        write_lines(
            &self.folder.join("clean.jsonl"),
            clean.iter().map(|(_, line)| line),
        )?;
        write_lines(&self.folder.join("removed.jsonl"), removed.iter())?;
        let labels: Vec<Labels> = clean.iter().map(|(draft, _)| draft.item.labels.clone()).collect();
        let chosen = balanced(&labels, self.args.keep.unwrap_or(usize::MAX), self.seed);
        let items = self.folder.join("items.jsonl");
        write_lines(&items, chosen.iter().map(|&index| &clean[index].1))?;
        let mut read = Vec::new();
        for line in Reader::new(items::open(&items)?, ReadOptions::default()) {
            if let Content::Named(id, Ok(item)) = line?.content {
                read.push((id, item));
            }
        }
        let pairs = people::write(self.folder, &read, self.args.validate, self.seed)?;
        let overlapping = removed.len() - disagreed - unjudged;
        let mut text = format!(
            "# Build\n\n{} items drafted, {unjudged} without a verdict, {disagreed} without the agreement of {demand} of \
             {judges} judges, {overlapping} in benchmarks; {} of {} kept, {pairs} pairs for people.\n\n\
             | judges that must agree | items |\n| ---: | ---: |\n",
            drafts.len(),
            chosen.len(),
            clean.len()
        );
        let all: Vec<Merged> = merged.iter().flatten().cloned().collect();
        for (demand, kept) in curve(&all, judges) {
            text.push_str(&format!("| {demand} | {kept} |\n"));
        }
        let path = self.folder.join("build.md");
        fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        print!("{text}");
        Ok(())
    }
}

fn names(item: &Item) -> Vec<String> {
    item.request
        .responses()
        .iter()
        .map(|response| response.name.clone())
        .collect()
}

/// A record as a verdict by index; `None` where it does not cover the item.
fn gold(record: &Record, names: &[String]) -> Option<Gold> {
    let index = |name: &String| names.iter().position(|own| own == name);
    let scores: Vec<f64> = names
        .iter()
        .map(|name| record.scores.get(name)?.as_f64())
        .collect::<Option<_>>()?;
    let ranking: Vec<usize> = record.ranking.iter().map(index).collect::<Option<_>>()?;
    (ranking.len() == names.len()).then_some(Gold { scores, ranking })
}

fn principles(half: Principles) -> Vec<Principle> {
    library()
        .iter()
        .filter(|principle| principle.held_out == (half == Principles::Novel))
        .map(|principle| Principle {
            id: principle.id.to_owned(),
            category: Some(principle.category.id().to_owned()),
            text: principle.text.to_owned(),
        })
        .collect()
}

/// Writes lines beside the file and moves them into place, so that a file that is there is whole.
fn write_lines<'v>(path: &Path, lines: impl Iterator<Item = &'v Value>) -> Result<()> {
    let write = |lines: &mut dyn Iterator<Item = &'v Value>| -> Result<()> {
        let folder = path.parent().context("a file has a folder")?;
        let mut fresh = BufWriter::new(tempfile::NamedTempFile::new_in(folder)?);
        for line in lines {
            writeln!(fresh, "{line}")?;
        }
        let fresh = fresh.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        fresh.persist(path)?;
        Ok(())
    };
    let mut lines = lines;
    write(&mut lines).with_context(|| format!("cannot write {}", path.display()))
}

fn read_values(path: &Path) -> Result<Vec<Value>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    std::io::BufReader::new(file)
        .lines()
        .enumerate()
        .map(|(index, line)| {
            let line = line.with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_str(&line).with_context(|| format!("{}, line {}", path.display(), index + 1))
        })
        .collect()
}
