//! Softmax cross-entropy on a block of logits.

use crate::elementwise::{exp_all, largest};
use multiversion::multiversion;

/// Weighted cross-entropy of `logits` `[n, v]` against `targets` `[n]`; on return `logits` holds the gradient.
///
/// Row `i` adds `weights[i] * -ln softmax(logits[i])[targets[i]]` to the returned loss, and `hits[i]` says whether its
/// target had the largest logit. The gradient replaces the logits, so that no second `[n, v]` block is kept.
///
/// # Panics
/// When the lengths do not fit or a target lies outside the vocabulary.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub fn cross_entropy(logits: &mut [f32], targets: &[u32], weights: &[f32], hits: &mut [bool]) -> f64 {
    let n = targets.len();
    assert!(
        weights.len() == n && hits.len() == n && n > 0 && logits.len().is_multiple_of(n),
        "cross_entropy: lengths do not fit"
    );
    let v = logits.len() / n;
    let mut loss = 0f64;
    let rows = logits.chunks_exact_mut(v).zip(targets).zip(weights).zip(hits);
    for (((row, &target), &weight), hit) in rows {
        let target = target as usize;
        assert!(target < v, "target {target} lies outside a vocabulary of {v}");
        let max = largest(row);
        let at_target = row[target] - max;
        *hit = at_target >= 0.0;
        let sum = exp_all(row, 1.0, max);
        loss += f64::from(weight) * (f64::from(sum).ln() - f64::from(at_target));
        let scale = weight / sum;
        for x in row.iter_mut() {
            *x *= scale;
        }
        row[target] -= weight;
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_gradient_match_a_plain_f64_version() {
        let (n, v) = (3, 13);
        let logits: Vec<f32> = (0..n * v).map(|i| ((i * 29 % 31) as f32 - 15.0) / 3.0).collect();
        let (targets, weights) = ([0u32, 12, 5], [1.0f32, 0.25, 2.0]);
        let mut gradient = logits.clone();
        let mut hits = [false; 3];
        let loss = cross_entropy(&mut gradient, &targets, &weights, &mut hits);
        let mut want_loss = 0.0;
        for i in 0..n {
            let row: Vec<f64> = logits[i * v..(i + 1) * v].iter().map(|x| f64::from(*x)).collect();
            let sum: f64 = row.iter().map(|x| x.exp()).sum();
            let (t, w) = (targets[i] as usize, f64::from(weights[i]));
            assert_eq!(hits[i], row.iter().all(|x| *x <= row[t]), "row {i}");
            want_loss += w * (sum.ln() - row[t]);
            for j in 0..v {
                let want = w * (row[j].exp() / sum - if j == t { 1.0 } else { 0.0 });
                assert!(
                    (f64::from(gradient[i * v + j]) - want).abs() < 1e-6,
                    "row {i}, class {j}"
                );
            }
        }
        assert!((loss - want_loss).abs() < 1e-5, "{loss} {want_loss}");
    }
}
