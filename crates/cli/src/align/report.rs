//! `align report`: two models on the same prompts.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rewardanything_models::NANO;
use rewardanything_train::align::{
    Compared, Comparison, Prompt, Sampled, Writer, compare, guards, read_prompts, text_loss,
};
use rewardanything_train::texts::{self, Pair, TextConfig};
use serde_json::json;

use crate::Outcome;
use crate::align::args::ReportArgs;
use crate::align::policy::Policy;
use crate::align::{policy, referee};
use crate::build::csv;
use crate::table;

/// The most pairs whose loss is measured.
const PAIRS: usize = 200;

pub(super) fn run(args: &ReportArgs) -> Result<Outcome> {
    let watched = args
        .measures
        .iter()
        .map(|name| {
            guards::quality(name).with_context(|| format!("--measure: no quality is called {name:?}"))
        })
        .collect::<Result<Vec<_>>>()?;
    let pairs = match &args.text {
        Some(file) => texts::shuffled(pairs(file)?, args.seed),
        None => Vec::new(),
    };
    let mut prompts = match &args.prompts {
        Some(file) if file.extension().is_some_and(|extension| extension == "csv") => table_of(file)?,
        Some(file) => read_prompts(file)?,
        None => of_text(&pairs),
    };
    if args.most > 0 {
        prompts.truncate(args.most);
    }
    let principle = args.principle.as_ref().map(|text| text.read()).transpose()?;
    let judge = match &principle {
        None => None,
        Some(_) => {
            let name = args.judge.judge.as_deref().unwrap_or(NANO);
            let orders = args.judge.permutations.unwrap_or(2);
            Some(policy::judge(
                name,
                args.judge.judge_profile.as_deref(),
                orders,
                &args.judge,
            )?)
        }
    };
    let places = (&args.judge.local, &args.judge.server);
    let before = policy::policy(&args.before, args.template.as_ref(), places).context("--before")?;
    let after = policy::policy(&args.after, args.template.as_ref(), places).context("--after")?;
    let (was, is) = (replies(args, &before, &prompts), replies(args, &after, &prompts));
    let count = prompts.len();
    let (mut both, mut old, mut new) = (Vec::new(), Vec::new(), Vec::new());
    let mut last = None;
    for (prompt, pair) in prompts.into_iter().zip(was.into_iter().zip(is)) {
        match pair {
            (Ok(mut was), Ok(mut is)) => {
                both.push(prompt);
                old.append(&mut was);
                new.append(&mut is);
            }
            (Err(why), _) | (_, Err(why)) => last = Some(why),
        }
    }
    ensure!(
        !both.is_empty(),
        "no prompt has two replies; the last: {}",
        last.unwrap_or_default()
    );
    let compared = Compared {
        prompts: &both,
        before: &old,
        after: &new,
        watched: &watched,
    };
    let referee = judge.as_ref().map(referee);
    let asked = referee.as_ref().zip(principle.as_deref());
    let found = compare(
        &compared,
        asked.map(|(judge, principle)| (judge, principle, args.seed)),
    );
    let measured = &pairs[..pairs.len().min(PAIRS)];
    let losses = (loss(&before, measured)?, loss(&after, measured)?);
    let unanswered = count - found.prompts;
    let mut out = io::stdout().lock();
    if args.json {
        let report = json!({"before": args.before, "after": args.after, "principle": principle, "comparison": found,
            "unanswered": unanswered, "text_loss": {"before": losses.0, "after": losses.1}});
        writeln!(out, "{report}")?;
    } else {
        out.write_all(shown(&found, losses, unanswered).as_bytes())?;
        out.write_all(samples(&compared, args.samples).as_bytes())?;
    }
    Ok(Outcome::of(unanswered + found.unjudged == 0))
}

fn pairs(file: &Path) -> Result<Vec<Pair>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let config: TextConfig =
        toml::from_str(&text).with_context(|| format!("{} names no text", file.display()))?;
    Ok(texts::read(&config, file.parent().unwrap_or(Path::new("")))?)
}

