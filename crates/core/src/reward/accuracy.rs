//! r_a: how well scores and ranking meet the gold.

use serde::{Deserialize, Serialize};

use super::Reading;
use crate::gold::Gold;
use crate::mask::Mask;
use crate::metrics::kendall_tau_b;
use crate::verdict::rank;

/// The largest distance between two scores.
const SPAN: f64 = 4.0;

/// Scores closer than this are the same score.
const SAME: f64 = 1e-9;

/// How much each metric counts. They need not sum to 1; the reward divides by the sum of those that apply.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccuracyWeights {
    /// Of weighted reversed pairs.
    pub pairs: f64,
    /// Of the match of score distributions.
    pub distribution: f64,
    /// Of near-score credit.
    pub near: f64,
    /// Of rank agreement.
    pub rank: f64,
}

impl Default for AccuracyWeights {
    fn default() -> Self {
        Self {
            pairs: 0.4,
            distribution: 0.2,
            near: 0.2,
            rank: 0.2,
        }
    }
}

/// The accuracy reward and its four metrics, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AccuracyReward {
    /// 1 minus the cost of pairs in the wrong order; `None` with one response.
    pub pairs: Option<f64>,
    /// 1 minus a quarter of the mean distance between the sorted scores.
    pub distribution: f64,
    /// 1 for every exact score, 0.5 for one within 1, averaged.
    pub near: f64,
    /// The mean of (τ_b + 1)/2 and the overlap of the best; `None` with one response.
    pub rank: Option<f64>,
    /// The weighted mean of those that apply.
    pub total: f64,
}

/// The accuracy reward of a raw reply; see [`accuracy_of`] for the rules.
///
/// ```
/// use rewardanything_core::reward::{AccuracyWeights, accuracy_reward};
/// use rewardanything_core::{Gold, Mask};
///
/// let (gold, mask) = (Gold::from_scores(vec![5.0, 3.0, 1.0]), Mask::identity(3));
/// let reply = r#"{"scores": {"model-1": 4, "model-2": 4, "model-3": 1}, "best-to-worst": ["model-1", "model-2", "model-3"]}"#;
/// let reward = accuracy_reward(reply, &gold, &mask, &AccuracyWeights::default());
/// // Pairs weigh 3, 5 and 3; the tie of model-1 and model-2 costs 3/2.
/// assert!((reward.pairs.unwrap() - (1.0 - 1.5 / 11.0)).abs() < 1e-12);
/// // Sorted: 4 4 1 against 5 3 1.
/// assert!((reward.distribution - (1.0 - (2.0 / 3.0) / 4.0)).abs() < 1e-12);
/// assert!((reward.near - (0.5 + 0.5 + 1.0) / 3.0).abs() < 1e-12);
/// // tau_b = 2 / sqrt(2 * 3); the best one and the best two are the same.
/// let tau_b = 2.0 / 6.0_f64.sqrt();
/// assert!((reward.rank.unwrap() - ((tau_b + 1.0) / 2.0 + 1.0) / 2.0).abs() < 1e-12);
/// ```
///
/// # Panics
/// `gold` and `mask` differ in the number of responses.
pub fn accuracy_reward(reply: &str, gold: &Gold, mask: &Mask, weights: &AccuracyWeights) -> AccuracyReward {
    of(&Reading::of(reply, gold, mask), gold, weights)
}

pub(super) fn of(reading: &Reading, gold: &Gold, weights: &AccuracyWeights) -> AccuracyReward {
    accuracy_of(&reading.scores, &reading.listed, gold, weights)
}

