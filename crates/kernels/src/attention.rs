//! Causal grouped-query attention of one sequence, forward and backward, in blocks of query rows.
//!
//! Blocks keep the scores in the cache and skip the keys that causality hides. The forward pass keeps only the
//! log-sum-exp of each row; the backward pass computes the probabilities again (the flash attention recipe,
//! arXiv 2205.14135).

use crate::elementwise::{dot, exp, exp_all, largest};
use crate::matmul::{Mat, MatMut, Write, matmul};
use multiversion::multiversion;

/// Query rows handled at once: 96 rows of 512 keys are 192 KiB of scores. A multiple of the rows of a tile, and of what
/// bf16 fills the inner dimension up to.
pub(crate) const BLOCK: usize = 96;

/// The form of one sequence's attention.
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape {
    /// Tokens in the sequence, `t`.
    pub tokens: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Elements of one head, `k`.
    pub head_dim: usize,
}

impl AttentionShape {
    pub(crate) fn query_stride(&self) -> usize {
        self.heads * self.head_dim
    }

    pub(crate) fn kv_stride(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    pub(crate) fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    pub(crate) fn check(&self, queries: &[&[f32]], keys: &[&[f32]]) {
        assert!(
            self.kv_heads > 0 && self.heads.is_multiple_of(self.kv_heads),
            "kv_heads must divide heads"
        );
        for q in queries {
            assert_eq!(
                q.len(),
                self.tokens * self.query_stride(),
                "attention: [t, heads, k] expected"
            );
        }
        for k in keys {
            assert_eq!(
                k.len(),
                self.tokens * self.kv_stride(),
                "attention: [t, kv_heads, k] expected"
            );
        }
    }

    /// Every (head, its key head, first row, end row) in a fixed order.
    pub(crate) fn blocks(self) -> impl Iterator<Item = (usize, usize, usize, usize)> {
        let group = self.heads / self.kv_heads;
        (0..self.heads).flat_map(move |head| {
            (0..self.tokens)
                .step_by(BLOCK)
                .map(move |start| (head, head / group, start, (start + BLOCK).min(self.tokens)))
        })
    }
}

/// `out = softmax(q kᵀ / √k, causal) v`.
///
/// `q` and `out` are `[t, heads, k]`, `k` and `v` `[t, kv_heads, k]`; `lse` `[heads, t]` receives the log-sum-exp of
/// each row. `scratch` is resized as needed and can be reused between calls.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn attention_forward(
    shape: AttentionShape,
    (q, k, v): (&[f32], &[f32], &[f32]),
    out: &mut [f32],
    lse: &mut [f32],
    scratch: &mut Vec<f32>,
) {
    shape.check(&[q, out], &[k, v]);
    assert_eq!(
        lse.len(),
        shape.heads * shape.tokens,
        "attention: lse is [heads, t]"
    );
    let (d, qs, ks) = (shape.head_dim, shape.query_stride(), shape.kv_stride());
    scratch.resize(BLOCK * shape.tokens, 0.0);
    for (head, kv, start, end) in shape.blocks() {
        let rows = end - start;
        let scores = &mut scratch[..rows * end];
        let q_block = Mat::strided(&q[start * qs + head * d..], rows, d, qs);
        let keys = Mat::strided(&k[kv * d..], end, d, ks);
        matmul(
            MatMut::new(scores, rows, end),
            q_block,
            keys.t(),
            shape.scale(),
            Write::Replace,
        );
        softmax_rows(
            scores,
            start,
            end,
            &mut lse[head * shape.tokens + start..][..rows],
        );
        let values = Mat::strided(&v[kv * d..], end, d, ks);
        let out_block = MatMut::strided(&mut out[start * qs + head * d..], rows, d, qs);
        matmul(
            out_block,
            Mat::new(scores, rows, end),
            values,
            1.0,
            Write::Replace,
        );
    }
}

/// Masks and normalises a block whose first row may see keys `0..=start`.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn softmax_rows(scores: &mut [f32], start: usize, width: usize, lse: &mut [f32]) {
    for (i, (row, lse)) in scores.chunks_exact_mut(width).zip(lse).enumerate() {
        let (seen, hidden) = row.split_at_mut(start + i + 1);
        let max = largest(seen);
        let sum = exp_all(seen, 1.0, max);
        let inverse = 1.0 / sum;
        for x in seen.iter_mut() {
            *x *= inverse;
        }
        hidden.fill(0.0);
        *lse = max + sum.ln();
    }
}

