//! `align --method best-of-n`: sample, judge, keep the best; and pairs of best and worst for training elsewhere.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rewardanything_train::align::{AlignRecipe, Group, Preference, Prompt, Writer, prefer, read_prompts};
use serde_json::{Value, json};

use crate::Outcome;
use crate::align::args::AlignRun;
use crate::align::{policy, referee};
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
    let done = begun(&kept_path, args.resume)?;
    if !args.resume || done == 0 {
        // Pairs of a run that was killed before its first line was whole.
        let _ = fs::remove_file(&pairs_path);
    }
    let (mut kept, mut pairs) = (appended(&kept_path)?, appended(&pairs_path)?);
    let writer = Writer {
        model: policy.model.as_ref(),
        thinking: recipe.thinking,
        temperature: 1.0,
        max_new_tokens: recipe.rollout.max_new_tokens,
        seed: recipe.seed,
    };
    let mut count = Count::default();
    for batch in prompts.get(done..).unwrap_or_default().chunks(BATCH) {
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
            .judge(&recipe.principle, &groups, recipe.seed)
            .into_iter()
            .zip(&replied);
        for (prompt, replies) in batch.iter().zip(&sampled) {
            let line = match replies {
                Err(why) => failed(prompt, "policy", why, &mut count),
                Ok(_) => match verdicts.next().context("every group is judged. This is a bug.")? {
                    (Err(why), _) => failed(prompt, why.kind, &why.message, &mut count),
                    (Ok(scored), (_, texts)) => {
                        let scores = scored.softest();
                        let preferred = prefer(&scored);
                        let best = preferred.map_or(0, |preferred| preferred.chosen);
                        if let Some(preferred) = preferred {
                            let preference = Preference {
                                prompt,
                                chosen: texts[preferred.chosen],
                                rejected: texts[preferred.rejected],
                                scores: preferred.scores,
                            };
                            writeln!(pairs, "{}", preference.line(!args.plain_pairs))?;
                            count.pairs += 1;
                        }
                        count.kept += 1;
                        json!({"id": prompt.id, "prompt": prompt.text, "response": texts[best], "score": scores[best],
                            "scores": scores, "error": null})
                    }
                },
            };
            // The record of a prompt comes after its pair, so that a resumed run repeats no prompt that has both.
            writeln!(kept, "{line}")?;
        }
    }
    judge.report_notes();
    eprintln!(
        "{} prompts, one judge call each: {} best replies in {}, {} pairs in {}{}",
        count.kept + count.failed,
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

fn failed(prompt: &Prompt, kind: &str, message: &str, count: &mut Count) -> Value {
    count.failed += 1;
    json!({"id": prompt.id, "prompt": prompt.text, "response": null, "score": null, "scores": null,
        "error": {"kind": kind, "message": message}})
}

/// How many prompts an earlier run has done.
fn begun(kept: &Path, resume: bool) -> Result<usize> {
    let Ok(text) = fs::read_to_string(kept) else {
        return Ok(0);
    };
    ensure!(
        resume,
        "{} is there already; go on with --resume, or name another output",
        kept.display()
    );
    // A last line that was cut off is done again.
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    fs::write(kept, &text[..whole]).with_context(|| format!("cannot write {}", kept.display()))?;
    Ok(text[..whole].lines().count())
}

fn appended(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.with_context(|| format!("cannot write {}", path.display()))
}
