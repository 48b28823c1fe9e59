//! `align --method best-of-n`: sample, judge, keep the best; and pairs of best and worst for training elsewhere.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rewardanything_train::align::{
    AlignRecipe, Group, Preference, Prompt, Scored, Writer, prefer, read_prompts,
};
use serde_json::{Value, json};

use crate::Outcome;
use crate::align::args::AlignRun;
use crate::align::{policy, referee};
use crate::columnar;
use crate::models::Speaker;

/// Prompts that are sampled and judged at once.
const BATCH: usize = 16;

/// What became of the prompts.
#[derive(Debug, Default)]
struct Count {
    kept: usize,
    pairs: usize,
    failed: usize,
}

pub(super) fn run(args: &AlignRun, recipe: &AlignRecipe, base: &Path, judge: &Speaker) -> Result<Outcome> {
    let file = recipe.prompts.as_ref().context("--prompts is missing")?;
    let prompts = read_prompts(&base.join(file))?;
    let name = recipe.policy.to_string_lossy().into_owned();
    let name = if name.contains("://") {
        name
    } else {
        base.join(&name).to_string_lossy().into_owned()
    };
    let referee = referee(judge);
    ensure!(
        (2..=referee.limit()).contains(&recipe.rollout.group),
        "--group {}: expected 2 to {}, as many responses as the judge takes at once",
        recipe.rollout.group,
        referee.limit()
    );
    let policy = policy::policy(
        &name,
        args.template.as_ref(),
        (&args.judge.local, &args.judge.server),
    )?;
    let folder = base.join(&recipe.output);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (kept_path, pairs_path) = (folder.join("kept.jsonl"), folder.join("pairs.jsonl"));
    let columns_path = folder.join("pairs.parquet");
    if args.parquet {
        columnar::check(&columns_path)?;
    }
    let (done, paired) = begun(&kept_path, args.resume)?;
    first_lines(&pairs_path, paired)?;
    let (mut kept, mut pairs) = (appended(&kept_path)?, appended(&pairs_path)?);
    let writer = Writer {
        model: policy.model.as_ref(),
        thinking: recipe.thinking,
        temperature: 1.0,
        max_new_tokens: recipe.rollout.max_new_tokens,
        seed: recipe.seed,
    };
    let mut count = Count::default();
    for (index, batch) in prompts.chunks(BATCH).enumerate() {
        // A batch that was cut is judged as a whole again, since the orders in it depend on places, and is written from where
        // it was cut.
        let written = done.saturating_sub(index * BATCH).min(batch.len());
        if written == batch.len() {
            continue;
        }
        let sampled = writer.replies(batch, recipe.rollout.group);
        let replied: Vec<(&Prompt, Vec<&str>)> = batch
            .iter()
            .zip(&sampled)
            .filter_map(|(prompt, replies)| {
                let texts = replies.as_ref().ok()?.iter().map(|reply| reply.text.as_str());
                Some((prompt, texts.collect()))
            })
            .collect();
        let groups: Vec<Group<'_>> = replied
            .iter()
            .map(|(prompt, replies)| Group {
                prompt: &prompt.text,
                replies: replies.clone(),
            })
            .collect();
        let mut verdicts = referee
            .judge(&recipe.principle, &groups, recipe.seed.wrapping_add(index as u64))
            .into_iter()
            .zip(&replied);
        for (place, (prompt, replies)) in batch.iter().zip(&sampled).enumerate() {
            let (line, pair) = match replies {
                Err(why) => (failed(prompt, "policy", why), None),
                Ok(_) => match verdicts.next().context("every group is judged. This is a bug.")? {
                    (Err(why), _) => (failed(prompt, why.kind, &why.message), None),
                    (Ok(scored), (_, texts)) => judged(prompt, texts, &scored),
                },
            };
            if place < written {
                continue;
            }
            count.failed += usize::from(line["error"].is_object());
            count.kept += usize::from(line["error"].is_null());
            if let Some(preference) = pair {
                writeln!(pairs, "{}", preference.line(!args.plain_pairs))?;
                count.pairs += 1;
            }
            // After its pair: a pair without its record is cut off when the run is resumed.
            writeln!(kept, "{line}")?;
        }
    }
    if args.parquet {
        drop(pairs);
        // Of all pairs, those of an earlier run that was gone on with too.
        if fs::metadata(&pairs_path).is_ok_and(|file| file.len() > 0) {
            columnar::convert(&pairs_path, &columns_path)?;
        }
    }
    judge.report_notes();
    eprintln!(
        "{} prompts, {} judge call{} each: {} best replies in {}, {} pairs in {}{}",
        count.kept + count.failed,
        referee.repeats.permutations,
        if referee.repeats.permutations == 1 {
            ""
        } else {
            "s"
        },
        count.kept,
        kept_path.display(),
        count.pairs,
        pairs_path.display(),
        if count.failed > 0 {
            format!(", {} without a verdict", count.failed)
        } else {
            String::new()
        }
    );
    Ok(Outcome::of(count.failed == 0))
}

/// The record of a prompt and, where its replies differ in their scores, the best and the worst of them.
fn judged<'a>(prompt: &'a Prompt, texts: &[&'a str], scored: &Scored) -> (Value, Option<Preference<'a>>) {
    let (scores, preferred) = (scored.softest(), prefer(scored));
    let best = preferred.map_or(0, |preferred| preferred.chosen);
    let line = json!({"id": prompt.id, "prompt": prompt.text, "response": texts[best], "score": scores[best],
        "scores": scores, "paired": preferred.is_some(), "error": null});
    let pair = preferred.map(|preferred| Preference {
        prompt,
        chosen: texts[preferred.chosen],
        rejected: texts[preferred.rejected],
        scores: preferred.scores,
    });
    (line, pair)
}

fn failed(prompt: &Prompt, kind: &str, message: &str) -> Value {
    json!({"id": prompt.id, "prompt": prompt.text, "response": null, "score": null, "scores": null,
        "paired": false, "error": {"kind": kind, "message": message}})
}

/// How many prompts an earlier run has done, and how many of them have a pair.
fn begun(kept: &Path, resume: bool) -> Result<(usize, usize)> {
    let Ok(text) = fs::read_to_string(kept) else {
        return Ok((0, 0));
    };
    ensure!(
        resume,
        "{} is there already; go on with --resume, or name another output",
        kept.display()
    );
    // A last line that was cut off is done again.
    let whole = text.matches('\n').count();
    first_lines(kept, whole)?;
    let mut paired = 0;
    for (number, line) in text.lines().take(whole).enumerate() {
        let line: Value = serde_json::from_str(line)
            .with_context(|| format!("{}: line {} is no record", kept.display(), number + 1))?;
        paired += usize::from(line["paired"] == true);
    }
    Ok((whole, paired))
}

/// Cuts a file after so many lines; one that is not there has none.
fn first_lines(path: &Path, lines: usize) -> Result<()> {
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(());
    };
    let first: String = text.split_inclusive('\n').take(lines).collect();
    fs::write(path, first).with_context(|| format!("cannot write {}", path.display()))
}

fn appended(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.with_context(|| format!("cannot write {}", path.display()))
}