/// The accuracy reward of scores and a ranking by response index. `None` is a response without a score; `listed` is
/// the ranking as written, best first, and only orders equal scores (those it leaves out follow by index).
///
/// 1. *Pairs.* A pair weighs `w = 1 + |gold difference|`. Predicted in reverse, or with a response unscored, it
///    costs `w`; predicted equal where gold differs, `w/2`; predicted different where gold is equal, `1/2`. The
///    metric is `1 - costs / weights`.
/// 2. *Distribution.* `1 - W1/4`, with W1 the mean distance of the sorted scores. An unscored response counts as
///    distance 4, the others are sorted against their own gold scores.
/// 3. *Near scores.* 1 for the exact score, 0.5 for one at most 1 away, 0 otherwise or unscored.
/// 4. *Rank agreement.* The mean of `(τ_b + 1)/2`, an undefined τ_b taken as 0, and the overlap of the best k of
///    both rankings, averaged over k = 1 and k = ⌈n/2⌉. 0 when a response is unscored: there is no ranking of all.
///
/// So a response left out never earns more than the worst score for it.
///
/// With one response 1 and 4 don't apply.
///
/// ```
/// use rewardanything_core::Gold;
/// use rewardanything_core::reward::{AccuracyWeights, accuracy_of};
///
/// let gold = Gold::from_scores(vec![4.0]);
/// let reward = accuracy_of(&[Some(3.0)], &[0], &gold, &AccuracyWeights::default());
/// assert_eq!((reward.pairs, reward.rank), (None, None));
/// assert_eq!(reward.total, (0.2 * 0.75 + 0.2 * 0.5) / (0.2 + 0.2));
/// ```
///
/// # Panics
/// The scores and the gold differ in length, or `listed` names a response that isn't there.
pub fn accuracy_of(
    scores: &[Option<f64>],
    listed: &[usize],
    gold: &Gold,
    weights: &AccuracyWeights,
) -> AccuracyReward {
    assert_eq!(
        scores.len(),
        gold.scores.len(),
        "one predicted score, or none, per gold score. This is a bug."
    );
    let several = scores.len() > 1;
    let pairs = several.then(|| pair_metric(scores, &gold.scores));
    let distribution = distribution_metric(scores, &gold.scores);
    let near = near_metric(scores, &gold.scores);
    let rank = several.then(|| rank_metric(scores, listed, gold));
    let parts = [
        (weights.pairs, pairs),
        (weights.distribution, Some(distribution)),
        (weights.near, Some(near)),
        (weights.rank, rank),
    ];
    let (mut sum, mut weight_sum) = (0.0, 0.0);
    for (weight, metric) in parts {
        if let Some(metric) = metric {
            sum += weight * metric;
            weight_sum += weight;
        }
    }
    let total = if weight_sum > 0.0 { sum / weight_sum } else { 0.0 };
    AccuracyReward {
        pairs,
        distribution,
        near,
        rank,
        total,
    }
}

fn pair_metric(scores: &[Option<f64>], gold: &[f64]) -> f64 {
    let (mut costs, mut weights) = (0.0, 0.0);
    for i in 0..gold.len() {
        for j in i + 1..gold.len() {
            let (gold_gap, weight) = (gold[i] - gold[j], 1.0 + (gold[i] - gold[j]).abs());
            weights += weight;
            costs += match (scores[i], scores[j]) {
                (Some(a), Some(b)) if gold_gap == 0.0 => 0.5 * f64::from(u8::from(a != b)),
                (Some(a), Some(b)) if a == b => weight / 2.0,
                (Some(a), Some(b)) if (a > b) == (gold_gap > 0.0) => 0.0,
                _ => weight,
            };
        }
    }
    1.0 - costs / weights
}

fn distribution_metric(scores: &[Option<f64>], gold: &[f64]) -> f64 {
    if gold.is_empty() {
        return 0.0;
    }
    let mut pairs: Vec<(f64, f64)> = scores
        .iter()
        .zip(gold)
        .filter_map(|(score, &gold)| Some(((*score)?, gold)))
        .collect();
    let unscored = gold.len() - pairs.len();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut of_scored: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
    of_scored.sort_by(f64::total_cmp);
    let distance: f64 = pairs
        .iter()
        .zip(of_scored)
        .map(|(pair, gold)| (pair.0 - gold).abs())
        .sum();
    1.0 - (distance + SPAN * unscored as f64) / gold.len() as f64 / SPAN
}

fn near_metric(scores: &[Option<f64>], gold: &[f64]) -> f64 {
    if gold.is_empty() {
        return 0.0;
    }
    let credit = |score: f64, gold: f64| match (score - gold).abs() {
        distance if distance <= SAME => 1.0,
        distance if distance <= 1.0 + SAME => 0.5,
        _ => 0.0,
    };
    let sum: f64 = scores
        .iter()
        .zip(gold)
        .filter_map(|(score, &gold)| Some(credit((*score)?, gold)))
        .sum();
    sum / gold.len() as f64
}

