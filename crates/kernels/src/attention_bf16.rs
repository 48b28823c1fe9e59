//! The attention of [`crate::attention`] with products of bf16: the same blocks, the same sums in `f32`, packed
//! operands.
//!
//! Queries, keys, values and probabilities are rounded to bf16 where they enter a product, as they are under PyTorch's
//! autocast; scores, softmax and all sums stay in `f32`. The `f32` form is the twin that tests hold it to.

use crate::attention::{AttentionShape, BLOCK, Saved};
use crate::bf16::{INNER, Panels, Rows};
use crate::elementwise::{dot, exp, exp_all, largest};
use crate::isa::Isa;
use crate::matmul::{MatMut, Write};
use crate::product::product;
use multiversion::multiversion;

/// Buffers that calls share.
#[derive(Debug, Default)]
pub struct AttentionBuffers {
    scores: Vec<f32>,
    d_scores: Vec<f32>,
    queries: Rows,
    weights: Rows,
    keys: Panels,
    values: Panels,
    keys_by_token: Panels,
    queries_by_token: Panels,
    d_out: Rows,
    d_out_by_token: Panels,
}

/// [`crate::attention_forward`] with products of bf16.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn attention_forward_bf16(
    (isa, shape): (Isa, AttentionShape),
    (q, k, v): (&[f32], &[f32], &[f32]),
    out: &mut [f32],
    lse: &mut [f32],
    buffers: &mut AttentionBuffers,
) {
    shape.check(&[q, out], &[k, v]);
    assert_eq!(
        lse.len(),
        shape.heads * shape.tokens,
        "attention: lse is [heads, t]"
    );
    let (t, d, qs, ks) = (
        shape.tokens,
        shape.head_dim,
        shape.query_stride(),
        shape.kv_stride(),
    );
    let b = buffers;
    b.scores.resize(BLOCK * t, 0.0);
    let group = shape.heads / shape.kv_heads;
    for (head, kv, start, end) in shape.blocks() {
        if start == 0 {
            if head % group == 0 {
                b.keys.pack_transposed(&k[kv * d..], (t, d), ks);
                b.values.pack(&v[kv * d..], (t, d), ks);
            }
            b.queries.pack(&q[head * d..], (t, d), qs);
        }
        let rows = end - start;
        let scores = &mut b.scores[..rows * end];
        let width = d.next_multiple_of(INNER);
        product(
            isa,
            MatMut::new(scores, rows, end),
            b.queries.part(start..end, 0..width),
            b.keys.part(0..end, 0..width),
            Write::Replace,
        );
        let mut inverses = [0f32; BLOCK];
        let lse = &mut lse[head * t + start..][..rows];
        exponentials(scores, start, shape.scale(), lse, &mut inverses[..rows]);
        b.weights.pack(scores, (rows, end), end);
        let at = start * qs + head * d;
        product(
            isa,
            MatMut::strided(&mut out[at..], rows, d, qs),
            b.weights.all(),
            b.values.part(0..d, 0..end.next_multiple_of(INNER)),
            Write::Replace,
        );
        // Fewer numbers than the probabilities are, and so the weights that are rounded lie in 0..=1.
        for (row, inverse) in out[at..].chunks_mut(qs).zip(&inverses[..rows]) {
            for x in &mut row[..d] {
                *x *= inverse;
            }
        }
    }
}

/// Scores of a block whose first row sees keys `0..=start` become `e^(score - largest)`, zero where causality hides.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn exponentials(scores: &mut [f32], start: usize, scale: f32, lse: &mut [f32], inverses: &mut [f32]) {
    let width = scores.len() / lse.len();
    let rows = scores.chunks_exact_mut(width).zip(lse.iter_mut().zip(inverses));
    for (i, (row, (lse, inverse))) in rows.enumerate() {
        let (seen, hidden) = row.split_at_mut(start + i + 1);
        let max = largest(seen) * scale;
        let sum = exp_all(seen, scale, max);
        hidden.fill(0.0);
        *inverse = 1.0 / sum;
        *lse = max + sum.ln();
    }
}

