//! The subset of ties of RewardBench 2.
//!
//! Prompts come in two: `ref:k` has one right response, `tied:k` several that are equally right. Of each, the margin is
//! the worst right score minus the best wrong one, and of the tied one the spread is the best right score minus the
//! worst. The score is
//!
//! ```text
//! 0.30 share(margin_tied > 0) + 0.30 share(margin_ref > 0)
//!   + 0.20 share(margin_tied > spread) + 0.20 share(min(margin_ref, margin_tied) > spread)
//!   + 0.01 mean(tanh(min(margin_ref, margin_tied) / spread - 1))
//! ```
//!
//! where the last three are over prompts of which both are there, and 0/0 in the last counts 0. So the best score is
//! 1.01, as published. An item without a verdict has a margin of minus infinity.

use std::collections::HashMap;

use crate::outcome::Judged;

/// What each item adds, and how the sums are weighed.
#[derive(Debug, Clone, PartialEq)]
pub struct Ties {
    entries: Vec<Entry>,
    weights: [f64; 5],
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Entry {
    /// Not of the subset.
    Other,
    Reference {
        margin: f64,
    },
    Tied {
        margin: f64,
        spread: f64,
        /// The margin of the reference to the same prompt.
        reference: Option<f64>,
    },
}

/// Names and weights of the five parts.
const PARTS: [(&str, f64); 5] = [
    ("tied: every right response above every wrong one", 0.30),
    ("reference: the right response above every wrong one", 0.30),
    ("tied: margin larger than the spread of right responses", 0.20),
    ("both margins larger than the spread", 0.20),
    ("tanh of margin over spread", 0.01),
];

impl Ties {
    /// What the items of the subset add; the others add nothing.
    pub(super) fn new(items: &[Judged]) -> Self {
        let references: HashMap<String, f64> = items
            .iter()
            .filter_map(|item| match key(item)? {
                (false, key) => Some((key, margin_and_spread(item).0)),
                (true, _) => None,
            })
            .collect();
        let entries = items
            .iter()
            .map(|item| {
                let (margin, spread) = margin_and_spread(item);
                match key(item) {
                    None => Entry::Other,
                    Some((false, _)) => Entry::Reference { margin },
                    Some((true, key)) => Entry::Tied {
                        margin,
                        spread,
                        reference: references.get(&key).copied(),
                    },
                }
            })
            .collect();
        Ties {
            entries,
            weights: PARTS.map(|(_, weight)| weight),
        }
    }

    /// Each part alone, under its name.
    pub(super) fn parts(&self) -> Vec<(&'static str, Ties)> {
        let alone = |part: usize| {
            let mut weights = [0.0; 5];
            weights[part] = 1.0;
            Ties {
                entries: self.entries.clone(),
                weights,
            }
        };
        PARTS
            .iter()
            .enumerate()
            .map(|(part, (name, _))| (*name, alone(part)))
            .collect()
    }

    pub(crate) fn counts(&self, item: usize) -> bool {
        self.entries[item] != Entry::Other
    }

    /// The score of a sample; a part without prompts counts 0, and `None` where there are none at all.
    pub(crate) fn value(&self, weights: &[f64]) -> Option<f64> {
        let mut sums = [0.0; 5];
        let mut counts = [0.0; 5];
        let mut add = |part: usize, value: f64, weight: f64| {
            sums[part] += weight * value;
            counts[part] += weight;
        };
        let share = |holds: bool| f64::from(u8::from(holds));
        for (entry, of) in self.entries.iter().zip(weights) {
            let weight = *of;
            match *entry {
                Entry::Other => {}
                Entry::Reference { margin } => add(1, share(margin > 0.0), weight),
                Entry::Tied {
                    margin,
                    spread,
                    reference,
                } => {
                    add(0, share(margin > 0.0), weight);
                    if let Some(reference) = reference {
                        let both = margin.min(reference);
                        add(2, share(margin > spread), weight);
                        add(3, share(both > spread), weight);
                        let far = (both / spread - 1.0).tanh();
                        add(4, if far.is_nan() { 0.0 } else { far }, weight);
                    }
                }
            }
        }
        let mean = |part: usize| {
            if counts[part] > 0.0 {
                sums[part] / counts[part]
            } else {
                0.0
            }
        };
        (counts[0] + counts[1] > 0.0).then(|| (0..5).map(|part| self.weights[part] * mean(part)).sum())
    }
}

/// Whether an item of the subset is a tied one, and what it shares with its reference.
fn key(item: &Judged) -> Option<(bool, String)> {
    if item.sample.labels.subset.as_deref() != Some("Ties") {
        return None;
    }
    let id = match &item.sample.id {
        crate::item::Id::Text(id) => id.strip_prefix("Ties/").unwrap_or(id),
        crate::item::Id::Number(_) => return None,
    };
    let (kind, key) = id.split_once(':')?;
    Some((kind == "tied", key.to_owned()))
}

fn margin_and_spread(item: &Judged) -> (f64, f64) {
    let (Some(scores), Some(gold)) = (item.scores(), &item.sample.gold.scores) else {
        return (f64::NEG_INFINITY, 0.0);
    };
    let top = gold.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (mut best, mut worst, mut best_wrong) = (f64::NEG_INFINITY, f64::INFINITY, f64::NEG_INFINITY);
    for (&score, &gold) in scores.iter().zip(gold) {
        if gold == top {
            best = best.max(score);
            worst = worst.min(score);
        } else {
            best_wrong = best_wrong.max(score);
        }
    }
    (worst - best_wrong, best - worst)
}
