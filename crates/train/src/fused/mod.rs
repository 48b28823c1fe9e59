//! Loss and gradients of a Qwen3 model on the CPU, written out by hand over `kernels`.
//!
//! Autograd over tensors spends most of a small model's step on allocating, clearing and passing over memory. Here
//! every buffer is reused, element-wise passes are fused, and each thread works through its own sequences without a
//! barrier. The plain twin is [`crate::candle_twin`]; tests hold both to PyTorch's gradients.
//!
//! Shape suffixes: `n` tokens of a chunk (its sequences one after another), `d` hidden, `q` = heads x head size,
//! `kv` = key heads x head size, `f` feed-forward, `r` rows with a loss, `v` vocabulary.

mod objective;
mod pass;
mod products;

use crate::examples::Kind;
use crate::layout::Layout;
use crate::sequence::Sequence;
use objective::{Goal, by_sequence};
use pass::{Pass, Workspace};
use products::{PackedWeights, Products};
use rewardanything_kernels as kernels;
use rewardanything_kernels::{Isa, RopeTable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

pub use objective::{Likelihoods, Objective, Place, Term};

/// Tokens each thread takes at a time: activations of a layer then stay near the cache.
pub const CHUNK_TOKENS: usize = 768;

/// In which numbers the products are computed. Weights, sums and everything that is not a product are `f32` in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compute {
    /// Operands rounded to bf16 where the processor multiplies bf16, which is twice as fast and more; elsewhere as
    /// [`Compute::Exact`].
    #[default]
    Native,
    /// `f32` throughout: the twin.
    Exact,
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
    /// Where each target stands in the batch.
    places: Vec<Place>,
}

impl Chunk {
    fn new(sequences: &[(usize, &Sequence)]) -> Self {
        let mut chunk = Self {
            tokens: vec![],
            positions: vec![],
            segments: vec![],
            targets: vec![],
            kinds: vec![],
            places: vec![],
        };
        for &(sequence, s) in sequences {
            let start = chunk.tokens.len();
            // The last token predicts nothing, so it is not computed at all.
            let n = s.tokens.len() - 1;
            chunk.tokens.extend(&s.tokens[..n]);
            chunk.positions.extend(0..n);
            chunk.segments.push(start..start + n);
            for i in (0..n).filter(|i| s.weights[i + 1] != 0.0) {
                chunk.targets.push((start + i, s.tokens[i + 1], s.weights[i + 1]));
                chunk.kinds.push(s.kinds[i + 1]);
                chunk.places.push(Place {
                    sequence,
                    token: i + 1,
                });
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
    compute: Compute,
    packed: PackedWeights,
    workers: Vec<(Workspace, Vec<f32>)>,
}

impl Fused {
    /// A gradient for `layout` on `threads` threads that each take about `chunk_tokens` tokens at a time, computed in
    /// [`Compute::Exact`].
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
            compute: Compute::Exact,
            packed: PackedWeights::default(),
            workers,
        }
    }

    /// The same in the numbers of `compute`; [`Compute::Native`] becomes exact where the processor has no products of
    /// bf16.
    #[must_use]
    pub fn computing(mut self, compute: Compute) -> Self {
        self.compute = if Isa::active().has_bf16() {
            compute
        } else {
            Compute::Exact
        };
        self
    }

    /// What it computes in.
    pub fn compute(&self) -> Compute {
        self.compute
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
        let goal = Goal::CrossEntropy((1.0 / total) as f32);
        let loss = self.passes(params, batch, goal);
        self.sum(gradient);
        loss
    }

    /// The sum of `objective`'s terms over all tokens of `batch` whose weight is not 0, and the likelihoods it was
    /// computed from; `gradient` is replaced.
    ///
    /// Summation order is fixed by the batch and the number of threads.
    pub fn objective_and_gradient(
        &mut self,
        params: &[f32],
        batch: &[Sequence],
        objective: &dyn Objective,
        gradient: &mut [f32],
    ) -> (f64, Likelihoods) {
        let loss = self.passes(params, batch, Goal::Objective(objective));
        self.sum(gradient);
        (loss, self.take_likelihoods(batch.len()))
    }

    /// The likelihoods of all tokens of `batch` whose weight is not 0, by the forward pass alone.
    pub fn likelihoods(&mut self, params: &[f32], batch: &[Sequence]) -> Likelihoods {
        self.passes(params, batch, Goal::Likelihoods);
        self.take_likelihoods(batch.len())
    }

    fn take_likelihoods(&mut self, sequences: usize) -> Likelihoods {
        let parts = self.workers.iter_mut().flat_map(|w| w.0.likelihoods.drain(..));
        by_sequence(sequences, parts)
    }

    /// Runs all chunks; the threads' gradients are left with the workers.
    fn passes(&mut self, params: &[f32], batch: &[Sequence], goal: Goal<'_>) -> f64 {
        let chunks = self.chunks(batch);
        let threads = self.workers.len();
        if self.compute == Compute::Native {
            self.packed.refresh(&self.layout, params, threads);
        }
        let pass = Pass {
            layout: &self.layout,
            rope: &self.rope,
            products: Products {
                compute: self.compute,
                isa: Isa::active(),
                params,
                packed: &self.packed,
            },
            goal,
        };
        std::thread::scope(|scope| {
            let handles: Vec<_> = self
                .workers
                .iter_mut()
                .enumerate()
                .map(|(t, (workspace, own))| {
                    let mine: Vec<&Chunk> = chunks.iter().skip(t).step_by(threads).collect();
                    let pass = &pass;
                    scope.spawn(move || {
                        own.fill(0.0);
                        workspace.tally.clear();
                        workspace.likelihoods.clear();
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
        })
    }

    /// The sum of all threads' gradients, each thread adding up its share of the elements in the order of the threads.
    fn sum(&self, gradient: &mut [f32]) {
        let share = gradient.len().div_ceil(self.workers.len()).max(1);
        std::thread::scope(|scope| {
            for (i, part) in gradient.chunks_mut(share).enumerate() {
                scope.spawn(move || {
                    let range = i * share..i * share + part.len();
                    part.copy_from_slice(&self.workers[0].1[range.clone()]);
                    for (_, own) in &self.workers[1..] {
                        kernels::add_assign(part, &own[range.clone()]);
                    }
                });
            }
        });
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
        let mut order: Vec<(usize, &Sequence)> = batch
            .iter()
            .enumerate()
            .filter(|(_, s)| s.tokens.len() > 1)
            .collect();
        order.sort_by_key(|(_, s)| std::cmp::Reverse(s.tokens.len()));
        let mut bins: Vec<(usize, Vec<(usize, &Sequence)>)> = vec![(0, vec![]); count];
        for (place, s) in order {
            let bin = bins
                .iter_mut()
                .min_by_key(|b| b.0)
                .expect("count is at least one. This is a bug.");
            // Attention grows with the square of the length; 512 tokens cost about a quarter more than linear.
            bin.0 += s.tokens.len() * (2048 + s.tokens.len());
            bin.1.push((place, s));
        }
        bins.iter()
            .filter(|b| !b.1.is_empty())
            .map(|b| Chunk::new(&b.1))
            .collect()
    }
}
