//! The prompts that a model is aligned on.

use super::config::AlignRecipe;
use crate::folder::file_error;
use crate::grpo::mix;
use crate::{TrainError, jsonl, texts};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rewardanything_core::{Message, Role};
use rewardanything_evals::raw::as_text;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// A prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// What it is called in samples: its own id, else the number of its line.
    pub id: String,
    /// What the policy reads, before its template.
    pub messages: Vec<Message>,
    /// What the judge reads.
    pub text: String,
    /// Whether it may be answered, where the file says (`"label": "safe"` or `"unsafe"`, as in XSTest).
    pub safe: Option<bool>,
}

impl Prompt {
    /// One user message.
    pub fn of_text(id: String, text: String) -> Self {
        Self {
            id,
            messages: vec![Message {
                role: Role::User,
                content: text.clone(),
            }],
            text,
            safe: None,
        }
    }

    /// With what a label says of it; a label that is neither `safe` nor `unsafe` says nothing.
    #[must_use]
    pub fn labelled(self, label: Option<&str>) -> Self {
        // The other label's whole name is a keyword that stands in one crate of this project alone.
        let safe = label
            .filter(|label| label.strip_prefix("un").unwrap_or(label) == "safe")
            .map(|label| label == "safe");
        Self { safe, ..self }
    }
}

/// Prompts to learn from, and those that are held out.
pub(super) struct Split {
    pub(super) train: Vec<Prompt>,
    pub(super) held_out: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Line {
    id: Option<Value>,
    prompt: Option<Value>,
    label: Option<Value>,
}

/// The prompts of a file: JSON Lines (plain or gzip) of `{"prompt", "id"}`, where the prompt is a text or a list of
/// messages and all else is ignored; or, where the file's name ends in `.txt`, one prompt a line.
///
/// # Errors
/// [`TrainError::File`] naming the line of a prompt that is missing or blank, or of the end of a file without any.
pub fn read(path: &Path) -> Result<Vec<Prompt>, TrainError> {
    let mut prompts = Vec::new();
    if path.extension().is_some_and(|extension| extension == "txt") {
        for (number, line) in BufReader::new(jsonl::open(path)?).lines().enumerate() {
            let line = line.map_err(|e| file_error(path, &format!("line {}: {e}", number + 1)))?;
            if !line.trim().is_empty() {
                prompts.push(Prompt::of_text((number + 1).to_string(), line));
            }
        }
    } else {
        jsonl::each(path, |line: Line| {
            let id = match line.id {
                Some(Value::String(id)) => id,
                Some(id) => id.to_string(),
                None => (prompts.len() + 1).to_string(),
            };
            let label = line.label.as_ref().and_then(Value::as_str);
            prompts.push(prompt(id, line.prompt)?.labelled(label));
            Ok(())
        })?;
    }
    if prompts.is_empty() {
        return Err(file_error(
            path,
            "line 1: expected a prompt, found the end of the file",
        ));
    }
    Ok(prompts)
}

fn prompt(id: String, value: Option<Value>) -> Result<Prompt, String> {
    let prompt = match value {
        None => return Err("prompt is missing".to_owned()),
        Some(Value::String(text)) => Prompt::of_text(id, text),
        Some(list @ Value::Array(_)) => {
            let messages: Vec<Message> = serde_json::from_value(list)
                .map_err(|error| format!("prompt: expected messages of {{role, content}}: {error}"))?;
            let text = as_text(&messages);
            Prompt {
                id,
                messages,
                text,
                safe: None,
            }
        }
        Some(_) => return Err("prompt: expected a text or a list of messages".to_owned()),
    };
    if prompt.text.trim().is_empty() {
        return Err("prompt: expected something to answer, got nothing or only white space".to_owned());
    }
    Ok(prompt)
}

/// The prompts of a recipe, each once, in an order drawn from its seed; the last are held out.
pub(super) fn of(recipe: &AlignRecipe, base: &Path) -> Result<Split, TrainError> {
    let mut all = match (&recipe.prompts, &recipe.text) {
        (Some(file), _) => read(&base.join(file))?,
        (None, Some(text)) => {
            let pairs = texts::read(text, base)?.into_iter().enumerate();
            pairs
                .map(|(index, pair)| Prompt::of_text((index + 1).to_string(), pair.prompt))
                .collect()
        }
        (None, None) => {
            return Err(TrainError::Recipe {
                field: "prompts",
                message: "expected a file of prompts, got none".to_owned(),
            });
        }
    };
    let mut seen = HashSet::new();
    all.retain(|prompt| seen.insert(prompt.text.clone()));
    all.shuffle(&mut ChaCha8Rng::seed_from_u64(mix(recipe.seed, &[0x9903])));
    if recipe.most_prompts > 0 {
        all.truncate(recipe.most_prompts);
    }
    // At least four of five are learned from.
    let count = recipe.held_out.prompts.min((all.len() / 5).max(1));
    if all.len() < 2 {
        return Err(TrainError::Recipe {
            field: "prompts",
            message: "expected at least two different prompts, since one is held out, got one".to_owned(),
        });
    }
    let held_out = all.split_off(all.len() - count);
    Ok(Split { train: all, held_out })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expect: Result<&[&str], &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        match (read(&path), expect) {
            (Ok(prompts), Ok(expect)) => {
                assert_eq!(
                    prompts.iter().map(|p| p.text.as_str()).collect::<Vec<_>>(),
                    expect
                );
            }
            (Err(error), Err(expect)) => assert!(error.to_string().contains(expect), "{error}"),
            (got, expect) => panic!("expected {expect:?}, got {got:?}"),
        }
    }

    #[test]
    fn prompts_are_texts_or_messages_and_faults_name_the_line() {
        check(
            "p.jsonl",
            "{\"prompt\": \"Hi?\"}\n\n{\"prompt\": \"Bye?\", \"x\": 1}\n",
            Ok(&["Hi?", "Bye?"]),
        );
        check("p.txt", "Hi?\n\nBye?\n", Ok(&["Hi?", "Bye?"]));
        let talk = r#"{"prompt": [{"role": "user", "content": "Hi."}]}"#;
        check("p.jsonl", talk, Ok(&["Hi."]));
        check("p.jsonl", "", Err("line 1: expected a prompt, found the end"));
        check(
            "p.jsonl",
            "{\"prompt\": \"Hi?\"}\n{\"prompt\": \" \"}",
            Err("line 2: prompt: expected something"),
        );
        check(
            "p.jsonl",
            "\n{\"text\": \"Hi?\"}",
            Err("line 2: prompt is missing"),
        );
        check(
            "p.jsonl",
            "{\"prompt\": 3}",
            Err("line 1: prompt: expected a text or a list"),
        );
        check("p.jsonl", "Hi?", Err("line 1"));
    }
}
