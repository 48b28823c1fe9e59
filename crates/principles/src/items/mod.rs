//! A seeded builder of verifiable items from a pool of prompts with several responses each.
//!
//! Every item asks for one measure in one direction over responses that differ in it, so that its gold is
//! exact and a judge can be right or wrong; [`build_library`] does so for the rules of the library. Building the same pool with the same options gives the same
//! items.

mod intents;
mod library;

use std::collections::HashSet;
use std::ops::RangeInclusive;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_core::{Fnv1a, Gold};

use crate::{
    Difficulty, Direction, Measure, Split, count_words, difficulty, gold_of_values, phrase, trim_to_words,
};

pub use intents::build_intents;
pub use library::{LibraryItem, build_library};

/// Most items that one prompt may give, so that no prompt dominates a set.
pub const MAX_PER_PROMPT: usize = 4;
/// Words below which a trimmed response is dropped: there is nothing to judge.
pub const MIN_WORDS: usize = 3;
/// The principle text of [`BuildOptions::blank`] items.
pub const BLANK_PRINCIPLE: &str = "Judge the responses.";
/// Random choices of responses tried before a prompt is passed over for a measure.
const TRIES: usize = 8;

/// A prompt and the responses that several authors gave to it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PoolEntry {
    /// What the responses answer.
    pub prompt: String,
    /// Pairs of a name, unique in the entry, and a text of any length.
    pub responses: Vec<(String, String)>,
}

/// Which measures the items are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipleSplit {
    /// The measures that training uses.
    TrainPrinciples,
    /// The [held-out](Measure::held_out) measures.
    NovelPrinciples,
}

impl PrincipleSplit {
    /// The measures of this half, in the order of [`Measure::ALL`].
    pub fn measures(self) -> impl Iterator<Item = Measure> {
        Measure::ALL
            .iter()
            .copied()
            .filter(move |measure| measure.held_out() == (self == Self::NovelPrinciples))
    }
}

/// What to build.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BuildOptions {
    /// Words to which every response is trimmed, by [`trim_to_words`].
    pub max_words: usize,
    /// Responses of an item, at least 2: least and most; how many an item has is drawn anew.
    pub per_item: RangeInclusive<usize>,
    /// Items wanted; a small pool may give fewer.
    pub items: usize,
    /// The measures to ask for.
    pub split: PrincipleSplit,
    /// The half of the phrasings to say them in.
    pub phrasings: Split,
    /// Seed of every choice.
    pub seed: u64,
    /// Replaces every principle by [`BLANK_PRINCIPLE`] and changes nothing else, so that what a judge scores
    /// without a principle can be compared.
    pub blank: bool,
}

/// A request for a judge, with its exact answer.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Item {
    /// Measure, direction and a hash of prompt and responses: stable over builds that choose the same
    /// content.
    pub id: String,
    /// The principle as the judge reads it.
    pub principle: String,
    /// The prompt of the pool entry.
    pub prompt: String,
    /// Names and trimmed texts, in a shuffled order.
    pub responses: Vec<(String, String)>,
    /// The exact verdict, indexed like `responses`.
    pub gold: Gold,
    /// What the principle asks for.
    pub measure: Measure,
    /// Which end of it is better.
    pub direction: Direction,
}

impl Item {
    /// How hard it is to judge. Where it asks for nothing by which its responses differ, which [`build`] never makes, it
    /// is hard.
    pub fn difficulty(&self) -> Difficulty {
        let apart = difficulty::apart_in(
            self.measure,
            self.direction,
            &texts(&self.responses),
            &self.gold.scores,
        );
        Difficulty::of(apart.unwrap_or(0.0))
    }
}

/// The texts of responses, without their names.
fn texts(responses: &[(String, String)]) -> Vec<&str> {
    responses.iter().map(|(_, text)| text.as_str()).collect()
}

/// Builds up to `options.items` items; see the module for what each promises.
///
/// Measures and directions take turns, so that rare qualities get their share. An item needs at least `per_item`'s least
/// distinct responses of at least [`MIN_WORDS`] words, at least half of whose pairs differ in gold score. A
/// prompt gives at most [`MAX_PER_PROMPT`] items and each measure once. Fewer items come back when the pool
/// is used up.
pub fn build(pool: &[PoolEntry], options: &BuildOptions) -> Vec<Item> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut prompts: Vec<Candidates<'_>> = pool
        .iter()
        .map(|entry| Candidates::new(entry, options))
        .filter(|c| c.responses.len() >= *options.per_item.start())
        .collect();
    prompts.shuffle(&mut rng);
    let mut turns: Vec<Turn> = options
        .split
        .measures()
        .flat_map(|measure| {
            Direction::ALL.map(|direction| Turn {
                measure,
                direction,
                next: 0,
            })
        })
        .collect();
    turns.shuffle(&mut rng);
    // Each turn starts elsewhere, so that the first prompts are not used up by all of them.
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