/// Prompts of a table with the columns `prompt` and, where there are some, `id` and `label`, as XSTest is published.
fn table_of(file: &Path) -> Result<Vec<Prompt>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let rows = csv::rows(&text).with_context(|| format!("{} is no table", file.display()))?;
    let (head, rows) = rows
        .split_first()
        .with_context(|| format!("{} is empty", file.display()))?;
    let column = |name: &str| head.iter().position(|found| found == name);
    let prompts = column("prompt").with_context(|| format!("{} has no column `prompt`", file.display()))?;
    let (ids, labels) = (column("id"), column("label"));
    let cell = |row: &[String], at: Option<usize>| at.and_then(|at| row.get(at).cloned());
    rows.iter()
        .enumerate()
        .map(|(index, row)| {
            let text = cell(row, Some(prompts)).filter(|text| !text.trim().is_empty());
            let text =
                text.with_context(|| format!("{}: row {} has no prompt", file.display(), index + 2))?;
            let id = cell(row, ids).unwrap_or_else(|| (index + 1).to_string());
            Ok(Prompt::of_text(id, text).labelled(cell(row, labels).as_deref()))
        })
        .collect()
}

fn of_text(pairs: &[Pair]) -> Vec<Prompt> {
    let prompt =
        |(index, pair): (usize, &Pair)| Prompt::of_text((index + 1).to_string(), pair.prompt.clone());
    pairs.iter().enumerate().map(prompt).collect()
}

fn replies(args: &ReportArgs, policy: &Policy, prompts: &[Prompt]) -> Vec<Result<Vec<Sampled>, String>> {
    let writer = Writer {
        model: policy.model.as_ref(),
        thinking: false,
        temperature: args.temperature,
        max_new_tokens: args.max_new_tokens,
        seed: args.seed,
    };
    writer.replies(prompts, 1)
}

fn loss(policy: &Policy, pairs: &[Pair]) -> Result<Option<f64>> {
    match &policy.local {
        Some(model) if !pairs.is_empty() => Ok(Some(text_loss(model, false, pairs)?)),
        _ => Ok(None),
    }
}

fn shown(found: &Comparison, losses: (Option<f64>, Option<f64>), unanswered: usize) -> String {
    let mut text = format!("{} prompts", found.prompts);
    for (count, what) in [
        (unanswered, "without two replies"),
        (found.unjudged, "without a verdict"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text.push('\n');
    let range = |interval: Option<(f64, f64)>, scale: f64| {
        interval.map_or(String::new(), |(low, high)| {
            format!(" [{:.1}, {:.1}]", scale * low, scale * high)
        })
    };
    if let Some(rate) = found.win_rate {
        let _ = writeln!(
            text,
            "win rate of the model after: {:.1}%{}",
            100.0 * rate,
            range(found.win_interval, 100.0)
        );
    }
    if let (Some(before), Some(after)) = losses {
        let _ = writeln!(
            text,
            "loss of the text: {before:.4} before, {after:.4} after ({:+.1}%)",
            100.0 * (after / before - 1.0)
        );
    }
    for figure in &found.figures {
        let shift = figure
            .shift
            .map_or(String::new(), |shift| format!(", {shift:+.2} deviations"));
        let interval = figure
            .difference_interval
            .map_or(String::new(), |(low, high)| format!(" [{low:+.3}, {high:+.3}]"));
        let _ = writeln!(
            text,
            "{}: {:.3} before, {:.3} after{shift}; difference {:+.3}{interval}",
            figure.name,
            figure.before,
            figure.after,
            figure.after - figure.before
        );
    }
    text
}

fn samples(compared: &Compared<'_>, count: usize) -> String {
    let mut text = String::new();
    for (prompt, (before, after)) in compared
        .prompts
        .iter()
        .zip(compared.before.iter().zip(compared.after))
        .take(count)
    {
        for (what, said) in [
            ("prompt", &prompt.text),
            ("before", &before.text),
            ("after", &after.text),
        ] {
            let _ = writeln!(
                text,
                "{}{what}: {}",
                if what == "prompt" { "\n" } else { "" },
                table::plain(said)
            );
        }
    }
    text
}
