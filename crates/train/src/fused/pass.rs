//! The forward and backward pass of one chunk on one thread.

use super::objective::{Goal, Place};
use super::products::Products;
use super::{Chunk, Compute, Tally};
use crate::layout::{LayerRanges, Layout};
use rewardanything_kernels as kernels;
use rewardanything_kernels::attention::Saved;
use rewardanything_kernels::{AttentionBuffers, AttentionShape, Likelihood, Panels, RopeTable, Rows, Write};
use std::ops::Range;

/// Rows of logits held at once.
const LOGIT_ROWS: usize = 256;

/// What one layer's backward pass needs of its forward pass.
#[derive(Default)]
struct LayerSaves {
    input_nd: Vec<f32>,
    inv_rms1_n: Vec<f32>,
    normed1_nd: Vec<f32>,
    q_raw: Vec<f32>,
    k_raw: Vec<f32>,
    q_inv_rms: Vec<f32>,
    k_inv_rms: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    attended_nq: Vec<f32>,
    lse: Vec<f32>,
    middle_nd: Vec<f32>,
    inv_rms2_n: Vec<f32>,
    normed2_nd: Vec<f32>,
    gate_nf: Vec<f32>,
    up_nf: Vec<f32>,
}

/// Gradients that live only inside one layer's backward pass.
#[derive(Default)]
struct Scratch {
    active_nf: Vec<f32>,
    d_active_nf: Vec<f32>,
    d_normed_nd: Vec<f32>,
    d_attended_nq: Vec<f32>,
    d_q: Vec<f32>,
    d_k: Vec<f32>,
    d_v: Vec<f32>,
    d_q_raw: Vec<f32>,
    d_k_raw: Vec<f32>,
    scores: Vec<f32>,
    attention: AttentionBuffers,
    packs: Packs,
}

/// Operands of the product at hand.
#[derive(Default)]
struct Packs {
    rows: Rows,
    turned: Rows,
    panels: Panels,
}

/// One thread's reusable buffers.
#[derive(Default)]
pub(super) struct Workspace {
    hidden_nd: Vec<f32>,
    d_hidden_nd: Vec<f32>,
    final_nd: Vec<f32>,
    d_final_nd: Vec<f32>,
    final_inv_rms: Vec<f32>,
    rows_rd: Vec<f32>,
    d_rows_rd: Vec<f32>,
    logits_rv: Vec<f32>,
    hits: Vec<bool>,
    layers: Vec<LayerSaves>,
    scratch: Scratch,
    /// (hits, tokens) of each kind since the last batch began.
    pub(super) tally: Tally,
    /// Of all targets since the last batch began, where the goal is not cross-entropy.
    pub(super) likelihoods: Vec<(Place, Likelihood)>,
}

fn zeroed(v: &mut Vec<f32>, len: usize) -> &mut [f32] {
    v.clear();
    v.resize(len, 0.0);
    v
}

/// `v` with `len` elements of any value: whoever calls it writes all of them.
fn sized(v: &mut Vec<f32>, len: usize) -> &mut [f32] {
    v.resize(len, 0.0);
    &mut v[..len]
}

/// One forward and backward pass of a chunk.
pub(super) struct Pass<'a> {
    pub(super) layout: &'a Layout,
    pub(super) rope: &'a RopeTable,
    pub(super) products: Products<'a>,
    pub(super) goal: Goal<'a>,
}