/// [`crate::attention_backward`] with products of bf16.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn attention_backward_bf16(
    (isa, shape): (Isa, AttentionShape),
    saved: Saved<'_>,
    d_out: &[f32],
    (d_q, d_k, d_v): (&mut [f32], &mut [f32], &mut [f32]),
    buffers: &mut AttentionBuffers,
) {
    shape.check(&[saved.q, saved.out, d_out, d_q], &[saved.k, saved.v, d_k, d_v]);
    let (t, d, qs, ks) = (
        shape.tokens,
        shape.head_dim,
        shape.query_stride(),
        shape.kv_stride(),
    );
    d_k.fill(0.0);
    d_v.fill(0.0);
    let b = buffers;
    b.scores.resize(BLOCK * t, 0.0);
    b.d_scores.resize(BLOCK * t, 0.0);
    let group = shape.heads / shape.kv_heads;
    let width = d.next_multiple_of(INNER);
    for (head, kv, start, end) in shape.blocks() {
        if start == 0 {
            if head % group == 0 {
                b.keys.pack_transposed(&saved.k[kv * d..], (t, d), ks);
                b.values.pack_transposed(&saved.v[kv * d..], (t, d), ks);
                b.keys_by_token.pack(&saved.k[kv * d..], (t, d), ks);
            }
            b.queries.pack(&saved.q[head * d..], (t, d), qs);
            b.queries_by_token.pack(&saved.q[head * d..], (t, d), qs);
            b.d_out.pack(&d_out[head * d..], (t, d), qs);
            b.d_out_by_token.pack(&d_out[head * d..], (t, d), qs);
        }
        let rows = end - start;
        let at = start * qs + head * d;
        let (weights, d_scores) = (&mut b.scores[..rows * end], &mut b.d_scores[..rows * end]);
        let queries = b.queries.part(start..end, 0..width);
        let keys = b.keys.part(0..end, 0..width);
        product(
            isa,
            MatMut::new(weights, rows, end),
            queries,
            keys,
            Write::Replace,
        );
        let d_rows = b.d_out.part(start..end, 0..width);
        let values = b.values.part(0..end, 0..width);
        product(
            isa,
            MatMut::new(d_scores, rows, end),
            d_rows,
            values,
            Write::Replace,
        );
        let mut deltas = [0f32; BLOCK];
        for (i, delta) in deltas[..rows].iter_mut().enumerate() {
            let row = at + i * qs..at + i * qs + d;
            *delta = dot(&d_out[row.clone()], &saved.out[row]);
        }
        let lse = &saved.lse[head * t + start..][..rows];
        score_gradients((weights, d_scores), start, shape.scale(), lse, &deltas[..rows]);

        b.weights.pack(d_scores, (rows, end), end);
        product(
            isa,
            MatMut::strided(&mut d_q[at..], rows, d, qs),
            b.weights.all(),
            b.keys_by_token.part(0..d, 0..end.next_multiple_of(INNER)),
            Write::Replace,
        );
        let inner = start..start + rows.next_multiple_of(INNER);
        b.weights.pack_transposed(d_scores, (rows, end), end);
        product(
            isa,
            MatMut::strided(&mut d_k[kv * d..], end, d, ks),
            b.weights.all(),
            b.queries_by_token.part(0..d, inner.clone()),
            Write::Add,
        );
        b.weights.pack_transposed(weights, (rows, end), end);
        product(
            isa,
            MatMut::strided(&mut d_v[kv * d..], end, d, ks),
            b.weights.all(),
            b.d_out_by_token.part(0..d, inner),
            Write::Add,
        );
    }
}

/// Turns scores into probabilities, and `dP` into the gradient of the product that the scores were scaled from.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn score_gradients(
    (scores, d_scores): (&mut [f32], &mut [f32]),
    start: usize,
    scale: f32,
    lse: &[f32],
    deltas: &[f32],
) {
    let width = scores.len() / lse.len();
    let rows = scores
        .chunks_exact_mut(width)
        .zip(d_scores.chunks_exact_mut(width))
        .zip(lse.iter().zip(deltas));
    for (i, ((p_row, d_row), (&lse, &delta))) in rows.enumerate() {
        let seen = start + i + 1;
        for (p, d) in p_row[..seen].iter_mut().zip(&mut d_row[..seen]) {
            *p = exp(*p * scale - lse);
            *d = *p * (*d - delta) * scale;
        }
        p_row[seen..].fill(0.0);
        d_row[seen..].fill(0.0);
    }
}
