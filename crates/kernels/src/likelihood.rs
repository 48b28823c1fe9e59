//! Log-probabilities of chosen tokens, and the gradient of anything that is computed from them.
//!
//! Two halves of what [`crate::cross_entropy`] does at once, for objectives whose slope is known only when the
//! log-probability is.

use crate::elementwise::{exp, exp_all, largest};
use multiversion::multiversion;

/// What a row of logits says of its target.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Likelihood {
    /// The natural logarithm of the target's probability.
    pub log_probability: f32,
    /// Entropy of the whole row, in nats.
    pub entropy: f32,
    /// Whether no logit is larger than the target's.
    pub hit: bool,
    /// What the row, as [`likelihoods`] leaves it, sums up to.
    sum: f32,
}

/// The likelihood of `targets` `[n]` under `logits` `[n, v]`; on return `logits` holds `exp(logit - largest)`, for
/// [`likelihood_gradient`].
///
/// # Panics
/// When the lengths do not fit or a target lies outside the vocabulary.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub fn likelihoods(logits: &mut [f32], targets: &[u32], out: &mut [Likelihood]) {
    let n = targets.len();
    assert!(
        out.len() == n && n > 0 && logits.len().is_multiple_of(n),
        "likelihoods: lengths do not fit"
    );
    let v = logits.len() / n;
    for ((row, &target), out) in logits.chunks_exact_mut(v).zip(targets).zip(out) {
        let target = target as usize;
        assert!(target < v, "target {target} lies outside a vocabulary of {v}");
        let max = largest(row);
        let at_target = row[target] - max;
        // Sixteen sums side by side, as the other loops of this crate have them: one after another they would wait.
        let mut sums = [0f32; 16];
        let (whole, rest) = row.as_chunks::<16>();
        for part in whole {
            for (sum, x) in sums.iter_mut().zip(part) {
                *sum += exp(x - max) * (x - max);
            }
        }
        let weighed = sums.iter().sum::<f32>() + rest.iter().map(|x| exp(x - max) * (x - max)).sum::<f32>();
        let sum = exp_all(row, 1.0, max);
        *out = Likelihood {
            log_probability: at_target - sum.ln(),
            entropy: sum.ln() - weighed / sum,
            hit: at_target >= 0.0,
            sum,
        };
    }
}

/// From what [`likelihoods`] left in `exps` `[n, v]` to the gradient by the logits, in place, of a loss whose
/// derivative by row `i`'s log-probability is `slopes[i]`: `slopes[i] * (onehot(target) - softmax)`.
///
/// # Panics
/// When the lengths do not fit.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub fn likelihood_gradient(exps: &mut [f32], targets: &[u32], likelihoods: &[Likelihood], slopes: &[f32]) {
    let n = targets.len();
    assert!(
        likelihoods.len() == n && slopes.len() == n && n > 0 && exps.len().is_multiple_of(n),
        "likelihood_gradient: lengths do not fit"
    );
    let v = exps.len() / n;
    let rows = exps.chunks_exact_mut(v).zip(targets).zip(likelihoods).zip(slopes);
    for (((row, &target), likelihood), &slope) in rows {
        let scale = -slope / likelihood.sum;
        for x in row.iter_mut() {
            *x *= scale;
        }
        row[target as usize] += slope;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cross_entropy;

    fn logits(n: usize, v: usize) -> Vec<f32> {
        (0..n * v).map(|i| ((i * 29 % 31) as f32 - 15.0) / 3.0).collect()
    }

    #[test]
    fn log_probability_and_entropy_match_a_plain_f64_version() {
        let (n, v) = (3, 37);
        let logits = logits(n, v);
        let targets = [0u32, 36, 5];
        let mut exps = logits.clone();
        let mut got = [Likelihood::default(); 3];
        likelihoods(&mut exps, &targets, &mut got);
        for i in 0..n {
            let row: Vec<f64> = logits[i * v..(i + 1) * v].iter().map(|x| f64::from(*x)).collect();
            let sum: f64 = row.iter().map(|x| x.exp()).sum();
            let (target, probability) = (row[targets[i] as usize], |x: f64| x.exp() / sum);
            let entropy: f64 = row.iter().map(|&x| -probability(x) * probability(x).ln()).sum();
            assert!((f64::from(got[i].log_probability) - probability(target).ln()).abs() < 1e-5);
            assert!((f64::from(got[i].entropy) - entropy).abs() < 1e-5, "row {i}");
            assert_eq!(got[i].hit, row.iter().all(|x| *x <= target), "row {i}");
        }
    }

    #[test]
    fn with_constant_slopes_it_is_cross_entropy_bit_for_bit() {
        let (n, v) = (3, 37);
        let (targets, weights) = ([0u32, 36, 5], [1.0f32, 0.25, 2.0]);
        let (mut one, mut two) = (logits(n, v), logits(n, v));
        let mut hits = [false; 3];
        let loss = cross_entropy(&mut one, &targets, &weights, &mut hits);
        let mut likelihood = [Likelihood::default(); 3];
        likelihoods(&mut two, &targets, &mut likelihood);
        likelihood_gradient(&mut two, &targets, &likelihood, &weights.map(|w| -w));
        assert_eq!(one, two);
        let again: f64 = likelihood
            .iter()
            .zip(weights)
            .map(|(l, w)| -f64::from(w * l.log_probability))
            .sum();
        assert!((loss - again).abs() < 1e-5, "{loss} {again}");
    }
}