impl Pass<'_> {
    fn p(&self, range: &Range<usize>) -> &[f32] {
        &self.products.params[range.clone()]
    }

    pub(super) fn run(&self, chunk: &Chunk, w: &mut Workspace, gradient: &mut [f32]) -> f64 {
        let dims = self.layout.dims;
        let (n, d) = (chunk.tokens.len(), dims.hidden);
        let embed = self.p(&self.layout.embed);
        for (row, &token) in sized(&mut w.hidden_nd, n * d)
            .chunks_exact_mut(d)
            .zip(&chunk.tokens)
        {
            row.copy_from_slice(&embed[token as usize * d..][..d]);
        }
        w.layers.resize_with(dims.layers, LayerSaves::default);
        let forward_alone = matches!(self.goal, Goal::Likelihoods);
        for (i, ranges) in self.layout.layers.iter().enumerate() {
            // Nothing is asked for again, so one layer's place does for all, and stays in the cache.
            let saves = &mut w.layers[if forward_alone { 0 } else { i }];
            self.layer_forward(chunk, ranges, saves, &mut w.hidden_nd, &mut w.scratch);
        }
        let loss = self.head(chunk, w, gradient);
        if forward_alone {
            return 0.0;
        }
        for (ranges, saves) in self.layout.layers.iter().zip(&mut w.layers).rev() {
            self.layer_backward(
                chunk,
                (ranges, saves),
                &mut w.d_hidden_nd,
                &mut w.scratch,
                gradient,
            );
        }
        let d_embed = &mut gradient[self.layout.embed.clone()];
        for (row, &token) in w.d_hidden_nd.chunks_exact(d).zip(&chunk.tokens) {
            kernels::add_assign(&mut d_embed[token as usize * d..][..d], row);
        }
        loss
    }

    fn layer_forward(
        &self,
        chunk: &Chunk,
        ranges: &LayerRanges,
        s: &mut LayerSaves,
        hidden: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let dims = self.layout.dims;
        let (n, d, f, k) = (chunk.tokens.len(), dims.hidden, dims.feed_forward, dims.head_dim);
        let (q_width, kv_width) = (dims.heads * k, dims.kv_heads * k);
        sized(&mut s.input_nd, n * d).copy_from_slice(hidden);
        let (normed, inv_rms) = (sized(&mut s.normed1_nd, n * d), sized(&mut s.inv_rms1_n, n));
        kernels::rms_norm_forward(&s.input_nd, self.p(&ranges.norm1), dims.eps, normed, inv_rms);
        let (products, packs) = (&self.products, &mut scratch.packs);
        let x = products.input(&s.normed1_nd, d, &mut packs.rows);
        products.project(x, &ranges.q, sized(&mut s.q_raw, n * q_width), Write::Replace);
        products.project(x, &ranges.k, sized(&mut s.k_raw, n * kv_width), Write::Replace);
        products.project(x, &ranges.v, sized(&mut s.v, n * kv_width), Write::Replace);
        let (q, r) = (
            sized(&mut s.q, n * q_width),
            sized(&mut s.q_inv_rms, n * dims.heads),
        );
        kernels::rms_norm_forward(&s.q_raw, self.p(&ranges.q_norm), dims.eps, q, r);
        let (key, r) = (
            sized(&mut s.k, n * kv_width),
            sized(&mut s.k_inv_rms, n * dims.kv_heads),
        );
        kernels::rms_norm_forward(&s.k_raw, self.p(&ranges.k_norm), dims.eps, key, r);
        kernels::rope_forward(&mut s.q, dims.heads, &chunk.positions, self.rope);
        kernels::rope_forward(&mut s.k, dims.kv_heads, &chunk.positions, self.rope);
        sized(&mut s.attended_nq, n * q_width);
        sized(&mut s.lse, n * dims.heads);
        for seg in &chunk.segments {
            let (qr, kr) = (scaled(seg, q_width), scaled(seg, kv_width));
            let shape = self.attention(seg.len());
            let inputs = (&s.q[qr.clone()], &s.k[kr.clone()], &s.v[kr]);
            let (out, lse) = (&mut s.attended_nq[qr], &mut s.lse[scaled(seg, dims.heads)]);
            match products.compute {
                Compute::Exact => kernels::attention_forward(shape, inputs, out, lse, &mut scratch.scores),
                Compute::Native => {
                    let buffers = &mut scratch.attention;
                    kernels::attention_forward_bf16((products.isa, shape), inputs, out, lse, buffers);
                }
            }
        }
        let attended = products.input(&s.attended_nq, q_width, &mut packs.rows);
        products.project(attended, &ranges.o, hidden, Write::Add);
        sized(&mut s.middle_nd, n * d).copy_from_slice(hidden);
        let (normed, inv_rms) = (sized(&mut s.normed2_nd, n * d), sized(&mut s.inv_rms2_n, n));
        kernels::rms_norm_forward(&s.middle_nd, self.p(&ranges.norm2), dims.eps, normed, inv_rms);
        let x = products.input(&s.normed2_nd, d, &mut packs.rows);
        products.project(x, &ranges.gate, sized(&mut s.gate_nf, n * f), Write::Replace);
        products.project(x, &ranges.up, sized(&mut s.up_nf, n * f), Write::Replace);
        kernels::swiglu_forward(&s.gate_nf, &s.up_nf, sized(&mut scratch.active_nf, n * f));
        let active = products.input(&scratch.active_nf, f, &mut packs.rows);
        products.project(active, &ranges.down, hidden, Write::Add);
    }

    /// Final norm, logits, loss; leaves the gradient of the last layer's output in `d_hidden_nd`.
    fn head(&self, chunk: &Chunk, w: &mut Workspace, gradient: &mut [f32]) -> f64 {
        let dims = self.layout.dims;
        let (n, d, v) = (chunk.tokens.len(), dims.hidden, dims.vocab);
        let (normed, inv_rms) = (sized(&mut w.final_nd, n * d), sized(&mut w.final_inv_rms, n));
        let norm = self.p(&self.layout.norm);
        kernels::rms_norm_forward(&w.hidden_nd, norm, dims.eps, normed, inv_rms);
        let d_final = zeroed(&mut w.d_final_nd, n * d);
        let (products, head) = (&self.products, &self.layout.head);
        let packs = &mut w.scratch.packs;
        let mut loss = 0.0;
        let blocks = chunk.targets.chunks(LOGIT_ROWS);
        let kinds = chunk.kinds.chunks(LOGIT_ROWS);
        let places = chunk.places.chunks(LOGIT_ROWS);
        for ((block, kinds), places) in blocks.zip(kinds).zip(places) {
            let r = block.len();
            for (row, (i, _, _)) in sized(&mut w.rows_rd, r * d).chunks_exact_mut(d).zip(block) {
                row.copy_from_slice(&w.final_nd[i * d..][..d]);
            }
            let logits = sized(&mut w.logits_rv, r * v);
            let x = products.input(&w.rows_rd, d, &mut packs.rows);
            products.project(x, head, logits, Write::Replace);
            let targets: Vec<u32> = block.iter().map(|t| t.1).collect();
            w.hits.resize(r, false);
            match self.goal {
                Goal::CrossEntropy(scale) => {
                    let weights: Vec<f32> = block.iter().map(|t| t.2 * scale).collect();
                    loss += kernels::cross_entropy(logits, &targets, &weights, &mut w.hits);
                }
                goal => {
                    let mut likelihoods = vec![Likelihood::default(); r];
                    kernels::likelihoods(logits, &targets, &mut likelihoods);
                    for (hit, likelihood) in w.hits.iter_mut().zip(&likelihoods) {
                        *hit = likelihood.hit;
                    }
                    let own = places.iter().copied().zip(likelihoods.iter().copied());
                    w.likelihoods.extend(own);
                    let Goal::Objective(objective) = goal else {
                        continue;
                    };
                    let mut slopes = Vec::with_capacity(r);
                    for (place, likelihood) in places.iter().zip(&likelihoods) {
                        let term = objective.term(*place, f64::from(likelihood.log_probability));
                        loss += term.value;
                        slopes.push(term.slope as f32);
                    }
                    kernels::likelihood_gradient(logits, &targets, &likelihoods, &slopes);
                }
            }
            for (kind, hit) in kinds.iter().zip(&w.hits) {
                let entry = w.tally.entry(*kind).or_default();
                entry.0 += usize::from(*hit);
                entry.1 += 1;
            }
            let d_rows = sized(&mut w.d_rows_rd, r * d);
            let d_logits = products.input(&w.logits_rv, v, &mut packs.rows);
            products.back(d_logits, head, d_rows, Write::Replace);
            let turned = products.turned(&w.logits_rv, v, &mut packs.turned);
            let x = products.right(&w.rows_rd, d, &mut packs.panels);
            products.weight(turned, x, &mut gradient[head.clone()]);
            for (row, (i, _, _)) in w.d_rows_rd.chunks_exact(d).zip(block) {
                d_final[i * d..][..d].copy_from_slice(row);
            }
        }
        if matches!(self.goal, Goal::Likelihoods) {
            return 0.0;
        }
        let d_hidden = zeroed(&mut w.d_hidden_nd, n * d);
        let saved = (&w.hidden_nd[..], norm, &w.final_inv_rms[..]);
        kernels::rms_norm_backward(saved, d_final, d_hidden, &mut gradient[self.layout.norm.clone()]);
        loss
    }

    fn layer_backward(
        &self,
        chunk: &Chunk,
        (ranges, s): (&LayerRanges, &mut LayerSaves),
        d_hidden: &mut [f32],
        t: &mut Scratch,
        gradient: &mut [f32],
    ) {
        let dims = self.layout.dims;
        let (n, d, f, k) = (chunk.tokens.len(), dims.hidden, dims.feed_forward, dims.head_dim);
        let (q_width, kv_width) = (dims.heads * k, dims.kv_heads * k);

        // Feed-forward.
        kernels::swiglu_forward(&s.gate_nf, &s.up_nf, sized(&mut t.active_nf, n * f));
        let products = &self.products;
        let Packs { rows, turned, panels } = &mut t.packs;
        let d_active = sized(&mut t.d_active_nf, n * f);
        products.back(
            products.input(d_hidden, d, rows),
            &ranges.down,
            d_active,
            Write::Replace,
        );
        let d_out = products.turned(d_hidden, d, turned);
        let active = products.right(&t.active_nf, f, panels);
        products.weight(d_out, active, &mut gradient[ranges.down.clone()]);
        kernels::swiglu_backward(&mut s.gate_nf, &mut s.up_nf, &t.d_active_nf);
        let d_normed = sized(&mut t.d_normed_nd, n * d);
        let normed = products.right(&s.normed2_nd, d, panels);
        for (d_part, range, write) in [
            (&s.gate_nf, &ranges.gate, Write::Replace),
            (&s.up_nf, &ranges.up, Write::Add),
        ] {
            products.back(products.input(d_part, f, rows), range, d_normed, write);
            let d_part = products.turned(d_part, f, turned);
            products.weight(d_part, normed, &mut gradient[range.clone()]);
        }
        let saved = (&s.middle_nd[..], self.p(&ranges.norm2), &s.inv_rms2_n[..]);
        kernels::rms_norm_backward(saved, d_normed, d_hidden, &mut gradient[ranges.norm2.clone()]);

        // Attention.
        let d_attended = sized(&mut t.d_attended_nq, n * q_width);
        products.back(
            products.input(d_hidden, d, rows),
            &ranges.o,
            d_attended,
            Write::Replace,
        );
        let d_out = products.turned(d_hidden, d, turned);
        let attended = products.right(&s.attended_nq, q_width, panels);
        products.weight(d_out, attended, &mut gradient[ranges.o.clone()]);
        sized(&mut t.d_q, n * q_width);
        sized(&mut t.d_k, n * kv_width);
        sized(&mut t.d_v, n * kv_width);
        for seg in &chunk.segments {
            let (qr, kr) = (scaled(seg, q_width), scaled(seg, kv_width));
            let saved = Saved {
                q: &s.q[qr.clone()],
                k: &s.k[kr.clone()],
                v: &s.v[kr.clone()],
                out: &s.attended_nq[qr.clone()],
                lse: &s.lse[scaled(seg, dims.heads)],
            };
            let gradients = (&mut t.d_q[qr.clone()], &mut t.d_k[kr.clone()], &mut t.d_v[kr]);
            let shape = self.attention(seg.len());
            let d_out = &t.d_attended_nq[qr];
            match products.compute {
                Compute::Exact => {
                    kernels::attention_backward(shape, saved, d_out, gradients, &mut t.scores);
                }
                Compute::Native => {
                    let shape = (products.isa, shape);
                    kernels::attention_backward_bf16(shape, saved, d_out, gradients, &mut t.attention);
                }
            }
        }
        kernels::rope_backward(&mut t.d_q, dims.heads, &chunk.positions, self.rope);
        kernels::rope_backward(&mut t.d_k, dims.kv_heads, &chunk.positions, self.rope);
        let saved = (&s.q_raw[..], self.p(&ranges.q_norm), &s.q_inv_rms[..]);
        let d_q_raw = zeroed(&mut t.d_q_raw, n * q_width);
        kernels::rms_norm_backward(saved, &t.d_q, d_q_raw, &mut gradient[ranges.q_norm.clone()]);
        let saved = (&s.k_raw[..], self.p(&ranges.k_norm), &s.k_inv_rms[..]);
        let d_k_raw = zeroed(&mut t.d_k_raw, n * kv_width);
        kernels::rms_norm_backward(saved, &t.d_k, d_k_raw, &mut gradient[ranges.k_norm.clone()]);
        let d_normed = sized(&mut t.d_normed_nd, n * d);
        let input = products.right(&s.normed1_nd, d, panels);
        for (d_part, width, range, write) in [
            (&t.d_q_raw, q_width, &ranges.q, Write::Replace),
            (&t.d_k_raw, kv_width, &ranges.k, Write::Add),
            (&t.d_v, kv_width, &ranges.v, Write::Add),
        ] {
            products.back(products.input(d_part, width, rows), range, d_normed, write);
            let d_part = products.turned(d_part, width, turned);
            products.weight(d_part, input, &mut gradient[range.clone()]);
        }
        let saved = (&s.input_nd[..], self.p(&ranges.norm1), &s.inv_rms1_n[..]);
        kernels::rms_norm_backward(saved, d_normed, d_hidden, &mut gradient[ranges.norm1.clone()]);
    }

    fn attention(&self, tokens: usize) -> AttentionShape {
        let dims = self.layout.dims;
        AttentionShape {
            tokens,
            heads: dims.heads,
            kv_heads: dims.kv_heads,
            head_dim: dims.head_dim,
        }
    }
}

fn scaled(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start * by..range.end * by
}
