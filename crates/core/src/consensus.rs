//! One gold verdict out of several judges' verdicts.
//!
//! The ranking is a Kemeny consensus: the order that contradicts the judges least. It is exact, by dynamic programming
//! over subsets. The scores are the judges' medians, made monotone along that ranking.

use crate::gold::Gold;
use crate::mask::is_permutation;
use crate::metrics::kendall_tau_b;

/// The most responses for which the exact consensus is computed.
pub const MAX_EXACT: usize = 16;

/// A judge with at least this τ_b to the consensus agrees with it.
pub const AGREEMENT: f64 = 0.6;

/// Costs closer than this count as equal, so that the order of additions can't decide between two orders.
const TOLERANCE: f64 = 1e-9;

/// What several judges say together.
#[derive(Debug, Clone, PartialEq)]
pub struct Consensus {
    /// The gold scores and ranking.
    pub gold: Gold,
    /// The weight of all pairs that judges order against the ranking: the least possible.
    pub cost: f64,
    /// τ_b of each judge's scores with the gold scores; `None` where one of them is constant.
    pub agreement: Vec<Option<f64>>,
}

impl Consensus {
    /// How many judges agree: τ_b of at least [`AGREEMENT`]. An undefined τ_b is no agreement.
    pub fn agreeing(&self) -> usize {
        self.agreement
            .iter()
            .flatten()
            .filter(|&&tau| tau >= AGREEMENT)
            .count()
    }
}

/// Why there is no consensus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsensusError {
    /// No judge.
    #[error("consensus: expected at least one judge, got none")]
    NoJudges,
    /// Too many responses, or none.
    #[error("consensus: expected 1 to {MAX_EXACT} responses, got {got}")]
    Responses {
        /// How many there are.
        got: usize,
    },
    /// A judge's verdict has another size than the first judge's, or its ranking is no permutation.
    #[error(
        "consensus: expected {expected} scores and a ranking of them from judge {judge}, got something else"
    )]
    Shape {
        /// Index of the judge.
        judge: usize,
        /// Number of responses, by the first judge.
        expected: usize,
    },
    /// A score that is NaN or infinite.
    #[error("consensus: expected finite scores, got {found} for response {response} from judge {judge}")]
    NotFinite {
        /// Index of the judge.
        judge: usize,
        /// Index of the response.
        response: usize,
        /// The score.
        found: String,
    },
}

/// The exact consensus of the judges, in O(2^k k) time for k responses and a few megabytes at most.
///
/// A judge's preference between two responses is their order in its ranking and weighs `1 + |score difference|`, as a
/// pair does in the accuracy reward. Of several orders of least cost the one that names lower indices first wins.
///
/// ```
/// use rewardanything_core::{Gold, consensus::kemeny};
///
/// let judges = [
///     Gold::from_scores(vec![5.0, 3.0, 1.0]),
///     Gold::from_scores(vec![4.0, 3.0, 2.0]),
///     Gold::from_scores(vec![3.0, 4.0, 1.0]),
/// ];
/// let consensus = kemeny(&judges)?;
/// assert_eq!(consensus.gold.ranking, [0, 1, 2]);
/// assert_eq!(consensus.gold.scores, [4.0, 3.0, 1.0]); // medians
/// assert_eq!(consensus.cost, 2.0); // only the third judge's 4 over 3 is contradicted: 1 + |4 - 3|
/// assert_eq!(consensus.agreeing(), 2); // the third one's τ_b is 1/3
/// # Ok::<(), rewardanything_core::consensus::ConsensusError>(())
/// ```
///
/// # Errors
/// No judge, no response or more than [`MAX_EXACT`], verdicts of different sizes, a ranking that is no permutation, a
/// score that is not finite.
pub fn kemeny(judges: &[Gold]) -> Result<Consensus, ConsensusError> {
    let n = check_shapes(judges)?;
    let costs = pair_costs(judges, n);
    let (ranking, cost) = cheapest_order(&costs, n);
    let medians: Vec<f64> = (0..n)
        .map(|response| median(judges.iter().map(|judge| judge.scores[response]).collect()))
        .collect();
    let along: Vec<f64> = ranking.iter().map(|&response| medians[response]).collect();
    let mut scores = vec![0.0; n];
    for (&response, score) in ranking.iter().zip(falling(&along)) {
        scores[response] = score;
    }
    let agreement = judges
        .iter()
        .map(|judge| kendall_tau_b(&judge.scores, &scores))
        .collect();
    Ok(Consensus {
        gold: Gold { scores, ranking },
        cost,
        agreement,
    })
}

