//! Plain text: prompts with their responses, or sentences with what follows them. Language models are trained on it, and
//! prompts are taken from it.

use crate::TrainError;
use crate::examples::Example;
use crate::grpo::mix;
use crate::jsonl;
use crate::pool::sentences;
use crate::record::Record;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rewardanything_core::{Fnv1a, Message, Role};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Words below which a sentence is no prompt.
const SHORTEST_PROMPT: usize = 4;
/// The most sentences of a continuation.
const MOST_SENTENCES: u64 = 3;
/// One of so many records is held out.
const HELD_OUT: u64 = 20;

/// Which text of which files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextConfig {
    /// JSON Lines files, plain or gzip, of `{"prompt", "responses": [{"text"}]}`; relative to the recipe's folder.
    pub files: Vec<PathBuf>,
    /// Only records whose `license_class` is one of these; empty takes all.
    pub license_class: Vec<String>,
    /// Records whose `id` begins with one of these are left out.
    pub exclude_ids: Vec<String>,
    /// The most words of a prompt, and of a response; 0 is no limit. A longer response ends after the last sentence that
    /// fits; a longer prompt, and a response whose first sentence is longer, are left out.
    pub max_words: usize,
    /// Only sentences of plain prose: they open with a capital letter, end as sentences do, and hold no mark of lists,
    /// headings or code. A response ends before the first other one.
    pub prose: bool,
    /// What is the prompt, and what the response.
    pub form: Form,
    /// Which records, by their prompt.
    pub part: Part,
}

/// What is the prompt, and what the response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The record's own.
    #[default]
    Replies,
    /// A sentence of a response, and the one to three after it.
    Continuations,
}

/// Which records, by a hash of their prompt: one in twenty is held out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Every one.
    #[default]
    All,
    /// Those to train on.
    Train,
    /// Those that are held out.
    HeldOut,
}

/// A prompt and a response to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The prompt.
    pub prompt: String,
    /// The response.
    pub response: String,
}

/// All pairs, in the order of the files.
///
/// # Errors
/// [`TrainError::File`] naming file and line; [`TrainError::Recipe`] where there is no pair at all.
pub fn read(config: &TextConfig, base: &Path) -> Result<Vec<Pair>, TrainError> {
    let mut pairs = Vec::new();
    for file in &config.files {
        jsonl::each(&base.join(file), |record: Record| {
            if config.takes(&record) {
                for response in &record.responses {
                    config.pairs(&record.prompt, &response.text, &mut pairs);
                }
            }
            Ok(())
        })?;
    }
    if pairs.is_empty() {
        return Err(TrainError::Recipe {
            field: "text.files",
            message: "expected text, got none that fits: look at license_class, exclude_ids and max_words"
                .to_owned(),
        });
    }
    Ok(pairs)
}

/// The pairs in an order drawn by `seed`: neighbours are often of one text, so whoever takes some takes them from here.
pub fn shuffled(mut pairs: Vec<Pair>, seed: u64) -> Vec<Pair> {
    pairs.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    pairs
}

impl TextConfig {
    fn takes(&self, record: &Record) -> bool {
        let held_out = Fnv1a::of(&record.prompt).is_multiple_of(HELD_OUT);
        let of_part = match self.part {
            Part::All => true,
            Part::Train => !held_out,
            Part::HeldOut => held_out,
        };
        of_part && record.is_taken(&self.license_class, &self.exclude_ids)
    }

    fn pairs(&self, prompt: &str, response: &str, pairs: &mut Vec<Pair>) {
        match self.form {
            Form::Replies => {
                let prompt = prompt.trim();
                if self.fits(prompt) && !prompt.is_empty() {
                    let (response, _) = self.opening(&sentences(response), usize::MAX);
                    pairs.extend(response.map(|response| Pair {
                        prompt: prompt.to_owned(),
                        response,
                    }));
                }
            }
            Form::Continuations => {
                let all = sentences(response);
                let mut at = 0;
                while at + 1 < all.len() {
                    let prompt = all[at].trim();
                    at += 1;
                    let short = prompt.split_whitespace().count() < SHORTEST_PROMPT;
                    if short || !self.fits(prompt) || !self.takes_sentence(prompt) {
                        continue;
                    }
                    let most = 1 + (Fnv1a::of(prompt) % MOST_SENTENCES) as usize;
                    let (response, taken) = self.opening(&all[at..], most);
                    at += taken;
                    pairs.extend(response.map(|response| Pair {
                        prompt: prompt.to_owned(),
                        response,
                    }));
                }
            }
        }
    }