fn rank_metric(scores: &[Option<f64>], listed: &[usize], gold: &Gold) -> f64 {
    let n = scores.len();
    let Some(values) = scores.iter().copied().collect::<Option<Vec<f64>>>() else {
        return 0.0;
    };
    let tau_term = f64::midpoint(kendall_tau_b(&values, &gold.scores).unwrap_or(0.0), 1.0);
    let left_out = (0..n).filter(|response| !listed.contains(response));
    let tie_break: Vec<usize> = listed.iter().copied().chain(left_out).collect();
    let ranking = rank(&values, &tie_break);
    let overlap = |k: usize| {
        let best = &gold.ranking[..k];
        ranking[..k]
            .iter()
            .filter(|response| best.contains(response))
            .count() as f64
            / k as f64
    };
    f64::midpoint(tau_term, f64::midpoint(overlap(1), overlap(n.div_ceil(2))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::{below, generator};

    fn reward(scores: &[Option<f64>], gold: &[f64]) -> AccuracyReward {
        accuracy_of(
            scores,
            &[],
            &Gold::from_scores(gold.to_vec()),
            &AccuracyWeights::default(),
        )
    }

    fn all(scores: &[f64]) -> Vec<Option<f64>> {
        scores.iter().copied().map(Some).collect()
    }

    fn close(got: f64, expect: f64) {
        assert!((got - expect).abs() < 1e-12, "expected {expect}, got {got}");
    }

    #[test]
    fn the_gold_verdict_earns_everything() {
        for gold in [&[5.0, 3.0, 1.0][..], &[2.0, 4.5], &[3.0, 5.0, 1.0, 2.0, 4.0]] {
            close(reward(&all(gold), gold).total, 1.0);
        }
        close(reward(&all(&[4.0]), &[4.0]).total, 1.0);
    }

    #[test]
    fn pairs_cost_what_the_rules_say() {
        let check = |scores: &[Option<f64>], gold: &[f64], expect: f64| {
            close(reward(scores, gold).pairs.unwrap(), expect);
        };
        check(&all(&[1.0, 3.0, 5.0]), &[5.0, 3.0, 1.0], 0.0);
        check(&all(&[3.0, 3.0, 3.0]), &[5.0, 3.0, 1.0], 0.5); // all tied: half of the differing weight
        check(&all(&[3.0, 3.0, 3.0]), &[4.0, 4.0, 1.0], 1.0 - 4.0 / 9.0); // gold tie (1) kept, 4 + 4 halved
        check(&all(&[5.0, 4.0, 1.0]), &[4.0, 4.0, 1.0], 1.0 - 0.5 / 9.0); // a gold tie split
        check(&[Some(5.0), None, Some(1.0)], &[5.0, 3.0, 1.0], 5.0 / 11.0);
        check(&[None, None, None], &[5.0, 3.0, 1.0], 0.0);
        check(&[None, Some(3.0)], &[3.0, 3.0], 0.0); // an unscored gold tie costs its weight too
    }

    #[test]
    fn distributions_are_compared_sorted() {
        close(reward(&all(&[1.0, 5.0]), &[5.0, 1.0]).distribution, 1.0);
        close(reward(&all(&[5.0, 5.0]), &[1.0, 1.0]).distribution, 0.0);
        close(reward(&[Some(5.0), None], &[5.0, 1.0]).distribution, 0.5);
        close(reward(&[None, None], &[5.0, 1.0]).distribution, 0.0);
    }

    #[test]
    fn near_scores_earn_half() {
        close(
            reward(&all(&[4.0, 3.0, 3.0, 4.5]), &[5.0, 3.0, 1.0, 4.0]).near,
            (0.5 + 1.0 + 0.0 + 0.5) / 4.0,
        );
        close(reward(&[None, Some(1.0)], &[5.0, 1.0]).near, 0.5);
    }

    #[test]
    fn rank_agreement_is_tau_and_overlap() {
        let rank = |scores: &[Option<f64>], gold: &[f64]| reward(scores, gold).rank.unwrap();
        close(
            rank(&all(&[1.0, 3.0, 5.0]), &[5.0, 3.0, 1.0]),
            (0.0 + (0.0 + 0.5) / 2.0) / 2.0,
        );
        // All tied: tau_b is undefined and taken as 0; the order of indices happens to be the gold's.
        close(rank(&all(&[3.0, 3.0]), &[5.0, 1.0]), (0.5 + 1.0) / 2.0);
        close(rank(&[Some(5.0), None, Some(1.0)], &[5.0, 3.0, 1.0]), 0.0);
        close(rank(&[None, None], &[5.0, 1.0]), 0.0);
    }

    #[test]
    fn the_ranking_orders_equal_scores_only() {
        let gold = Gold::from_scores(vec![2.0, 4.0]);
        let rank = |scores: &[f64], listed: &[usize]| {
            accuracy_of(&all(scores), listed, &gold, &AccuracyWeights::default())
                .rank
                .unwrap()
        };
        assert!(rank(&[3.0, 3.0], &[1, 0]) > rank(&[3.0, 3.0], &[0, 1]));
        close(rank(&[2.0, 4.0], &[0, 1]), 1.0);
    }

    #[test]
    fn leaving_a_response_out_never_pays() {
        let mut rng = generator(11);
        for _ in 0..20_000 {
            let n = 1 + below(&mut rng, 6);
            let mut draw = || {
                (0..n)
                    .map(|_| 1.0 + below(&mut rng, 5) as f64)
                    .collect::<Vec<f64>>()
            };
            let (gold, scores) = (draw(), draw());
            let mut scores = all(&scores);
            for slot in &mut scores {
                if below(&mut rng, 4) == 0 {
                    *slot = None;
                }
            }
            let scored = reward(&scores, &gold);
            let left_out = below(&mut rng, n);
            let score = scores[left_out].take();
            let without = reward(&scores, &gold);
            assert!(
                scored.total >= without.total - 1e-12,
                "{scores:?} {score:?} {gold:?}: {scored:?} {without:?}"
            );
        }
    }

    #[test]
    fn nothing_scored_earns_nothing() {
        close(reward(&[None, None, None], &[5.0, 3.0, 1.0]).total, 0.0);
        close(reward(&[None, None], &[3.0, 3.0]).total, 0.0);
        close(reward(&[None], &[3.0]).total, 0.0);
    }
}
