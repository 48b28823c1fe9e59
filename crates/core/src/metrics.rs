//! How well scores agree with gold scores: pure functions.

use crate::seeded::{below, generator};

/// Pairs of responses whose gold scores differ, by what the prediction makes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PairCounts {
    /// In the gold order.
    pub correct: usize,
    /// Predicted equal.
    pub tied: usize,
    /// In the opposite order, or not predicted at all.
    pub wrong: usize,
}

impl PairCounts {
    /// All pairs with different gold scores counted as wrong: what a verdict that can't be read earns.
    pub fn all_wrong(gold: &[f64]) -> Self {
        let counts = pairwise(gold, gold);
        Self {
            wrong: counts.correct,
            ..Self::default()
        }
    }

    /// How many pairs there are.
    pub fn total(self) -> usize {
        self.correct + self.tied + self.wrong
    }

    /// The numerator of pairwise accuracy: a predicted tie is half right.
    pub fn points(self) -> f64 {
        self.correct as f64 + self.tied as f64 / 2.0
    }

    /// Pairwise accuracy from 0 to 1; `None` when no pair has different gold scores.
    pub fn accuracy(self) -> Option<f64> {
        (self.total() > 0).then(|| self.points() / self.total() as f64)
    }
}

impl std::ops::AddAssign for PairCounts {
    fn add_assign(&mut self, other: Self) {
        self.correct += other.correct;
        self.tied += other.tied;
        self.wrong += other.wrong;
    }
}

impl std::iter::Sum for PairCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, next| {
            sum += next;
            sum
        })
    }
}

/// Counts the pairs whose gold scores differ. A predicted score that is NaN stands for none: its pairs are wrong.
///
/// ```
/// use rewardanything_core::metrics::pairwise;
///
/// let counts = pairwise(&[4.0, 4.0, 1.0], &[5.0, 3.0, 3.0]); // gold: 0 over 1, 0 over 2
/// assert_eq!((counts.correct, counts.tied, counts.wrong), (1, 1, 0));
/// assert_eq!(counts.accuracy(), Some(0.75));
/// ```
///
/// # Panics
/// The two slices differ in length.
pub fn pairwise(pred: &[f64], gold: &[f64]) -> PairCounts {
    assert_eq!(pred.len(), gold.len(), "one predicted score per gold score");
    let mut counts = PairCounts::default();
    for i in 0..gold.len() {
        for j in i + 1..gold.len() {
            if gold[i] == gold[j] {
                continue;
            }
            let (better, worse) = if gold[i] > gold[j] {
                (pred[i], pred[j])
            } else {
                (pred[j], pred[i])
            };
            if better > worse {
                counts.correct += 1;
            } else if better == worse {
                counts.tied += 1;
            } else {
                counts.wrong += 1;
            }
        }
    }
    counts
}

/// Kendall's τ_b: concordant minus discordant pairs over `sqrt((n0 - n1)(n0 - n2))`, with `n0` all pairs and `n1`,
/// `n2` the pairs tied in `a` and in `b` (Kendall 1945). From -1 to 1; `None` when it is undefined: one of them is
/// constant or shorter than 2, or a value is NaN.
///
/// ```
/// use rewardanything_core::metrics::kendall_tau_b;
///
/// let tau = kendall_tau_b(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]).unwrap(); // two pairs agree, one does not
/// assert!((tau - 1.0 / 3.0).abs() < 1e-12);
/// assert_eq!(kendall_tau_b(&[2.0, 2.0], &[1.0, 3.0]), None);
/// ```
///
/// # Panics
/// The two slices differ in length.
pub fn kendall_tau_b(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "two scores per response");
    if a.iter().chain(b).any(|value| value.is_nan()) {
        return None;
    }
    let (mut balance, mut untied_a, mut untied_b) = (0i64, 0u64, 0u64);
    for i in 0..a.len() {
        for j in i + 1..a.len() {
            let order_a = i64::from(a[i] > a[j]) - i64::from(a[i] < a[j]);
            let order_b = i64::from(b[i] > b[j]) - i64::from(b[i] < b[j]);
            balance += order_a * order_b;
            untied_a += order_a.unsigned_abs();
            untied_b += order_b.unsigned_abs();
        }
    }
    if untied_a == 0 || untied_b == 0 {
        return None;
    }
    // Two roots rather than the root of a product: scipy's order of operations, and no overflow.
    let tau = balance as f64 / (untied_a as f64).sqrt() / (untied_b as f64).sqrt();
    Some(tau.clamp(-1.0, 1.0))
}