    fn takes_sentence(&self, sentence: &str) -> bool {
        let opens =
            sentence.starts_with(|first: char| first.is_uppercase() || matches!(first, '"' | '\u{201c}'));
        let ends = sentence.ends_with(['.', '!', '?', '"', '\u{201d}']);
        let marked = sentence.contains([
            '*', '#', '|', '_', '<', '>', '[', ']', '{', '}', '=', '\\', '`', '\t',
        ]);
        // A line such as "A. Butterworth (Ed." ends as a sentence, and an enumeration opens with a letter of its own.
        let abbreviated = sentence
            .split_whitespace()
            .last()
            .is_some_and(|last| last.chars().count() < 3);
        !self.prose || (opens && ends && !marked && !abbreviated)
    }

    fn fits(&self, text: &str) -> bool {
        self.max_words == 0 || text.split_whitespace().count() <= self.max_words
    }

    /// As many of the first sentences as fit, but not more than `most`; also how many they are.
    fn opening(&self, sentences: &[String], most: usize) -> (Option<String>, usize) {
        let (mut text, mut taken) = (String::new(), 0);
        for sentence in sentences.iter().take(most) {
            // Prose runs on, wherever its lines were broken.
            let longer = if self.prose {
                format!("{text} {}", sentence.trim())
            } else {
                format!("{text}{sentence}")
            };
            if !self.fits(&longer) || !self.takes_sentence(sentence.trim()) {
                break;
            }
            (text, taken) = (longer, taken + 1);
        }
        let text = text.trim();
        ((!text.is_empty()).then(|| text.to_owned()), taken)
    }
}

/// The pair at a place of a run, as an example.
pub(crate) fn example(pairs: &[Pair], seed: u64, (step, index): (usize, usize)) -> Example {
    let mut rng = ChaCha8Rng::seed_from_u64(mix(seed, &[0x7E87, step as u64, index as u64]));
    let pair = &pairs[rng.random_range(0..pairs.len())];
    Example {
        messages: vec![Message {
            role: Role::User,
            content: pair.prompt.clone(),
        }],
        reply: pair.response.clone(),
        marks: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(lines: &[&str], config: &TextConfig) -> Result<Vec<Pair>, TrainError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.jsonl"), lines.join("\n")).unwrap();
        let files = vec!["a.jsonl".into()];
        read(
            &TextConfig {
                files,
                ..config.clone()
            },
            folder.path(),
        )
    }

    const LINE: &str = r#"{"id": "x/1", "license_class": "permissive", "prompt": "Say a thing.", "responses": [{"text": "The sea is very wide. It is blue. It is deep and cold and nobody knows it well."}]}"#;

    #[test]
    fn replies_end_after_the_last_sentence_that_fits() {
        let check = |max_words: usize, expect: Option<&str>| {
            let config = TextConfig {
                max_words,
                ..TextConfig::default()
            };
            let found = pairs(&[LINE], &config)
                .ok()
                .map(|pairs| pairs[0].response.clone());
            assert_eq!(found.as_deref(), expect, "{max_words}");
        };
        check(8, Some("The sea is very wide. It is blue."));
        check(7, Some("The sea is very wide."));
        check(4, None);
    }

    #[test]
    fn continuations_begin_with_a_sentence() {
        let config = TextConfig {
            max_words: 20,
            form: Form::Continuations,
            ..TextConfig::default()
        };
        let found = pairs(&[LINE], &config).unwrap();
        assert_eq!(found[0].prompt, "The sea is very wide.");
        assert!(found[0].response.starts_with("It is blue."), "{found:?}");
    }

    #[test]
    fn prose_leaves_out_what_is_marked() {
        let config = TextConfig {
            prose: true,
            form: Form::Continuations,
            ..TextConfig::default()
        };
        let text =
            "- A list of things. The sea is very wide.\\nIt is blue and cold.\\n**Bold** it is. So it ends.";
        let line = LINE.replace(
            "The sea is very wide. It is blue. It is deep and cold and nobody knows it well.",
            text,
        );
        let found = pairs(&[&line], &config).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].prompt, "The sea is very wide.");
        assert_eq!(found[0].response, "It is blue and cold.");
    }

    #[test]
    fn records_are_chosen_by_licence_id_and_part() {
        let check = |config: TextConfig, expect: usize| {
            let found = pairs(&[LINE], &config).map_or(0, |pairs| pairs.len());
            assert_eq!(found, expect, "{config:?}");
        };
        let license = |class: &str| TextConfig {
            license_class: vec![class.into()],
            ..TextConfig::default()
        };
        check(license("permissive"), 1);
        check(license("none-stated"), 0);
        check(
            TextConfig {
                exclude_ids: vec!["x/".into()],
                ..TextConfig::default()
            },
            0,
        );
        let part = |part| {
            pairs(
                &[LINE],
                &TextConfig {
                    part,
                    ..TextConfig::default()
                },
            )
            .is_ok()
        };
        assert!(
            part(Part::Train) != part(Part::HeldOut),
            "a record is in one of the two"
        );
        let error = pairs(&[LINE, "", "{"], &TextConfig::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 3"), "{error}");
    }
}
