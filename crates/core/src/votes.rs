//! Several runs over one request become one verdict: against the bias of position, and against the chance of a draw.

use serde::{Deserialize, Serialize};

use crate::judge::Judgment;
use crate::mask::Mask;
use crate::verdict::{Score, Verdict, rank};

/// How often a request is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeats {
    /// In how many orders: rotations of the judge's order, evenly spread, at most as many as there are responses. With
    /// all of them, every response stands once at every position.
    pub permutations: usize,
    /// How many replies to each order. They differ only where sampling has a temperature.
    pub samples: usize,
}

impl Repeats {
    /// Once.
    pub const ONCE: Self = Self {
        permutations: 1,
        samples: 1,
    };

    /// The orders for a request whose own order is `mask`.
    pub(crate) fn masks(self, mask: &Mask) -> Vec<Mask> {
        let n = mask.len();
        let k = self.permutations.clamp(1, n.max(1));
        (0..k).map(|place| mask.rotated(place * n / k)).collect()
    }
}

/// What several runs over one request had in common.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Votes {
    /// How many runs there were.
    pub asked: usize,
    /// How many of them gave a verdict; the others are left out of every mean.
    pub answered: usize,
    /// The chance that two of these runs order two responses alike (above, below or tied), from 0 to 1; `None` for
    /// fewer than two verdicts or responses.
    pub agreement: Option<f64>,
    /// The share of runs that give the best response the highest score, a run with several highest shared out among
    /// them; `None` without a verdict.
    pub confidence: Option<f64>,
    /// Tokens read in all runs.
    pub prompt_tokens: usize,
    /// Tokens written in all runs.
    pub completion_tokens: usize,
}

/// One judgment of many: the mean of the scores and of the probabilities behind them; equal means in the order of the
/// mean place, then of the first run. The reasoning and the reply are those of the run that orders most pairs like the
/// whole does. Runs without a verdict count only if there is no other.
///
/// # Panics
/// Without a run.
pub(crate) fn combine(runs: Vec<Judgment>) -> Judgment {
    let answered: Vec<&Verdict> = runs.iter().filter_map(|run| run.verdict.as_ref().ok()).collect();
    let tokens = |of: fn(&crate::Completion) -> usize| {
        runs.iter()
            .filter_map(|run| run.completion.as_ref())
            .map(of)
            .sum()
    };
    let mut votes = Votes {
        asked: runs.len(),
        answered: answered.len(),
        agreement: agreement(&answered),
        confidence: None,
        prompt_tokens: tokens(|completion| completion.prompt_tokens),
        completion_tokens: tokens(|completion| completion.completion_tokens),
    };
    if answered.is_empty() {
        let first = runs.into_iter().next().expect("at least one run. This is a bug.");
        return Judgment {
            votes: Some(votes),
            ..first
        };
    }
    let mut whole = mean(&answered);
    votes.confidence = whole.ranking.first().map(|&best| confidence(&answered, best));
    let closest = runs
        .iter()
        .enumerate()
        .filter_map(|(index, run)| Some((index, alike(run.verdict.as_ref().ok()?, &whole))))
        // The first of the best: `max_by_key` would take the last.
        .min_by_key(|&(_, alike)| std::cmp::Reverse(alike))
        .map_or(0, |(index, _)| index);
    let run = runs
        .into_iter()
        .nth(closest)
        .expect("an index of the runs. This is a bug.");
    if let Ok(verdict) = &run.verdict {
        whole.reasoning.clone_from(&verdict.reasoning);
    }
    Judgment {
        verdict: Ok(whole),
        votes: Some(votes),
        ..run
    }
}