/// Normalised discounted cumulative gain: gain `2^s - 1`, discount `log2(place + 1)` with places from 1. Responses
/// with equal predicted scores share the mean of their gains, so that their order can't matter. From 0 to 1; `None`
/// when the gold gains are all 0 or there is no response.
///
/// ```
/// use rewardanything_core::metrics::ndcg;
///
/// assert_eq!(ndcg(&[5.0, 3.0], &[4.0, 1.0]), Some(1.0));
/// let reversed = ndcg(&[3.0, 5.0], &[4.0, 1.0]).unwrap(); // (1/1 + 15/log2 3) / (15/1 + 1/log2 3)
/// assert!((reversed - 0.669_44).abs() < 1e-5);
/// ```
///
/// # Panics
/// The two slices differ in length.
pub fn ndcg(pred: &[f64], gold: &[f64]) -> Option<f64> {
    assert_eq!(pred.len(), gold.len(), "one predicted score per gold score");
    let ideal = dcg(gold, gold);
    (ideal > 0.0).then(|| dcg(pred, gold) / ideal)
}

fn dcg(pred: &[f64], gold: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..pred.len()).collect();
    order.sort_by(|&a, &b| pred[b].total_cmp(&pred[a]));
    let mut sum = 0.0;
    let mut place = 0;
    for group in order.chunk_by(|&a, &b| pred[a] == pred[b]) {
        let gain = group.iter().map(|&i| gold[i].exp2() - 1.0).sum::<f64>() / group.len() as f64;
        let discounts: f64 = (place..place + group.len())
            .map(|at| 1.0 / (at as f64 + 2.0).log2())
            .sum();
        sum += gain * discounts;
        place += group.len();
    }
    sum
}

/// The population variance of one item's predicted scores; `None` without scores.
pub fn score_variance(scores: &[f64]) -> Option<f64> {
    let n = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / n;
    (!scores.is_empty()).then(|| scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / n)
}

/// A 95% percentile interval for `sum of numerators / sum of denominators`, items drawn with replacement.
///
/// Each item is `(numerator, denominator)`: for pairwise accuracy `(points, pairs)`, for a mean `(value, 1)`. The
/// quantiles are interpolated linearly between the ordered resamples. The same seed gives the same interval;
/// resamples whose denominator is 0 are left out. `None` when none is left.
///
/// ```
/// use rewardanything_core::metrics::bootstrap_interval;
///
/// let items = [(1.0, 1.0), (0.0, 1.0), (1.0, 1.0), (1.0, 1.0)];
/// let (low, high) = bootstrap_interval(&items, 2_000, 7).unwrap();
/// assert!(low < 0.75 && 0.75 < high);
/// assert_eq!(bootstrap_interval(&items, 2_000, 7), Some((low, high)));
/// ```
pub fn bootstrap_interval(items: &[(f64, f64)], resamples: usize, seed: u64) -> Option<(f64, f64)> {
    let ratios = bootstrap(items.len(), resamples, seed, |sample| {
        let (mut numerator, mut denominator) = (0.0, 0.0);
        for &item in sample {
            numerator += items[item].0;
            denominator += items[item].1;
        }
        (denominator != 0.0).then_some(numerator / denominator)
    });
    interval(&ratios)
}