fn check_shapes(judges: &[Gold]) -> Result<usize, ConsensusError> {
    let n = judges.first().ok_or(ConsensusError::NoJudges)?.scores.len();
    if !(1..=MAX_EXACT).contains(&n) {
        return Err(ConsensusError::Responses { got: n });
    }
    for (judge, verdict) in judges.iter().enumerate() {
        if verdict.scores.len() != n || verdict.ranking.len() != n || !is_permutation(&verdict.ranking) {
            return Err(ConsensusError::Shape { judge, expected: n });
        }
        if let Some(response) = verdict.scores.iter().position(|score| !score.is_finite()) {
            let found = verdict.scores[response].to_string();
            return Err(ConsensusError::NotFinite {
                judge,
                response,
                found,
            });
        }
    }
    Ok(n)
}

/// `costs[a][b]`: what it costs to put `a` before `b`.
fn pair_costs(judges: &[Gold], n: usize) -> Vec<Vec<f64>> {
    let mut costs = vec![vec![0.0; n]; n];
    for Gold { scores, ranking } in judges {
        for (place, &better) in ranking.iter().enumerate() {
            for &worse in &ranking[place + 1..] {
                costs[worse][better] += 1.0 + (scores[better] - scores[worse]).abs();
            }
        }
    }
    costs
}

/// Held and Karp's dynamic programme: the cheapest order of a set puts some element first and the rest in their own
/// cheapest order.
fn cheapest_order(costs: &[Vec<f64>], n: usize) -> (Vec<usize>, f64) {
    let heads: Vec<HeadCosts> = costs.iter().map(|row| HeadCosts::new(row)).collect();
    let mut best = vec![0.0f64; 1 << n];
    let mut first = vec![0u8; 1 << n];
    for set in 1..1usize << n {
        let mut least = f64::INFINITY;
        for (head, head_costs) in heads.iter().enumerate().filter(|(head, _)| set >> head & 1 == 1) {
            let rest = set & !(1 << head);
            let cost = best[rest] + head_costs.before(rest);
            if cost < least - TOLERANCE {
                least = cost;
                first[set] = head as u8;
            }
        }
        best[set] = least;
    }
    let mut set = (1usize << n) - 1;
    let cost = best[set];
    let mut ranking = Vec::with_capacity(n);
    while set != 0 {
        let head = usize::from(first[set]);
        ranking.push(head);
        set &= !(1 << head);
    }
    (ranking, cost)
}

/// What it costs to put one response before every member of a set. Sums over sets are built one member at a time, for
/// the low and the high eight responses apart: constant time per question without a table of all sets.
struct HeadCosts {
    low: Vec<f64>,
    high: Vec<f64>,
}

impl HeadCosts {
    fn new(row: &[f64]) -> Self {
        let (low, high) = row.split_at(row.len().min(8));
        Self {
            low: subset_sums(low),
            high: subset_sums(high),
        }
    }

    fn before(&self, set: usize) -> f64 {
        self.low[set & 0xff] + self.high[set >> 8]
    }
}

/// Entry `set` is the sum over its members; each is one addition to a smaller set's.
fn subset_sums(row: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; 1 << row.len()];
    for set in 1..sums.len() {
        let lowest = set.trailing_zeros() as usize;
        sums[set] = sums[set & (set - 1)] + row[lowest];
    }
    sums
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 {
        values[half]
    } else {
        f64::midpoint(values[half - 1], values[half])
    }
}

