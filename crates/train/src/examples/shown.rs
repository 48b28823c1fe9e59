//! Examples out of a file of items: right verdicts from any source, beside or in place of what is made on the fly.

use super::{Example, Kind};
use crate::TrainError;
use crate::grpo::cases::{Item, read};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_core::{Mask, Profile, Score, Verdict, messages, render};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Which items are shown, and how often.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShownConfig {
    /// Files in the item format, with gold scores of 1 to 5; relative to the recipe's folder.
    pub files: Vec<PathBuf>,
    /// Share of the examples that are drawn from them; the rest is made on the fly.
    pub share: f64,
}

/// Items to show.
pub struct Shown {
    items: Vec<Item>,
    share: f64,
}

impl Shown {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TrainError::File`] naming line and field of a bad one; [`TrainError::Recipe`] for a share of nothing.
    pub fn read(config: &ShownConfig, base: &Path) -> Result<Self, TrainError> {
        let refuse = |message: String| {
            Err(TrainError::Recipe {
                field: "items.share",
                message,
            })
        };
        if !(0.0..=1.0).contains(&config.share) {
            return refuse(format!("expected a share in 0..=1, got {}", config.share));
        }
        if config.files.is_empty() != (config.share == 0.0) {
            return refuse("expected files and a share above 0, or neither".to_owned());
        }
        let mut items = Vec::new();
        for file in &config.files {
            items.extend(read(&base.join(file))?);
        }
        Ok(Self {
            items,
            share: config.share,
        })
    }

    /// The example at this place, if it is one of these: the verdict of an item whose responses are shuffled. It holds no
    /// reasoning, since a gold verdict has none.
    pub fn example(&self, profile: &Profile, seed: u64, (step, index): (usize, usize)) -> Option<Example> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5_0E0_0E0);
        rng.set_stream(((step as u64) << 20) | index as u64);
        if self.items.is_empty() || !rng.random_bool(self.share) {
            return None;
        }
        let item = &self.items[rng.random_range(0..self.items.len())];
        let mask = Mask::seeded(item.gold.scores.len(), rng.random());
        let score =
            |score: &f64| Score::new(*score).expect("the reader has refused other scores. This is a bug.");
        let verdict = Verdict {
            reasoning: String::new(),
            scores: item.gold.scores.iter().map(score).collect(),
            ranking: item.gold.ranking.clone(),
            repairs: vec![],
        };
        let reply = format!("<think>\n\n</think>\n\n{}", render(&verdict, &mask).trim_start());
        let mut marks = Vec::new();
        for (at, _) in reply.match_indices("\": ") {
            let digit = at + 3;
            if reply.as_bytes().get(digit).is_some_and(u8::is_ascii_digit) {
                marks.push((digit..digit + 1, Kind::Score));
            }
        }
        Some(Example {
            messages: messages(profile, &item.request, &mask),
            reply,
            marks,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rewardanything_core::parse;

    #[test]
    fn an_item_is_shown_with_its_own_verdict() {
        let folder = tempfile::tempdir().unwrap();
        let line = r#"{"id": 7, "principle": "Short.", "prompt": "Hi?", "responses": {"a": "A", "b": "Bb", "c": "C c"}, "gold": {"scores": {"a": 5, "b": 2, "c": 1}, "ranking": ["a", "b", "c"]}}"#;
        std::fs::write(folder.path().join("mine.jsonl"), line).unwrap();
        let config = ShownConfig {
            files: vec!["mine.jsonl".into()],
            share: 0.5,
        };
        let shown = Shown::read(&config, folder.path()).unwrap();
        let profile = Profile::rewardanything();
        let drawn: Vec<Example> = (0..100)
            .filter_map(|i| shown.example(&profile, 1, (0, i)))
            .collect();
        assert!((30..70).contains(&drawn.len()), "{}", drawn.len());
        for example in &drawn {
            let user = &example.messages[1].content;
            // Whoever is shown first has the first label, and the verdict is by labels.
            let order: Vec<usize> = ["\"A\"", "\"Bb\"", "\"C c\""]
                .iter()
                .map(|t| user.find(t).unwrap())
                .collect();
            let verdict = parse(&example.reply, &Mask::identity(3)).unwrap();
            let mut by_place: Vec<(usize, f64)> = order.into_iter().zip([5.0, 2.0, 1.0]).collect();
            by_place.sort_by_key(|(at, _)| *at);
            let expect: Vec<f64> = by_place.into_iter().map(|(_, score)| score).collect();
            assert_eq!(verdict.values(), expect);
            assert_eq!(example.marks.len(), 3);
        }
        assert!(
            drawn.iter().any(|e| e.messages != drawn[0].messages),
            "the order is shuffled"
        );
    }

    #[test]
    fn a_share_of_nothing_is_refused() {
        let check = |files: &[&str], share: f64| {
            let config = ShownConfig {
                files: files.iter().map(PathBuf::from).collect(),
                share,
            };
            let error = Shown::read(&config, Path::new(".")).err().map(|e| e.to_string());
            assert!(error.is_some_and(|e| e.contains("items.share")), "{config:?}");
        };
        check(&[], 0.5);
        check(&["x"], 0.0);
        check(&["x"], 1.5);
    }
}
