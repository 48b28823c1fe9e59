//! Whether the probabilities behind scores can be believed.
//!
//! For a pair whose gold has an order, the judge's probability that the first is better is the chance that its score
//! is higher, half the chance of a tie added, the two scores taken as independent. The confidence is the larger of that
//! and its complement, from 0.5 to 1; pairs of like confidence are right as often as they say, if the judge is
//! calibrated.

use serde::{Deserialize, Serialize};

use crate::outcome::Judged;

/// Bins of equal width from 0.5 to 1.
pub const BINS: usize = 10;

/// A bin of the reliability curve.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Bin {
    /// Pairs in it.
    pub pairs: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that is right; a confidence of exactly one half is half right.
    pub accuracy: f64,
}

/// A reliability curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// From the least confident to the most.
    pub bins: Vec<Bin>,
    /// Expected calibration error: the mean distance between confidence and accuracy, bins weighted by their pairs.
    pub error: f64,
    /// Pairs in all.
    pub pairs: usize,
}

/// The chance that a score drawn from `a` is above one drawn from `b`, half the chance of a tie added.
///
/// ```
/// use rewardanything_evals::calibration::above;
/// let (high, low) = ([0.0, 0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.0, 1.0, 0.0]);
/// assert_eq!(above(&high, &low), 0.75);
/// ```
pub fn above(a: &[f64; 5], b: &[f64; 5]) -> f64 {
    let mut sum = 0.0;
    for (i, p) in a.iter().enumerate() {
        for (j, q) in b.iter().enumerate() {
            sum += p
                * q
                * if i > j {
                    1.0
                } else if i == j {
                    0.5
                } else {
                    0.0
                };
        }
    }
    sum
}

/// The curve over the pairs of these items; `None` where no item has probabilities.
pub fn calibration(items: &[Judged]) -> Option<Calibration> {
    let better_probabilities = items.iter().flat_map(|item| {
        let known = item.games.first().and_then(|game| game.probabilities.as_ref());
        let pairs = known
            .map(|_| item.sample.gold.ordered_pairs())
            .unwrap_or_default();
        pairs
            .into_iter()
            .filter_map(move |(better, worse)| known.map(|known| above(&known[better], &known[worse])))
    });
    of_probabilities(better_probabilities)
}

/// The curve of pairs, each given as the probability that the truly better response is the better one.
pub fn of_probabilities(pairs: impl IntoIterator<Item = f64>) -> Option<Calibration> {
    let mut bins = [Bin::default(); BINS];
    let mut total = 0;
    for probability in pairs {
        let confidence = probability.max(1.0 - probability);
        let at = ((confidence - 0.5) * 2.0 * BINS as f64) as usize;
        let bin = &mut bins[at.min(BINS - 1)];
        bin.pairs += 1;
        bin.confidence += confidence;
        bin.accuracy += if probability > 0.5 {
            1.0
        } else if probability == 0.5 {
            0.5
        } else {
            0.0
        };
        total += 1;
    }
    let mut error = 0.0;
    for bin in bins.iter_mut().filter(|bin| bin.pairs > 0) {
        let pairs = bin.pairs as f64;
        bin.confidence /= pairs;
        bin.accuracy /= pairs;
        error += pairs / f64::from(total) * (bin.confidence - bin.accuracy).abs();
    }
    (total > 0).then(|| Calibration {
        bins: bins.to_vec(),
        error,
        pairs: total as usize,
    })
}
