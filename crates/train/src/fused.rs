//! Loss and gradients of a Qwen3 model on the CPU, written out by hand over `kernels`.
//!
//! Autograd over tensors spends most of a small model's step on allocating, clearing and passing over memory. Here
//! every buffer is reused, element-wise passes are fused, and each thread works through its own sequences without a
//! barrier. The plain twin is [`crate::candle_twin`]; tests hold both to PyTorch's gradients.
//!
//! Shape suffixes: `n` tokens of a chunk (its sequences one after another), `d` hidden, `q` = heads x head size,
//! `kv` = key heads x head size, `f` feed-forward, `r` rows with a loss, `v` vocabulary.

use crate::examples::Kind;
use crate::layout::{LayerRanges, Layout};
use crate::sequence::Sequence;
use rewardanything_kernels as kernels;
use rewardanything_kernels::attention::Saved;
use rewardanything_kernels::{AttentionShape, Mat, MatMut, RopeTable, Write, matmul};
use std::collections::BTreeMap;
use std::ops::Range;

/// Rows of logits held at once.
const LOGIT_ROWS: usize = 128;

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
}

/// One thread's reusable buffers.
#[derive(Default)]
struct Workspace {
    hidden_nd: Vec<f32>,
    d_hidden_nd: Vec<f32>,
    final_nd: Vec<f32>,
    d_final_nd: Vec<f32>,
    final_inv_rms: Vec<f32>,
    rows_rd: Vec<f32>,
    d_rows_rd: Vec<f32>,
    logits_rv: Vec<f32>,
    layers: Vec<LayerSaves>,
    scratch: Scratch,
    /// (hits, tokens) of each kind since the last batch began.
    tally: Tally,
}

/// How many tokens of each kind were the most likely one, and how many there were.
pub type Tally = BTreeMap<Kind, (usize, usize)>;

/// Sequences laid one after another.
struct Chunk {
    tokens: Vec<u32>,
    positions: Vec<usize>,
    segments: Vec<Range<usize>>,
    /// (row, target, weight) of every position with a loss.
    targets: Vec<(usize, u32, f32)>,
    kinds: Vec<Kind>,
}

impl Chunk {
    fn new(sequences: &[&Sequence]) -> Self {
        let mut chunk = Self {
            tokens: vec![],
            positions: vec![],
            segments: vec![],
            targets: vec![],
            kinds: vec![],
        };
        for s in sequences {
            let start = chunk.tokens.len();
            // The last token predicts nothing, so it is not computed at all.
            let n = s.tokens.len() - 1;
            chunk.tokens.extend(&s.tokens[..n]);
            chunk.positions.extend(0..n);
            chunk.segments.push(start..start + n);
            for i in (0..n).filter(|i| s.weights[i + 1] != 0.0) {
                chunk.targets.push((start + i, s.tokens[i + 1], s.weights[i + 1]));
                chunk.kinds.push(s.kinds[i + 1]);
            }
        }
        chunk
    }
}

/// The gradient of a model over batches of sequences.
pub struct Fused {
    layout: Layout,
    rope: RopeTable,
    chunk_tokens: usize,
    workers: Vec<(Workspace, Vec<f32>)>,
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

impl Fused {
    /// A gradient for `layout` on `threads` threads that each take about `chunk_tokens` tokens at a time.
    pub fn new(layout: Layout, threads: usize, chunk_tokens: usize) -> Self {
        let rope = RopeTable::new(
            layout.dims.positions,
            layout.dims.head_dim,
            layout.dims.rope_theta,
        );
        let workers = (0..threads.max(1))
            .map(|_| (Workspace::default(), vec![0.0; layout.len()]))
            .collect();
        Self {
            layout,
            rope,
            chunk_tokens,
            workers,
        }
    }