/// The closest never-rising sequence by least squares: neighbours that rise are pooled into their mean (pool adjacent
/// violators, Ayer et al. 1955).
fn falling(values: &[f64]) -> Vec<f64> {
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for &value in values {
        let (mut sum, mut count) = (value, 1);
        while let Some(&(before, members)) = pools.last() {
            if before / members as f64 >= sum / count as f64 {
                break;
            }
            pools.pop();
            (sum, count) = (sum + before, count + members);
        }
        pools.push((sum, count));
    }
    pools
        .iter()
        .flat_map(|&(sum, count)| std::iter::repeat_n(sum / count as f64, count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::Mask;
    use crate::seeded::{below, generator};

    fn random_judges(n: usize, seed: u64) -> Vec<Gold> {
        let mut rng = generator(seed);
        let judges = 1 + below(&mut rng, 5);
        (0..judges as u64)
            .map(|judge| Gold {
                scores: (0..n).map(|_| 1.0 + below(&mut rng, 9) as f64 / 2.0).collect(),
                ranking: Mask::seeded(n, seed * 31 + judge).order().to_vec(),
            })
            .collect()
    }

    fn permutations(n: usize) -> Vec<Vec<usize>> {
        if n == 0 {
            return vec![Vec::new()];
        }
        let mut all: Vec<Vec<usize>> = permutations(n - 1)
            .into_iter()
            .flat_map(|shorter| {
                (0..n).map(move |at| {
                    let mut longer = shorter.clone();
                    longer.insert(at, n - 1);
                    longer
                })
            })
            .collect();
        all.sort();
        all
    }

    fn cost_of(order: &[usize], costs: &[Vec<f64>]) -> f64 {
        let mut sum = 0.0;
        for (place, &before) in order.iter().enumerate() {
            sum += order[place + 1..]
                .iter()
                .map(|&after| costs[before][after])
                .sum::<f64>();
        }
        sum
    }

    #[test]
    fn the_programme_finds_what_brute_force_finds() {
        for n in 1..=6 {
            let orders = permutations(n);
            for seed in 0..40 {
                let judges = random_judges(n, seed);
                let costs = pair_costs(&judges, n);
                let least = orders
                    .iter()
                    .map(|order| cost_of(order, &costs))
                    .fold(f64::INFINITY, f64::min);
                let expect = orders
                    .iter()
                    .find(|order| cost_of(order, &costs) < least + TOLERANCE)
                    .unwrap();
                let consensus = kemeny(&judges).unwrap();
                assert_eq!(&consensus.gold.ranking, expect, "{judges:?}");
                assert!((consensus.cost - least).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn sixteen_responses_are_exact_and_seventeen_refused() {
        let truth: Vec<usize> = Mask::seeded(16, 5).order().to_vec();
        let mut scores = vec![0.0; 16];
        for (place, &response) in truth.iter().enumerate() {
            scores[response] = 5.0 - place as f64 / 4.0;
        }
        let judge = Gold::from_scores(scores);
        let consensus = kemeny(&[judge.clone(), judge.clone()]).unwrap();
        assert_eq!((consensus.gold, consensus.cost), (judge, 0.0));
        let many = Gold::from_scores(vec![3.0; 17]);
        assert_eq!(kemeny(&[many]), Err(ConsensusError::Responses { got: 17 }));
    }

    #[test]
    fn costs_are_the_same_beyond_eight_responses() {
        let judges = random_judges(11, 3);
        let consensus = kemeny(&judges).unwrap();
        let costs = pair_costs(&judges, 11);
        assert!((cost_of(&consensus.gold.ranking, &costs) - consensus.cost).abs() < 1e-9);
        // No swap of neighbours helps, which holds for every order of least cost.
        for at in 0..10 {
            let mut other = consensus.gold.ranking.clone();
            other.swap(at, at + 1);
            assert!(cost_of(&other, &costs) > consensus.cost - 1e-9);
        }
    }

    #[test]
    fn gold_scores_fall_along_the_ranking() {
        for seed in 0..50 {
            let Gold { scores, ranking } = kemeny(&random_judges(7, seed)).unwrap().gold;
            assert!(
                ranking.windows(2).all(|pair| scores[pair[0]] >= scores[pair[1]]),
                "{scores:?} {ranking:?}"
            );
        }
    }

    #[test]
    fn pooling_is_the_least_squares_answer() {
        let check = |values: &[f64], expect: &[f64]| assert_eq!(falling(values), expect, "{values:?}");
        check(&[5.0, 4.0, 1.0], &[5.0, 4.0, 1.0]);
        check(&[3.0, 4.0, 1.0], &[3.5, 3.5, 1.0]);
        check(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]);
        check(&[4.0, 2.0, 3.0, 3.0], &[4.0, 8.0 / 3.0, 8.0 / 3.0, 8.0 / 3.0]);
        check(&[2.0], &[2.0]);
    }

    #[test]
    fn agreement_needs_a_preference() {
        let flat = Gold::from_scores(vec![3.0, 3.0]);
        let consensus = kemeny(&[flat.clone(), flat]).unwrap();
        assert_eq!(
            (consensus.agreement.as_slice(), consensus.agreeing()),
            (&[None, None][..], 0)
        );
        let judge = |a, b, c| Gold::from_scores(vec![a, b, c]);
        let consensus = kemeny(&[judge(5.0, 3.0, 1.0), judge(4.0, 3.0, 2.0), judge(1.0, 3.0, 5.0)]).unwrap();
        assert_eq!(
            (consensus.gold.ranking.as_slice(), consensus.agreeing()),
            (&[0, 1, 2][..], 2)
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let gold = |scores: &[f64]| Gold::from_scores(scores.to_vec());
        assert_eq!(kemeny(&[]), Err(ConsensusError::NoJudges));
        assert_eq!(kemeny(&[gold(&[])]), Err(ConsensusError::Responses { got: 0 }));
        let ragged = kemeny(&[gold(&[1.0, 2.0]), gold(&[1.0])]);
        assert_eq!(
            ragged,
            Err(ConsensusError::Shape {
                judge: 1,
                expected: 2
            })
        );
        let twice = Gold {
            scores: vec![1.0, 2.0],
            ranking: vec![1, 1],
        };
        assert_eq!(
            kemeny(&[twice]),
            Err(ConsensusError::Shape {
                judge: 0,
                expected: 2
            })
        );
        let error = kemeny(&[gold(&[1.0, f64::NAN])]).unwrap_err();
        assert!(
            matches!(
                error,
                ConsensusError::NotFinite {
                    judge: 0,
                    response: 1,
                    ..
                }
            ),
            "{error}"
        );
    }
}