/// A statistic of resamples of `items` items, in ascending order: each resample is as many indices, drawn with
/// replacement. Resamples for which the statistic is undefined are left out. The same seed draws the same indices, so
/// two statistics over the same items can be compared resample by resample.
///
/// ```
/// use rewardanything_core::metrics::{bootstrap, interval};
///
/// let values = [1.0, 2.0, 6.0];
/// let means = bootstrap(3, 100, 7, |sample| Some(sample.iter().map(|&item| values[item]).sum::<f64>() / 3.0));
/// assert!(means.len() == 100 && interval(&means).is_some_and(|(low, high)| low < 3.0 && 3.0 < high));
/// ```
pub fn bootstrap(
    items: usize,
    resamples: usize,
    seed: u64,
    mut statistic: impl FnMut(&[usize]) -> Option<f64>,
) -> Vec<f64> {
    let mut values = Vec::with_capacity(resamples);
    resample(items, resamples, seed, |sample| values.extend(statistic(sample)));
    values.sort_by(f64::total_cmp);
    values
}

/// Draws resamples of `items` items, as many indices each, with replacement, and hands them over one by one: for several
/// statistics at once. The draws are those of [`bootstrap`].
pub fn resample(items: usize, resamples: usize, seed: u64, mut each: impl FnMut(&[usize])) {
    if items == 0 {
        return;
    }
    let mut rng = generator(seed);
    let mut sample = vec![0; items];
    for _ in 0..resamples {
        for item in &mut sample {
            *item = below(&mut rng, items);
        }
        each(&sample);
    }
}

/// The 95% percentile interval of values in ascending order, linear between them; `None` without values.
pub fn interval(sorted: &[f64]) -> Option<(f64, f64)> {
    Some((quantile(sorted, 0.025)?, quantile(sorted, 0.975)?))
}

fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let at = q * (sorted.len().checked_sub(1)?) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    Some(below + (above - below) * at.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        a: Vec<f64>,
        b: Vec<f64>,
        tau_b: Option<f64>,
    }

    #[test]
    fn tau_b_equals_scipys() {
        let golden: Golden = serde_json::from_str(include_str!("../../../fixtures/tau_b.json")).unwrap();
        assert!(golden.cases.len() >= 90);
        for Case { a, b, tau_b } in golden.cases {
            let got = kendall_tau_b(&a, &b);
            match (got, tau_b) {
                (Some(got), Some(expect)) => {
                    assert!((got - expect).abs() <= 1e-12, "{a:?} {b:?}: {got} {expect}")
                }
                _ => assert_eq!(got, tau_b, "{a:?} {b:?}"),
            }
        }
        assert_eq!(kendall_tau_b(&[1.0, f64::NAN], &[1.0, 2.0]), None);
    }

    #[test]
    fn pairs_are_counted_where_gold_differs() {
        let check = |pred: &[f64], gold: &[f64], expect: (usize, usize, usize)| {
            let counts = pairwise(pred, gold);
            assert_eq!(
                (counts.correct, counts.tied, counts.wrong),
                expect,
                "{pred:?} {gold:?}"
            );
        };
        check(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0], (3, 0, 0));
        check(&[3.0, 2.0, 1.0], &[1.0, 2.0, 3.0], (0, 0, 3));
        check(&[2.0, 2.0, 2.0], &[1.0, 2.0, 3.0], (0, 3, 0));
        check(&[1.0, 2.0], &[3.0, 3.0], (0, 0, 0));
        check(&[f64::NAN, 2.0, 3.0], &[1.0, 2.0, 3.0], (1, 0, 2));
        check(&[], &[], (0, 0, 0));
    }

    #[test]
    fn accuracy_counts_a_tie_as_half() {
        let counts: PairCounts = [
            pairwise(&[1.0, 1.0], &[1.0, 2.0]),
            pairwise(&[1.0, 2.0], &[1.0, 2.0]),
        ]
        .into_iter()
        .sum();
        assert_eq!(
            (counts.total(), counts.points(), counts.accuracy()),
            (2, 1.5, Some(0.75))
        );
        assert_eq!(pairwise(&[1.0], &[1.0]).accuracy(), None);
        assert_eq!(PairCounts::all_wrong(&[1.0, 2.0, 2.0]).accuracy(), Some(0.0));
        assert_eq!(PairCounts::all_wrong(&[1.0, 2.0, 2.0]).wrong, 2);
    }

    #[test]
    fn ndcg_of_ties_does_not_depend_on_the_order_given() {
        let close = |got: Option<f64>, expect: f64| assert!((got.unwrap() - expect).abs() < 1e-12, "{got:?}");
        let ideal = 7.0 + 3.0 / 3f64.log2() + 1.0 / 2.0;
        close(ndcg(&[3.0, 2.0, 1.0], &[3.0, 2.0, 1.0]), 1.0);
        close(
            ndcg(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]),
            (1.0 + 3.0 / 3f64.log2() + 7.0 / 2.0) / ideal,
        );
        let tied = 11.0 / 3.0 * (1.0 + 1.0 / 3f64.log2() + 0.5) / ideal;
        close(ndcg(&[4.0, 4.0, 4.0], &[3.0, 2.0, 1.0]), tied);
        close(ndcg(&[4.0, 4.0, 4.0], &[1.0, 3.0, 2.0]), tied);
        assert_eq!(ndcg(&[], &[]), None);
        assert_eq!(ndcg(&[1.0], &[0.0]), None);
    }

    #[test]
    fn variance_is_of_the_population() {
        assert_eq!(score_variance(&[1.0, 5.0]), Some(4.0));
        assert_eq!(score_variance(&[3.0]), Some(0.0));
        assert_eq!(score_variance(&[]), None);
    }

    #[test]
    fn intervals_cover_and_shrink() {
        let items =
            |n: usize| -> Vec<(f64, f64)> { (0..n).map(|i| (f64::from(u8::from(i % 4 > 0)), 1.0)).collect() };
        let width = |n: usize| {
            let (low, high) = bootstrap_interval(&items(n), 4_000, 1).unwrap();
            assert!(low < 0.75 && 0.75 < high, "{low} {high}");
            high - low
        };
        // Normal approximation: 2 * 1.96 * sqrt(0.75 * 0.25 / n).
        assert!((width(100) - 0.1697).abs() < 0.02 && (width(400) - 0.0849).abs() < 0.01);
        assert_eq!(bootstrap_interval(&[(3.0, 4.0)], 10, 1), Some((0.75, 0.75)));
        assert_eq!(bootstrap_interval(&[], 10, 1), None);
        assert_eq!(bootstrap_interval(&[(0.0, 0.0)], 10, 1), None);
        assert_eq!(bootstrap_interval(&items(4), 0, 1), None);
        let fine: Vec<(f64, f64)> = (0..20).map(|i| (f64::from(i).sqrt(), 1.0)).collect();
        assert_eq!(
            bootstrap_interval(&fine, 100, 1),
            bootstrap_interval(&fine, 100, 1)
        );
        assert_ne!(
            bootstrap_interval(&fine, 100, 1),
            bootstrap_interval(&fine, 100, 2)
        );
    }

    #[test]
    fn ratios_weigh_items_by_their_denominator() {
        // One item holds almost all pairs: the ratio of sums is near its value, the mean of ratios would not be.
        let (low, high) = bootstrap_interval(&[(990.0, 1_000.0), (0.0, 1.0)], 1_000, 3).unwrap();
        assert!(low < 0.01 && high > 0.98, "{low} {high}");
        let quartiles: Vec<f64> = [0.0, 0.25, 0.5, 1.0]
            .map(|q| quantile(&[1.0, 2.0, 3.0, 4.0], q).unwrap())
            .to_vec();
        assert_eq!(quartiles, [1.0, 1.75, 2.5, 4.0]);
    }
}