/// A prompt with its trimmed responses and what it has given so far.
struct Candidates<'a> {
    prompt: &'a str,
    responses: Vec<(&'a str, String)>,
    used: Vec<Measure>,
}

impl<'a> Candidates<'a> {
    fn new(entry: &'a PoolEntry, options: &BuildOptions) -> Self {
        let mut seen = HashSet::new();
        let trimmed = entry
            .responses
            .iter()
            .map(|(name, text)| (name.as_str(), trim_to_words(text, options.max_words)));
        let responses = trimmed
            .filter(|(_, text)| count_words(text) >= MIN_WORDS && seen.insert(text.clone()))
            .collect();
        Self {
            prompt: &entry.prompt,
            responses,
            used: Vec::new(),
        }
    }

    /// Indices of so many responses of which at least half of the pairs differ in gold, and that gold.
    fn choose(
        &self,
        turn: &Turn,
        per_item: &RangeInclusive<usize>,
        rng: &mut ChaCha8Rng,
    ) -> Option<(Vec<usize>, Gold)> {
        let values: Vec<f64> = self
            .responses
            .iter()
            .map(|(_, text)| turn.measure.measure(text))
            .collect();
        if values.iter().all(|value| *value == values[0]) {
            return None;
        }
        let mut order: Vec<usize> = (0..values.len()).collect();
        (0..TRIES).find_map(|_| {
            order.shuffle(rng);
            let chosen = order[..draw_count(per_item, order.len(), rng)].to_vec();
            let values: Vec<f64> = chosen.iter().map(|&at| values[at]).collect();
            let gold = gold_of_values(turn.direction, &values);
            tells_apart(&gold.scores).then_some((chosen, gold))
        })
    }
}

/// How many of `available` responses an item takes. Nothing is drawn where there is no choice, so that sets of one number
/// stay what they were.
fn draw_count(per_item: &RangeInclusive<usize>, available: usize, rng: &mut ChaCha8Rng) -> usize {
    let (least, most) = (*per_item.start(), *per_item.end().min(&available));
    if least < most {
        rng.random_range(least..=most)
    } else {
        least
    }
}

/// True when at least half of the pairs differ in score (three of the six pairs of four responses).
fn tells_apart(scores: &[f64]) -> bool {
    let pairs = scores.len() * scores.len().saturating_sub(1) / 2;
    let differing: usize = scores
        .iter()
        .enumerate()
        .map(|(at, a)| scores[..at].iter().filter(|b| *b != a).count())
        .sum();
    differing > 0 && 2 * differing >= pairs
}

/// A measure and direction that waits for its next item.
struct Turn {
    measure: Measure,
    direction: Direction,
    /// Index of the prompt to try next.
    next: usize,
}

impl Turn {
    /// The next item of this turn, or `None` when no prompt can give one any more.
    fn take(
        &mut self,
        prompts: &mut [Candidates<'_>],
        options: &BuildOptions,
        rng: &mut ChaCha8Rng,
    ) -> Option<Item> {
        for step in 0..prompts.len() {
            let at = (self.next + step) % prompts.len();
            let prompt = &mut prompts[at];
            if prompt.used.len() >= MAX_PER_PROMPT || prompt.used.contains(&self.measure) {
                continue;
            }
            if let Some((chosen, gold)) = prompt.choose(self, &options.per_item, rng) {
                prompt.used.push(self.measure);
                self.next = at + 1;
                let principle = phrase(self.measure, self.direction, rng, options.phrasings);
                let responses: Vec<(String, String)> = chosen
                    .iter()
                    .map(|&at| (prompt.responses[at].0.to_owned(), prompt.responses[at].1.clone()))
                    .collect();
                return Some(Item {
                    id: self.item_id(prompt.prompt, &responses),
                    principle: if options.blank {
                        BLANK_PRINCIPLE.to_owned()
                    } else {
                        principle
                    },
                    prompt: prompt.prompt.to_owned(),
                    responses,
                    gold,
                    measure: self.measure,
                    direction: self.direction,
                });
            }
        }
        None
    }

    fn item_id(&self, prompt: &str, responses: &[(String, String)]) -> String {
        let parts = responses
            .iter()
            .flat_map(|(name, text)| [name.as_str(), text.as_str()]);
        let hash = Fnv1a::of_all(std::iter::once(prompt).chain(parts));
        format!("{}-{}-{hash:016x}", self.measure.id(), self.direction.id())
    }
}
