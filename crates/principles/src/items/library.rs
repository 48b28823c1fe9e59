//! Items of the verifiable principles of the library: priorities, limits and points, with their exact gold.

use std::ops::RangeInclusive;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_core::{Fnv1a, Gold};

use super::{
    BLANK_PRINCIPLE, BuildOptions, Candidates, MAX_PER_PROMPT, PoolEntry, PrincipleSplit, TRIES, draw_count,
    tells_apart, texts,
};
use crate::{Difficulty, Principle, Rule, library};

/// A request under a principle of the library, with its exact answer.
#[derive(Debug, Clone, PartialEq)]
pub struct LibraryItem {
    /// The principle's id and a hash of prompt and responses: stable over builds that choose the same content.
    pub id: String,
    /// The principle that the gold is of.
    pub of: &'static Principle,
    /// The principle as the judge reads it.
    pub principle: String,
    /// The prompt of the pool entry.
    pub prompt: String,
    /// Names and trimmed texts, in a shuffled order.
    pub responses: Vec<(String, String)>,
    /// The exact verdict, indexed like `responses`.
    pub gold: Gold,
}

impl LibraryItem {
    /// How hard it is to judge; hard too where nothing can be measured or nothing differs, which no builder makes.
    pub fn difficulty(&self) -> Difficulty {
        let apart = self
            .of
            .rule
            .and_then(|rule| rule.apart(&texts(&self.responses), &self.gold.scores));
        Difficulty::of(apart.unwrap_or(0.0))
    }
}

/// Builds up to `options.items` items of the library's verifiable principles: of those for training, or of the novel
/// ones.
///
/// What [`build`](super::build) promises holds here too, with a principle in the place of a measure and direction.
///
/// ```
/// use rewardanything_principles::Split;
/// use rewardanything_principles::items::{BuildOptions, PoolEntry, PrincipleSplit, build_library};
/// let texts = ["Buy 3 eggs, 2 onions!", "Buy eggs.\n- and onions\n- and milk", "Perhaps you could buy some eggs?"];
/// let pool = [PoolEntry {
///     prompt: "What do I buy?".to_owned(),
///     responses: texts.iter().enumerate().map(|(at, text)| (at.to_string(), (*text).to_owned())).collect(),
/// }];
/// let options = BuildOptions {
///     max_words: 60,
///     per_item: 3..=3,
///     items: 2,
///     split: PrincipleSplit::TrainPrinciples,
///     phrasings: Split::HeldOut,
///     seed: 1,
///     blank: false,
/// };
/// let items = build_library(&pool, &options);
/// assert_eq!(items.len(), 2);
/// assert!(items.iter().all(|item| !item.of.held_out));
/// ```
pub fn build_library(pool: &[PoolEntry], options: &BuildOptions) -> Vec<LibraryItem> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut prompts: Vec<Prompt<'_>> = pool
        .iter()
        .map(|entry| Candidates::new(entry, options))
        .filter(|candidates| candidates.responses.len() >= *options.per_item.start())
        .map(|candidates| Prompt {
            candidates,
            used: Vec::new(),
        })
        .collect();
    prompts.shuffle(&mut rng);
    let novel = options.split == PrincipleSplit::NovelPrinciples;
    let mut turns: Vec<Turn> = library()
        .iter()
        .filter(|principle| principle.held_out == novel)
        .filter_map(|principle| {
            Some(Turn {
                principle,
                rule: principle.rule?,
                next: 0,
            })
        })
        .collect();
    turns.shuffle(&mut rng);
    for turn in &mut turns {
        turn.next = rng.random_range(0..prompts.len().max(1));
    }
    let mut items = Vec::new();
    while !turns.is_empty() && *options.per_item.start() >= 2 {
        let mut exhausted = Vec::with_capacity(turns.len());
        for turn in &mut turns {
            if items.len() == options.items {
                return items;
            }
            let item = turn.take(&mut prompts, options, &mut rng);
            exhausted.push(item.is_none());
            items.extend(item);
        }
        let mut exhausted = exhausted.into_iter();
        turns.retain(|_| exhausted.next() == Some(false));
    }
    items
}

/// A prompt and the principles that it has given an item of.
struct Prompt<'a> {
    candidates: Candidates<'a>,
    used: Vec<&'static str>,
}

impl Prompt<'_> {
    /// Indices of responses that the rule tells apart, and their gold.
    fn choose(
        &self,
        rule: Rule,
        per_item: &RangeInclusive<usize>,
        rng: &mut ChaCha8Rng,
    ) -> Option<(Vec<usize>, Gold)> {
        let responses = &self.candidates.responses;
        let texts: Vec<&str> = responses.iter().map(|(_, text)| text.as_str()).collect();
        let values = rule.values(&texts);
        if values.iter().all(|value| *value == values[0]) {
            return None;
        }
        let mut order: Vec<usize> = (0..texts.len()).collect();
        (0..TRIES).find_map(|_| {
            order.shuffle(rng);
            let chosen = order[..draw_count(per_item, order.len(), rng)].to_vec();
            // Anew, since places and scores are relative to the texts they are among.
            let gold = rule.gold(&chosen.iter().map(|&at| texts[at]).collect::<Vec<_>>());
            tells_apart(&gold.scores).then_some((chosen, gold))
        })
    }
}

/// A principle that waits for its next item.
struct Turn {
    principle: &'static Principle,
    rule: Rule,
    /// Index of the prompt to try next.
    next: usize,
}

impl Turn {
    fn take(
        &mut self,
        prompts: &mut [Prompt<'_>],
        options: &BuildOptions,
        rng: &mut ChaCha8Rng,
    ) -> Option<LibraryItem> {
        for step in 0..prompts.len() {
            let at = (self.next + step) % prompts.len();
            let prompt = &mut prompts[at];
            if prompt.used.len() >= MAX_PER_PROMPT || prompt.used.contains(&self.principle.id) {
                continue;
            }
            let Some((chosen, gold)) = prompt.choose(self.rule, &options.per_item, rng) else {
                continue;
            };
            prompt.used.push(self.principle.id);
            self.next = at + 1;
            let said = self.principle.phrase(rng, options.phrasings);
            let responses: Vec<(String, String)> = chosen
                .iter()
                .map(|&at| &prompt.candidates.responses[at])
                .map(|(name, text)| ((*name).to_owned(), text.clone()))
                .collect();
            let parts = responses
                .iter()
                .flat_map(|(name, text)| [name.as_str(), text.as_str()]);
            let hash = Fnv1a::of_all(std::iter::once(prompt.candidates.prompt).chain(parts));
            return Some(LibraryItem {
                id: format!("{}-{hash:016x}", self.principle.id),
                of: self.principle,
                principle: if options.blank {
                    BLANK_PRINCIPLE.to_owned()
                } else {
                    said
                },
                prompt: prompt.candidates.prompt.to_owned(),
                responses,
                gold,
            });
        }
        None
    }
}