/// What the forward pass read and wrote, for [`attention_backward`].
#[derive(Clone, Copy, Debug)]
pub struct Saved<'a> {
    /// Queries `[t, heads, k]`.
    pub q: &'a [f32],
    /// Keys `[t, kv_heads, k]`.
    pub k: &'a [f32],
    /// Values `[t, kv_heads, k]`.
    pub v: &'a [f32],
    /// The output `[t, heads, k]`.
    pub out: &'a [f32],
    /// Log-sum-exp `[heads, t]`.
    pub lse: &'a [f32],
}

/// Backward of [`attention_forward`]: replaces `d_q`, `d_k` and `d_v` (shapes of `q`, `k`, `v`).
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn attention_backward(
    shape: AttentionShape,
    saved: Saved<'_>,
    d_out: &[f32],
    (d_q, d_k, d_v): (&mut [f32], &mut [f32], &mut [f32]),
    scratch: &mut Vec<f32>,
) {
    shape.check(&[saved.q, saved.out, d_out, d_q], &[saved.k, saved.v, d_k, d_v]);
    let (d, qs, ks) = (shape.head_dim, shape.query_stride(), shape.kv_stride());
    d_k.fill(0.0);
    d_v.fill(0.0);
    scratch.resize(2 * BLOCK * shape.tokens, 0.0);
    for (head, kv, start, end) in shape.blocks() {
        let rows = end - start;
        let at = start * qs + head * d;
        let (probabilities, rest) = scratch.split_at_mut(rows * end);
        let d_scores = &mut rest[..rows * end];
        let q_block = Mat::strided(&saved.q[at..], rows, d, qs);
        let keys = Mat::strided(&saved.k[kv * d..], end, d, ks);
        let values = Mat::strided(&saved.v[kv * d..], end, d, ks);
        let d_out_block = Mat::strided(&d_out[at..], rows, d, qs);
        matmul(
            MatMut::new(probabilities, rows, end),
            q_block,
            keys.t(),
            shape.scale(),
            Write::Replace,
        );
        matmul(
            MatMut::new(d_scores, rows, end),
            d_out_block,
            values.t(),
            1.0,
            Write::Replace,
        );
        let mut deltas = [0f32; BLOCK];
        for (i, delta) in deltas[..rows].iter_mut().enumerate() {
            let row = at + i * qs..at + i * qs + d;
            *delta = dot(&d_out[row.clone()], &saved.out[row]);
        }
        let lse = &saved.lse[head * shape.tokens + start..][..rows];
        score_gradients(probabilities, d_scores, (start, end), lse, &deltas[..rows]);
        let p = Mat::new(probabilities, rows, end);
        let ds = Mat::new(d_scores, rows, end);
        matmul(
            MatMut::strided(&mut d_v[kv * d..], end, d, ks),
            p.t(),
            d_out_block,
            1.0,
            Write::Add,
        );
        matmul(
            MatMut::strided(&mut d_k[kv * d..], end, d, ks),
            ds.t(),
            q_block,
            shape.scale(),
            Write::Add,
        );
        matmul(
            MatMut::strided(&mut d_q[at..], rows, d, qs),
            ds,
            keys,
            shape.scale(),
            Write::Replace,
        );
    }
}

/// Turns scores into probabilities and `d_scores` from `dP` into `P * (dP - delta)`, zero where causality hides.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn score_gradients(
    scores: &mut [f32],
    d_scores: &mut [f32],
    (start, width): (usize, usize),
    lse: &[f32],
    deltas: &[f32],
) {
    let rows = scores
        .chunks_exact_mut(width)
        .zip(d_scores.chunks_exact_mut(width))
        .zip(lse.iter().zip(deltas));
    for (i, ((p_row, d_row), (&lse, &delta))) in rows.enumerate() {
        let seen = start + i + 1;
        for (p, d) in p_row[..seen].iter_mut().zip(&mut d_row[..seen]) {
            *p = exp(*p - lse);
            *d = *p * (*d - delta);
        }
        p_row[seen..].fill(0.0);
        d_row[seen..].fill(0.0);
    }
}
