//! Attention against a plain `f64` version, forward by value and backward by central differences.

use rewardanything_kernels::attention::Saved;
use rewardanything_kernels::{AttentionShape, attention_backward, attention_forward};

/// Softmax attention written as the formula reads.
fn plain(shape: AttentionShape, q: &[f64], k: &[f64], v: &[f64]) -> Vec<f64> {
    let AttentionShape {
        tokens,
        heads,
        kv_heads,
        head_dim: d,
    } = shape;
    let mut out = vec![0.0; tokens * heads * d];
    for h in 0..heads {
        let kv = h / (heads / kv_heads);
        let row = |x: &[f64], t: usize, width: usize, head: usize| x[(t * width + head) * d..][..d].to_vec();
        for t in 0..tokens {
            let query = row(q, t, heads, h);
            let scores: Vec<f64> = (0..=t)
                .map(|s| {
                    let dot: f64 = query
                        .iter()
                        .zip(row(k, s, kv_heads, kv))
                        .map(|(a, b)| a * b)
                        .sum();
                    (dot / (d as f64).sqrt()).exp()
                })
                .collect();
            let sum: f64 = scores.iter().sum();
            for (s, p) in scores.iter().enumerate() {
                for (i, x) in row(v, s, kv_heads, kv).iter().enumerate() {
                    out[(t * heads + h) * d + i] += p / sum * x;
                }
            }
        }
    }
    out
}

fn values(count: usize, salt: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 7919 + salt * 104_729) % 211) as f32 / 70.0 - 1.5)
        .collect()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|v| f64::from(*v)).collect()
}

#[track_caller]
fn check(shape: AttentionShape, every: usize) {
    let (n, m) = (
        shape.tokens * shape.heads * shape.head_dim,
        shape.tokens * shape.kv_heads * shape.head_dim,
    );
    let (q, k, v, d_out) = (values(n, 1), values(m, 2), values(m, 3), values(n, 4));
    let (mut out, mut lse, mut scratch) = (vec![0.0; n], vec![0.0; shape.heads * shape.tokens], Vec::new());
    attention_forward(shape, (&q, &k, &v), &mut out, &mut lse, &mut scratch);
    for (i, (got, want)) in out
        .iter()
        .zip(plain(shape, &wide(&q), &wide(&k), &wide(&v)))
        .enumerate()
    {
        assert!(
            (f64::from(*got) - want).abs() < 1e-5,
            "{shape:?} out {i}: {got} {want}"
        );
    }
    let (mut d_q, mut d_k, mut d_v) = (vec![0.0; n], vec![0.0; m], vec![0.0; m]);
    let saved = Saved {
        q: &q,
        k: &k,
        v: &v,
        out: &out,
        lse: &lse,
    };
    attention_backward(shape, saved, &d_out, (&mut d_q, &mut d_k, &mut d_v), &mut scratch);
    let loss = |parts: &[Vec<f64>; 3]| -> f64 {
        let out = plain(shape, &parts[0], &parts[1], &parts[2]);
        out.iter().zip(&d_out).map(|(a, b)| a * f64::from(*b)).sum()
    };
    for (which, gradient) in [&d_q, &d_k, &d_v].into_iter().enumerate() {
        for i in (0..gradient.len()).step_by(every) {
            let at = |h: f64| {
                let mut parts = [wide(&q), wide(&k), wide(&v)];
                parts[which][i] += h;
                loss(&parts)
            };
            let want = (at(1e-5) - at(-1e-5)) / 2e-5;
            let got = f64::from(gradient[i]);
            assert!(
                (got - want).abs() < 2e-4 * (1.0 + want.abs()),
                "{shape:?} input {which}, {i}: {got} {want}"
            );
        }
    }
}

#[test]
fn one_token() {
    check(
        AttentionShape {
            tokens: 1,
            heads: 2,
            kv_heads: 1,
            head_dim: 4,
        },
        1,
    );
}

#[test]
fn grouped_heads_with_an_odd_size() {
    check(
        AttentionShape {
            tokens: 13,
            heads: 6,
            kv_heads: 2,
            head_dim: 10,
        },
        7,
    );
}

#[test]
fn more_tokens_than_a_block() {
    check(
        AttentionShape {
            tokens: 131,
            heads: 2,
            kv_heads: 2,
            head_dim: 6,
        },
        97,
    );
}

#[test]
#[should_panic(expected = "[t, heads, k] expected")]
fn a_short_slice_is_refused() {
    let shape = AttentionShape {
        tokens: 3,
        heads: 1,
        kv_heads: 1,
        head_dim: 4,
    };
    let (mut out, mut lse) = (vec![0.0; 12], vec![0.0; 3]);
    attention_forward(
        shape,
        (&[0.0; 11], &[0.0; 12], &[0.0; 12]),
        &mut out,
        &mut lse,
        &mut Vec::new(),
    );
}
