//! `data verifiable`: files of real responses become items with exact gold.

use std::io::{BufRead as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rewardanything_core::Gold;
use rewardanything_evals::item;
use rewardanything_principles::items::{
    BuildOptions, Item, LibraryItem, PoolEntry, PrincipleSplit, build, build_intents, build_library,
};
use rewardanything_principles::{Rule, Split};
use serde_json::{Map, Value, json};

use crate::Outcome;
use crate::args::{Share, VerifiableArgs, Wording};
use crate::columnar::Output;
use crate::items::{self, BadLines};
use crate::records::number;

/// Runs `data verifiable`.
///
/// # Errors
/// A file cannot be read or written, the output exists, no item could be built, or with `--strict` a line is bad.
pub(crate) fn verifiable(args: &VerifiableArgs) -> Result<Outcome> {
    let (mut pool, mut bad) = (Vec::new(), BadLines::default());
    for path in &args.responses {
        read_pool(path, &mut pool, &mut bad, args.strict)?;
    }
    let options = options(args);
    let items: Vec<Value> = match args.principles {
        Share::Train | Share::Novel => build(&pool, &options).iter().map(as_json).collect(),
        Share::LibraryTrain | Share::LibraryNovel => {
            build_library(&pool, &options).iter().map(library_json).collect()
        }
        Share::Intents => build_intents(&pool, &options).iter().map(library_json).collect(),
    };
    ensure!(
        !items.is_empty(),
        "no item could be built: none of the {} prompts has {} responses that differ enough",
        pool.len(),
        args.per_item.start()
    );
    let mut out = Output::create(&args.output)?;
    for item in &items {
        writeln!(out, "{item}")?;
    }
    out.finish()?;
    eprintln!("{} items of {} prompts", items.len(), pool.len());
    if items.len() < args.items {
        eprintln!(
            "fewer than the {} asked for: the responses are used up",
            args.items
        );
    }
    if let Some(summary) = bad.summary() {
        eprintln!("{summary}");
    }
    Ok(Outcome::of(bad.is_empty()))
}

fn options(args: &VerifiableArgs) -> BuildOptions {
    BuildOptions {
        max_words: args.max_words,
        per_item: args.per_item.clone(),
        items: args.items,
        split: match args.principles {
            Share::Train | Share::LibraryTrain => PrincipleSplit::TrainPrinciples,
            Share::Novel | Share::LibraryNovel | Share::Intents => PrincipleSplit::NovelPrinciples,
        },
        phrasings: match args.phrasings {
            Wording::Train => Split::Train,
            Wording::HeldOut => Split::HeldOut,
            Wording::Unseen => Split::Unseen,
        },
        seed: args.seed,
        blank: args.blank_principle,
    }
}

/// Adds the records of a file that can be judged: those with a prompt.
fn read_pool(path: &Path, pool: &mut Vec<PoolEntry>, bad: &mut BadLines, strict: bool) -> Result<()> {
    for (index, line) in items::open(path)?.lines().enumerate() {
        let line = line.with_context(|| format!("cannot read {}, line {}", path.display(), index + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        match item::prompt_and_responses(&line) {
            Err(why) => bad.report(path, index + 1, &why, strict)?,
            Ok((prompt, _)) if prompt.trim().is_empty() => {}
            Ok((prompt, responses)) => pool.push(PoolEntry {
                prompt,
                responses: responses
                    .into_iter()
                    .map(|response| (response.name, response.text))
                    .collect(),
            }),
        }
    }
    Ok(())
}

/// The item as a line that `judge --input` and `score --items` read.
fn as_json(item: &Item) -> Value {
    json!({
        "id": item.id,
        "principle": item.principle,
        "prompt": item.prompt,
        "responses": texts(&item.responses),
        "gold": gold(&item.responses, &item.gold),
        "measure": item.measure.id(),
        "direction": item.direction.id(),
        "difficulty": item.difficulty().id(),
    })
}

/// The same of an item of the library.
fn library_json(item: &LibraryItem) -> Value {
    json!({
        "id": item.id,
        "principle": item.principle,
        "prompt": item.prompt,
        "responses": texts(&item.responses),
        "gold": gold(&item.responses, &item.gold),
        "measure": item.of.id,
        "category": item.of.category,
        "difficulty": item.difficulty().id(),
        "kind": item.of.kind,
        "new_quality": item.of.rule.is_some_and(Rule::is_of_new_quality),
    })
}

fn texts(responses: &[(String, String)]) -> Map<String, Value> {
    responses
        .iter()
        .map(|(name, text)| (name.clone(), Value::from(text.as_str())))
        .collect()
}

/// Scores and ranking by the names of the responses.
fn gold(responses: &[(String, String)], gold: &Gold) -> Value {
    let scores: Map<String, Value> = responses
        .iter()
        .zip(&gold.scores)
        .map(|((name, _), &score)| (name.clone(), number(score)))
        .collect();
    let ranking: Vec<&str> = gold
        .ranking
        .iter()
        .map(|&index| responses[index].0.as_str())
        .collect();
    json!({ "scores": scores, "ranking": ranking })
}
