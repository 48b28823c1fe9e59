//! Responses sampled from models, some of them under a principle.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use rewardanything_core::{FinishReason, Fnv1a, GenerateJob, Message, Response, Role};
use rewardanything_evals::build::{Principle, Source};
use serde::{Deserialize, Serialize};

use super::args::BuildArgs;
use crate::args::ModelArgs;
use crate::items;
use crate::models::{self, Speaker};

/// A sampled response, as a line of its file.
#[derive(Debug, Serialize, Deserialize)]
struct Sampled {
    prompt: String,
    /// The principle that it was written under.
    principle: Option<String>,
    text: String,
    /// It was cut off by the limit of tokens, and is not used.
    cut: bool,
    error: Option<String>,
}

/// At most `most` of the sources, drawn by the seed, in their order.
pub(crate) fn draw(sources: &mut Vec<Source>, most: usize, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut keys: Vec<(u64, usize)> = (0..sources.len()).map(|index| (rng.next_u64(), index)).collect();
    keys.sort_unstable();
    keys.truncate(most);
    let chosen: std::collections::HashSet<usize> = keys.into_iter().map(|(_, index)| index).collect();
    let mut index = 0;
    sources.retain(|_| {
        index += 1;
        chosen.contains(&(index - 1))
    });
}

/// The name of a file for a model: its own name, what a file system may not like replaced.
pub(crate) fn file_name(model: &str) -> String {
    let safe: String = model
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    format!("{safe}.jsonl")
}

/// Adds a response of each model to each source. What was sampled before is read, not sampled again.
///
/// # Errors
/// A model or a file is unusable.
pub(crate) fn run(
    args: &BuildArgs,
    folder: &Path,
    sources: &mut [Source],
    principles: &[Principle],
) -> Result<()> {
    for name in &args.sample_from {
        let speaker = models::resolve(&ModelArgs {
            model: name.clone(),
            ..args.model.clone()
        })?;
        eprintln!("sampling from {name}");
        let found = one(args, folder, sources, principles, (name, &speaker))?;
        let mut unusable = 0usize;
        for source in sources.iter_mut() {
            match found.get(&source.prompt) {
                Some(Sampled {
                    text,
                    cut: false,
                    error: None,
                    ..
                }) if source.responses.iter().all(|response| response.name != *name) => {
                    source.responses.push(Response::new(name.clone(), text.clone()));
                }
                _ => unusable += 1,
            }
        }
        if unusable > 0 {
            eprintln!("{unusable} responses of {name} are missing, cut off, or of a name that is taken");
        }
    }
    Ok(())
}

fn one(
    args: &BuildArgs,
    folder: &Path,
    sources: &[Source],
    principles: &[Principle],
    (name, speaker): (&str, &Speaker),
) -> Result<HashMap<String, Sampled>> {
    let folder = folder.join("sampled");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join(file_name(name));
    let mut found = HashMap::new();
    if path.is_file() {
        let mut whole = 0;
        for line in items::open(&path)?.lines() {
            let line = line?;
            // A torn last line is sampled again.
            let Ok(sampled) = serde_json::from_str::<Sampled>(&line) else {
                break;
            };
            whole += line.len() as u64 + 1;
            found.insert(sampled.prompt.clone(), sampled);
        }
        let mut file = OpenOptions::new().append(true).open(&path)?;
        if file.metadata()?.len() < whole {
            // Only the line break was torn off.
            file.write_all(b"\n")?;
        } else {
            file.set_len(whole)?;
        }
    }
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let todo: Vec<&Source> = sources
        .iter()
        .filter(|source| !found.contains_key(&source.prompt))
        .collect();
    for chunk in todo.chunks(speaker.batch()) {
        let steering: Vec<Option<&Principle>> = chunk
            .iter()
            .map(|source| steer(source, name, principles, args))
            .collect();
        let jobs: Vec<GenerateJob> = chunk
            .iter()
            .zip(&steering)
            .map(|(source, principle)| job(source, *principle, speaker))
            .collect();
        let replies = speaker.generator().generate(&jobs);
        for ((source, principle), reply) in chunk.iter().zip(&steering).zip(replies) {
            let (text, cut, error) = match reply {
                Ok(reply) => (
                    without_thinking(&reply.text).to_owned(),
                    reply.finish == FinishReason::Length,
                    None,
                ),
                Err(error) => (String::new(), false, Some(error.to_string())),
            };
            let sampled = Sampled {
                prompt: source.prompt.clone(),
                principle: principle.map(|principle| principle.id.clone()),
                text,
                cut,
                error,
            };
            let line = serde_json::to_string(&sampled)? + "\n";
            file.write_all(line.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
            found.insert(source.prompt.clone(), sampled);
        }
    }
    Ok(found)
}

/// The principle that a response is written under, by the prompt, the model and the seed alone.
fn steer<'p>(
    source: &Source,
    model: &str,
    principles: &'p [Principle],
    args: &BuildArgs,
) -> Option<&'p Principle> {
    let text = format!("{model}\u{0}{}", source.prompt);
    let mut rng = ChaCha8Rng::seed_from_u64(Fnv1a::of(&text) ^ args.model.seed.unwrap_or(0));
    let coin = rng.next_u32() as f64 / f64::from(u32::MAX);
    if coin >= args.steered || principles.is_empty() {
        return None;
    }
    Some(&principles[rng.next_u32() as usize % principles.len()])
}

fn job(source: &Source, principle: Option<&Principle>, speaker: &Speaker) -> GenerateJob {
    let mut messages = Vec::new();
    if let Some(principle) = principle {
        messages.push(Message {
            role: Role::System,
            content: format!(
                "Your answer will be judged by this principle. Follow it, and do not mention it.\n\n{}",
                principle.text
            ),
        });
    }
    messages.push(Message {
        role: Role::User,
        content: source.prompt.clone(),
    });
    GenerateJob {
        messages,
        sampling: speaker.profile().sampling,
        thinking: false,
        form: None,
    }
}

/// What follows a model's thinking.
fn without_thinking(text: &str) -> &str {
    text.rsplit_once("</think>")
        .map_or(text, |(_, answer)| answer)
        .trim()
}