    /// The weighted mean cross-entropy of the next tokens over `batch`; `gradient` is replaced.
    ///
    /// The mean is over all weights of the batch, so it does not depend on how sequences are spread over threads.
    /// Summation order is fixed by the batch and the number of threads.
    pub fn loss_and_gradient(&mut self, params: &[f32], batch: &[Sequence], gradient: &mut [f32]) -> f64 {
        let total: f64 = batch
            .iter()
            .flat_map(|s| &s.weights[1..])
            .map(|w| f64::from(*w))
            .sum();
        let chunks = self.chunks(batch);
        let threads = self.workers.len();
        let (layout, rope) = (&self.layout, &self.rope);
        let loss = std::thread::scope(|scope| {
            let handles: Vec<_> = self
                .workers
                .iter_mut()
                .enumerate()
                .map(|(t, (workspace, own))| {
                    let mine: Vec<&Chunk> = chunks.iter().skip(t).step_by(threads).collect();
                    scope.spawn(move || {
                        own.fill(0.0);
                        workspace.tally.clear();
                        let pass = Pass {
                            layout,
                            rope,
                            params,
                            scale: (1.0 / total) as f32,
                        };
                        mine.iter()
                            .map(|chunk| pass.run(chunk, workspace, own))
                            .sum::<f64>()
                    })
                })
                .collect();
            let losses = handles
                .into_iter()
                .map(|h| h.join().expect("a gradient thread panicked. This is a bug."));
            losses.sum::<f64>()
        });
        gradient.copy_from_slice(&self.workers[0].1);
        for (_, own) in &self.workers[1..] {
            kernels::add_assign(gradient, own);
        }
        loss
    }

    /// How often the last batch's tokens were the model's most likely ones, by kind.
    pub fn tally(&self) -> Tally {
        let mut sum = Tally::new();
        for (workspace, _) in &self.workers {
            for (kind, (hits, all)) in &workspace.tally {
                let entry = sum.entry(*kind).or_default();
                entry.0 += hits;
                entry.1 += all;
            }
        }
        sum
    }

    /// Chunks of about equal size: sequences sorted by length, then dealt greedily.
    fn chunks(&self, batch: &[Sequence]) -> Vec<Chunk> {
        let tokens: usize = batch.iter().map(|s| s.tokens.len()).sum();
        let threads = self.workers.len();
        let count = tokens
            .div_ceil(self.chunk_tokens)
            .next_multiple_of(threads)
            .min(batch.len())
            .max(1);
        let mut order: Vec<&Sequence> = batch.iter().filter(|s| s.tokens.len() > 1).collect();
        order.sort_by_key(|s| std::cmp::Reverse(s.tokens.len()));
        let mut bins: Vec<(usize, Vec<&Sequence>)> = vec![(0, vec![]); count];
        for s in order {
            let bin = bins
                .iter_mut()
                .min_by_key(|b| b.0)
                .expect("count is at least one. This is a bug.");
            // Attention grows with the square of the length; 512 tokens cost about a quarter more than linear.
            bin.0 += s.tokens.len() * (2048 + s.tokens.len());
            bin.1.push(s);
        }
        bins.iter()
            .filter(|b| !b.1.is_empty())
            .map(|b| Chunk::new(&b.1))
            .collect()
    }
}

/// One forward and backward pass of a chunk.
struct Pass<'a> {
    layout: &'a Layout,
    rope: &'a RopeTable,
    params: &'a [f32],
    scale: f32,
}