fn mean(verdicts: &[&Verdict]) -> Verdict {
    let n = verdicts[0].scores.len();
    let count = verdicts.len() as f64;
    let score = |response: usize| {
        let of = |verdict: &&Verdict| verdict.scores[response].value();
        // To six places, so that the order of summation cannot part equal means.
        let mean = (verdicts.iter().map(of).sum::<f64>() / count * 1e6).round() / 1e6;
        let score = Score::new(mean.clamp(1.0, 5.0)).expect("between 1 and 5. This is a bug.");
        let weights: Option<Vec<[f64; 5]>> = verdicts
            .iter()
            .map(|verdict| verdict.scores[response].distribution())
            .collect();
        let sum = weights.map(|weights| {
            weights.iter().fold([0.0; 5], |mut sum, weights| {
                for (sum, weight) in sum.iter_mut().zip(weights) {
                    *sum += weight;
                }
                sum
            })
        });
        sum.and_then(|sum| score.with_distribution(sum).ok())
            .unwrap_or(score)
    };
    let mut places = vec![0_usize; n];
    for verdict in verdicts {
        for (place, &response) in verdict.ranking.iter().enumerate() {
            places[response] += place;
        }
    }
    // Stable, so that equal sums stay in the order of the first run.
    let mut tie_break = verdicts[0].ranking.clone();
    tie_break.sort_by_key(|&response| places[response]);
    let scores: Vec<Score> = (0..n).map(score).collect();
    let values: Vec<f64> = scores.iter().map(|score| score.value()).collect();
    let mut repairs = Vec::new();
    for repair in verdicts.iter().flat_map(|verdict| &verdict.repairs) {
        if !repairs.contains(repair) {
            repairs.push(repair.clone());
        }
    }
    Verdict {
        reasoning: String::new(),
        ranking: rank(&values, &tie_break),
        scores,
        repairs,
    }
}

fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |a| (a + 1..n).map(move |b| (a, b)))
}

/// How many pairs of responses two verdicts order alike.
fn alike(one: &Verdict, other: &Verdict) -> usize {
    let order = |verdict: &Verdict, (a, b): (usize, usize)| {
        let score = |response: usize| verdict.scores[response].value();
        score(a).partial_cmp(&score(b))
    };
    pairs(one.scores.len())
        .filter(|&pair| order(one, pair) == order(other, pair))
        .count()
}

fn agreement(verdicts: &[&Verdict]) -> Option<f64> {
    let (mut same, mut all) = (0, 0);
    for (a, b) in pairs(verdicts.len()) {
        same += alike(verdicts[a], verdicts[b]);
        all += pairs(verdicts[a].scores.len()).count();
    }
    (all > 0).then(|| same as f64 / all as f64)
}

