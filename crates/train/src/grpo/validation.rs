//! Pairwise accuracy on items that are not trained on.

use super::cases::Item;
use rewardanything_core::metrics::{PairCounts, pairwise};
use rewardanything_core::{Judge, JudgeRequest, Profile};
use rewardanything_engine::LocalModel;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a measurement found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Validated {
    /// The number whose growth is what is trained for: the best model is the one with the greatest.
    #[serde(skip)]
    pub goodness: f64,
    /// What was measured, by name. For a judge that is `accuracy`: the share of pairs in the gold order; a predicted tie
    /// is half right, and pairs of a verdict that could not be read are wrong.
    #[serde(flatten)]
    pub measures: BTreeMap<&'static str, f64>,
    /// Items judged.
    pub items: usize,
    /// Items without a verdict.
    pub unparsed: usize,
}

pub(super) struct Validation {
    items: Vec<Item>,
    requests: Vec<JudgeRequest>,
    profile: Profile,
    seed: u64,
}

impl Validation {
    pub(super) fn new(items: Vec<Item>, profile: Profile, seed: u64) -> Self {
        Self {
            requests: items.iter().map(|item| item.request.clone()).collect(),
            items,
            profile,
            seed,
        }
    }

    /// Judges all items as the profile says.
    pub(super) fn of(&self, model: &LocalModel) -> Validated {
        let judge = Judge::new(model, self.profile.clone(), self.seed);
        let judgments = judge.judge_batch(&self.requests);
        let unparsed = judgments.iter().filter(|j| j.verdict.is_err()).count();
        let counts: PairCounts = judgments
            .iter()
            .zip(&self.items)
            .map(|(judgment, item)| match &judgment.verdict {
                Ok(verdict) => pairwise(&verdict.values(), &item.gold.scores),
                Err(_) => PairCounts::all_wrong(&item.gold.scores),
            })
            .sum();
        let accuracy = counts.accuracy().unwrap_or(0.0);
        Validated {
            goodness: accuracy,
            measures: BTreeMap::from([("accuracy", accuracy)]),
            items: self.items.len(),
            unparsed,
        }
    }
}
