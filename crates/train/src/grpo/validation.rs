//! Pairwise accuracy on items that are not trained on.

use super::cases::Item;
use rewardanything_core::metrics::{PairCounts, pairwise};
use rewardanything_core::{Judge, JudgeRequest, Profile};
use rewardanything_engine::LocalModel;
use serde::Serialize;

/// What a measurement found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Validated {
    /// Share of pairs in the gold order; a predicted tie is half right, and pairs of a verdict that could not be read
    /// are wrong.
    pub accuracy: f64,
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
        Validated {
            accuracy: counts.accuracy().unwrap_or(0.0),
            items: self.items.len(),
            unparsed,
        }
    }
}