fn confidence(verdicts: &[&Verdict], best: usize) -> f64 {
    let share = |verdict: &&Verdict| {
        let values = verdict.values();
        let highest = values.iter().copied().fold(f64::MIN, f64::max);
        let shared = values.iter().filter(|&&value| value == highest).count();
        if values[best] == highest {
            1.0 / shared as f64
        } else {
            0.0
        }
    };
    verdicts.iter().map(share).sum::<f64>() / verdicts.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::JudgeError;
    use crate::parse::ParseError;

    fn run(scores: &[f64], order: &[usize]) -> Judgment {
        let verdict = Verdict::from_scores(format!("{scores:?}"), scores, order).unwrap();
        Judgment {
            completion: None,
            verdict: Ok(verdict),
            mask: Mask::identity(scores.len()),
            votes: None,
        }
    }

    #[test]
    fn rotations_put_every_response_at_every_position() {
        let mask = Mask::seeded(5, 1);
        let masks = Repeats {
            permutations: 5,
            samples: 1,
        }
        .masks(&mask);
        assert_eq!(masks[0], mask);
        for response in 0..5 {
            let mut places: Vec<usize> = masks.iter().map(|mask| mask.position_of(response)).collect();
            places.sort_unstable();
            assert_eq!(places, [0, 1, 2, 3, 4]);
        }
        let check = |n: usize, permutations: usize, expect: usize| {
            let masks = Repeats {
                permutations,
                samples: 1,
            }
            .masks(&Mask::identity(n));
            let distinct: std::collections::HashSet<Vec<usize>> =
                masks.iter().map(|mask| mask.order().to_vec()).collect();
            assert_eq!(
                (masks.len(), distinct.len()),
                (expect, expect),
                "{permutations} of {n}"
            );
        };
        check(4, 2, 2);
        check(4, 3, 3);
        check(2, usize::MAX, 2);
        check(1, 3, 1);
        check(3, 0, 1);
        // Two orders of four lie opposite to one another.
        let two = Repeats {
            permutations: 2,
            samples: 1,
        };
        assert_eq!(two.masks(&Mask::identity(4))[1].order(), [2, 3, 0, 1]);
    }

    #[test]
    fn scores_are_means_and_ties_go_by_place() {
        let whole = combine(vec![
            run(&[5.0, 1.0, 3.0], &[0, 1, 2]),
            run(&[4.0, 5.0, 4.0], &[2, 0, 1]),
        ]);
        let verdict = whole.verdict.unwrap();
        assert_eq!(verdict.values(), [4.5, 3.0, 3.5]);
        assert_eq!(verdict.ranking, [0, 2, 1]);
        // 1 and 2 have equal means; over both runs 2 stands nearer to the front.
        let whole = combine(vec![
            run(&[5.0, 3.0, 3.0], &[0, 2, 1]),
            run(&[5.0, 2.0, 2.0], &[0, 2, 1]),
        ]);
        assert_eq!(whole.verdict.unwrap().ranking, [0, 2, 1]);
        let votes = whole.votes.unwrap();
        assert_eq!((votes.agreement, votes.confidence), (Some(1.0), Some(1.0)));
    }

    #[test]
    fn agreement_and_confidence_count_pairs_and_winners() {
        let whole = combine(vec![
            run(&[5.0, 1.0], &[0, 1]),
            run(&[4.0, 2.0], &[0, 1]),
            run(&[3.0, 3.0], &[1, 0]),
            run(&[1.0, 3.0], &[1, 0]),
        ]);
        let votes = whole.votes.unwrap();
        // Of six pairs of runs one orders the two responses alike; two and a half of four runs put 0 first.
        assert_eq!(votes.agreement, Some(1.0 / 6.0));
        assert_eq!(votes.confidence, Some(2.5 / 4.0));
        let verdict = whole.verdict.unwrap();
        assert_eq!(
            (verdict.ranking[0], verdict.reasoning.as_str()),
            (0, "[5.0, 1.0]")
        );
    }

    #[test]
    fn distributions_are_averaged_where_all_are_known() {
        let soft = |weights: [f64; 5]| {
            let mut run = run(&[3.0, 2.0], &[0, 1]);
            let verdict = run.verdict.as_mut().unwrap();
            verdict.scores[0] = verdict.scores[0].with_distribution(weights).unwrap();
            run
        };
        let whole = combine(vec![
            soft([0.0, 0.0, 1.0, 0.0, 0.0]),
            soft([0.0, 0.0, 0.0, 0.0, 1.0]),
        ]);
        let scores = whole.verdict.unwrap().scores;
        assert_eq!(scores[0].soft(), 4.0);
        assert_eq!(scores[1].distribution(), None);
    }

    #[test]
    fn runs_without_a_verdict_are_left_out_unless_there_is_no_other() {
        let failed = || Judgment {
            verdict: Err(JudgeError::Parse(ParseError::Empty { raw: String::new() })),
            ..run(&[3.0, 3.0], &[0, 1])
        };
        let whole = combine(vec![failed(), run(&[2.0, 4.0], &[0, 1])]);
        assert_eq!(whole.verdict.unwrap().ranking, [1, 0]);
        let votes = whole.votes.unwrap();
        assert_eq!((votes.asked, votes.answered, votes.agreement), (2, 1, None));
        let whole = combine(vec![failed(), failed()]);
        assert!(whole.verdict.is_err());
        assert_eq!(whole.votes.unwrap().confidence, None);
    }
}
