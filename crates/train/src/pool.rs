//! Real text to train on: files of prompts with several responses.

use crate::examples::trained;
use crate::record::Record;
use crate::{TrainError, jsonl, synth};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rewardanything_principles::trim_to_words;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Sentences that the program makes for the index.
const MADE_UP: usize = 20_000;
/// Words kept of a prompt.
const MAX_PROMPT_WORDS: usize = 200;

/// Which records of which files are trained on.
#[derive(Clone, Debug, Default, serde::Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoolConfig {
    /// JSON Lines files, plain or gzip, of `{"prompt", "responses": [{"text"}]}`.
    pub files: Vec<PathBuf>,
    /// Only records whose `license_class` is one of these; empty takes all.
    pub license_class: Vec<String>,
    /// Records whose `id` begins with one of these are left out.
    pub exclude_ids: Vec<String>,
    /// Responses are split into sentences, and at most this many of one response are kept.
    pub max_sentences: usize,
}

/// Texts as sentences, with the qualities each sentence shows.
#[derive(Debug, Default)]
pub struct Pool {
    /// Prompts, each with the indices of its texts.
    pub prompts: Vec<(String, Vec<usize>)>,
    /// Every text's sentences.
    pub texts: Vec<Vec<String>>,
    /// For each quality that is trained on, in their order, sentences of at most 20 words that have some of it.
    pub showing: Vec<Vec<String>>,
}

impl Pool {
    /// Reads every file.
    ///
    /// # Errors
    /// [`TrainError::File`] naming the file, and the line where a record is malformed.
    pub fn read(config: &PoolConfig, folder: &Path) -> Result<Self, TrainError> {
        let mut pool = Self {
            showing: vec![Vec::new(); trained().len()],
            ..Self::default()
        };
        for file in &config.files {
            pool.read_file(&folder.join(file), config)?;
        }
        Ok(pool)
    }

    fn read_file(&mut self, path: &Path, config: &PoolConfig) -> Result<(), TrainError> {
        jsonl::each(path, |record: Record| {
            if record.is_taken(&config.license_class, &config.exclude_ids) {
                self.add(&record, config.max_sentences);
            }
            Ok(())
        })
    }

    fn add(&mut self, record: &Record, max_sentences: usize) {
        let mut own = Vec::new();
        for response in &record.responses {
            let mut sentences = sentences(&response.text);
            if max_sentences > 0 {
                sentences.truncate(max_sentences);
            }
            if sentences.is_empty() {
                continue;
            }
            for sentence in &sentences {
                self.index(sentence);
            }
            own.push(self.texts.len());
            self.texts.push(sentences);
        }
        if !own.is_empty() {
            self.prompts
                .push((trim_to_words(record.prompt.trim(), MAX_PROMPT_WORDS), own));
        }
    }

    /// Files sentences that the program makes, which show what real text seldom does.
    pub fn index_made_up(&mut self, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..MADE_UP {
            self.index(&synth::sentence(&mut rng));
        }
    }

    /// Files a sentence under the qualities that it shows.
    pub fn index(&mut self, sentence: &str) {
        if sentence.split_whitespace().count() > 20 {
            return;
        }
        self.showing.resize(trained().len(), Vec::new());
        for (quality, list) in trained().iter().zip(&mut self.showing) {
            if quality.measure(sentence) > 0.0 {
                list.push(sentence.trim().to_owned());
            }
        }
    }
}

/// Splits a text after sentence ends and line breaks; the pieces keep their punctuation and joined give the text.
pub fn sentences(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut current = String::new();
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        current.push(c);
        let next_is_space = chars.peek().is_none_or(|n| n.is_whitespace());
        if c == '\n' || (matches!(c, '.' | '!' | '?') && next_is_space) {
            if current.trim().is_empty() {
                continue;
            }
            while let Some(space) = chars.next_if(|n| n.is_whitespace()) {
                current.push(space);
            }
            out.push(std::mem::take(&mut current));
        }
    }
    if !current.trim().is_empty() {
        out.push(current);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::sentences;

    #[test]
    fn sentences_split_and_join_to_the_same_text() {
        let text = "One. Two is 3.5 long! \n\n- a list\n- of two";
        let parts = sentences(text);
        assert_eq!(
            parts,
            ["One. ", "Two is 3.5 long! \n\n", "- a list\n", "- of two"]
        );
        assert_eq!(parts.concat(), text);
    }
}