impl Pass<'_> {
    fn p(&self, range: &Range<usize>) -> &[f32] {
        &self.params[range.clone()]
    }

    fn run(&self, chunk: &Chunk, w: &mut Workspace, gradient: &mut [f32]) -> f64 {
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
        for (ranges, saves) in self.layout.layers.iter().zip(&mut w.layers) {
            self.layer_forward(chunk, ranges, saves, &mut w.hidden_nd, &mut w.scratch);
        }
        let loss = self.head(chunk, w, gradient);
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
        let x = Mat::new(&s.normed1_nd, n, d);
        self.project(x, &ranges.q, sized(&mut s.q_raw, n * q_width), q_width);
        self.project(x, &ranges.k, sized(&mut s.k_raw, n * kv_width), kv_width);
        self.project(x, &ranges.v, sized(&mut s.v, n * kv_width), kv_width);
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
            kernels::attention_forward(
                self.attention(seg.len()),
                (&s.q[qr.clone()], &s.k[kr.clone()], &s.v[kr]),
                &mut s.attended_nq[qr],
                &mut s.lse[scaled(seg, dims.heads)],
                &mut scratch.scores,
            );
        }
        self.project_add(Mat::new(&s.attended_nq, n, q_width), &ranges.o, hidden);
        sized(&mut s.middle_nd, n * d).copy_from_slice(hidden);
        let (normed, inv_rms) = (sized(&mut s.normed2_nd, n * d), sized(&mut s.inv_rms2_n, n));
        kernels::rms_norm_forward(&s.middle_nd, self.p(&ranges.norm2), dims.eps, normed, inv_rms);
        let x = Mat::new(&s.normed2_nd, n, d);
        self.project(x, &ranges.gate, sized(&mut s.gate_nf, n * f), f);
        self.project(x, &ranges.up, sized(&mut s.up_nf, n * f), f);
        kernels::swiglu_forward(&s.gate_nf, &s.up_nf, sized(&mut scratch.active_nf, n * f));
        self.project_add(Mat::new(&scratch.active_nf, n, f), &ranges.down, hidden);
    }

    /// Final norm, logits, loss; leaves the gradient of the last layer's output in `d_hidden_nd`.
    fn head(&self, chunk: &Chunk, w: &mut Workspace, gradient: &mut [f32]) -> f64 {
        let dims = self.layout.dims;
        let (n, d, v) = (chunk.tokens.len(), dims.hidden, dims.vocab);
        let (normed, inv_rms) = (sized(&mut w.final_nd, n * d), sized(&mut w.final_inv_rms, n));
        let norm = self.p(&self.layout.norm);
        kernels::rms_norm_forward(&w.hidden_nd, norm, dims.eps, normed, inv_rms);
        let d_final = zeroed(&mut w.d_final_nd, n * d);
        let head = Mat::new(self.p(&self.layout.head), v, d);
        let mut loss = 0.0;
        for (block, kinds) in chunk
            .targets
            .chunks(LOGIT_ROWS)
            .zip(chunk.kinds.chunks(LOGIT_ROWS))
        {
            let r = block.len();
            for (row, (i, _, _)) in sized(&mut w.rows_rd, r * d).chunks_exact_mut(d).zip(block) {
                row.copy_from_slice(&w.final_nd[i * d..][..d]);
            }
            let logits = sized(&mut w.logits_rv, r * v);
            matmul(
                MatMut::new(logits, r, v),
                Mat::new(&w.rows_rd, r, d),
                head.t(),
                1.0,
                Write::Replace,
            );
            for ((row, (_, target, _)), kind) in logits.chunks_exact(v).zip(block).zip(kinds) {
                let best = row[*target as usize];
                let entry = w.tally.entry(*kind).or_default();
                entry.0 += usize::from(row.iter().all(|x| *x <= best));
                entry.1 += 1;
            }
            let targets: Vec<u32> = block.iter().map(|t| t.1).collect();
            let weights: Vec<f32> = block.iter().map(|t| t.2 * self.scale).collect();
            loss += kernels::cross_entropy(logits, &targets, &weights);
            let d_logits = Mat::new(&w.logits_rv, r, v);
            let d_rows = sized(&mut w.d_rows_rd, r * d);
            matmul(MatMut::new(d_rows, r, d), d_logits, head, 1.0, Write::Replace);
            let d_head = MatMut::new(&mut gradient[self.layout.head.clone()], v, d);
            matmul(d_head, d_logits.t(), Mat::new(&w.rows_rd, r, d), 1.0, Write::Add);
            for (row, (i, _, _)) in w.d_rows_rd.chunks_exact(d).zip(block) {
                d_final[i * d..][..d].copy_from_slice(row);
            }
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
        let d_out = Mat::new(d_hidden, n, d);
        self.back(
            d_out,
            &ranges.down,
            sized(&mut t.d_active_nf, n * f),
            Write::Replace,
        );
        self.weight(d_out, Mat::new(&t.active_nf, n, f), &ranges.down, gradient);
        kernels::swiglu_backward(&mut s.gate_nf, &mut s.up_nf, &t.d_active_nf);
        let (d_gate, d_up) = (Mat::new(&s.gate_nf, n, f), Mat::new(&s.up_nf, n, f));
        let d_normed = sized(&mut t.d_normed_nd, n * d);
        self.back(d_gate, &ranges.gate, d_normed, Write::Replace);
        self.back(d_up, &ranges.up, d_normed, Write::Add);
        self.weight(d_gate, Mat::new(&s.normed2_nd, n, d), &ranges.gate, gradient);
        self.weight(d_up, Mat::new(&s.normed2_nd, n, d), &ranges.up, gradient);
        let saved = (&s.middle_nd[..], self.p(&ranges.norm2), &s.inv_rms2_n[..]);
        kernels::rms_norm_backward(saved, d_normed, d_hidden, &mut gradient[ranges.norm2.clone()]);

        // Attention.
        let d_out = Mat::new(d_hidden, n, d);
        self.back(
            d_out,
            &ranges.o,
            sized(&mut t.d_attended_nq, n * q_width),
            Write::Replace,
        );
        self.weight(d_out, Mat::new(&s.attended_nq, n, q_width), &ranges.o, gradient);
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
            kernels::attention_backward(shape, saved, &t.d_attended_nq[qr], gradients, &mut t.scores);
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
        let input = Mat::new(&s.normed1_nd, n, d);
        let parts = [
            (Mat::new(&t.d_q_raw, n, q_width), &ranges.q, Write::Replace),
            (Mat::new(&t.d_k_raw, n, kv_width), &ranges.k, Write::Add),
            (Mat::new(&t.d_v, n, kv_width), &ranges.v, Write::Add),
        ];
        for (d_part, range, write) in parts {
            self.back(d_part, range, d_normed, write);
            self.weight(d_part, input, range, gradient);
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

    /// `out = x wᵀ`, `w` `[width, x.cols]`.
    fn project(&self, x: Mat<'_>, weight: &Range<usize>, out: &mut [f32], width: usize) {
        let w = Mat::new(self.p(weight), width, x.cols());
        matmul(MatMut::new(out, x.rows(), width), x, w.t(), 1.0, Write::Replace);
    }

    /// `hidden += x wᵀ`.
    fn project_add(&self, x: Mat<'_>, weight: &Range<usize>, hidden: &mut [f32]) {
        let d = self.layout.dims.hidden;
        let w = Mat::new(self.p(weight), d, x.cols());
        matmul(MatMut::new(hidden, x.rows(), d), x, w.t(), 1.0, Write::Add);
    }

    /// Gradient of a projection's input: `d_x = d_y w`.
    fn back(&self, d_y: Mat<'_>, weight: &Range<usize>, d_x: &mut [f32], write: Write) {
        let width = d_x.len() / d_y.rows();
        let w = Mat::new(self.p(weight), d_y.cols(), width);
        matmul(MatMut::new(d_x, d_y.rows(), width), d_y, w, 1.0, write);
    }

    /// Gradient of a projection's weight: `d_w += d_yᵀ x`.
    fn weight(&self, d_y: Mat<'_>, x: Mat<'_>, weight: &Range<usize>, gradient: &mut [f32]) {
        let d_w = MatMut::new(&mut gradient[weight.clone()], d_y.cols(), x.cols());
        matmul(d_w, d_y.t(), x, 1.0, Write::Add);
    }
}

fn scaled(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start * by..range.end * by
}
