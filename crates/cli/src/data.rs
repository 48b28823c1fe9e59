//! `data verifiable`: files of real responses become items with exact gold.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use flate2::read::MultiGzDecoder;
use rewardanything_core::Gold;
use rewardanything_principles::items::{
    BuildOptions, Item, LibraryItem, PoolEntry, PrincipleSplit, build, build_intents, build_library,
};
use rewardanything_principles::{Rule, Split};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Outcome;
use crate::args::{Share, VerifiableArgs, Wording};
use crate::records::number;

/// Runs `data verifiable`.
///
/// # Errors
/// A file cannot be read or written, a line is no record, the output exists, or no item could be built.
pub(crate) fn verifiable(args: &VerifiableArgs) -> Result<Outcome> {
    let mut pool = Vec::new();
    for path in &args.responses {
        read_pool(path, &mut pool).with_context(|| format!("cannot use {}", path.display()))?;
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
    let mut out: Box<dyn Write> = if args.output == Path::new("-") {
        Box::new(io::stdout().lock())
    } else {
        let file = File::create_new(&args.output)
            .with_context(|| format!("cannot create {}", args.output.display()))?;
        Box::new(BufWriter::new(file))
    };
    for item in &items {
        writeln!(out, "{item}")?;
    }
    out.flush()?;
    eprintln!("{} items of {} prompts", items.len(), pool.len());
    if items.len() < args.items {
        eprintln!(
            "fewer than the {} asked for: the responses are used up",
            args.items
        );
    }
    Ok(Outcome::Done)
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
        },
        seed: args.seed,
        blank: args.blank_principle,
    }
}

/// One line of a response file; what else it holds is ignored.
#[derive(Deserialize)]
struct Line {
    prompt: String,
    responses: Vec<LineResponse>,
}

#[derive(Deserialize)]
struct LineResponse {
    text: String,
    model: Option<String>,
}

impl From<Line> for PoolEntry {
    /// Responses go by their model; one without, or with one that is taken, by its place.
    fn from(line: Line) -> Self {
        let mut taken = HashSet::new();
        let responses = line
            .responses
            .into_iter()
            .enumerate()
            .map(|(index, response)| {
                let name = response
                    .model
                    .filter(|model| !model.trim().is_empty() && !taken.contains(model))
                    .unwrap_or_else(|| format!("response-{}", index + 1));
                taken.insert(name.clone());
                (name, response.text)
            })
            .collect();
        PoolEntry {
            prompt: line.prompt,
            responses,
        }
    }
}

/// Adds the records of a file that can be judged: those with a prompt.
fn read_pool(path: &Path, pool: &mut Vec<PoolEntry>) -> Result<()> {
    let file = File::open(path)?;
    let reader: Box<dyn BufRead> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(BufReader::new(MultiGzDecoder::new(file)))
    } else {
        Box::new(BufReader::new(file))
    };
    for (index, line) in reader.lines().enumerate() {
        let line = line.with_context(|| format!("line {}", index + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        let record: Line = serde_json::from_str(&line).with_context(|| format!("line {}", index + 1))?;
        if !record.prompt.trim().is_empty() {
            pool.push(record.into());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_go_by_their_model_or_their_place() {
        let line: Line = serde_json::from_str(
            r#"{"prompt": "q", "id": 1, "responses": [
                {"text": "1", "model": "m"}, {"text": "2"}, {"text": "3", "model": "m"}, {"text": "4", "model": ""}]}"#,
        )
        .expect("a record");
        let entry = PoolEntry::from(line);
        let names: Vec<_> = entry.responses.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["m", "response-2", "response-3", "response-4"]);
    }
}
